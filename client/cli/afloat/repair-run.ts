import type { Command } from 'commander'
import { givenTo } from '../fields.ts'
import { printJson } from '../output.ts'
import { commandAt, type CommandContext } from '../program.ts'
import { onRecord } from '../recorded.ts'
import { printable } from '../words.ts'
import { addScope, scopeOf, withRepair } from './scope.ts'
import { repairText } from './texts.ts'

/** `gw repair run`: at this machine, since a login needs this terminal. */
export function addRepairRun(program: Command, context: CommandContext): void {
  const command = commandAt(program, 'repair run').description('Mend the first route of a scope that can be mended')
    .option('--confirm-repair', 'yes, change the credential')
  addScope(command)
  command.action(() =>
    withRepair(context, async (repair, session) => {
      const json = context.options().json
      const { runInTerminal } = await import('../../../lib/repair/mod.ts')
      const confirm = givenTo(command).confirmRepair === true
      const scope = scopeOf(command)
      const run = () =>
        repair.run({
          ...scope,
          confirm,
          json,
          ...(context.io.interactive
            ? { runInteractive: ([program, ...args], env) => runInTerminal(program!, args, env) }
            : {}),
        })
      // Unconfirmed, it only says what it would do.
      const report = confirm
        ? await onRecord(await session.home(), { operation: 'repair.run', input: { ...scope } }, run)
        : await run()
      if (json) printJson(context.io, report)
      else if (report.confirmation_required && report.route) {
        const { provider, account, action } = report.route
        context.io.out(`${printable(`${provider}:${account}: ${action.message}`)}\nrun it with --confirm-repair\n`)
      } else {
        if (report.took_over) context.io.out('a process that was mending it had died; its lock was taken over\n')
        context.io.out(`${printable(repairText(report))}\n`)
      }
      if (report.exit_code !== 0) context.exitWith(report.exit_code)
    })
  )
}
