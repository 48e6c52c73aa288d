import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { install } from '../rig/install.ts'
import { answers, freePort, start } from '../rig/process.ts'
import { node } from '../rig/node.ts'
import type { Starter } from './target.ts'

const version = '1.15.2'

/** Portkey's gateway from npm on Node, as it is but for {@link file://./portkey-preload.mjs}. */
export const portkey: Starter = async (mockPort) => {
  const runtime = node()
  if (runtime === null) return { skipped: 'Node is not installed' }
  const folder = await install('@portkey-ai/gateway', version)
  if (typeof folder !== 'string') return folder
  const script = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js')
  if (!existsSync(script)) return { skipped: `${script} is missing` }
  const port = freePort()
  const preload = new URL('./portkey-preload.mjs', import.meta.url).pathname
  const running = start([runtime, '--import', preload, script, `--port=${port}`, '--headless'], {
    core: 0,
    env: { NODE_ENV: 'production' },
  })
  await answers(`http://127.0.0.1:${port}/`, 15_000, running)
  return {
    name: 'Portkey/Node',
    port,
    headers: {
      'authorization': 'Bearer sk-bench',
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `http://127.0.0.1:${mockPort}/v1`,
    },
    prefix: '',
    running,
    [Symbol.asyncDispose]: running.stop,
  }
}
