import { type Access, type Approvals, createAccess, createApprovals } from './access/mod.ts'
import { type Accounts, openAccounts, openProviderStore, type ProviderStore } from './accounts/mod.ts'
import { type AccountId, type Clock, GwError, type Logger } from './base/mod.ts'
import type { Catalog, Provider } from './catalog/mod.ts'
import {
  type ConfigSources,
  type LiveConfig,
  liveConfig,
  type LiveConfigEvents,
  type LoadedConfig,
} from './config/mod.ts'
import {
  createLogins,
  createLoginSessions,
  createSources,
  type Fetch,
  type Logins,
  type LoginSessions,
  resolveVendors,
  type Sources,
  standardInput,
} from './credentials/mod.ts'
import type { Egress } from './egress/mod.ts'
import { inventoryOf } from './inventory.ts'
import { liveCatalog } from './live-catalog.ts'
import { type Board, createBoard } from './liveness/mod.ts'
import {
  type McpCredentials,
  type McpFetch,
  mcpFetchOver,
  type McpProxy,
  mcpVendorId,
  openMcpLogins,
  openMcpProxy,
} from './mcp-proxy/mod.ts'
import { type AuditLog, createAuditLog } from './operations/mod.ts'
import { type Paths, paths, type Platform } from './platform/mod.ts'
import {
  createHost,
  createRepair,
  type Host,
  relayAccounts,
  type Repair,
  showGauges,
  withToolServers,
} from './repair/mod.ts'
import { createReceipts, createRouter, type Receipts, type Router } from './routing/mod.ts'
import { type Keychain, openSecretStore, type SecretStore } from './secrets/mod.ts'
import { explainStorage, newsOf, openStorage, type Storage } from './storage/mod.ts'
import { createUpstream, type ModelDiscovery, openDiscovery } from './upstream/mod.ts'
import { createUsage, type Usage } from './usage/mod.ts'
import { tendLogins } from './tend-logins.ts'
import { version } from './version.ts'

/** Everything durable of one home, open: what commands work on and what a server is built on top of. */
export interface Home {
  readonly paths: Paths
  readonly platform: Platform
  readonly clock: Clock
  readonly logger: Logger
  readonly env: LoadedConfig['env']
  readonly config: LiveConfig
  readonly storage: Storage
  readonly secrets: SecretStore
  /** The guarded fetch that credentials are asked for through. */
  readonly fetch: Fetch
  readonly logins: Logins
  readonly loginSessions: LoginSessions
  readonly sources: Sources
  readonly access: Access
  readonly accounts: Accounts
  readonly providerStore: ProviderStore
  /**
   * Whether another process of this home has changed tokens, accounts, providers or what is believed of them: `null` when
   * all is known, else their reading, which is to be waited for and never rejects.
   */
  news(): Promise<void> | null
  readonly approvals: Approvals
  readonly audit: AuditLog
  readonly usage: Usage
  readonly discovery: ModelDiscovery
  readonly board: Board
  readonly router: Router
  readonly receipts: Receipts
  /** The tool servers behind gw; opened by their first use. */
  mcp(): Promise<McpProxy>
  readonly repair: Repair
  /** Stay-afloat; looks by itself between {@link Home.start} and {@link Home.close}. */
  readonly afloat: Host
  /** The catalogue that the configuration in force makes. */
  catalog(): Catalog
  /** Brings in the shipped model facts and prices; resolves when {@link Home.catalog} has them. */
  loadFacts(): Promise<void>
  /** Takes up what other processes do and forgets what is past its time, until {@link Home.close}. */
  start(): void
  close(): Promise<void>
}

/** What {@link openHome} needs. */
export interface HomeOptions {
  readonly platform: Platform
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly logger: Logger
  readonly from: ConfigSources
  readonly loaded: LoadedConfig
  readonly keychain: Keychain | null
  /** The guarded fetch, for credentials that are asked for over the network. */
  readonly fetch?: Fetch
  /** The guarded way out, for everything that is asked over the network; absent, nothing is asked. */
  readonly egress?: Pick<Egress, 'open' | 'fetch' | 'close'>
  /** Where a person answers what an agent asks leave for; absent where no pages are served. */
  readonly approvalUrl?: (id: string) => string | null
  /** Providers that other code brings along, such as the built-in demo. */
  readonly providers?: readonly Provider[]
  /** Model ids that those providers are known to offer, by provider. */
  readonly models?: ReadonlyMap<string, readonly string[]>
  /** All of standard input, for a credential that is piped in; absent where it is not this process's to read. */
  readonly readInput?: (() => Promise<string>) | undefined
  /** Only to look: no database is made, and one that cannot be written is read from a copy. */
  readonly reading?: boolean
  /** Follow the config file; a command that ends soon does not. */
  readonly watch: boolean
  readonly events?: LiveConfigEvents
}

const noNetwork: Fetch = () =>
  Promise.reject(new GwError('upstream.unreachable', 'this command does not use the network'))

/**
 * Opens a home: its database, secrets, accounts, tokens, beliefs and records.
 *
 * @throws GwError as the rooms do when a file of the home is damaged or newer; nothing is changed then
 */
export async function openHome(options: HomeOptions): Promise<Home> {
  const { platform, clock, random, logger, from, loaded, keychain, egress } = options
  const fetch: Fetch = options.fetch ?? (egress ? (input, init) => egress.fetch(input, init) : noNetwork)
  const { env } = loaded
  const at = paths(env)
  const storage = await openStorage({ platform, clock, path: at.database, reading: options.reading })
  const closers: (() => unknown)[] = [() => storage.close(), ...(egress ? [() => egress.close()] : [])]
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    // Begun before anything is read: what comes meanwhile is news.
    const news = newsOf(
      storage,
      async () => {
        await Promise.all([access.catchUp(), board.sync(), providerStore.reload().then(accounts.reload)])
      },
      (error) => logger.log('warn', 'home.stale', { error }),
    )
    const config = liveConfig({ storage, clock }, from, loaded, {
      watch: options.watch,
      onApplied: ({ path }) => logger.log('info', 'config.applied', { path }),
      onRefused: (error) => logger.log('error', 'config.refused', { error, inForce: 'the configuration before' }),
      ...options.events,
    })
    closers.push(() => config.stop())
    await config.recover()
    const secrets = await openSecretStore({
      storage,
      clock,
      keyFile: at.keyFile,
      keychain,
      keyStore: loaded.config.secrets.key_store,
    })
    const access = await createAccess({
      storage,
      clock,
      secrets,
      config: loaded.config.access,
      logger,
      mirrorFolder: at.data,
    })
    closers.push(() => access.close())
    /** Who looks after what was replaced, once there is somebody. */
    let keeper: Host | null = null
    const mcpFetch: McpFetch = options.egress ? mcpFetchOver(options.egress) : () => noNetwork('')
    const mcpLogins = await openMcpLogins({
      storage,
      secrets,
      clock,
      fetch: mcpFetch,
      changed: () => vendors = vendorsNow(),
    })
    const vendorsNow = () => resolveVendors(config.current().config.logins, env, mcpLogins.list())
    let vendors = vendorsNow()
    const logins = createLogins({
      platform,
      clock,
      fetch,
      logger,
      env,
      secrets,
      keychain,
      folder: at.auth,
      vendors: () => vendors,
      random,
      made: async () => await keeper?.raise(),
    })
    const loginSessions = createLoginSessions({ platform, clock, fetch, logger, secrets, logins })
    closers.push(() => loginSessions.close())
    const readInput = options.readInput && standardInput(options.readInput, clock)
    const sources = createSources({
      env,
      clock,
      fetch,
      secrets,
      keychain,
      grants: logins,
      ...(readInput ? { readStdin: readInput } : {}),
    })
    const providerStore = await openProviderStore({ storage, clock })
    const catalog = liveCatalog({
      config,
      providerStore,
      providers: options.providers ?? [],
      models: options.models ?? new Map(),
    })
    const board = await createBoard({ storage, clock, random, logger })
    closers.push(() => board.close())
    const accounts = await openAccounts({
      storage,
      clock,
      logger,
      secrets,
      sources,
      env,
      providers: () => catalog.now().providers,
      declared: () => config.current().config.accounts,
      // What was believed of an account was believed of the credential that it had.
      replaced: (those) => keeper?.replaced(those.map(({ provider, id }) => ({ provider, account: id }))),
      removed: ({ provider, id }) => board.forget(provider, id),
    })
    const usage = createUsage({ storage, clock, config: loaded.config.usage, logger })
    closers.push(() => usage.close())
    await usage.loadSpending()
    access.subscribe((event) =>
      event.type === 'issued'
        ? usage.metrics.tokens('issued')
        : event.type === 'revoked' && usage.metrics.tokens('revoked', event.tokens.length)
    )
    const router = await createRouter({
      storage,
      clock,
      random,
      logger,
      board,
      catalog: catalog.now,
      accounts: () => accounts.list(),
      settings: () => config.current().config.routing,
      identityOf: (id) => accounts.identityOf(id),
      spentToday: usage.spentToday,
    })
    const approvals = createApprovals({
      storage,
      clock,
      lifeMs: loaded.config.operations.approval_secs * 1_000,
    })
    let mcp: Promise<McpProxy> | null = null
    closers.push(async () => (await mcp?.catch(() => null))?.close())
    const mcpCredential: McpCredentials['get'] = async (server, account, force) => {
      if (account !== null) {
        const credential = await accounts.credentialFor(accounts.get(account), { force })
        const { url } = config.current().config.mcp.servers[server] ?? {}
        // An account with the server itself is bound to it, as those with providers are bound to theirs.
        const own = accounts.get(account).provider === server && url !== undefined && credential.audience.length === 0
        return own ? { ...credential, audience: [new URL(url).origin] } : credential
      }
      if (!await mcpLogins.knows(server)) return null
      return await sources.read({ type: 'login', vendor: mcpVendorId(server), binding: null }, { force })
    }
    const openMcp = (): Promise<McpProxy> =>
      mcp ??= openMcpProxy({
        config: () => config.current().config.mcp,
        fetch: mcpFetch,
        credentials: { get: mcpCredential },
        logins: mcpLogins,
        clientId: (vendor) => config.current().config.logins[vendor]?.client_id ?? null,
        approvals,
        observe: ({ provider, account }, evidence) =>
          board.observe({ provider, account: account as AccountId, capability: 'mcp', model: '*' }, evidence),
        storage,
        clock,
        logger,
        env: (name) => env[name],
        approvalUrl: options.approvalUrl ?? null,
      })
    const inventory = inventoryOf(config, accounts, catalog.now, mcpLogins)
    const upstream = egress
      ? createUpstream({
        egress,
        provider: (id) => catalog.now().provider(id),
        environment: env,
        clock,
        baseUrl: (id) => accounts.list().find((account) => account.id === id)?.baseUrl ?? null,
      })
      : null
    const discovery = await openDiscovery({
      storage,
      clock,
      logger,
      accounts,
      provider: (id) => catalog.now().provider(id),
      upstream,
      changed: catalog.changed,
    })
    catalog.listModels(() => discovery.found)
    const repair = createRepair({
      storage,
      clock,
      logger,
      board,
      env,
      version,
      fetch,
      news,
      inventory,
      readInput,
      ...(upstream
        ? {
          relay: withToolServers(
            relayAccounts({ accounts, provider: (id) => catalog.now().provider(id), upstream }),
            {
              credential: (server, force) =>
                mcpCredential(server, config.current().config.mcp.servers[server]?.account ?? null, force),
              ask: async (server, timeoutMs) => (await openMcp()).probe(server, timeoutMs),
            },
          ),
        }
        : {}),
    })
    const afloat = createHost(repair.context, () => {
      const { enabled, execute, interval_secs, refresh_ahead_secs } = config.current().config.stay_afloat
      return { enabled, execute, intervalMs: interval_secs * 1_000, refreshAheadMs: refresh_ahead_secs * 1_000 }
    }, random)
    closers.push(() => afloat.stop())
    keeper = afloat
    showGauges(usage.metrics, repair.context, afloat)
    config.onChange((next) => {
      catalog.changed()
      vendors = vendorsNow()
      try {
        access.configure(next.config.access)
      } catch (error) {
        logger.log('error', 'config.access_refused', { error })
      }
      accounts.reload().catch((error) => logger.log('warn', 'accounts.stale', { error }))
    })
    let tending: (() => void) | null = null
    closers.push(() => tending?.())
    return {
      paths: at,
      platform,
      clock,
      logger,
      env,
      config,
      storage,
      secrets,
      fetch,
      logins,
      loginSessions,
      sources,
      access,
      accounts,
      providerStore,
      news,
      approvals,
      audit: createAuditLog({ storage, clock }),
      usage,
      discovery,
      board,
      router,
      receipts: createReceipts({ storage, clock, logger }),
      mcp: openMcp,
      catalog: catalog.now,
      repair,
      afloat,
      loadFacts: catalog.loadFacts,
      start() {
        access.start()
        usage.start()
        afloat.start()
        void accounts.learnIdentities()
        tending ??= tendLogins(logins, clock, logger)
      },
      close,
    }
  } catch (error) {
    // What broke the home may break its closing too; the first of the two is the one to tell.
    await close().catch(() => {})
    throw explainStorage(error, at.database)
  }
}
