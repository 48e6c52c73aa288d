import { GwError, jsonLogger, type Logger, type LogLevel, once, type Secret, silentLogger } from '../../lib/base/mod.ts'
import type { ConfigSources, LoadedConfig } from '../../lib/config/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'
import type { Home } from '../../lib/open-home.ts'
import type { Presence } from '../../lib/presence.ts'
import type { CliIo } from './io.ts'
import { callRemote, readToken, type Remote } from './remote.ts'
import { answersWithoutConfig } from './without-config.ts'

/** What the options that every command takes came to. */
export interface GlobalOptions {
  readonly json: boolean
  readonly url: string | undefined
  readonly token: string | undefined
  readonly config: string | undefined
  /** Settings by path. */
  readonly flags: Readonly<Record<string, string>>
}

/** Where the commands of one run of the command line act: at a gateway over HTTP, or on the home of this machine. */
export interface Session {
  readonly remote: Remote | null
  /** The token that was given, whether for a remote gateway or for this home. */
  readonly token: Secret | null
  call(
    operation: Pick<OperationDescription, 'name' | 'kind'> & { readonly effect?: string },
    input: object,
  ): Promise<unknown>
  /** The configuration of this machine's home. */
  loadConfig(): Promise<{ from: ConfigSources; loaded: LoadedConfig }>
  /** The home itself; opened once. With `looks`, only to look at it. */
  home(looks?: boolean): Promise<Home>
  close(): Promise<void>
}

/** Begins a {@link Session}. Nothing is opened before it is needed. */
export async function openSession(io: CliIo, options: GlobalOptions, version: string): Promise<Session> {
  const url = options.url ?? io.env.GW_URL
  const token = await tokenOf(io, options)
  const remote = url ? { url: parseUrl(url), token } : null
  let opened: Promise<Home> | null = null
  let reading: Promise<Home> | null = null

  async function config() {
    const { loadConfig } = await import('../../lib/config/mod.ts')
    const from: ConfigSources = {
      env: io.env,
      cwd: io.cwd,
      flags: options.flags,
      ...(options.config === undefined ? {} : { file: options.config }),
    }
    const loaded = await loadConfig(from)
    for (const warning of loaded.warnings) io.err(`gw: ${warning}\n`)
    return { from, loaded }
  }
  const configOnce = once(config)
  const input = once(() => io.readInput())

  /** `looks`: what only looks at a home leaves no trace in it, and works where it cannot be written. */
  async function open(looks = false): Promise<Home> {
    const [
      { from, loaded },
      { openHome },
      { detectPlatform },
      { systemClock },
      { systemKeychain },
      egress,
      { clockFault },
    ] = await Promise.all(
      [
        configOnce(),
        import('../../lib/open-home.ts'),
        import('../../lib/platform/mod.ts'),
        import('../../lib/base/mod.ts'),
        import('../../lib/secrets/mod.ts'),
        import('../../lib/egress/mod.ts'),
        import('../../lib/clock-check.ts'),
      ],
    )
    const fault = looks ? null : clockFault(systemClock.now())
    if (fault) throw fault
    const platform = await detectPlatform()
    const logger = loggerFor(io, loaded.config.log.level)
    return openHome({
      platform,
      clock: systemClock,
      logger,
      egress: egress.createEgress({
        policy: egress.egressPolicy(loaded.config.egress),
        dialer: platform.openDialer(),
        proxyFor: egress.proxiesOf(loaded.config.egress, from.env),
        clock: systemClock,
        log: logger,
      }),
      from,
      loaded,
      keychain: systemKeychain(),
      random: Math.random,
      reading: looks,
      // At a terminal nobody types a credential blind.
      readInput: io.interactive ? undefined : input,
      watch: false,
    })
  }

  return {
    remote,
    token,
    async call(operation, input) {
      if (remote) return callRemote(remote, operation, input, io.signal)
      const answer = answersWithoutConfig[operation.name]
      if (answer) return answer({ io, options, version })
      const [home, { operationContext }, { callOperation }, { operator }, serving] = await Promise.all([
        opened ?? (operation.effect === 'reads' ? reading ??= open(true) : opened = open()),
        import('../../lib/operation-context.ts'),
        import('../../lib/operations/mod.ts'),
        import('../../lib/access/mod.ts'),
        operation.name === 'system.status' ? findServing(io) : null,
      ])
      const facts = {
        version,
        url: serving?.url ?? null,
        startedAt: serving?.startedAt ?? home.clock.now(),
        notReady: () => serving ? null : 'not running; gw serve starts it',
        inFlight: () => 0,
      }
      const context = operationContext(home, facts, { principal: operator, surface: 'cli', signal: io.signal })
      return callOperation(operation.name, input, context)
    },
    loadConfig: configOnce,
    home: (looks = false) => opened ?? (looks ? reading ??= open(true) : opened = open()),
    async close() {
      for (const home of [opened, reading]) await (await home?.catch(() => null))?.close()
    },
  }
}

/** The gateway that serves this home now. */
export async function findServing({ env }: Pick<CliIo, 'env'>): Promise<Presence | null> {
  const [presence, { paths }] = await Promise.all([
    import('../../lib/presence.ts'),
    import('../../lib/platform/mod.ts'),
  ])
  return presence.findServing(paths(env))
}

/** Commands say what they do themselves: only what goes wrong is logged. */
function loggerFor(io: CliIo, level: LogLevel): Logger {
  return level === 'debug' ? jsonLogger((line) => io.err(`${line}\n`), { level }) : silentLogger
}

function parseUrl(text: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new GwError('usage.invalid', `--url ${text} is no http URL without credentials`)
  }
  return url
}

async function tokenOf(io: CliIo, options: GlobalOptions): Promise<Secret | null> {
  const text = options.token ?? (io.env.GW_TOKEN ? 'env:GW_TOKEN' : undefined)
  if (text === undefined) return null
  return await readToken(text, { env: io.env, readInput: io.readInput, warn: (line) => io.err(`gw: ${line}\n`) })
}
