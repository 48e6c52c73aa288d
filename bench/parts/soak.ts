import { chatBody, runLoad, unfinished } from '../rig/run-load.ts'
import { table } from '../rig/stats.ts'
import type { Target } from '../targets/target.ts'

/** How memory went during a soak. */
export interface Soaked {
  readonly answers: number
  readonly aborted: number
  readonly errors: number
  /** Lowest resident memory of the samples around the first mark, MB. */
  readonly earlyMb: number
  /** Lowest of the last samples, MB. */
  readonly lateMb: number
  /** Answers of the mock unfinished 2 s after the end. */
  readonly left: number
  /** Open descriptors before the first stream, in the middle, and at rest after the last. */
  readonly descriptors: readonly [before: number, during: number, after: number]
}

/** A stream of two seconds. */
export const soakModel = 'bench-pace-100-20'

/** For how long a gateway and a provider keep a connection that nobody uses, and some. */
const idleMs = 120_000

/**
 * 200 streams of two seconds, 30 % of them left in the middle, for `minutes`. Memory is compared between a fifth of
 * the time and the end: the lowest of several samples each, since between two collections it only shows garbage.
 */
export async function soak(
  target: Target,
  mockPort: number,
  minutes: number,
  ask: { path: string; body: string } = {
    path: '/v1/chat/completions',
    body: chatBody(`${target.prefix}${soakModel}`, true),
  },
): Promise<Soaked> {
  const open = (): number => target.running?.descriptors() ?? NaN
  const before = open()
  let during = NaN
  const windowMs = minutes * 60_000
  const samples: { at: number; mb: number }[] = []
  const startedAt = performance.now()
  const timer = setInterval(() => {
    const mb = (target.running?.residentBytes() ?? NaN) / 2 ** 20
    const at = (performance.now() - startedAt) / windowMs
    samples.push({ at, mb })
    if (at < 0.6) during = open()
  }, Math.max(200, windowMs / 600))
  try {
    const run = await runLoad(target, '', { windowMs, connections: 200, abort: 0.3, warmMs: 0 }, ask)
    const lowest = (from: number, to: number): number =>
      Math.min(...samples.filter(({ at }) => at >= from && at <= to).map(({ mb }) => mb))
    await new Promise((resolve) => setTimeout(resolve, 2000))
    const left = await unfinished(mockPort)
    for (let waited = 0; waited < idleMs && open() > before; waited += 1000) {
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
    return {
      answers: run.answers,
      aborted: run.aborted,
      errors: run.errors,
      earlyMb: lowest(0.15, 0.25),
      lateMb: lowest(0.9, 1.1),
      left,
      descriptors: [before, during, open()],
    }
  } finally {
    clearInterval(timer)
  }
}

/** The result as a table. */
export function showSoak(name: string, minutes: number, soaked: Soaked): string {
  const growth = (soaked.lateMb / soaked.earlyMb - 1) * 100
  return `Soak: ${name}, ${minutes} min, 200 streams, 30 % aborted\n` + table(
    [
      'answers',
      'aborted',
      'errors',
      `MB at ${(minutes / 5).toFixed(1)} min`,
      'MB at the end',
      'growth %',
      'left after 2 s',
      'descriptors before, during, at rest',
    ],
    [[
      soaked.answers,
      soaked.aborted,
      soaked.errors,
      soaked.earlyMb,
      soaked.lateMb,
      growth,
      soaked.left,
      soaked.descriptors.join(', '),
    ]],
  )
}
