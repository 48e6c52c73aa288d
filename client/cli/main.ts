import { outdatedRuntime, version } from '../../lib/version.ts'
import { type CliIo, processIo } from './io.ts'
import { routeQuestion } from './route-question.ts'

const outdated = outdatedRuntime(process.versions)
if (outdated) {
  process.stderr.write(`gw: ${outdated.found}
  ${outdated.fix}
`)
  process.exit(1)
}

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
process.once('SIGTERM', () => stop.abort())

// A proxy for the world is none for this machine: commands reach gateways here directly. Runtimes differ in which of the
// two names they read.
const direct = [process.env.NO_PROXY, process.env.no_proxy, '127.0.0.1', 'localhost', '::1'].filter(Boolean).join(',')
process.env.NO_PROXY = process.env.no_proxy = direct

const io = processIo(stop.signal)
process.exitCode = await run(process.argv.slice(2), io)
// Whoever gave up on standard input does not stay for its end.
io.close()

/** Loads what the command line needs: a question about routes needs little of it. */
async function run(argv: readonly string[], io: CliIo): Promise<number> {
  const question = routeQuestion(argv, io.env)
  const answered = question && await (await import('./route-answer.ts')).answer(question, io)
  if (answered !== null) return answered
  const [{ runCli }, { modules }] = await Promise.all([import('./run.ts'), import('./modules.ts')])
  return await runCli(argv, io, { version, modules })
}
