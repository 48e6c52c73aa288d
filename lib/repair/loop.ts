import type { RepairContext } from './context.ts'
import { tick, type TickReport, type TickRequest } from './tick.ts'

/** The answer of a loop. */
export interface LoopReport {
  readonly version: string
  readonly mode: 'loop'
  readonly execution_mode: 'plan' | 'execute'
  readonly executed: boolean
  readonly message: string
  readonly iterations_requested: number | null
  readonly interval_ms: number
  /** The newest ticks. */
  readonly ticks: readonly TickReport[]
}

/** Ticks that a loop keeps for its answer. */
const keptTicks = 100

/**
 * Ticks until the number of iterations is done or the signal fires, sleeping the interval or less when something is due
 * sooner. An interval of 0 does not sleep.
 */
export async function loop(
  context: RepairContext,
  request: TickRequest & {
    readonly iterations: number | null
    readonly intervalMs: number
    readonly signal?: AbortSignal
    readonly onTick?: (report: TickReport) => void
  },
): Promise<LoopReport> {
  const { iterations, intervalMs, signal, onTick, ...rest } = request
  const ticks: TickReport[] = []
  let executed = false
  for (let index = 0; iterations === null || index < iterations; index++) {
    if (signal?.aborted) break
    const report = await tick(context, { ...rest, mode: 'loop', index })
    executed ||= report.executed
    ticks.push(report)
    if (ticks.length > keptTicks) ticks.shift()
    onTick?.(report)
    if (iterations !== null && index + 1 >= iterations) break
    const wait = sleepOf(report, intervalMs, context.clock.now())
    if (wait > 0) {
      try {
        await context.clock.sleep(wait, signal)
      } catch {
        break
      }
    }
  }
  return {
    version: context.version,
    mode: 'loop',
    execution_mode: rest.execute ? 'execute' : 'plan',
    executed,
    message: ticks.at(-1)?.message ?? 'no tick was run',
    iterations_requested: iterations,
    interval_ms: intervalMs,
    ticks,
  }
}

/** Milliseconds until the next tick: the interval, or sooner when something is due; never a busy loop. */
function sleepOf({ summary, executions }: TickReport, intervalMs: number, now: number): number {
  if (intervalMs === 0) return 0
  if (summary.next_tick_after === null) return intervalMs
  const due = summary.next_tick_after * 1000 - now
  // Something due now that a tick could not do is not done by asking at once.
  if (due <= 0) return executions.some(({ executed }) => executed) ? Math.min(intervalMs, 1000) : intervalMs
  return Math.min(intervalMs, due)
}
