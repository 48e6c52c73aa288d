import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { start } from '../rig/process.ts'
import type { Starter, Target } from './target.ts'

/** gw from source on Bun, with tokens, routing, usage records and log on. */
export const gw: Starter = (mockPort) => startGw(mockPort, [])

/** {@link gw}, with options for Bun before the script. */
export async function startGw(mockPort: number, bunOptions: readonly string[]): Promise<Target> {
  const home = mkdtempSync(join(tmpdir(), 'gw-bench-home-'))
  const script = new URL('./gw-server.ts', import.meta.url).pathname
  const running = start([process.execPath, ...bunOptions, script, home, `http://127.0.0.1:${mockPort}`], { core: 0 })
  const port = Number((await running.lines.next()).value)
  const token = String((await running.lines.next()).value)
  if (!port) throw new Error(`gw did not start: ${running.errors()}`)
  return {
    name: 'gw',
    port,
    headers: { authorization: `Bearer ${token}` },
    prefix: 'mock/',
    running,
    async [Symbol.asyncDispose]() {
      await running.stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}
