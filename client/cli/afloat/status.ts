import type { Command } from 'commander'
import { givenTo } from '../fields.ts'
import type { CliIo } from '../io.ts'
import { operationNamed } from '../manifest.ts'
import { bold, green, printJson, red, yellow } from '../output.ts'
import { commandAt, type CommandContext } from '../program.ts'
import { printable } from '../words.ts'

type Result = Readonly<Record<string, unknown>>

/** `gw status`: the gateway, the accounts, and what waits for a person. */
export function addStatus(program: Command, context: CommandContext): void {
  const [system, accounts] = [operationNamed('system.status'), operationNamed('state.status')]
  commandAt(program, 'status').description('Show gw, the accounts, how they fare and what waits for you').action(() =>
    context.withSession(async (session) => {
      const gateway = await session.call(system, {}) as Result
      const result = await session.call(accounts, {}) as Result
      const { io, options } = context
      if (options().json) return printJson(io, { ...gateway, ...result, gateway })
      printStatus(io, gateway, result)
    })
  )
}

function printStatus(io: CliIo, gateway: Result, { error, accounts, handoffs }: Result): void {
  const serves = gateway.ready
    ? green(io, `serves at ${gateway.url}`)
    : yellow(io, String(gateway.reason ?? 'not ready'))
  io.out(`gw ${gateway.version}: ${serves}\n`)
  if (error) io.out(`${red(io, 'configuration:')} ${printable(String(error))}\n`)
  for (const { provider, account, selectable, summary, next } of accounts as Result[]) {
    const usable = Number(selectable) > 0
    const mark = usable ? green(io, 'can be used') : yellow(io, printable(String(summary)))
    io.out(`  ${printable(`${provider}:${account}`)}  ${mark}${usable ? '' : step(next)}\n`)
  }
  // Capabilities of one account are mended together.
  const told = new Set(
    (handoffs as Result[]).map(({ provider, account, reason, command }) =>
      `${bold(io, 'needs you:')} ${printable(`${provider}:${account} ${reason}`)}${step(command)}\n`
    ),
  )
  for (const line of told) io.out(line)
}

/** What to do next, behind what it is about. */
const step = (command: unknown): string => command ? `  → ${printable(String(command))}` : ''

/** `gw health`: what is believed of each account, in one line. */
export function addHealth(program: Command, context: CommandContext): void {
  const [list, reset] = [operationNamed('state.health'), operationNamed('liveness.reset')]
  const command = commandAt(program, 'health').description(list.summary)
    .option('--provider <name>', 'exactly this provider')
    .option('--reset <key>', 'forget what is believed of this key')
  command.action(() =>
    context.withSession(async (session) => {
      const { io, options } = context
      const { provider, reset: key } = givenTo(command) as { provider?: string; reset?: string }
      if (key !== undefined) {
        const { known } = await session.call(reset, { key }) as Result
        const message = known ? `reset health for ${key}` : `no health data for ${key}`
        return options().json ? printJson(io, { key, reset: known, message }) : io.out(`${printable(message)}\n`)
      }
      const result = await session.call(list, provider === undefined ? {} : { provider }) as Result
      if (options().json) return printJson(io, result)
      const rows = result.accounts as Result[]
      if (rows.length === 0 && io.terminal) {
        io.err('nothing has been looked at yet: gw route explain names what can be probed\n')
      }
      for (const { key, liveness, score } of rows) {
        io.out(`${printable(String(key))}\t${printable(String((liveness as Result).summary))}\tscore ${score}\n`)
      }
    })
  )
}
