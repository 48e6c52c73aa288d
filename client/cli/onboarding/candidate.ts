import type { Command } from 'commander'
import { dirname, join } from 'node:path'
import { GwError } from '../../../lib/base/mod.ts'
import { withRepair } from '../afloat/scope.ts'
import { givenTo } from '../fields.ts'
import { printReport } from '../output.ts'
import { commandAt, type CommandContext } from '../program.ts'
import { onRecord } from '../recorded.ts'
import { backup, edits } from './edits.ts'

/** `gw codex config-candidate` and `config-merge`: several accounts of one plan, looked at before they count. */
export function addCandidate(program: Command, context: CommandContext): void {
  addWrite(program, context)
  addMerge(program, context)
}

const candidateName = 'codex-max.config.json'

function addWrite(program: Command, context: CommandContext): void {
  commandAt(program, 'codex config-candidate')
    .description('Write a candidate configuration beside the one in force, which stays as it is').action(() =>
      withRepair(context, async (repair, session) => {
        const active = (await session.home()).config.current().path
        const candidate = join(dirname(active), candidateName)
        const { ensurePrivateDir, statFile, writeAtomic } = await import('../../../lib/platform/mod.ts')
        const there = await statFile(candidate)
        if (!there) {
          const { formatInventory, starterConfig } = await import('../../../lib/repair/mod.ts')
          const text = formatInventory(starterConfig(repair.context.env, true))
          const change = { operation: 'onboarding.candidate', input: { path: candidate } }
          await onRecord(await session.home(), change, async () => {
            await ensurePrivateDir(dirname(candidate))
            await writeAtomic(candidate, text)
          })
        }
        printReport(context, {
          created: !there,
          active_config: active,
          candidate_config: candidate,
          next_commands: [`gw codex config-merge --candidate ${candidate}`],
        }, there ? `${candidate} exists; nothing was changed` : `created ${candidate}`)
      })
    )
}

function addMerge(program: Command, context: CommandContext): void {
  const command = commandAt(program, 'codex config-merge').description(
    'Take the accounts of a candidate over; all else stays',
  )
    .requiredOption('--candidate <file>', 'the candidate')
  command.action(() =>
    withRepair(context, async (repair, session) => {
      const home = await session.home()
      const candidate = givenTo(command).candidate as string
      const { createInventory, mergeChanges, requireInventory } = await import('../../../lib/repair/mod.ts')
      const text = await (await import('../../../lib/platform/mod.ts')).readBounded(candidate, 1024 * 1024)
      if (text === null) throw new GwError('config.unreadable', `${candidate} does not exist`)
      const changes = mergeChanges(repair.inventory(), createInventory(requireInventory(text, candidate)))
      const merged = changes.length > 0
      const keys = changes.map(({ path }) => path.join('.'))
      const change = { operation: 'onboarding.merge', input: { candidate, keys } }
      const take = async () => {
        const copy = await backup(home)
        await home.config.write(edits(changes))
        return copy
      }
      const copy = merged ? await onRecord(home, change, take) : null
      printReport(context, {
        merged,
        reason: merged ? 'merged_codex_max_candidate' : 'active_config_already_codex_max',
        active_config: home.config.current().path,
        candidate_config: candidate,
        backup_config: copy,
        next_commands: ['gw config validate', 'gw doctor runtime --json'],
      }, merged ? `merged ${candidate}` : 'nothing to merge')
    })
  )
}
