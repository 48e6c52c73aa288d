import { runLoad } from '../rig/run-load.ts'
import { median, table } from '../rig/stats.ts'
import type { Target } from '../targets/target.ts'

/** How long and how often. */
export interface Rounds {
  readonly rounds: number
  readonly windowMs: number
}

/** One row per target. */
export interface Row {
  readonly target: string
  readonly values: Readonly<Record<string, number>>
}

/** Requests per second and CPU per request at 64 connections, targets taking turns round by round. */
export async function requests(targets: readonly Target[], { rounds, windowMs }: Rounds): Promise<Row[]> {
  return await interleaved(targets, rounds, async (target) => {
    const run = await runLoad(target, 'bench-json', { windowMs })
    return {
      perSecond: run.answers / run.seconds,
      cpuMicros: run.cpuMicros / run.answers,
      p50Ms: run.firstP50,
      p99Ms: run.firstP99,
      residentMb: run.residentBytes / 2 ** 20,
      errors: run.errors,
    }
  })
}

/** Streams at full speed: 64 connections, 64 chunks each. Chunks coalesce under this pressure. */
export async function bursts(targets: readonly Target[], { rounds, windowMs }: Rounds): Promise<Row[]> {
  return await interleaved(targets, rounds, async (target) => {
    const run = await runLoad(target, 'bench-burst-64', { windowMs })
    return {
      chunksPerSecond: run.chunks / run.seconds,
      cpuMicros: run.cpuMicros / run.chunks,
      firstMs: run.firstP50,
      errors: run.errors,
    }
  })
}

/** 1,000 streams of one chunk each 100 ms: no chunk waits for another, so each costs what it costs. */
export async function paced(targets: readonly Target[], { rounds, windowMs }: Rounds): Promise<Row[]> {
  return await interleaved(targets, rounds, async (target) => {
    const run = await runLoad(target, 'bench-pace-100-0', {
      windowMs,
      connections: 1000,
      openPerSecond: 2000,
      mode: 'hold',
    })
    return {
      live: run.live,
      chunksPerSecond: run.chunks / run.seconds,
      cpuMicros: run.cpuMicros / run.chunks,
      firstMs: run.firstP50,
      delayMs: run.delayP50,
      delayP99Ms: run.delayP99,
      errors: run.errors,
    }
  })
}

/** Runs all targets in each round, each round beginning with another one, and takes medians over the rounds. */
export async function interleaved(
  targets: readonly Target[],
  rounds: number,
  measure: (target: Target) => Promise<Record<string, number>>,
): Promise<Row[]> {
  const seen = new Map<string, Record<string, number>[]>(targets.map((target) => [target.name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < targets.length; i++) {
      const target = targets[(i + round) % targets.length]!
      seen.get(target.name)!.push(await measure(target))
    }
  }
  return [...seen].map(([target, runs]) => ({
    target,
    values: Object.fromEntries(
      Object.keys(runs[0] ?? {}).map((key) => [
        key,
        // An error in any round is an error.
        key === 'errors' ? Math.max(...runs.map((run) => run[key]!)) : median(runs.map((run) => run[key]!)),
      ]),
    ),
  }))
}

/** The rows as a table, with a column that divides `by` through the row of raw Bun. */
export function show(title: string, rows: readonly Row[], by: string): string {
  const base = rows.find((row) => row.target === 'raw Bun')?.values[by] ?? NaN
  const keys = Object.keys(rows[0]?.values ?? {})
  return `${title}\n` + table(
    ['target', ...keys, `${by} ÷ raw Bun`],
    rows.map(({ target, values }) => [target, ...keys.map((key) => values[key]!), values[by]! / base]),
  )
}
