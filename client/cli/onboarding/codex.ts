import type { Command } from 'commander'
import { GwError } from '../../../lib/base/mod.ts'
import { withRepair } from '../afloat/scope.ts'
import { givenTo } from '../fields.ts'
import { printJson, printReport } from '../output.ts'
import { commandAt, type CommandContext } from '../program.ts'
import { onRecord } from '../recorded.ts'
import { printable } from '../words.ts'

const room = () => import('../../../lib/repair/mod.ts')

/** `gw codex …`: several accounts of one plan, each with a private store of its own program. */
export function addCodex(program: Command, context: CommandContext): void {
  for (const name of ['bootstrap-dirs', 'setup', 'onboard']) addStores(program, name, context)
  addLogin(program, 'login', [], context)
  addLogin(program, 'login-device', ['--device-auth'], context)
  for (const name of ['login-status', 'login-status-all']) addLoginStatus(program, name, context)
  addCanary(program, context)
  for (const name of ['live-qa', 'probe-all']) addProbes(program, name, context)
}

function addStores(program: Command, name: string, context: CommandContext): void {
  const command = commandAt(program, `codex ${name}`).description('Make a private store for each account')
    .option('--accounts <list>', 'comma list of account names')
  command.action(() =>
    withRepair(context, async (repair, session) => {
      const { bootstrapStores, starterAccountNames, storeRoot } = await room()
      const given = givenTo(command).accounts as string | undefined
      const accounts = given?.split(',').map((name) => name.trim()).filter(Boolean) ?? starterAccountNames
      const root = storeRoot(repair.context.env)
      const change = { operation: 'onboarding.stores', input: { root, accounts } }
      const folders = await onRecord(await session.home(), change, () => bootstrapStores(root, accounts))
      const { io, options } = context
      if (options().json) return printJson(io, { ok: true, created: folders })
      for (const folder of folders) io.out(`created/verified ${printable(folder)}\n`)
      if (name === 'bootstrap-dirs') return
      for (const account of accounts) io.out(`→ gw codex login-device ${printable(account)}\n`)
    })
  )
}

function addLogin(program: Command, name: string, flags: readonly string[], context: CommandContext): void {
  const command = commandAt(program, `codex ${name}`).description('Log an account in through its own program')
    .argument('<account>', 'name of the account')
  command.action(() =>
    withRepair(context, async (repair, session) => {
      const { io, options, exitWith } = context
      if (options().json || !io.interactive) {
        throw new GwError('login.failed', 'a login needs a terminal and does not mix with --json', {
          hint: 'run the same line in a terminal and without --json',
        })
      }
      const { onboardingKind: provider, runInTerminal } = await room()
      const account = command.args[0]!
      const change = { operation: 'repair.run', effect: 'interactive', input: { provider, account } } as const
      const report = await onRecord(await session.home(), change, () =>
        repair.run({
          provider,
          account,
          confirm: true,
          json: false,
          runInteractive: ([program, verb], env) => runInTerminal(program!, [verb!, ...flags], env),
        }))
      if (report.reason === 'no_admitted_repair') io.out('it needs no login\n')
      else io.out(`${report.ok ? 'ok' : 'failed'}: ${printable(report.reason ?? '')}\n`)
      if (report.exit_code !== 0) exitWith(report.exit_code)
    })
  )
}

function addLoginStatus(program: Command, name: string, context: CommandContext): void {
  const command = commandAt(program, `codex ${name}`)
    .description('Ask each account’s own program whether it is logged in')
    .argument('[account]', 'only this one')
  command.action(() =>
    withRepair(context, async (repair) => {
      const { loginStatus } = await room()
      const [account] = command.args
      const accounts = await loginStatus(repair.context, account === undefined ? {} : { account })
      const lines = accounts.map(({ account, logged_in, runtime }) => {
        if (logged_in === null) return `${account}: ${runtime.state}`
        return `${account}: ${logged_in ? 'logged in' : 'not logged in'}`
      })
      printReport(context, { accounts }, lines.join(' · ') || 'no account is configured')
    }, true)
  )
}

function addCanary(program: Command, context: CommandContext): void {
  const command = commandAt(program, 'codex canary')
    .description('Check everything that costs nothing; with --live also probe')
    .option('--live', 'probe too: uses paid quota')
    .option('--confirm-spend', 'yes, use paid quota')
  command.action(() => {
    const live = givenTo(command).live === true
    if (live && !confirmed(context, command)) return refuseSpend(context)
    return withRepair(context, async (repair) => {
      const { canary } = await room()
      const report = await canary(repair.context, {}, live)
      printReport(context, report, report.ok ? 'ok' : 'something is not ready: gw codex canary --json')
    }, !live)
  })
}

function addProbes(program: Command, name: string, context: CommandContext): void {
  const command = commandAt(program, `codex ${name}`)
    .description('Probe every account and capability: uses paid quota')
    .option('--confirm-spend', 'yes, use paid quota')
  command.action(() => {
    // Refused before a home is opened: nothing at all is made.
    if (!confirmed(context, command)) return refuseSpend(context)
    return withRepair(context, async (repair) => {
      const { liveQa } = await room()
      const report = await liveQa(repair.context, {})
      const { ok, routes_available, routes_total, failures } = report
      printReport(context, report, `${routes_available} of ${routes_total} routes available, ${failures} failures`)
      if (!ok) context.exitWith(1)
    })
  })
}

const confirmed = ({ io }: CommandContext, command: Command): boolean =>
  givenTo(command).confirmSpend === true || io.env.OMUX_LIVE_QA_CONFIRM === 'spend-real-calls'

function refuseSpend(context: CommandContext): void {
  const required = '--confirm-spend or OMUX_LIVE_QA_CONFIRM=spend-real-calls'
  const report = { ok: false, error: 'confirmation_required', required, spends_provider_calls: true }
  printReport(context, report, `this spends: ${required}`)
  context.exitWith(1)
}
