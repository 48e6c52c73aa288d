/**
 * A simulated day of 1,000 sessions over eight accounts, printed side by side: gw's own order with sessions that stay at
 * home, against round-robin and random without. Run: `bun bench/routing-day.ts [seed]`.
 */
import { systemClock } from '../lib/base/mod.ts'
import { detectPlatform } from '../lib/platform/mod.ts'
import { simulateDay, type StrategyName } from '../lib/routing/mod.ts'
import { openStorage } from '../lib/storage/mod.ts'

const seed = Number(process.argv[2] ?? 1)
const ways: readonly (readonly [name: string, strategy: StrategyName, sticky: boolean])[] = [
  ['gw (drain soonest reset, sticky)', 'drain-soonest-reset', true],
  ['round-robin', 'round-robin', false],
  ['random', 'weighted', false],
]
const rows: Record<string, Record<string, string | number>> = {}
for (const [name, strategy, sticky] of ways) {
  const storage = await openStorage({ platform: await detectPlatform(), clock: systemClock, path: ':memory:' })
  const day = await simulateDay({ sessions: 1_000, seed, strategy, sticky }, storage)
  rows[name] = {
    'turns refused': day.refused,
    'moves/session (≤ 1.1)': day.movesPerSession.toFixed(3),
    'most of displaced/min (≤ 25 %)': day.displacedInMinute === 0 ? '–' : `${Math.round(day.displacedShare * 100)} %`,
    'new to soonest (≥ 95 %)': `${(day.newToSoonest * 100).toFixed(1)} %`,
    're-billed Mtok': (day.rebilledTokens / 1e6).toFixed(1),
    'of prompt': `${(day.rebilledTokens / day.promptTokens * 100).toFixed(1)} %`,
  }
  await storage.close()
}
console.log(`1,000 sessions, 8 accounts, 24 h, seed ${seed}`)
console.table(rows)
