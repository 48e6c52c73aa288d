import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, freePort, start } from '../rig/process.ts'
import { median, table } from '../rig/stats.ts'

/** How long the executable takes from its start to a healthy answer, its database open. */
export interface ColdStart {
  readonly medianMs: number
  readonly minMs: number
  readonly maxMs: number
  readonly residentMb: number
  readonly text: string
}

/** Starts the executable on a home of its own, `times` times; the first start makes the database and is left out. */
export async function coldStart(executable: string, times: number): Promise<ColdStart | { readonly skipped: string }> {
  if (!existsSync(executable)) return { skipped: `${executable} is missing (bun run build)` }
  const home = mkdtempSync(join(tmpdir(), 'gw-bench-cold-'))
  const took: number[] = []
  let residentMb = NaN
  try {
    for (let i = 0; i <= times; i++) {
      const port = freePort()
      const startedAt = performance.now()
      await using running = start([executable, 'serve', '--demo', '--port', String(port)], {
        core: 0,
        env: { GW_HOME: home },
      })
      await answers(`http://127.0.0.1:${port}/healthz`, 10_000, running)
      if (i > 0) took.push(performance.now() - startedAt)
      residentMb = running.residentBytes() / 2 ** 20
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
  const numbers = { medianMs: median(took), minMs: Math.min(...took), maxMs: Math.max(...took), residentMb }
  const heads = Object.keys(numbers)
  return { ...numbers, text: `Cold start of ${executable}, ${times} times\n${table(heads, [Object.values(numbers)])}` }
}
