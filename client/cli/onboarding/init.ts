import type { Command } from 'commander'
import type { Json } from '../../../lib/base/mod.ts'
import { withRepair } from '../afloat/scope.ts'
import { givenTo } from '../fields.ts'
import { printReport } from '../output.ts'
import { commandAt, type CommandContext } from '../program.ts'
import { onRecord } from '../recorded.ts'

/** `gw init`: a starter configuration. */
export function addInit(program: Command, context: CommandContext): void {
  const command = commandAt(program, 'init').description(
    'Write a starter configuration; changes nothing where there is one',
  )
    .option('--codex-max', 'several accounts of one plan that stand in for one another')
  command.action(() =>
    withRepair(context, async (repair, session) => {
      const home = await session.home()
      const { path, exists } = home.config.current()
      if (exists) return printReport(context, { created: false, path }, `${path} exists; nothing was changed`)
      const { starterConfig } = await import('../../../lib/repair/mod.ts')
      const starter = starterConfig(repair.context.env, givenTo(command).codexMax === true)
      const changes = Object.entries(starter).flatMap(([table, entries]) =>
        Object.entries(entries as Record<string, Json>).map(([key, value]) => ({
          path: ['stay_afloat', table, key],
          value,
        }))
      )
      await onRecord(home, { operation: 'onboarding.init', input: { path } }, async () => {
        await home.config.write(changes)
      })
      printReport(context, { created: true, path }, `created ${path}`)
    })
  )
}
