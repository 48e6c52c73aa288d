import type { Command } from 'commander'
import { type GwError, isGwError } from '../../../lib/base/mod.ts'
import type { OperationDescription } from '../../../lib/operations/mod.ts'
import { addFields, givenTo, inputFrom } from '../fields.ts'
import type { CliIo } from '../io.ts'
import { operationNamed } from '../manifest.ts'
import { green, printResult, red, yellow } from '../output.ts'
import { commandAt, type CommandContext } from '../program.ts'
import { printable } from '../words.ts'
import { printRoutes } from './print-routes.ts'
import { probeText } from './texts.ts'

type Result = Readonly<Record<string, unknown>>

/** A command over one operation whose exit code depends on what came out. */
interface Judged {
  readonly words: string
  readonly operation: string
  readonly exit?: (result: Result) => number
  /** Takes `--strict`: `ok:false` fails only where somebody asked for that. */
  readonly strict?: boolean
  readonly print?: (io: CliIo, result: Result) => void
  /** Answers even where the configuration cannot be read: which of the two reports. */
  readonly unread?: 'accounts' | 'runtime'
}

const judged: readonly Judged[] = [
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
    print: printChecks,
    unread: 'accounts',
  },
  { words: 'doctor runtime', operation: 'state.runtime', strict: true, unread: 'runtime' },
]

/** `gw route select`, `repair plan`, `probe`, `doctor accounts` and `doctor runtime`. */
export function addJudged(program: Command, context: CommandContext): void {
  for (const command of judged) add(program, operationNamed(command.operation), command, context)
}

function add(
  program: Command,
  operation: OperationDescription,
  { words, exit, strict, print, unread }: Judged,
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
      const { io, options } = context
      if (print && !options().json) print(io, result)
      else printResult(io, operation, result, options().json)
      const refused = givenTo(command).strict === true && result.ok === false
      const code = refused ? 1 : exit?.(result) ?? 0
      if (code !== 0) context.exitWith(code)
    })
  )
}

/** What the doctors say where the configuration of this machine cannot be read. */
async function unreadReports({ io, options, version }: CommandContext, error: GwError) {
  const [{ doctorsUnread }, { paths }] = await Promise.all([
    import('../../../lib/repair/mod.ts'),
    import('../../../lib/platform/mod.ts'),
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
