import type { Command } from 'commander'
import { join } from 'node:path'
import { GwError } from '../../../lib/base/mod.ts'
import { withRepair } from '../afloat/scope.ts'
import { givenTo } from '../fields.ts'
import { printReport } from '../output.ts'
import { commandAt, type CommandContext } from '../program.ts'
import { onRecord } from '../recorded.ts'
import { backup, edits } from './edits.ts'

/** `gw import oauth-mux`: its configuration, its evidence and its events. */
export function addImport(program: Command, context: CommandContext): void {
  const command = commandAt(program, 'import oauth-mux').description(
    'Take over an oauth-mux configuration, and its evidence and events',
  )
    .argument('<config>', 'its config.json')
    .option('--state <folder>', 'folder of its health.json and repair-events.jsonl')
    .option('--dry-run', 'say what would change, and change nothing')
  command.action(() =>
    withRepair(context, async (repair, session) => {
      const home = await session.home()
      const path = command.args[0]!
      const { readBounded } = await import('../../../lib/platform/mod.ts')
      const { formatProblem, importConfig, importHealth } = await import('../../../lib/repair/mod.ts')
      const text = await readBounded(path, 1024 * 1024)
      if (text === null) throw new GwError('config.unreadable', `${path} does not exist`)
      const read = importConfig(text)
      if (!read.ok) {
        const problems = read.problems.map(formatProblem)
        throw new GwError('config.invalid', `${path}: ${problems.join('\n')}`, { details: { problems } })
      }
      const dry = givenTo(command).dryRun === true
      const folder = givenTo(command).state as string | undefined
      const health = folder === undefined || dry ? null : await readBounded(join(folder, 'health.json'))
      const events = folder === undefined || dry ? null : await readBounded(join(folder, 'repair-events.jsonl'))
      const keys = read.changes.map(({ path }) => path.join('.'))
      const take = async () => {
        const copy = dry ? null : await backup(home)
        if (!dry) await home.config.write(edits(read.changes))
        return {
          ok: true,
          dry_run: dry,
          keys,
          ignored: read.ignored,
          backup_config: copy,
          health: health === null ? null : importHealth(repair.context, health),
          events: events === null ? null : await repair.events.import(events),
        }
      }
      const change = { operation: 'migrate.oauth-mux', input: { path, state: folder, keys } }
      const report = dry ? await take() : await onRecord(home, change, take)
      printReport(context, report, `${dry ? 'would take over' : 'took over'} ${report.keys.length} entries`)
      if (report.health && !report.health.ok) {
        context.io.err(`gw: ${report.health.reason}\n`)
        context.exitWith(1)
      }
    })
  )
}
