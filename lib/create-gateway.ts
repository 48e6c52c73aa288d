import { allowsProvider } from './access/mod.ts'
import { type Account, formatTarget } from './accounts/mod.ts'
import type { Credential } from './credentials/mod.ts'
import {
  type Clock,
  createTicker,
  GwError,
  isObject,
  type Json,
  type Logger,
  once,
  silentLogger,
  systemClock,
} from './base/mod.ts'
import type { Provider } from './catalog/mod.ts'
import { type Config, loadConfig } from './config/mod.ts'
import { demoModels, demoUpstream } from './demo/mod.ts'
import { createEgress, type Egress, egressPolicy, proxiesOf } from './egress/mod.ts'
import {
  type Admitter,
  type Body,
  createDoor,
  createTurnStore,
  defaultLimits,
  dialectOf,
  type Directory,
  type Door,
  errorResponse,
  type Family,
  type Leaser,
  type Limits,
  type Peer,
  type Recorder,
  type Rooms,
} from './gateway/mod.ts'
import { type Home, openHome } from './open-home.ts'
import { approvalPage, type SystemFacts } from './operations/mod.ts'
import { detectPlatform, type Platform } from './platform/mod.ts'
import { classifyFailure, readWindows } from './liveness/mod.ts'
import { entitlementOf, entitlementRemedy, isNativeClient } from './routing/mod.ts'
import { type Keychain, systemKeychain } from './secrets/mod.ts'
import { createUpstream, type Upstream } from './upstream/mod.ts'
import { type RequestRecord, withCost, worstCostMicros } from './usage/mod.ts'
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
/** The demo upstream has no socket: this origin never resolves, and is answered in the process. */
const demoOrigin = 'https://demo.invalid'

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
    readFailure: ({ model }) => (answer) => classifyFailure({ ...answer, model }),
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
      authenticate: (headers, peer) =>
        knowing
          ? home.access.known(headers) ?? home.access.authenticate(headers, peer)
          : learn().then(() => home.access.authenticate(headers, peer)),
      onEnd: home.access.onEnd,
    },
    admitter: admitterOf(home),
    router: home.router,
    leaser: leaserOf(home),
    upstream,
    observer: {
      served: (target, { status, headers, firstByteMs }) => {
        const windows = readWindows(headers, clock.now(), target.model)
        home.board.observe(target, { is: 'success', status, firstByteMs, windows })
      },
      finished: (target, outputTokens, writingMs) => home.board.measured(target, outputTokens, writingMs),
      failed(target, failure) {
        // Where no credential is sent, none was refused: it is that model which does not answer.
        const keyless = failure.kind === 'unauthorized' &&
          (target.deployment.auth ?? home.catalog().provider(target.provider)?.auth)?.type === 'none'
        const seen = keyless ? { ...failure, kind: 'forbidden', scope: 'model' } as const : failure
        home.board.observe(target, { is: 'failure', failure: seen })
      },
    },
    recorder: recorderOf(home),
    directory: directoryOf(home),
    catchUp: oftenEnough(clock, () => home.catchUp()),
    afterPause: afterPause(
      clock,
      () => home.catchUp().catch((error) => logger.log('warn', 'accounts.stale', { error })),
    ),
    waiting: () => home.afloat.pending(),
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
      door.drain()
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

/** At most this often is a home read again for requests that nothing can serve. */
const catchUpEveryMs = 500

/** `read`, spared those who ask again too soon. */
function oftenEnough(clock: Clock, read: () => Promise<void>): () => Promise<void> {
  let readAt = -Infinity
  return async () => {
    if (clock.monotonic() - readAt < catchUpEveryMs) return
    readAt = clock.monotonic()
    await read()
  }
}

/** Requests further apart than this find the home read again: what its owner did in between counts. */
const pauseMs = 250

/** `read`, for the first who asks after a pause; the others are served by what is read in the background. */
function afterPause(clock: Clock, read: () => Promise<void>): () => Promise<void> | null {
  let askedAt = -Infinity
  return () => {
    const now = clock.monotonic()
    const paused = now - askedAt > pauseMs
    askedAt = now
    return paused ? read() : null
  }
}

/** A row like any other, for an upstream that needs no key. */
const demoProvider: Provider = {
  id: 'demo',
  name: 'Demo',
  aliases: [],
  env: [],
  auth: { type: 'none' },
  deployments: [
    { protocol: 'openai-chat', capabilities: ['chat', 'embeddings', 'transcription'], baseUrl: `${demoOrigin}/v1` },
    { protocol: 'openai-responses', capabilities: ['chat'], baseUrl: `${demoOrigin}/v1` },
    { protocol: 'anthropic-messages', capabilities: ['chat'], baseUrl: demoOrigin },
    { protocol: 'gemini', capabilities: ['chat'], baseUrl: demoOrigin },
  ],
  homeOf: ['demo-*'],
  local: true,
  docs: 'README.md',
}

/** The account of a target, or `null` for one that a caller brought along. */
function accountOf(home: Home, id: string) {
  try {
    return home.accounts.get(id)
  } catch {
    return null
  }
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
    bodyMs: limits.body_secs * 1000,
    headMs: limits.head_secs * 1000,
    idleMs: limits.idle_secs * 1000,
    totalMs: limits.total_secs * 1000,
    concurrent: limits.concurrent,
  }
}

/** Prices each record and hands it to the batched writer. */
function recorderOf(home: Home): Recorder {
  return {
    planned: (id, plan) => home.receipts.keep(id, plan),
    record: (record) => home.usage.record(priced(home, record)),
    keep({ json, bytes, contentType }, { id, outcome }) {
      const { capture } = home.usage
      const failed = outcome !== 'ok'
      if (!json) {
        if (capture.wantsAudio) void keepAudio(capture, id, bytes, contentType ?? '')
      } else if (capture.wantsBodies(failed)) {
        capture.bodies(id, failed, { request: new TextDecoder().decode(bytes) })
      }
    },
  }
}

/** Keeps the files of a form. */
async function keepAudio(
  capture: Home['usage']['capture'],
  id: string,
  bytes: Uint8Array<ArrayBuffer>,
  type: string,
): Promise<void> {
  const form = await new Response(bytes, { headers: { 'content-type': type } }).formData().catch(() => null)
  const file = form?.get('file')
  if (file instanceof File) await capture.audio(id, file.type, new Uint8Array(await file.arrayBuffer()))
}

/** What a record cost by the catalogue of now. */
function priced(home: Home, record: Parameters<Recorder['record']>[0]): RequestRecord {
  const { provider, model, account } = record
  const price = provider !== null && model !== null ? home.catalog().model(provider, model, record.at).price : null
  return withCost(record, price, account !== null && accountOf(home, account)?.plan === true)
}

/** How long a credential is used before its source is asked again: sources remember for longer, but cost more to ask. */
const leaseMs = 1_000

/** Leases credentials, remembered for a second by the account as it is declared now. */
function leaserOf(home: Home): Leaser {
  const { clock } = home
  const known = new WeakMap<Account, { readonly credential: Credential; readonly until: number }>()
  return {
    lease(target, { headers, protocol, refused }) {
      const account = home.accounts.get(target.account)
      /** What was planned as an API key may have turned out to be a plan, a moment ago or by this very reading. */
      const permitted = (credential: Credential): Credential => {
        const now = accountOf(home, account.id) ?? account
        const provider = now.plan && !now.allowUndocumentedUse ? home.catalog().provider(now.provider) : null
        const passesThrough = protocol === null || protocol === target.deployment.protocol
        if (!provider || entitlementOf(now, provider, headers, passesThrough) !== 'undocumented') return credential
        throw new GwError('credential.unavailable', `account ${now.id} is a plan: ${entitlementRemedy(now, provider)}`)
      }
      const hit = known.get(account)
      if (hit && !refused && hit.until > clock.monotonic()) {
        return account.plan ? permitted(hit.credential) : hit.credential
      }
      return home.accounts.credentialFor(account, refused ? { force: true } : {}).then((credential) => {
        const expiresInMs = credential.expiresAt === null ? leaseMs : credential.expiresAt - clock.now()
        known.set(account, { credential, until: clock.monotonic() + Math.min(leaseMs, expiresInMs) })
        return permitted(credential)
      })
    },
  }
}

/** Holds room in the budgets of tokens that have any; the others cost nothing here. */
function admitterOf(home: Home): Admitter {
  return {
    admit(ask, plan) {
      if (ask.principal.limitedBy === undefined) return null
      const planned = plan.targets[0]!.target
      const model = home.catalog().model(planned.provider, planned.model, ask.at)
      const inputTokens = Math.ceil(ask.body.bytes.length / 3)
      const outputTokens = numberIn(ask.body, ['max_completion_tokens', 'max_tokens', 'max_output_tokens']) ??
        numberUnder(ask.body, 'generationConfig', 'maxOutputTokens') ??
        model.maxOutputTokens ?? 4096
      const free = accountOf(home, planned.account)?.plan === true
      const costMicros = free ? 0 : worstCostMicros(model.price, inputTokens, outputTokens)
      return home.access.admit(ask.principal, { costMicros, tokens: inputTokens + outputTokens }).then((held) => ({
        settle(record) {
          if (record.attempts.length === 0) return held.release()
          const { costMicros, tokens: { inputTokens, outputTokens } } = priced(home, record)
          const known = inputTokens !== null || outputTokens !== null
          held.settle({ costMicros, tokens: known ? (inputTokens ?? 0) + (outputTokens ?? 0) : null })
        },
      }))
    },
  }
}

function numberIn(body: Body, names: readonly string[]): number | null {
  for (const name of names) {
    const value = body.has(name) ? body.field(name) : null
    if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value
  }
  return null
}

function numberUnder(body: Body, name: string, inner: string): number | null {
  const value = body.has(name) ? body.field(name) : null
  const found = isObject(value) ? value[inner] : null
  return typeof found === 'number' && found >= 0 && Number.isFinite(found) ? found : null
}

function directoryOf(home: Home): Directory {
  const active = () => new Set(home.accounts.list().filter(({ enabled }) => enabled).map(({ provider }) => provider))
  return {
    models(principal) {
      const catalog = home.catalog()
      const now = home.clock.now()
      const ids = active()
      return catalog.providers
        .filter(({ id }) => ids.has(id) && allowsProvider(principal, id))
        .flatMap(({ id }) =>
          catalog.modelIds(id).map((name) => {
            const { contextTokens, maxOutputTokens } = catalog.model(id, name, now)
            return { id: `${id}/${name}`, provider: id, name, contextTokens, maxOutputTokens }
          })
        )
    },
    providers(principal) {
      const ids = active()
      return home.catalog().providers.filter(({ id }) => ids.has(id) && allowsProvider(principal, id))
    },
    provider: (id) => home.catalog().provider(id),
    passthrough: (headers, protocol) =>
      home.catalog().providers.filter((provider) =>
        isNativeClient(provider, headers) && provider.deployments.some((deployment) => deployment.protocol === protocol)
      ),
    targets(provider, principal, headers) {
      const accounts = home.accounts.list().filter((one) =>
        one.enabled && home.catalog().provider(one.provider)?.id === provider.id &&
        (principal.account === null || principal.account === one.id)
      )
      const deployment = provider.deployments[0]
      const [first] = accounts
      if (!first || !deployment) {
        throw new GwError('route.no_account', `there is no account for provider ${provider.id}`, {
          hint: `gw accounts add ${provider.id} --from env:NAME`,
        })
      }
      // What passes raw has the vendor's terms like everything else.
      const permitted = accounts.filter((one) =>
        one.allowUndocumentedUse || entitlementOf(one, provider, headers, true) !== 'undocumented'
      )
      if (permitted.length === 0) throw new GwError('route.none', entitlementRemedy(first, provider))
      const capability = deployment.capabilities[0] ?? 'chat'
      return permitted.map(({ id }) => ({
        ...{
          key: formatTarget(provider.id, id),
          provider: provider.id,
          account: id,
          capability,
          deployment,
          model: '',
        },
      }))
    },
  }
}
