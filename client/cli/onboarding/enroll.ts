import type { Command } from 'commander'
import { GwError } from '../../../lib/base/mod.ts'
import type { Home } from '../../../lib/open-home.ts'
import type { EnrollRequest } from '../../../lib/repair/mod.ts'
import { withRepair } from '../afloat/scope.ts'
import { givenTo } from '../fields.ts'
import { printJson, printReport } from '../output.ts'
import { commandAt, type CommandContext } from '../program.ts'
import { onRecord } from '../recorded.ts'
import { printable } from '../words.ts'
import { backup, edits } from './edits.ts'

const room = () => import('../../../lib/repair/mod.ts')

/** `gw enroll` and `enroll plan`: one more account. */
export function addEnroll(program: Command, context: CommandContext): void {
  addPlan(program, context)
  addAccount(program, context)
}

const enrollOptions = (command: Command): Command =>
  command.argument('<provider>', 'its kind, as stay-afloat providers shows it')
    .option('--account <name>', 'name of the new account')
    .option('--mode <oauth|pat|plan>', 'what kind of credential')

function requestOf(command: Command): EnrollRequest {
  const given = givenTo(command) as Record<string, string | undefined>
  if (given.mode !== undefined && !['oauth', 'pat', 'plan'].includes(given.mode)) {
    throw new GwError('usage.invalid', '--mode is oauth, pat or plan')
  }
  return {
    provider: command.args[0]!,
    account: given.account,
    mode: given.mode as EnrollRequest['mode'],
    root: given.storeRoot ?? given.configRoot,
    secretEnv: given.secretEnv,
  }
}

function addPlan(program: Command, context: CommandContext): void {
  const command = enrollOptions(commandAt(program, 'enroll plan'))
    .description('Show the steps to add an account; adds nothing')
  command.action(() =>
    withRepair(context, async (repair) => {
      const { io, options } = context
      const report = (await room()).enrollPlan(repair.inventory(), requestOf(command))
      if (options().json) return printJson(io, report)
      for (const { kind, command } of report.steps) {
        io.out(`${kind.replaceAll('_', ' ')}: ${printable(command ?? 'by hand')}\n`)
      }
    }, true)
  )
}

function addAccount(program: Command, context: CommandContext): void {
  const command = enrollOptions(commandAt(program, 'enroll')).description('Add an account, once confirmed')
    .option('--store-root <folder>', 'folder in which its own directory is made')
    .option('--config-root <folder>', 'the same, as some tools call it')
    .option('--secret-env <name>', 'variable that holds its token')
    .option('--confirm-enroll', 'yes, change the configuration')
  command.action(() => {
    // Unconfirmed, it only looks: no file is made.
    const confirmed = givenTo(command).confirmEnroll === true
    return withRepair(context, async (repair, session) => {
      const home = await session.home(!confirmed)
      const asked = requestOf(command)
      const { enrollChange, onboardingKind } = await room()
      const change = enrollChange(repair.inventory(), asked, repair.context.env)
      const { provider, account, capability, directory, secretBackend, secretEnv } = change
      const base = {
        action: 'enroll',
        provider: asked.provider,
        account,
        mode: asked.mode ?? null,
        mutates: true,
        spends_provider_calls: false,
      }
      if (!confirmed) {
        const confirm_command = await confirmLine(asked, account)
        const refused = { ok: false, executed: false, confirmation_required: true, requires: '--confirm-enroll' }
        return printReport(context, { ...refused, ...base, confirm_command }, `nothing was changed; ${confirm_command}`)
      }
      const input = { provider: asked.provider, account, mode: asked.mode, directory }
      const { copy, config_changed } = await onRecord(
        home,
        { operation: 'onboarding.enroll', input },
        () => enroll(home, change),
      )
      const made = asked.provider === onboardingKind ? 'store_bootstrapped' : 'config_bootstrapped'
      printReport(context, {
        ok: true,
        executed: true,
        ...base,
        config_changed,
        [made]: directory !== null,
        config_provider: provider,
        capability,
        secret_backend: secretBackend,
        secret_env: secretEnv,
        created_secret: false,
        ran_provider_login: false,
        backup_config: copy,
        next_commands: [
          `gw doctor runtime --provider ${provider} --account ${account} --json`,
          `gw repair plan --provider ${provider} --account ${account} --json`,
        ],
      }, `added ${provider}:${account}`)
    }, !confirmed)
  })
}

/** The line that does what was asked. */
async function confirmLine({ provider, mode, root, secretEnv }: EnrollRequest, account: string): Promise<string> {
  const { quoteLine } = await room()
  return quoteLine([
    'gw',
    'enroll',
    provider,
    '--account',
    account,
    ...(mode === undefined ? [] : ['--mode', mode]),
    ...(root === undefined ? [] : ['--store-root', root]),
    ...(secretEnv === undefined ? [] : ['--secret-env', secretEnv]),
    '--confirm-enroll',
  ])
}

type EnrollChange = ReturnType<Awaited<ReturnType<typeof room>>['enrollChange']>

async function enroll(home: Home, { directory, changes }: EnrollChange) {
  const copy = await backup(home)
  if (directory) await (await import('../../../lib/platform/mod.ts')).ensurePrivateDir(directory)
  const { before, after } = await home.config.write(edits(changes))
  return { copy, config_changed: before !== after }
}
