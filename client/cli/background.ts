import { spawn } from 'node:child_process'
import { open, readFile, stat, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GwError, systemClock } from '../../lib/base/mod.ts'
import { ensurePrivateDir, paths, processAlive } from '../../lib/platform/mod.ts'
import type { Presence } from '../../lib/presence.ts'
import type { CliIo } from './io.ts'
import { findServing, type GlobalOptions } from './session.ts'

/** How long a start may take, and an end: streams are let finish. */
const startMs = 20_000
const stopMs = 60_000
const lookMs = 100
/** What is kept of the log of earlier runs, bytes. */
const largestLog = 1024 * 1024

/**
 * Starts a gateway that outlives this command, and waits until it answers. Warnings and worse go to `serve.log` of the
 * home, where no level is set.
 *
 * @throws GwError `server.not_started` with what it said when it ends at once or does not answer in time
 */
export async function startInBackground(
  io: Pick<CliIo, 'env' | 'cwd' | 'signal'>,
  { config, flags, url }: GlobalOptions,
): Promise<{ readonly gateway: Presence; readonly log: string; readonly started: boolean }> {
  if (url !== undefined) throw new GwError('usage.invalid', 'a gateway is started here; leave --url out')
  const log = join(paths(io.env).data, 'serve.log')
  const running = await findServing(io)
  if (running) return { gateway: running, log, started: false }
  await ensurePrivateDir(dirname(log))
  const before = await stat(log).catch(() => null)
  if (before && before.size > largestLog) await truncate(log)
  const file = await open(log, 'a', 0o600)
  const from = (await file.stat()).size
  const quiet = io.env.GW_LOG_LEVEL || flags['log.level'] ? {} : { 'log.level': 'warn' }
  const settings = Object.entries({ ...quiet, ...flags }).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  const [program, ...args] = ownArgv()
  const child = spawn(
    program!,
    [...args, 'serve', ...(config === undefined ? [] : ['--config', config]), ...settings],
    {
      detached: true,
      stdio: ['ignore', file.fd, file.fd],
      cwd: io.cwd,
      env: io.env as NodeJS.ProcessEnv,
    },
  )
  let ended = false
  child.on('error', () => ended = true)
  child.on('exit', () => ended = true)
  child.unref()
  await file.close()
  const until = systemClock.monotonic() + startMs
  while (!ended && systemClock.monotonic() < until) {
    const gateway = await findServing(io)
    if (gateway) return { gateway, log, started: true }
    await systemClock.sleep(lookMs, io.signal)
  }
  if (!ended) child.kill('SIGTERM')
  const said = (await readFile(log)).subarray(from).toString().trim().slice(-2_000)
  const why = ended ? 'the gateway ended at once' : `the gateway did not answer in ${startMs / 1_000} s`
  throw new GwError('server.not_started', said === '' ? why : `${why}; it said:\n${said}`, {
    hint: 'gw serve shows it in this terminal',
  })
}

/**
 * Ends the gateway that serves this home and waits for its end.
 *
 * @returns what served, or `null` when nothing did
 * @throws GwError `request.timeout` when it is not over in a minute
 */
export async function stopServing(io: Pick<CliIo, 'env' | 'signal'>): Promise<Presence | null> {
  const gateway = await findServing(io)
  if (!gateway) return null
  process.kill(gateway.pid, 'SIGTERM')
  const until = systemClock.monotonic() + stopMs
  while (processAlive(gateway.pid)) {
    if (systemClock.monotonic() >= until) {
      throw new GwError('request.timeout', `process ${gateway.pid} is still ending`, {
        hint: 'it lets streams finish; a second SIGTERM ends it at once',
      })
    }
    await systemClock.sleep(lookMs, io.signal)
  }
  return gateway
}

/** The command line by which this program was started, up to its own arguments. */
function ownArgv(): readonly string[] {
  const script = process.argv[1]
  // An executable of its own carries its script inside.
  if (script === undefined || /[/\\](\$bunfs|~BUN)[/\\]/.test(script)) return [process.execPath]
  return [process.execPath, ...('Deno' in globalThis ? ['run', '-A', '--quiet'] : process.execArgv), script]
}
