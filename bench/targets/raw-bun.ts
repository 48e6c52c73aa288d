import { answers, freePort, start } from '../rig/process.ts'
import type { Starter } from './target.ts'

/** A bare `Bun.serve` + `fetch` passthrough: the measure that everything is divided by. */
export const rawBun: Starter = async (mockPort) => {
  const port = freePort()
  const script = new URL('./raw-bun-server.ts', import.meta.url).pathname
  const running = start([process.execPath, script, String(port), String(mockPort)], { core: 0 })
  await answers(`http://127.0.0.1:${port}/__stats`, 5000, running)
  return {
    name: 'raw Bun',
    port,
    headers: { authorization: 'Bearer sk-bench' },
    prefix: '',
    running,
    [Symbol.asyncDispose]: running.stop,
  }
}
