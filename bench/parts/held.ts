import { runLoad, unfinished } from '../rig/run-load.ts'
import type { Target } from '../targets/target.ts'
import type { Row } from './requests.ts'

/** 9,900 streams at once, one chunk a second each: who stays live, what it costs, and who is left after a hang-up. */
export async function held(
  targets: readonly Target[],
  mockPort: number,
  { streams, windowMs }: { readonly streams: number; readonly windowMs: number },
): Promise<Row[]> {
  const rows: Row[] = []
  for (const target of targets) {
    const idleMb = (target.running?.residentBytes() ?? NaN) / 2 ** 20
    await quiet(mockPort)
    const run = await runLoad(target, 'bench-pace-1000-0', {
      windowMs,
      connections: streams,
      openPerSecond: 1500,
      mode: 'hold',
    })
    await new Promise((resolve) => setTimeout(resolve, 2000))
    const left = await unfinished(mockPort)
    rows.push({
      target: target.name,
      values: {
        live: run.live,
        errors: run.errors,
        firstMs: run.firstP50,
        firstP99Ms: run.firstP99,
        delayMs: run.delayP50,
        delayP99Ms: run.delayP99,
        cpuPercent: run.cpuMicros / run.seconds / 10_000,
        idleMb,
        residentMb: run.residentBytes / 2 ** 20,
        leftAfter2s: left,
      },
    })
  }
  return rows
}

/** Waits up to 10 s for what a target before left behind: its ghosts must not burden the next one's numbers. */
async function quiet(mockPort: number): Promise<void> {
  for (let i = 0; i < 20 && await unfinished(mockPort) > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
