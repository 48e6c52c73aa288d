import { GwError, type JsonObject } from '../../lib/base/mod.ts'
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
      const rows = days.map(({ name, day }): JsonObject => ({
        routing: name,
        refused: day.refused,
        'moves/session': day.movesPerSession.toFixed(3),
        'displaced to one': day.displacedInMinute === 0 ? '-' : percent(day.displacedShare),
        'new to soonest': percent(day.newToSoonest),
        're-billed Mtok': (day.rebilledTokens / 1e6).toFixed(1),
        'of prompt': percent(day.rebilledTokens / day.promptTokens),
      }))
      io.out(`${sessions} sessions, 8 accounts, 24 h, seed ${seed}\n`)
      printTable(io, rows, Object.keys(rows[0]!))
    })
}

function whole(flag: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  throw new GwError('usage.invalid', `${flag} ${text}: write a whole number from ${least} to ${most}`)
}
