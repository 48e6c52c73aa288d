import type { Command } from 'commander'
import { GwError } from '../../../lib/base/mod.ts'
import { givenTo } from '../fields.ts'
import { printJson } from '../output.ts'
import { commandAt, type CommandContext, refuseNeighbour } from '../program.ts'
import { onRecord } from '../recorded.ts'
import { printable } from '../words.ts'
import { addScope, scopeOf, withRepair } from './scope.ts'
import { blockedText } from './texts.ts'

/** `gw stay-afloat`, one tick or many, and `gw stay-afloat next`. */
export function addTicks(program: Command, context: CommandContext): void {
  const command = commandAt(program, 'stay-afloat')
    .description('Look at the routes, and with --execute take at most one admitted step a tick')
    .option('--once', 'one tick')
    .option('--loop', 'ticks until --iterations or Ctrl-C')
    .option('--execute', 'take the step; without it, only plan it')
    .option('--iterations <number>', 'ticks of a loop')
    .option('--interval-ms <number>', 'milliseconds between two ticks', '60000')
  addScope(command)
  command.allowExcessArguments().action(() => {
    refuseNeighbour(command, command.args)
    return withRepair(context, async (repair, session) => {
      const given = givenTo(command) as Record<string, string | boolean | undefined>
      if (given.once === given.loop) {
        throw new GwError('usage.invalid', 'say --once or --loop', { hint: 'gw stay-afloat --once' })
      }
      const scope = scopeOf(command)
      const execute = given.execute === true
      const look = async () =>
        given.once ? await repair.tick({ ...scope, execute }) : await repair.loop({
          ...scope,
          execute,
          iterations: given.iterations === undefined ? null : whole(given.iterations, '--iterations'),
          intervalMs: whole(given.intervalMs, '--interval-ms'),
          signal: context.io.signal,
          ...(context.options().json ? {} : { onTick: (tick) => context.io.out(`${printable(tick.message)}\n`) }),
        })
      const change = { operation: 'afloat.tick', input: { ...scope, loop: given.loop === true } }
      const report = execute ? await onRecord(await session.home(), change, look) : await look()
      if (context.options().json) printJson(context.io, report)
      else if (given.once) context.io.out(`${printable(report.message)}\n`)
    })
  })

  const next = commandAt(program, 'stay-afloat next').description('Show which route the next run would use')
    .argument('[program...]', 'the program to run, after --')
  addScope(next)
  next.action(() =>
    withRepair(context, async (repair) => {
      const report = await repair.next(scopeOf(next), next.args)
      if (context.options().json) return printJson(context.io, report)
      context.io.out(report.selected ? `${printable(report.selected.health_key)}\n` : blockedText(report.in_the_way))
    }, true)
  )
}

function whole(text: unknown, flag: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new GwError('usage.invalid', `${flag} takes a whole number`)
  return number
}
