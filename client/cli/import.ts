import { basename } from 'node:path'
import type { Command } from 'commander'
import { GwError } from '../../lib/base/mod.ts'
import type { ForeignSystem } from '../../lib/migrate/mod.ts'
import { printJson } from './output.ts'
import { printable } from './words.ts'
import type { AddCommands, CommandContext } from './program.ts'
import { afterHelp, commandAt } from './program.ts'

const systems: readonly (readonly [system: ForeignSystem, description: string])[] = [
  ['lr', 'Take over a .lenv, .env or providers.lenv of Link.Assistant.Router'],
  ['tplumb', 'Take over a config.toml of token-plumber'],
  ['open-llm-auth', 'Take over a config.json of Open LLM Auth'],
  ['litellm', 'Take over a config.yaml of the LiteLLM proxy'],
]

/** `gw import lr|tplumb|open-llm-auth|litellm FILE`: the configuration of another gateway. */
export const importCommands: AddCommands = (program, context) => {
  for (const [system, description] of systems) {
    const command = commandAt(program, 'import').command(system).description(description)
      .argument('<file>', 'its file; it is read and never written')
      .option('--dry-run', 'say what would change, and change nothing')
    if (system === 'lr') {
      command.option('--data-dir <folder>', 'folder of its tokens.lino or tokens.bin, to take over too')
    }
    afterHelp(command, ['What is taken replaces the same keys of the config file. Secrets go to the encrypted store.'])
    command.action(() => run(command, context, system))
  }
}

/** What the operation reports. */
interface Outcome {
  readonly dryRun: boolean
  readonly config: string
  readonly taken: readonly { readonly from: string; readonly to: string }[]
  readonly left: readonly { readonly from: string; readonly why: string }[]
  readonly secrets: readonly string[]
  readonly tokens: { readonly found: number } | null
}

async function run(command: Command, context: CommandContext, system: string): Promise<void> {
  await context.withSession(async (session) => {
    const file = command.args[0]!
    const { dryRun = false, dataDir } = command.opts() as { dryRun?: boolean; dataDir?: string }
    const [{ readBounded }, { readRouterTokens }] = await Promise.all([
      import('../../lib/platform/mod.ts'),
      import('../../lib/access/mod.ts'),
    ])
    const text = await readBounded(file, 4 * 1024 * 1024)
    if (text === null) throw new GwError('config.unreadable', `there is no file ${file}`)
    const tokens = dataDir === undefined ? {} : {
      tokens: (await readRouterTokens(dataDir)).map(({ issuedAt, expiresAt, ...token }) => ({
        ...token,
        issued_at: issuedAt,
        expires_at: expiresAt,
      })),
    }
    const operation = { name: 'migrate.run', kind: 'mutation', effect: 'mutates' } as const
    const input = { system, text, name: basename(file), dry_run: dryRun, ...tokens }
    report(context, await session.call(operation, input) as Outcome)
  })
}

function report({ io, options }: CommandContext, outcome: Outcome): void {
  if (options().json) return printJson(io, outcome)
  const { taken, left, secrets, tokens, config, dryRun: dry } = outcome
  io.out(`${dry ? 'would take' : 'took'} ${taken.length} settings${dry ? '' : ` into ${config}`}\n`)
  for (const { from, to } of taken) io.out(`  ${printable(from)} → ${printable(to)}\n`)
  if (tokens !== null) io.out(`${dry ? 'would take' : 'took'} ${tokens.found} client tokens\n`)
  if (secrets.length > 0) {
    const what = secrets.length === 1 ? '1 secret' : `${secrets.length} secrets`
    io.out(`${what} ${dry ? 'would go' : 'went'} to the encrypted store\n`)
  }
  if (left.length > 0) io.out(`left behind:\n`)
  for (const { from, why } of left) io.out(`  ${printable(from)}: ${printable(why)}\n`)
}
