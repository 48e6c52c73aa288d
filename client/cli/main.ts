import { processIo } from './io.ts'
import { modules } from './modules.ts'
import { runCli } from './run.ts'
import { version } from '../../lib/version.ts'

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
process.once('SIGTERM', () => stop.abort())
// A reader that went away (`gw … | head`) is no error; a disk that is full is one.
process.stdout.on('error', (error: Error & { code?: string }) => {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`gw: standard output cannot be written: ${error.message}\n`)
  process.exit(1)
})

// A proxy for the world is none for this machine: commands reach gateways here directly.
const here = ['127.0.0.1', 'localhost', '::1']
process.env.NO_PROXY = [process.env.NO_PROXY ?? process.env.no_proxy, ...here].filter(Boolean).join(',')

process.exitCode = await runCli(process.argv.slice(2), processIo(stop.signal), { version, modules })
