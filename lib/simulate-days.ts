import { systemClock } from './base/mod.ts'
import { detectPlatform } from './platform/mod.ts'
import { type DayReport, simulateDay, type StrategyName } from './routing/mod.ts'
import { openStorage } from './storage/mod.ts'

/** One simulated day and the way of routing that it was lived with. */
export interface NamedDay {
  readonly name: string
  readonly strategy: StrategyName
  /** Whether sessions stay where their prefix is cached. */
  readonly sticky: boolean
  readonly day: DayReport
}

const ways: readonly (readonly [name: string, strategy: StrategyName, sticky: boolean])[] = [
  ['gw (drain soonest reset, sticky)', 'drain-soonest-reset', true],
  ['round-robin', 'round-robin', false],
  ['random', 'weighted', false],
]

/** The same day, with gw's own order and with two that do not know what a session is; each in a memory of its own. */
export async function simulateDays(
  { sessions, seed }: { readonly sessions: number; readonly seed: number },
): Promise<NamedDay[]> {
  const platform = await detectPlatform()
  const days: NamedDay[] = []
  for (const [name, strategy, sticky] of ways) {
    const storage = await openStorage({ platform, clock: systemClock, path: ':memory:' })
    try {
      days.push({ name, strategy, sticky, day: await simulateDay({ sessions, seed, strategy, sticky }, storage) })
    } finally {
      await storage.close()
    }
  }
  return days
}
