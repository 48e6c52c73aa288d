import {
  type Clock,
  createTicker,
  GwError,
  type Json,
  type Logger,
  once,
  silentLogger,
  systemClock,
} from './base/mod.ts'
import { type Config, loadConfig } from './config/mod.ts'
import { demoModels, demoOrigin, demoProvider, demoUpstream } from './demo/mod.ts'
import { directoryOf } from './directory.ts'
import { createEgress, type Egress, egressPolicy, proxiesOf } from './egress/mod.ts'
import {
  createDoor,
  createTurnStore,
  defaultLimits,
  dialectOf,
  type Door,
  errorResponse,
  type Family,
  type Limits,
  type Peer,
  type Rooms,
} from './gateway/mod.ts'
import { accountOf, admitterOf, leaserOf, observerOf, recorderOf } from './line-rooms.ts'
import { type Home, openHome } from './open-home.ts'
import { approvalPage, type SystemFacts } from './operations/mod.ts'
import { detectPlatform, type Platform } from './platform/mod.ts'
import { type Keychain, systemKeychain } from './secrets/mod.ts'
import { createUpstream, type Upstream } from './upstream/mod.ts'
import { version } from './version.ts'

/** How to make a gateway. Everything has a default: `createGateway()` opens the home of the person who runs it. */
export interface GatewayOptions {
  /** Variables in force; default: those of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Folder that holds everything durable; default: by `GW_HOME` and the XDG variables. */
  readonly home?: string
  /** Folder whose `.lenv` and `.env` count. */
  readonly cwd?: string
  /** The config file, when not the home's own. */
  readonly configFile?: string
  /** Settings by path, over file and environment: `{ 'accounts.openai': { provider: 'openai', token_env: 'KEY' } }`. */
  readonly settings?: Readonly<Record<string, Json>>
  /** Adds the built-in demo upstream as provider and account `demo`. */
  readonly demo?: boolean
  /** Follow the config file and put a valid change in force. */
  readonly watch?: boolean
  readonly logger?: Logger
  readonly clock?: Clock
  readonly platform?: Platform
  readonly keychain?: Keychain | null
  /** All of standard input, for a credential that is piped in; absent where it is not this process's to read. */
  readonly readInput?: (() => Promise<string>) | undefined
  /** A number in [0, 1). */
  readonly random?: () => number
}

/** Everything a gateway is made of, for the front doors. */
export interface GatewayRooms extends Home {
  readonly egress: Egress
  readonly upstream: Upstream
  readonly door: Door
  readonly system: SystemFacts
}

/** A running gateway. */
export interface Gateway {
  /**
   * Answers a request to one of the model endpoints, and 404 to any other path. Works without a server.
   *
   * @param peer where it came from; default: this process
   */
  fetch(request: Request, peer?: Peer): Promise<Response>
  /** {@link Gateway.fetch}, but `null` where the path is no model endpoint. */
  answer(request: Request, peer: Peer): Promise<Response> | null
  readonly rooms: GatewayRooms
  /** Says where it is served; `null` again when no longer. */
  listening(url: string | null): void
  /** Not ready from now on; what runs goes on, and so does what still comes until {@link close}. */
  drain(): void
  /** Ends what runs and writes what waits. */
  close(): Promise<void>
}

/** How long after its start a gateway reads the shipped facts, unless a request needs them before: by then it listens. */
const factsAfterMs = 50

const here: Peer = { address: '', loopback: true }
/**
 * Opens a home and makes the gateway over it: the one place where everything is constructed.
 *
 * @throws GwError `config.invalid`, `config.unreadable`, `storage.corrupt`, `storage.newer`, `secret.locked` …
 */
export async function createGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const clock = options.clock ?? systemClock
  const logger = options.logger ?? silentLogger
  const platform = options.platform ?? await detectPlatform()
  const random = options.random ?? Math.random
  const env = { ...options.env ?? process.env, ...(options.home ? { GW_HOME: options.home } : {}) }
  const from = {
    env,
    cwd: options.cwd ?? process.cwd(),
    flags: { ...(options.demo ? { 'accounts.demo': { provider: 'demo' } } : {}), ...options.settings },
    ...(options.configFile ? { file: options.configFile } : {}),
  }
  const loaded = await loadConfig(from)
  const demo = options.demo ? demoUpstream({ clock }) : null
  const egress = createEgress({
    policy: egressPolicy(loaded.config.egress),
    dialer: platform.openDialer(),
    proxyFor: proxiesOf(loaded.config.egress, env),
    clock,
    log: logger,
    ...(demo ? { inside: new Map([[demoOrigin, (request: Request) => demo.fetch(request)]]) } : {}),
  })
  let url: string | null = null
  const home: Home = await openHome({
    platform,
    clock,
    random,
    logger,
    from,
    loaded,
    keychain: options.keychain === undefined ? systemKeychain() : options.keychain,
    fetch: (input, init) => egress.fetch(input, init),
    egress,
    ...(demo
      ? { providers: [demoProvider], models: new Map([[demoProvider.id, demoModels.map(({ id }) => id)]]) }
      : {}),
    readInput: options.readInput,
    watch: options.watch ?? false,
    approvalUrl: (id) => url && approvalPage(home.config.current().config.server, url, id),
  })
  home.config.onChange(({ config }) => egress.reload(egressPolicy(config.egress)))

  const upstream = createUpstream({
    egress,
    provider: (id) => home.catalog().provider(id),
    environment: home.env,
    clock,
    baseUrl: (account) => accountOf(home, account)?.baseUrl ?? null,
  })
  let limits = limitsOf(loaded.config)
  home.config.onChange(({ config }) => limits = limitsOf(config))
  const ticker = createTicker(clock)
  // Names, prices and context lengths of models are a big file: a start does not wait for it, the first requests do.
  let knowing = false
  const learn = once(() =>
    home.loadFacts().catch((error) => logger.log('warn', 'catalog.facts_missing', { error })).finally(() =>
      knowing = true
    )
  )
  const rooms: Rooms = {
    access: {
      authenticate(headers, peer) {
        // Whatever another process of the home did a moment ago counts: a revoked token, a new account, another key.
        const news = home.news()
        if (knowing && news === null) return home.access.known(headers) ?? home.access.authenticate(headers, peer)
        return Promise.all([learn(), news]).then(() => home.access.authenticate(headers, peer))
      },
      watch: home.access.watch,
      unwatch: home.access.unwatch,
    },
    admitter: admitterOf(home),
    router: home.router,
    leaser: leaserOf(home),
    upstream,
    observer: observerOf(home),
    recorder: recorderOf(home),
    directory: directoryOf(home),
    waiting: () => home.afloat.pending(),
    handing: () => home.afloat.handing(),
    serves: (family) => servesFamily(home.config.current().config, family),
    translation: {
      get autoCache() {
        return home.config.current().config.translation.auto_cache
      },
      maxOutputTokens: ({ provider, model }) => home.catalog().model(provider, model, clock.now()).maxOutputTokens,
    },
    turns: createTurnStore({
      storage: home.storage,
      clock,
      bounds() {
        const { keep_secs, max_bytes } = home.config.current().config.responses
        return { keepMs: keep_secs * 1_000, maxBytes: max_bytes }
      },
    }),
    get limits() {
      return limits
    },
    clock,
    ticker,
    log: logger,
  }
  const door = createDoor(rooms)
  const startedAt = clock.now()
  let draining = false
  let closed = false
  const system: SystemFacts = {
    version,
    runtime: { name: platform.name, version: platform.version },
    startedAt,
    paths: home.paths,
    get url() {
      return url
    },
    notReady: () => closed ? 'closed' : draining ? 'shutting down' : null,
    inFlight: () => door.open,
  }
  home.start()
  const stop = new AbortController()
  const learning = clock.sleep(factsAfterMs, stop.signal).then(learn, () => {})

  return {
    rooms: { ...home, egress, upstream, door, system },
    answer: door.fetch,
    async fetch(request, peer = here) {
      return await (door.fetch(request, peer) ?? notFound(request))
    },
    listening: (given) => void (url = given),
    drain: () => void (draining = true),
    async close() {
      if (closed) return
      closed = true
      door.end()
      ticker.close()
      stop.abort()
      await learning
      await home.close()
    },
  }
}

function notFound(request: Request): Response {
  const { pathname } = new URL(request.url)
  return errorResponse(new GwError('request.not_found', `there is nothing at ${pathname}`), dialectOf(pathname))
}

/** Which groups of paths the configuration leaves open. */
function servesFamily({ server }: Config, family: Family): boolean {
  if (family === 'openai') return server.openai_api
  if (family === 'gemini') return server.gemini_api
  const only = formats[server.api_format]
  return server.anthropic_api && (only === null || only === family)
}

/** The group that each name of a form means; `null` is all of them. */
const formats: Readonly<Record<Config['server']['api_format'], Family | null>> = {
  auto: null,
  anthropic: 'messages',
  messages: 'messages',
  bedrock: 'bedrock',
  invoke: 'bedrock',
  vertex: 'vertex',
  rawpredict: 'vertex',
}

function limitsOf({ limits }: Config): Limits {
  return {
    ...defaultLimits,
    bodyBytes: limits.body_bytes,
    headerBytes: limits.header_bytes,
    eventBytes: limits.event_bytes,
    replyBytes: limits.reply_bytes,
    streamBytes: limits.stream_bytes,
    bodyMs: limits.body_secs * 1000,
    headMs: limits.head_secs * 1000,
    idleMs: limits.idle_secs * 1000,
    totalMs: limits.total_secs * 1000,
    concurrent: limits.concurrent,
  }
}
