import { GwError, type JsonObject } from '../../lib/base/mod.ts'
import type { DayReport } from '../../lib/routing/mod.ts'
import { printJson, printTable } from './output.ts'
import type { AddCommands } from './program.ts'

/** `gw sim`: lives through a day of many sessions with each way of routing, and prints the days side by side. */
export const sim: AddCommands = (program, { io, options }) => {
  program.command('sim')
    .description(
      'Simulate a day over eight accounts with windows, resets, outages and a death, one way of routing each',
    )
    .option('--sessions <number>', 'sessions that begin in the day', '1000')
    .option('--seed <number>', 'another day: the same number gives the same day', '1')
    .action(async (given: { sessions: string; seed: string }) => {
      const sessions = whole('--sessions', given.sessions, 1, 10_000)
      const seed = whole('--seed', given.seed, 0, 0xffff_ffff)
      const { simulateDays } = await import('../../lib/simulate-days.ts')
      const days = await simulateDays({ sessions, seed })
      if (options().json) return printJson(io, { sessions, seed, days })
      const percent = (part: number) => `${(part * 100).toFixed(1)} %`
      const measures: readonly (readonly [what: string, wanted: string, of: (day: DayReport) => string])[] = [
        ['turns that nobody served', '0', ({ refused }) => String(refused)],
        ['moves per session', '≤ 1.1', ({ movesPerSession }) => movesPerSession.toFixed(3)],
        [
          'most of a minute’s displaced to one',
          '≤ 25 %',
          ({ displacedInMinute, displacedShare }) => displacedInMinute === 0 ? '-' : percent(displacedShare),
        ],
        ['new sessions to the soonest reset', '≥ 95 %', ({ newToSoonest }) => percent(newToSoonest)],
        ['prompt tokens billed again', '', ({ rebilledTokens }) => `${(rebilledTokens / 1e6).toFixed(1)} M`],
        ['of all prompt tokens', '', ({ rebilledTokens, promptTokens }) => percent(rebilledTokens / promptTokens)],
      ]
      const rows = measures.map(([what, wanted, of]): JsonObject => ({
        measure: what,
        wanted,
        ...Object.fromEntries(days.map(({ name, day }) => [name.split(' ')[0]!, of(day)])),
      }))
      io.out(
        `${sessions} sessions, 8 accounts, 24 h, seed ${seed}; gw drains the soonest reset and keeps sessions at home\n`,
      )
      printTable(io, rows, Object.keys(rows[0]!))
    })
}

function whole(flag: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  throw new GwError('usage.invalid', `${flag} ${text}: write a whole number from ${least} to ${most}`)
}
