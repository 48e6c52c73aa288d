import type { Command } from 'commander'
import { dirname, join } from 'node:path'
import { GwError, type Json } from '../../lib/base/mod.ts'
import type { ConfigChange, EnrollRequest } from '../../lib/repair/mod.ts'
import { givenTo } from './fields.ts'
import { printJson } from './output.ts'
import { printable } from './words.ts'
import type { AddCommands, CommandContext } from './program.ts'
import { onRecord } from './recorded.ts'
import { commandAt, withRepair } from './stay-afloat.ts'

type Home = Awaited<ReturnType<Parameters<Parameters<typeof withRepair>[1]>[1]['home']>>

const room = () => import('../../lib/repair/mod.ts')
const files = () => import('../../lib/platform/mod.ts')

/** `gw init`, `gw enroll …`, `gw codex …` and `gw import oauth-mux`: how accounts get here. */
export const onboarding: AddCommands = (program, context) => {
  addInit(program, context)
  addEnroll(program, context)
  addCodex(program, context)
  addImport(program, context)
}

const print = ({ io, options }: CommandContext, report: object, text: string): void =>
  options().json ? printJson(io, report) : io.out(`${printable(text)}\n`)

const edits = (changes: readonly ConfigChange[]) => changes.map(({ path, value }) => ({ path: [...path], value }))

/** The file as it was, beside itself; refuses to write over an older copy. */
async function backup(home: Home): Promise<string | null> {
  const { path, exists } = home.config.current()
  if (!exists) return null
  const { readBounded, statFile, writeAtomic } = await files()
  const copy = `${path}.backup-${home.clock.now()}`
  if (await statFile(copy)) {
    throw new GwError('request.conflict', `${copy} is there already`, { hint: 'try again' })
  }
  await writeAtomic(copy, await readBounded(path) ?? '')
  return copy
}

function addInit(program: Command, context: CommandContext): void {
  const command = commandAt(program, 'init').description(
    'Write a starter configuration; changes nothing where there is one',
  )
    .option('--codex-max', 'several accounts of one plan that stand in for one another')
  command.action(() =>
    withRepair(context, async (repair, session) => {
      const home = await session.home()
      const { path, exists } = home.config.current()
      if (exists) return print(context, { created: false, path }, `${path} exists; nothing was changed`)
      const { starterConfig } = await room()
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
      print(context, { created: true, path }, `created ${path}`)
    })
  )
}

function addEnroll(program: Command, context: CommandContext): void {
  const options = (command: Command) =>
    command.argument('<provider>', 'its kind, as stay-afloat providers shows it')
      .option('--account <name>', 'name of the new account')
      .option('--mode <oauth|pat|plan>', 'what kind of credential')
  const request = (command: Command): EnrollRequest => {
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
  const plan = options(commandAt(program, 'enroll plan')).description('Show the steps to add an account; adds nothing')
  plan.action(() =>
    withRepair(context, async (repair) => {
      const report = (await room()).enrollPlan(repair.inventory(), request(plan))
      if (context.options().json) return printJson(context.io, report)
      for (const { kind, command } of report.steps) {
        context.io.out(`${kind.replaceAll('_', ' ')}: ${printable(command ?? 'by hand')}\n`)
      }
    }, true)
  )
  const add = options(commandAt(program, 'enroll')).description('Add an account, once confirmed')
    .option('--store-root <folder>', 'folder in which its own directory is made')
    .option('--config-root <folder>', 'the same, as some tools call it')
    .option('--secret-env <name>', 'variable that holds its token')
    .option('--confirm-enroll', 'yes, change the configuration')
  add.action(() => {
    // Unconfirmed, it only looks: no file is made.
    const confirmed = givenTo(add).confirmEnroll === true
    return withRepair(context, async (repair, session) => {
      const home = await session.home(!confirmed)
      const asked = request(add)
      const { enrollChange, quoteLine } = await room()
      const change = enrollChange(repair.inventory(), asked, repair.context.env)
      const base = {
        action: 'enroll',
        provider: asked.provider,
        account: change.account,
        mode: asked.mode ?? null,
        mutates: true,
        spends_provider_calls: false,
      }
      if (!confirmed) {
        const confirm = quoteLine([
          'gw',
          'enroll',
          asked.provider,
          '--account',
          change.account,
          ...(asked.mode === undefined ? [] : ['--mode', asked.mode]),
          ...(asked.root === undefined ? [] : ['--store-root', asked.root]),
          ...(asked.secretEnv === undefined ? [] : ['--secret-env', asked.secretEnv]),
          '--confirm-enroll',
        ])
        return print(context, {
          ok: false,
          executed: false,
          confirmation_required: true,
          requires: '--confirm-enroll',
          ...base,
          confirm_command: confirm,
        }, `nothing was changed; ${confirm}`)
      }
      const { ensurePrivateDir } = await files()
      const { onboardingKind } = await room()
      const input = { provider: asked.provider, account: change.account, mode: asked.mode, directory: change.directory }
      const { copy, config_changed } = await onRecord(home, { operation: 'onboarding.enroll', input }, async () => {
        const copy = await backup(home)
        if (change.directory) await ensurePrivateDir(change.directory)
        const { before, after } = await home.config.write(edits(change.changes))
        return { copy, config_changed: before !== after }
      })
      print(context, {
        ok: true,
        executed: true,
        ...base,
        config_changed,
        ...(asked.provider === onboardingKind
          ? { store_bootstrapped: change.directory !== null }
          : { config_bootstrapped: change.directory !== null }),
        config_provider: change.provider,
        capability: change.capability,
        secret_backend: change.secretBackend,
        secret_env: change.secretEnv,
        created_secret: false,
        ran_provider_login: false,
        backup_config: copy,
        next_commands: [
          `gw doctor runtime --provider ${change.provider} --account ${change.account} --json`,
          `gw repair plan --provider ${change.provider} --account ${change.account} --json`,
        ],
      }, `added ${change.provider}:${change.account}`)
    }, !confirmed)
  })
}

function addCodex(program: Command, context: CommandContext): void {
  const accountsOf = async (command: Command, env: Readonly<Record<string, string | undefined>>) => {
    const { starterAccountNames, storeRoot } = await room()
    const given = givenTo(command).accounts as string | undefined
    return {
      root: storeRoot(env),
      accounts: given === undefined ? starterAccountNames : given.split(',').map((name) => name.trim()).filter(Boolean),
    }
  }
  for (const name of ['bootstrap-dirs', 'setup', 'onboard']) {
    const command = commandAt(program, `codex ${name}`).description('Make a private store for each account')
      .option('--accounts <list>', 'comma list of account names')
    command.action(() =>
      withRepair(context, async (repair, session) => {
        const { root, accounts } = await accountsOf(command, repair.context.env)
        const { bootstrapStores } = await room()
        const change = { operation: 'onboarding.stores', input: { root, accounts } }
        const folders = await onRecord(await session.home(), change, () => bootstrapStores(root, accounts))
        if (context.options().json) {
          return printJson(context.io, { ok: true, created: folders })
        }
        for (const folder of folders) context.io.out(`created/verified ${printable(folder)}\n`)
        if (name !== 'bootstrap-dirs') {
          for (const account of accounts) context.io.out(`→ gw codex login-device ${printable(account)}\n`)
        }
      })
    )
  }
  for (const [name, extra] of [['login', []], ['login-device', ['--device-auth']]] as const) {
    const command = commandAt(program, `codex ${name}`).description('Log an account in through its own program')
      .argument('<account>', 'name of the account')
    command.action(() =>
      withRepair(context, async (repair, session) => {
        const { onboardingKind, runInTerminal } = await room()
        if (context.options().json || !context.io.interactive) {
          throw new GwError('login.failed', 'a login needs a terminal and does not mix with --json', {
            hint: 'run the same line in a terminal and without --json',
          })
        }
        const account = command.args[0]!
        const change = {
          operation: 'repair.run',
          effect: 'interactive',
          input: { provider: onboardingKind, account },
        } as const
        const report = await onRecord(await session.home(), change, () =>
          repair.run({
            provider: onboardingKind,
            account,
            confirm: true,
            json: false,
            runInteractive: ([program, verb], env) => runInTerminal(program!, [verb!, ...extra], env),
          }))
        if (report.reason === 'no_admitted_repair') context.io.out('it needs no login\n')
        else context.io.out(`${report.ok ? 'ok' : 'failed'}: ${printable(report.reason ?? '')}\n`)
        if (report.exit_code !== 0) context.exitWith(report.exit_code)
      })
    )
  }
  for (const name of ['login-status', 'login-status-all']) {
    const command = commandAt(program, `codex ${name}`).description(
      'Ask each account’s own program whether it is logged in',
    )
      .argument('[account]', 'only this one')
    command.action(() =>
      withRepair(context, async (repair) => {
        const accounts = await (await room()).loginStatus(
          repair.context,
          command.args[0] === undefined ? {} : { account: command.args[0] },
        )
        const lines = accounts.map(({ account, logged_in, runtime }) =>
          `${account}: ${logged_in === null ? runtime.state : logged_in ? 'logged in' : 'not logged in'}`
        )
        print(context, { accounts }, lines.join(' · ') || 'no account is configured')
      }, true)
    )
  }
  const canary = commandAt(program, 'codex canary').description(
    'Check everything that costs nothing; with --live also probe',
  )
    .option('--live', 'probe too: uses paid quota').option('--confirm-spend', 'yes, use paid quota')
  canary.action(() => {
    const live = givenTo(canary).live === true
    if (live && !confirmed(context, canary)) return refuseSpend(context)
    return withRepair(context, async (repair) => {
      const report = await (await room()).canary(repair.context, {}, live)
      print(context, report, report.ok ? 'ok' : 'something is not ready: gw codex canary --json')
    }, !live)
  })
  for (const name of ['live-qa', 'probe-all']) {
    const command = commandAt(program, `codex ${name}`).description(
      'Probe every account and capability: uses paid quota',
    )
      .option('--confirm-spend', 'yes, use paid quota')
    command.action(() => {
      // Refused before a home is opened: nothing at all is made.
      if (!confirmed(context, command)) return refuseSpend(context)
      return withRepair(context, async (repair) => {
        const report = await (await room()).liveQa(repair.context, {})
        print(
          context,
          report,
          `${report.routes_available} of ${report.routes_total} routes available, ${report.failures} failures`,
        )
        if (!report.ok) context.exitWith(1)
      })
    })
  }
  addCandidate(program, context)
}

const confirmed = ({ io }: CommandContext, command: Command): boolean =>
  givenTo(command).confirmSpend === true || io.env.OMUX_LIVE_QA_CONFIRM === 'spend-real-calls'

function refuseSpend(context: CommandContext): void {
  const required = '--confirm-spend or OMUX_LIVE_QA_CONFIRM=spend-real-calls'
  print(
    context,
    { ok: false, error: 'confirmation_required', required, spends_provider_calls: true },
    `this spends: ${required}`,
  )
  context.exitWith(1)
}

function addCandidate(program: Command, context: CommandContext): void {
  const candidateName = 'codex-max.config.json'
  commandAt(program, 'codex config-candidate')
    .description('Write a candidate configuration beside the one in force, which stays as it is').action(() =>
      withRepair(context, async (repair, session) => {
        const active = (await session.home()).config.current().path
        const candidate = join(dirname(active), candidateName)
        const { ensurePrivateDir, statFile, writeAtomic } = await files()
        const there = await statFile(candidate)
        if (!there) {
          const { formatInventory, starterConfig } = await room()
          const text = formatInventory(starterConfig(repair.context.env, true))
          const change = { operation: 'onboarding.candidate', input: { path: candidate } }
          await onRecord(await session.home(), change, async () => {
            await ensurePrivateDir(dirname(candidate))
            await writeAtomic(candidate, text)
          })
        }
        print(context, {
          created: !there,
          active_config: active,
          candidate_config: candidate,
          next_commands: [`gw codex config-merge --candidate ${candidate}`],
        }, there ? `${candidate} exists; nothing was changed` : `created ${candidate}`)
      })
    )
  const merge = commandAt(program, 'codex config-merge').description(
    'Take the accounts of a candidate over; all else stays',
  )
    .requiredOption('--candidate <file>', 'the candidate')
  merge.action(() =>
    withRepair(context, async (repair, session) => {
      const home = await session.home()
      const candidate = givenTo(merge).candidate as string
      const { createInventory, mergeChanges, requireInventory } = await room()
      const text = await (await files()).readBounded(candidate, 1024 * 1024)
      if (text === null) throw new GwError('config.unreadable', `${candidate} does not exist`)
      const changes = mergeChanges(repair.inventory(), createInventory(requireInventory(text, candidate)))
      const merged = changes.length > 0
      const keys = changes.map(({ path }) => path.join('.'))
      const copy = !merged
        ? null
        : await onRecord(home, { operation: 'onboarding.merge', input: { candidate, keys } }, async () => {
          const copy = await backup(home)
          await home.config.write(edits(changes))
          return copy
        })
      print(context, {
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

function addImport(program: Command, context: CommandContext): void {
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
      const { readBounded } = await files()
      const { formatProblem, importConfig, importHealth } = await room()
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
      print(context, report, `${dry ? 'would take over' : 'took over'} ${report.keys.length} entries`)
      if (report.health && !report.health.ok) {
        context.io.err(`gw: ${report.health.reason}\n`)
        context.exitWith(1)
      }
    })
  )
}
