import type { Command } from 'commander'
import { GwError, isGwError } from '../../lib/base/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'
import type { Consent, Repair, Shell, Used } from '../../lib/repair/mod.ts'
import { blockedText, probeText, repairText } from './afloat-texts.ts'
import { addFields, givenTo, inputFrom } from './fields.ts'
import { bold, green, printResult, red, yellow } from './output.ts'
import { printable } from './words.ts'
import type { CliIo } from './io.ts'
import { described } from './manifest.ts'
import { type AddCommands, areaCommand, type CommandContext } from './program.ts'
import { onRecord } from './recorded.ts'
import { printRoutes } from './routes.ts'
import type { Session } from './session.ts'

type Result = Record<string, unknown>

/** A command over one operation whose exit code depends on what came out. */
interface Wrapped {
  readonly words: string
  readonly operation: string
  readonly exit?: (result: Result, strict: boolean) => number
  /** Takes `--strict`. */
  readonly strict?: boolean
  readonly print?: (io: CliIo, result: Result) => void
  /** Answers even where the configuration cannot be read: which of the two reports. */
  readonly unread?: 'accounts' | 'runtime'
}

/** `ok:false` fails only where somebody asked for that. */
const okOr1 = (result: Result, strict: boolean): number => strict && result.ok === false ? 1 : 0

const wrapped: readonly Wrapped[] = [
  {
    words: 'route select',
    operation: 'route.select',
    exit: ({ selected }) => selected === null ? 201 : 0,
    print: printRoutes,
  },
  { words: 'repair plan', operation: 'repair.plan', print: printRoutes },
  {
    words: 'probe',
    operation: 'repair.probe',
    exit: ({ exit_code }) => Number(exit_code ?? 0),
    print: (io, result) => io.out(`${printable(probeText(result))}\n`),
  },
  {
    words: 'doctor accounts',
    operation: 'state.doctor',
    strict: true,
    exit: okOr1,
    print: printChecks,
    unread: 'accounts',
  },
  { words: 'doctor runtime', operation: 'state.runtime', strict: true, exit: okOr1, unread: 'runtime' },
]

const scopeFlags: readonly (readonly [string, string])[] = [
  ['--profile <name>', 'routes of this profile, in its order'],
  ['--provider <name>', 'only this provider'],
  ['--account <name>', 'only this account of the provider'],
  ['--capability <name>', 'only this capability'],
]

/** `gw route`, `repair`, `probe`, `stay-afloat`, `doctor`, `status`, `health`, `exec` and `env`. */
export const stayAfloat: AddCommands = (program, context) => {
  const known = new Map(described.map((operation) => [operation.name, operation]))
  for (const command of wrapped) addWrapped(program, known.get(command.operation)!, command, context)
  addRouteExplain(program, known, context)
  addStatus(program, known, context)
  addHealth(program, known, context)
  addRepairRun(program, context)
  addTicks(program, context)
  addExec(program, context)
}

/** The command of these words, its parents made on the way. */
export function commandAt(program: Command, words: string): Command {
  let at = program
  for (const word of words.split(' ')) at = areaCommand(at, word)
  return at
}

function addWrapped(
  program: Command,
  operation: OperationDescription,
  { words, exit, strict, print, unread }: Wrapped,
  context: CommandContext,
): void {
  const command = commandAt(program, words).description(operation.summary)
  addFields(command, operation)
  if (strict) command.option('--strict', 'exit 1 when something is not in order')
  command.action(() =>
    context.withSession(async (session) => {
      const input = await inputFrom({ operation, command, io: context.io })
      const result = await session.call(operation, input).catch(async (error: unknown) => {
        if (!unread || session.remote || !isGwError(error) || !error.code.startsWith('config.')) throw error
        return (await unreadReports(context, error))[unread]
      }) as Result
      show(context, operation, result, print)
      const code = exit?.(result, givenTo(command).strict === true) ?? 0
      if (code !== 0) context.exitWith(code)
    })
  )
}

/** What the doctors say where the configuration of this machine cannot be read. */
async function unreadReports({ io, options, version }: CommandContext, error: GwError) {
  const [{ doctorsUnread }, { paths }] = await Promise.all([
    import('../../lib/repair/mod.ts'),
    import('../../lib/platform/mod.ts'),
  ])
  const { config, data, database } = paths(io.env)
  const [first, ...more] = error.message.split('\n').map((line) => line.trim())
  return doctorsUnread(version, {
    configured: true,
    valid: false,
    path: options().config ?? config,
    error: error.message,
    messages: more.length > 0 ? more : [first!],
    stateDir: data,
    database,
  })
}

function show(
  { io, options }: CommandContext,
  operation: OperationDescription,
  result: Result,
  print?: (io: CliIo, result: Result) => void,
): void {
  if (print && !options().json) print(io, result)
  else printResult(io, operation, result, options().json)
}

/** `gw route explain MODEL` plans a request; without a model it explains the routes that are looked after. */
function addRouteExplain(program: Command, known: ReadonlyMap<string, OperationDescription>, context: CommandContext) {
  const models = known.get('route.plan')!
  const routes = known.get('route.explain')!
  const { required: _, ...input } = models.input
  const optional: OperationDescription = { ...models, input }
  const command = commandAt(program, 'route explain')
    .description(`${routes.summary}; with a model, which targets would serve it`)
  addFields(command, optional)
  const capability = command.options.find(({ long }) => long === '--capability')
  if (capability) {
    // Routes have capabilities of their own beside those of models: what is asked checks the name.
    capability.flags = '--capability <name>'
    delete capability.argChoices
    capability.argParser((text: string) => text)
  }
  const taken = new Set(command.options.map(({ long }) => long))
  for (const [flag, text] of scopeFlags) if (!taken.has(flag.split(' ')[0])) command.option(flag, text)
  command.action(() =>
    context.withSession(async (session) => {
      if (command.processedArgs[0] !== undefined) {
        const given = await inputFrom({ operation: optional, command, io: context.io })
        printResult(context.io, models, await session.call(models, given), context.options().json)
        return
      }
      const given = givenTo(command) as Record<string, unknown>
      const scope = Object.fromEntries(
        ['profile', 'provider', 'account', 'capability'].flatMap((name) =>
          typeof given[name] === 'string' ? [[name, given[name]]] : []
        ),
      )
      show(context, routes, await session.call(routes, scope) as Result, printRoutes)
    })
  )
}

/** `gw status`: the gateway, the accounts, and what waits for a person. */
function addStatus(program: Command, known: ReadonlyMap<string, OperationDescription>, context: CommandContext) {
  const [system, accounts] = [known.get('system.status')!, known.get('state.status')!]
  commandAt(program, 'status').description('Show gw, the accounts, how they fare and what waits for you').action(() =>
    context.withSession(async (session) => {
      const gateway = await session.call(system, {}) as Result
      const result = await session.call(accounts, {}) as Result
      const { io, options } = context
      if (options().json) return io.out(`${JSON.stringify({ ...gateway, ...result, gateway }, null, 2)}\n`)
      io.out(
        `gw ${gateway.version}: ${
          gateway.ready ? green(io, `serves at ${gateway.url}`) : yellow(io, String(gateway.reason ?? 'not ready'))
        }\n`,
      )
      if (result.error) io.out(`${red(io, 'configuration:')} ${printable(String(result.error))}\n`)
      for (const row of result.accounts as Result[]) {
        const usable = Number(row.selectable) > 0
        const mark = usable ? green(io, 'can be used') : yellow(io, printable(String(row.summary)))
        io.out(
          `  ${printable(`${row.provider}:${row.account}`)}  ${mark}${
            row.next && !usable ? `  → ${printable(String(row.next))}` : ''
          }\n`,
        )
      }
      const told = new Set<string>()
      for (const row of result.handoffs as Result[]) {
        const line = `${bold(io, 'needs you:')} ${printable(`${row.provider}:${row.account} ${row.reason}`)}${
          row.command ? `  → ${printable(String(row.command))}` : ''
        }\n`
        // Capabilities of one account are mended together.
        if (!told.has(line)) io.out(line)
        told.add(line)
      }
    })
  )
}

function addHealth(program: Command, known: ReadonlyMap<string, OperationDescription>, context: CommandContext) {
  const [list, reset] = [known.get('state.health')!, known.get('liveness.reset')!]
  const command = commandAt(program, 'health').description(list.summary)
    .option('--provider <name>', 'exactly this provider')
    .option('--reset <key>', 'forget what is believed of this key')
  command.action(() =>
    context.withSession(async (session) => {
      const { provider, reset: key } = givenTo(command) as { provider?: string; reset?: string }
      if (key !== undefined) {
        const { known } = await session.call(reset, { key }) as Result
        const message = known ? `reset health for ${key}` : `no health data for ${key}`
        if (context.options().json) {
          return context.io.out(`${JSON.stringify({ key, reset: known, message }, null, 2)}\n`)
        }
        return context.io.out(`${printable(message)}\n`)
      }
      const result = await session.call(list, provider === undefined ? {} : { provider }) as Result
      if (context.options().json) return context.io.out(`${JSON.stringify(result, null, 2)}\n`)
      if ((result.accounts as Result[]).length === 0 && context.io.terminal) {
        context.io.err('nothing has been looked at yet: gw route explain names what can be probed\n')
      }
      for (const row of result.accounts as Result[]) {
        const { summary } = row.liveness as Result
        context.io.out(`${printable(String(row.key))}\t${printable(String(summary))}\tscore ${row.score}\n`)
      }
    })
  )
}

/** `gw repair run`: at this machine, since a login needs this terminal. */
function addRepairRun(program: Command, context: CommandContext): void {
  const command = commandAt(program, 'repair run').description('Mend the first route of a scope that can be mended')
    .option('--confirm-repair', 'yes, change the credential')
  addScope(command)
  command.action(() =>
    withRepair(context, async (repair, session) => {
      const json = context.options().json
      const { runInTerminal } = await import('../../lib/repair/mod.ts')
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
      if (json) context.io.out(`${JSON.stringify(report, null, 2)}\n`)
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

function addTicks(program: Command, context: CommandContext): void {
  const command = commandAt(program, 'stay-afloat')
    .description('Look at the routes, and with --execute take at most one admitted step a tick')
    .option('--once', 'one tick')
    .option('--loop', 'ticks until --iterations or Ctrl-C')
    .option('--execute', 'take the step; without it, only plan it')
    .option('--iterations <number>', 'ticks of a loop')
    .option('--interval-ms <number>', 'milliseconds between two ticks', '60000')
  addScope(command)
  command.action(() =>
    withRepair(context, async (repair, session) => {
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
      if (context.options().json) context.io.out(`${JSON.stringify(report, null, 2)}\n`)
      else if (given.once) context.io.out(`${printable(report.message)}\n`)
    })
  )

  const next = commandAt(program, 'stay-afloat next').description('Show which route the next run would use')
    .argument('[program...]', 'the program to run, after --')
  addScope(next)
  next.action(() =>
    withRepair(context, async (repair) => {
      const report = await repair.next(scopeOf(next), next.args)
      if (context.options().json) return context.io.out(`${JSON.stringify(report, null, 2)}\n`)
      context.io.out(report.selected ? `${printable(report.selected.health_key)}\n` : blockedText(report.in_the_way))
    }, true)
  )
}

function addExec(program: Command, context: CommandContext): void {
  const exec = addUse(commandAt(program, 'exec')).description('Run a program with the right credential')
    .argument('<program...>', 'the program and its arguments, after --')
  exec.action(() =>
    withRepair(context, (repair, session) => launch(context, { repair, session, command: exec, retry: false }))
  )

  const again = addUse(commandAt(program, 'stay-afloat launch'))
    .description('Run a program with the right credential; where it cannot be started, try the next route')
    .argument('<program...>', 'the program and its arguments, after --')
  again.action(() =>
    withRepair(context, (repair, session) => launch(context, { repair, session, command: again, retry: true }))
  )

  const env = addUse(commandAt(program, 'env')).description('Print assignments of the right credential for a shell')
    .option('--shell <name>', 'fish, zsh, bash or ksh; otherwise the one in use')
  env.action(() =>
    withRepair(context, async (repair, session) => {
      const { detectShell, quoteAssignment, shells } = await import('../../lib/repair/mod.ts')
      const used = await use(repair, session, env, { command: undefined, mayWriteFile: false, exclude: new Set() })
      const asked = givenTo(env).shell as string | undefined ?? repair.inventory().defaults.shell
      const shell: Shell = shells.find((name) => name === asked) ?? detectShell(context.io.env)
      for (const [name, value] of Object.entries(used.injection.variables)) {
        context.io.out(`${quoteAssignment(shell, name, value)}\n`)
      }
    })
  )
}

interface Launch {
  readonly repair: Repair
  readonly session: Session
  readonly command: Command
  readonly retry: boolean
}

async function launch(context: CommandContext, { repair, session, command, retry }: Launch): Promise<void> {
  const { execWith } = await import('../../lib/repair/mod.ts')
  const argv = command.args
  const exclude = new Set<string>()
  let failed: unknown = null
  for (;;) {
    const used = await use(repair, session, command, { command: argv, mayWriteFile: true, exclude }).catch((error) => {
      // Where every route was tried, it was not for want of routes.
      throw failed ?? error
    })
    try {
      const status = await execWith({ argv, base: context.io.env, injection: used.injection, cwd: context.io.cwd })
      if (status !== 0) context.exitWith(status)
      return
    } catch (error) {
      if (!retry) throw error
      failed = error
      exclude.add(used.selected.health_key)
      context.io.err(`gw: ${used.selected.health_key}: could not be started; trying the next route\n`)
    }
  }
}

async function use(
  repair: Repair,
  session: Session,
  command: Command,
  more: { command: readonly string[] | undefined; mayWriteFile: boolean; exclude: ReadonlySet<string> },
): Promise<Used> {
  const given = givenTo(command) as Record<string, unknown>
  const { noConsent, probeConsent } = await import('../../lib/repair/mod.ts')
  const consent: Consent = given.confirmSpend === true ? probeConsent(true) : noConsent
  const home = await session.home()
  return await repair.use({
    ...scopeOf(command),
    ...(typeof given.strategy === 'string' ? { strategy: given.strategy } : {}),
    consent,
    folder: home.paths.runtime,
    ...more,
  })
}

function addUse(command: Command): Command {
  addScope(command)
  return command.option('--strategy <name>', 'how many further routes are tried')
    .option('--confirm-spend', 'allow a probe that uses paid quota')
    .passThroughOptions(false)
}

function addScope(command: Command): void {
  for (const [flag, text] of scopeFlags) command.option(flag === '--profile <name>' ? `-p, ${flag}` : flag, text)
}

function scopeOf(command: Command): Record<string, string> {
  const given = givenTo(command) as Record<string, unknown>
  return Object.fromEntries(
    ['profile', 'provider', 'account', 'capability'].flatMap((name) =>
      typeof given[name] === 'string' ? [[name, given[name] as string]] : []
    ),
  )
}

/** Runs on the home of this machine: what needs this terminal, or hands a secret to a program, goes over no network. */
export async function withRepair(
  context: CommandContext,
  work: (repair: Repair, session: Session) => Promise<void>,
  looks = false,
): Promise<void> {
  await context.withSession(async (session) => {
    if (session.remote) {
      throw new GwError('usage.invalid', 'this command works on this machine only, not through --url')
    }
    const home = await session.home(looks)
    await home.accounts.reload()
    await work(home.repair, session)
  })
}

function whole(text: unknown, flag: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new GwError('usage.invalid', `${flag} takes a whole number`)
  return number
}

function printChecks(io: CliIo, result: Result): void {
  for (const check of result.checks as Result[]) {
    const mark = check.ok
      ? green(io, 'ok')
      : check.severity === 'error'
      ? red(io, 'error')
      : yellow(io, String(check.severity))
    const message = String(check.message).split('\n').map(printable).join('\n    ')
    io.out(`${mark}  ${printable(String(check.name))}: ${message}\n`)
  }
  for (const line of result.next_commands as string[]) io.out(`→ ${printable(line)}\n`)
}
