import { basename } from 'node:path'
import type { Command } from 'commander'
import { GwError } from '../../lib/base/mod.ts'
import type { ForeignSystem, Migration } from '../../lib/migrate/mod.ts'
import { printable } from './words.ts'
import type { CommandContext, CommandModule } from './program.ts'
import { areaCommand } from './program.ts'

const systems: readonly (readonly [system: ForeignSystem, description: string])[] = [
  ['lr', 'Take over a .lenv, .env or providers.lenv of Link.Assistant.Router'],
  ['tplumb', 'Take over a config.toml of token-plumber'],
  ['open-llm-auth', 'Take over a config.json of Open LLM Auth'],
  ['litellm', 'Take over a config.yaml of the LiteLLM proxy'],
]

/** `gw import lr|tplumb|open-llm-auth|litellm FILE`: the configuration of another gateway. */
export const importCommands: CommandModule = (program, context) => {
  for (const [system, description] of systems) {
    const command = areaCommand(program, 'import').command(system).description(description)
      .argument('<file>', 'its file; it is read and never written')
      .option('--dry-run', 'say what would change, and change nothing')
    if (system === 'lr') {
      command.option('--data-dir <folder>', 'folder of its tokens.lino or tokens.bin, to take over too')
    }
    command.addHelpText(
      'after',
      '\nWhat is taken replaces the same keys of the config file. Secrets go to the encrypted store.',
    )
    command.action(() => run(command, context, system))
  }
}

async function run(command: Command, context: CommandContext, system: ForeignSystem): Promise<void> {
  await context.withSession(async (session) => {
    if (session.remote) {
      throw new GwError('usage.invalid', 'this command works on this machine only, not through --url')
    }
    const file = command.args[0]!
    const { dryRun = false, dataDir } = command.opts() as { dryRun?: boolean; dataDir?: string }
    const [{ readBounded }, { readForeign }, access, home] = await Promise.all([
      import('../../lib/platform/mod.ts'),
      import('../../lib/migrate/mod.ts'),
      import('../../lib/access/mod.ts'),
      session.home(),
    ])
    const text = await readBounded(file, 4 * 1024 * 1024)
    if (text === null) throw new GwError('config.unreadable', `there is no file ${file}`)
    const found = await readForeign({ system, text, name: basename(file) }, {
      provider(name) {
        const row = home.catalog().provider(name)
        return row && { id: row.id, baseUrls: row.deployments.map(({ baseUrl }) => baseUrl) }
      },
      exists: ([section, name]) =>
        section === 'accounts' && Object.hasOwn(home.config.current().config.accounts, name!),
      env: (name) => home.env[name],
    })
    const tokens = dataDir === undefined ? null : await access.readRouterTokens(dataDir)
    await home.config.check(found.changes.map(({ path, value }) => ({ path: [...path], value })))
    if (!dryRun) {
      for (const { ref, secret } of found.secrets) await home.secrets.put(ref, secret)
      if (found.changes.length > 0) {
        await home.config.write(found.changes.map(({ path, value }) => ({ path: [...path], value })))
      }
    }
    const adopted = tokens && !dryRun ? await home.access.importTokens(tokens, access.operator) : null
    report(context, found, { dryRun, path: home.config.current().path, tokens: tokens?.length ?? null, adopted })
  })
}

interface Outcome {
  readonly dryRun: boolean
  readonly path: string
  /** Tokens in the data folder; `null` when none was named. */
  readonly tokens: number | null
  readonly adopted: object | null
}

function report({ io, options }: CommandContext, found: Migration, outcome: Outcome): void {
  const { taken, left, secrets } = found
  const { dryRun, path, tokens, adopted } = outcome
  if (options().json) {
    const body = { ok: true, dry_run: dryRun, config: path, taken, left, secrets: secrets.map(({ ref }) => ref) }
    return io.out(
      `${JSON.stringify(tokens === null ? body : { ...body, tokens: adopted ?? { found: tokens } }, null, 2)}\n`,
    )
  }
  io.out(`${dryRun ? 'would take' : 'took'} ${taken.length} settings${dryRun ? '' : ` into ${path}`}\n`)
  for (const { from, to } of taken) io.out(`  ${printable(from)} → ${printable(to)}\n`)
  if (tokens !== null) io.out(`${dryRun ? 'would take' : 'took'} ${tokens} client tokens\n`)
  if (secrets.length > 0) io.out(`${secrets.length} secrets ${dryRun ? 'would go' : 'went'} to the encrypted store\n`)
  if (left.length > 0) io.out(`left behind:\n`)
  for (const { from, why } of left) io.out(`  ${printable(from)}: ${printable(why)}\n`)
}
