import { Command, CommanderError, type HelpConfiguration, Option } from 'commander'
import { GwError, isObject, nearest } from '../../lib/base/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'
import { exits, sentences } from './afloat/texts.ts'
import { knownProvider, warnUnset } from './adding.ts'
import { addFields, inFlags, inputFrom, kebab } from './fields.ts'
import type { CliIo } from './io.ts'
import { described, settings } from './manifest.ts'
import { printResult } from './output.ts'
import { type GlobalOptions, openSession, type Session } from './session.ts'
import { printable } from './words.ts'

/** What a command of its own (a conversation, a server) is given. */
export interface CommandContext {
  readonly io: CliIo
  readonly version: string
  readonly options: () => GlobalOptions
  /** Runs with a session that is closed afterwards. */
  readonly withSession: <T>(work: (session: Session) => Promise<T>) => Promise<T>
  /** Whether this run completes a command line, or prints what does. */
  readonly completing: boolean
  /** The command line, as it was given. */
  readonly argv: readonly string[]
  /** Ends the process with this code although nothing was thrown. */
  readonly exitWith: (code: number) => void
}

/** Adds commands that are more than one call. */
export type AddCommands = (program: Command, context: CommandContext) => void

/** A file of such commands. */
export interface CommandModule {
  /** The first words of the command lines that need it. */
  readonly words: readonly string[]
  readonly add: AddCommands
}

/** Options of other gateways that mean a setting of this one. */
const shortFlags: readonly (readonly [flags: string, path: string, description: string])[] = [
  ['--host <address>', 'server.host', 'address to listen on'],
  ['--port <number>', 'server.port', 'port to listen on'],
  ['--api-format <name>', 'server.api_format', 'serve Claude in this form only: anthropic, bedrock or vertex'],
]

/** What an area of operations is about, for the help. */
const areas: Readonly<Record<string, string>> = {
  accounts: 'What you have: keys and logins with providers',
  approvals: 'What agents have asked leave for',
  auth: 'Logins with vendors, yours and those of the programs beside gw',
  audit: 'The changes made through gw',
  codex: 'The logins of the Codex program',
  config: 'The configuration',
  enroll: 'Take accounts into the configuration',
  handoff: 'Handoffs, one by one',
  import: 'Take over the files of other gateways',
  liveness: 'How accounts and routes fare',
  models: 'What can be asked for',
  providers: 'Companies and services with an API',
  repair: 'Mend what keeps an account from being used',
  route: 'Where a request would go, and why',
  usage: 'What it cost',
  tokens: 'The tokens of your clients',
  system: 'The gateway itself',
}

/** The page of `gw --help`: what people come for first stands first. */
const helpGroups: readonly (readonly [title: string, commands: readonly string[]])[] = [
  ['Start:', ['serve', 'daemon', 'demo', 'chat', 'status', 'doctor', 'init']],
  ['Accounts and logins:', ['accounts', 'auth', 'providers', 'models', 'discover', 'enroll', 'codex', 'llm']],
  ['Credentials for other programs:', ['token', 'exec', 'env']],
  ['Clients:', ['tokens', 'approvals', 'usage', 'audit']],
  ['Routes:', ['why', 'quota', 'route', 'liveness', 'health', 'sim']],
  ['Stay afloat:', ['probe', 'repair', 'stay-afloat', 'events', 'report']],
  ['Tools and configuration:', ['mcp', 'config', 'import', 'system', 'conform', 'complete', 'version', 'help']],
]

/** Builds the command line: one command for each operation, and those of the modules. */
export function buildProgram(
  io: CliIo,
  version: string,
  modules: readonly CommandModule[],
  exitWith: (code: number) => void,
  argv: readonly string[],
) {
  const program = new Command('gw')
    .description('One local door to every model account you own.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .addHelpCommand(helpCommand())
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureHelp(helpFor(Math.min(io.columns, 120)))
    .configureOutput({
      writeOut: io.out,
      // A page of help is no JSON.
      writeErr: argv.includes('--json') ? () => {} : io.err,
      // What cannot be understood is said like every other error, by who runs the program.
      outputError: () => {},
      getOutHasColors: () => io.color,
      getErrHasColors: () => false,
    })
  program.option('--json', 'print JSON')
    .option('--url <url>', 'drive the gateway at this URL instead of this home (GW_URL)')
    .option('--token <source>', 'token for it: env:NAME, file:PATH or - (GW_TOKEN)')
    .option('--config <file>', 'config file to use (GW_CONFIG)')
    .option('--verbose', 'log what happens (log.level = debug)')
    .option('--set <key=value>', 'set any key of the config for this run; may be repeated', collect)
  for (const [flags, , description] of shortFlags) program.option(flags, description)
  // Completion looks at everything; any other run needs the flags and the operations that its words name.
  const all = argv.includes('complete') || argv.includes('completions')
  const words = new Set(argv.map((word) => word.split('=')[0]!))
  const context: CommandContext = {
    io,
    version,
    options: () => globalOptions(program),
    async withSession(work) {
      const session = await openSession(io, globalOptions(program), version)
      try {
        return await work(session)
      } finally {
        await session.close()
      }
    },
    exitWith,
    completing: all,
    argv,
  }
  const named = all ? null : firstWord(argv, modules)
  for (const operation of described) {
    const command = commandOf(operation)
    if (!command || (named !== null && command[0] !== named)) continue
    if (all || command.length === 1 || words.has(command[0]!)) addOperation(program, operation, command, context)
    else commandAt(program, command[0]!)
  }
  for (const module of modules) if (named === null || module.words.includes(named)) module.add(program, context)
  const own = flagsOf(program, argv)
  for (const setting of settings) {
    if (own.has(setting.flag) || (!all && !words.has(setting.flag))) continue
    program.addOption(new Option(`${setting.flag} <value>`, setting.description).hideHelp())
  }
  arrangeHelp(program)
  afterHelp(program, ['Every setting has a flag too: gw config show --all names them with their variables.'])
  return program
}

/**
 * The command of the first page that a command line names, so that no other need be built; `null` when it names none,
 * or a flag of unknown kind stands before it: then the page as a whole may be shown, or what was meant is looked for.
 */
function firstWord(argv: readonly string[], modules: readonly CommandModule[]): string | null {
  const at = argv.findIndex((word, i) => !word.startsWith('-') && !valued.has(argv[i - 1] ?? ''))
  if (at < 0 || !argv.slice(0, at).every((word) => !word.startsWith('-') || plain.test(word) || valued.has(word))) {
    return null
  }
  const word = argv[at]!
  const known = modules.some(({ words }) => words.includes(word)) ||
    described.some((operation) => commandOf(operation)?.[0] === word)
  return known ? word : null
}

/** What a help page ends with, no wider than the terminal. */
export const afterHelp = (command: Command, lines: readonly string[]): Command =>
  command.addHelpText('after', ({ command }) => {
    const help = command.createHelp()
    return `\n${lines.map((line) => help.boxWrap(line, help.helpWidth ?? 80)).join('\n')}`
  })

/** Below this many columns a term stands above its description. */
const narrow = 64

/** How help is laid out in so many columns. */
function helpFor(helpWidth: number): HelpConfiguration {
  if (helpWidth >= narrow) return { helpWidth }
  return {
    helpWidth,
    minWidthToWrap: 10,
    formatItem(term, _, description, help) {
      const text = help.boxWrap(description, helpWidth - 6).replaceAll('\n', '\n      ')
      return description ? `  ${term}\n      ${text}` : `  ${term}`
    },
  }
}

/** Flags of the program itself: those with a value behind them, and those that are whole. */
const valued = new Set(['--url', '--token', '--config', '--set', ...shortFlags.map(([flags]) => flags.split(' ')[0]!)])
const plain = /^--(json|verbose|[a-z-]+=.*)$/

/** The flags of the command that a command line names: one of its own is meant before a setting of the same name. */
function flagsOf(program: Command, argv: readonly string[]): ReadonlySet<string> {
  let at = program
  for (const word of argv) at = at.commands.find((one) => one.name() === word || one.aliases().includes(word)) ?? at
  return new Set(at === program ? [] : at.options.map(({ long }) => long ?? ''))
}

const collect = (text: string, before: string[] = []): string[] => [...before, text]

const helpCommand = () => new Command('help').argument('[command]').description('Show the help of a command')

/** Puts the commands of `gw --help` under their titles, in the order of {@link helpGroups}. */
function arrangeHelp(program: Command): void {
  const rank = new Map<string, number>()
  for (const [title, names] of helpGroups) {
    for (const name of names) {
      rank.set(name, rank.size)
      program.commands.find((command) => command.name() === name)?.helpGroup(title)
    }
  }
  const commands = program.commands as Command[]
  program.addHelpCommand(helpCommand().helpGroup(helpGroups.at(-1)![0]))
  commands.sort((a, b) => (rank.get(a.name()) ?? Infinity) - (rank.get(b.name()) ?? Infinity))
}

function globalOptions(program: Command): GlobalOptions {
  const given = program.opts() as Record<string, string | boolean | string[] | undefined>
  const flags: Record<string, string> = {}
  for (const setting of settings) {
    const value = given[attribute(setting.flag)]
    if (typeof value === 'string') flags[setting.path] = value
  }
  for (const [flag, path] of shortFlags) {
    const value = given[attribute(flag.split(' ')[0]!)]
    if (typeof value === 'string') flags[path] = value
  }
  if (given.verbose === true) flags['log.level'] = 'debug'
  for (const pair of given.set as string[] | undefined ?? []) {
    const at = pair.indexOf('=')
    if (at <= 0) throw new GwError('usage.invalid', `--set ${pair}: write --set key=value`)
    flags[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return {
    json: given.json === true,
    url: given.url as string | undefined,
    token: given.token as string | undefined,
    config: given.config as string | undefined,
    flags,
  }
}

const attribute = (flag: string): string =>
  flag.replace(/^--/, '').replace(/-([a-z0-9])/g, (_, c: string) => c.toUpperCase())

/** The words of an operation's command, or `null` when it has none of its own. */
function commandOf({ name, kind, cli }: OperationDescription): readonly string[] | null {
  if (cli?.hidden || kind === 'subscription') return null
  return cli?.command?.split(' ') ?? name.split('.').map(kebab)
}

/** The command that holds those of an area. */
const areaCommand = (parent: Command, word: string): Command =>
  parent.commands.find((command) => command.name() === word) ??
    parent.command(word).description(areas[word] ?? '').exitOverride()

/** The command of these words, such as `route explain`; it and its parents are made where they are not there yet. */
export const commandAt = (program: Command, words: string): Command =>
  words.split(' ').filter(Boolean).reduce(areaCommand, program)

function addOperation(
  program: Command,
  operation: OperationDescription,
  words: readonly string[],
  context: CommandContext,
): void {
  const hints = operation.cli ?? {}
  const parent = commandAt(program, words.slice(0, -1).join(' '))
  const command = parent.command(words[words.length - 1]!, { isDefault: hints.default === true })
    .description(operation.summary)
  // Commander hands a misspelt neighbour to the default command as an argument of it.
  if (hints.default) command.allowExcessArguments().hook('preAction', () => refuseNeighbour(parent, command.args))
  for (const alias of hints.aliases ?? []) command.alias(alias)
  addFields(command, operation)
  const text = [operation.description, hints.example && `Example: ${hints.example}`].filter((line) =>
    line !== undefined
  )
  if (text.length > 0) afterHelp(command, text)
  command.action(() =>
    context.withSession(async (session) => {
      const adds = operation.name === 'accounts.add'
      if (adds) await knownProvider(session, String(command.processedArgs[0]))
      const input = await inputFrom({ operation, command, io: context.io })
      const result = await session.call(operation, input).catch((error) => {
        throw inFlags(operation, error)
      })
      if (adds) warnUnset(context.io, session, result)
      const { json } = context.options()
      const code = isObject(result) ? exits[operation.name]?.(result) ?? 0 : 0
      if (code !== 0) context.exitWith(code)
      const sentence = sentences[operation.name]
      if (sentence && !json && isObject(result)) {
        return context.io.out(`${sentence(result).split('\n').map(printable).join('\n')}\n`)
      }
      printResult(context.io, operation, result, json)
    })
  )
}

/** Of a command that does something by itself and has others: a word behind it was to be one of those. */
export function refuseNeighbour(parent: Command, [word]: readonly string[]): void {
  if (word !== undefined) parent.error(`error: unknown command '${word}'`)
}

/** Whether commander ended because help or the version was shown. */
export function isShown(error: unknown): error is CommanderError {
  return error instanceof CommanderError && error.exitCode === 0
}

/** The setting that an unknown option may have meant: commander suggests none of the hidden ones. */
export function meantSetting(error: CommanderError): string | undefined {
  if (error.code !== 'commander.unknownOption' || error.message.includes('Did you mean')) return undefined
  const word = /'([^']+)'/.exec(error.message)?.[1] ?? ''
  return nearest(word, settings.map((setting) => setting.flag), 1)[0]
}
