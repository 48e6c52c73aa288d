/**
 * A simulated day of 1,000 sessions over eight accounts, printed side by side: gw's own order with sessions that stay at
 * home, against round-robin and random without. The same as `gw sim`. Run: `bun bench/routing-day.ts [seed]`.
 */
import { simulateDays } from '../lib/simulate-days.ts'

const seed = Number(process.argv[2] ?? 1)
const rows: Record<string, Record<string, string | number>> = {}
for (const { name, day } of await simulateDays({ sessions: 1_000, seed })) {
  rows[name] = {
    'turns refused': day.refused,
    'moves/session (≤ 1.1)': day.movesPerSession.toFixed(3),
    'most of displaced/min (≤ 25 %)': day.displacedInMinute === 0 ? '–' : `${Math.round(day.displacedShare * 100)} %`,
    'new to soonest (≥ 95 %)': `${(day.newToSoonest * 100).toFixed(1)} %`,
    're-billed Mtok': (day.rebilledTokens / 1e6).toFixed(1),
    'of prompt': `${(day.rebilledTokens / day.promptTokens * 100).toFixed(1)} %`,
  }
}
console.log(`1,000 sessions, 8 accounts, 24 h, seed ${seed}`)
console.table(rows)
