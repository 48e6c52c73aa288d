import { GwError } from '../../lib/base/mod.ts'
import type { ConformanceReport } from '../../lib/conform/mod.ts'
import { bold, dim, green, printJson, red } from './output.ts'
import { printable } from './words.ts'
import { type AddCommands, afterHelp } from './program.ts'

/** Options of `gw conform`. */
interface Options {
  readonly model?: string
  readonly broken?: readonly string[]
  readonly only?: string
  readonly timeoutSecs: string
}

/** `gw conform`: does a gateway, this one or another, speak the protocols it says it speaks? */
export const conform: AddCommands = (program, { io, options, withSession, exitWith }) => {
  const command = program.command('conform')
    .description('Test a gateway against the grammar of every protocol, case by case')
    .argument('<url>', 'base URL of the gateway, with or without /v1')
    .option('--model <name>', 'a model that can call tools (default: a quick one of the first listed that do)')
    .option('--broken <name...>', 'models that break in the middle of an answer: each must end in an error')
    .option('--only <text>', 'run only cases whose id holds this text')
    .option('--timeout-secs <seconds>', 'longest wait for one case', '60')
  afterHelp(command, [
    'The token comes from --token or GW_TOKEN. Exits 1 when a case fails.',
    'Example: gw conform http://127.0.0.1:8080 --token env:GW_TOKEN',
    'Example: gw conform http://127.0.0.1:8080 --token env:GW_TOKEN --broken demo/demo-cut demo/demo-twice',
  ])
    .action(async (base: string, { model, broken, only, timeoutSecs }: Options) => {
      const seconds = Number(timeoutSecs)
      if (!(seconds > 0 && seconds <= 3600)) {
        throw new GwError('usage.invalid', '--timeout-secs takes a number of seconds up to 3600')
      }
      if (!URL.canParse(base) || !/^https?:/.test(base)) {
        throw new GwError('usage.invalid', `${printable(base)} is no http URL`)
      }
      const token = await withSession(({ token }) => Promise.resolve(token))
      if (token === null) {
        throw new GwError('usage.invalid', 'a token is needed', { hint: '--token env:NAME, or GW_TOKEN' })
      }
      const { runConformance } = await import('../../lib/conform/mod.ts')
      const report = await runConformance({
        baseUrl: base,
        token: token.reveal(),
        fetch: (url, init) => fetch(url, { ...init, redirect: 'manual' }),
        timeoutMs: seconds * 1000,
        ...(model === undefined ? {} : { model }),
        ...(broken === undefined ? {} : { broken }),
        ...(only === undefined ? {} : { only }),
      })
      if (report.cases.length === 0) {
        throw new GwError('usage.invalid', `no case holds ${printable(only ?? '')} in its id`)
      }
      if (options().json) printJson(io, report)
      else print(report)
      if (report.failed > 0) exitWith(1)
    })

  function print({ baseUrl, model, cases, passed, failed }: ConformanceReport): void {
    io.out(`${printable(baseUrl)} with ${printable(model)}\n`)
    let protocol = ''
    const nameOf = ({ id, protocol }: ConformanceReport['cases'][number]): string => id.slice(protocol.length + 1)
    const width = Math.max(...cases.map((one) => nameOf(one).length)) + 2
    for (const one of cases) {
      if (one.protocol !== protocol) io.out(`\n${bold(io, protocol = one.protocol)}\n`)
      const word = one.outcome === 'pass' ? green(io, 'pass') : red(io, 'FAIL')
      io.out(`  ${word}  ${nameOf(one).padEnd(width)}${one.title} ${dim(io, `(${Math.round(one.durationMs)} ms)`)}\n`)
      if (one.detail !== '') io.out(`        ${printable(one.detail)}\n`)
    }
    const score = Math.floor((passed / cases.length) * 100)
    io.out(`\n${passed} of ${cases.length} pass (${score} %)${failed > 0 ? `, ${failed} fail` : ''}\n`)
  }
}
