import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { install } from '../rig/install.ts'
import { node } from '../rig/node.ts'
import { answers, freePort, start } from '../rig/process.ts'
import type { Starter } from './target.ts'

/** The last version that is a plain Node program; later ones are a desktop application. */
const version = '2.0.0'

/** claude-code-router from npm on Node: Messages in, Chat Completions out. */
export const ccr: Starter = async (mockPort) => {
  const runtime = node()
  if (runtime === null) return { skipped: 'Node is not installed' }
  const folder = await install('@musistudio/claude-code-router', version)
  if (typeof folder !== 'string') return folder
  const port = freePort()
  const home = mkdtempSync(join(tmpdir(), 'gw-bench-ccr-'))
  mkdirSync(join(home, '.claude-code-router'))
  const models = ['bench-json', 'bench-burst-64', 'bench-pace-100-0']
  writeFileSync(
    join(home, '.claude-code-router/config.json'),
    JSON.stringify({
      LOG: false,
      HOST: '127.0.0.1',
      PORT: port,
      APIKEY: 'bench',
      NON_INTERACTIVE_MODE: true,
      Providers: [{
        name: 'mock',
        api_base_url: `http://127.0.0.1:${mockPort}/v1/chat/completions`,
        api_key: 'sk-bench',
        models,
      }],
      Router: { default: 'mock,bench-json' },
    }),
  )
  const script = join(folder, 'node_modules/@musistudio/claude-code-router/dist/cli.js')
  const running = start([runtime, script, 'start'], { core: 0, env: { HOME: home, NODE_ENV: 'production' } })
  await answers(`http://127.0.0.1:${port}/`, 15_000, running)
  return {
    name: 'ccr/Node',
    port,
    headers: { 'x-api-key': 'bench', 'anthropic-version': '2023-06-01' },
    prefix: 'mock,',
    running,
    async [Symbol.asyncDispose]() {
      await running.stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}
