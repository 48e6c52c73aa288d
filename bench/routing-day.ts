/**
 * Simulated days of 1,000 sessions over eight accounts, printed side by side: gw's own order with sessions that stay at
 * home, against round-robin and random without. One day is the same as `gw sim`; of several, each cell is the middle one
 * and the worst. Run: `bun bench/routing-day.ts [first seed] [days]`.
 */
import { simulateDays } from '../lib/simulate-days.ts'

const seed = Number(process.argv[2] ?? 1)
const days = Number(process.argv[3] ?? 1)
const lived = []
for (let i = 0; i < days; i++) lived.push(await simulateDays({ sessions: 1_000, seed: seed + i }))

const percent = (part: number): string => `${(part * 100).toFixed(1)} %`

/** The middle one and the worst of some numbers, or the only one. */
function spread(values: readonly number[], show: (value: number) => string, worst: 'most' | 'least'): string {
  const ordered = values.toSorted((a, b) => a - b)
  const middle = ordered[Math.floor((ordered.length - 1) / 2)]
  if (middle === undefined) return '–'
  return ordered.length === 1
    ? show(middle)
    : `${show(middle)}, ${show(worst === 'most' ? ordered.at(-1)! : ordered[0]!)}`
}

const rows: Record<string, Record<string, string>> = {}
for (const [i, { name }] of lived[0]!.entries()) {
  const all = lived.map((ways) => ways[i]!.day)
  const displaced = all.filter(({ displacedInMinute }) => displacedInMinute > 0)
  rows[name] = {
    'turns refused': spread(all.map(({ refused }) => refused), String, 'most'),
    'moves/session (≤ 1.1)': spread(all.map((day) => day.movesPerSession), (moves) => moves.toFixed(3), 'most'),
    'most of displaced/min (≤ 25 %)': spread(displaced.map((day) => day.displacedShare), percent, 'most'),
    'new to soonest (≥ 95 %)': spread(all.map(({ newToSoonest }) => newToSoonest), percent, 'least'),
    're-billed Mtok': spread(
      all.map(({ rebilledTokens }) => rebilledTokens / 1e6),
      (tokens) => tokens.toFixed(1),
      'most',
    ),
    'of prompt': spread(all.map((day) => day.rebilledTokens / day.promptTokens), percent, 'most'),
  }
}
console.log(`1,000 sessions, 8 accounts, 24 h, ${days === 1 ? `seed ${seed}` : `seeds ${seed} to ${seed + days - 1}`}`)
console.table(rows)
