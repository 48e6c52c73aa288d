import { type Access, type Approvals, createAccess, createApprovals } from './access/mod.ts'
import { type Accounts, openAccounts } from './accounts/mod.ts'
import { type Clock, GwError, type Logger } from './base/mod.ts'
import type { Provider } from './catalog/mod.ts'
import {
  type ConfigSources,
  type LiveConfig,
  liveConfig,
  type LiveConfigEvents,
  type LoadedConfig,
} from './config/mod.ts'
import { createSources, type Fetch, type Sources } from './credentials/mod.ts'
import { type AuditLog, createAuditLog } from './operations/mod.ts'
import { type Paths, paths, type Platform } from './platform/mod.ts'
import { type Keychain, openSecretStore, type SecretStore } from './secrets/mod.ts'
import { openStorage, type Storage } from './storage/mod.ts'

/** Everything durable of one home, open. */
export interface Home {
  readonly paths: Paths
  readonly platform: Platform
  readonly clock: Clock
  readonly logger: Logger
  readonly env: LoadedConfig['env']
  readonly config: LiveConfig
  readonly storage: Storage
  readonly secrets: SecretStore
  readonly sources: Sources
  readonly access: Access
  readonly accounts: Accounts
  readonly approvals: Approvals
  readonly audit: AuditLog
  close(): Promise<void>
}

/** What {@link openHome} needs. */
export interface HomeOptions {
  readonly platform: Platform
  readonly clock: Clock
  readonly logger: Logger
  readonly from: ConfigSources
  readonly loaded: LoadedConfig
  readonly keychain: Keychain | null
  /** The guarded fetch, for credentials that are asked for over the network. */
  readonly fetch?: Fetch
  readonly providers: () => readonly Provider[]
  /** Follow the config file; a command that ends soon does not. */
  readonly watch: boolean
  readonly events?: LiveConfigEvents
}

/**
 * Opens a home: its database, secrets, accounts and tokens. What serves requests is built on top of it.
 *
 * @throws GwError as the rooms do when a file of the home is damaged or newer; nothing is changed then
 */
export async function openHome(options: HomeOptions): Promise<Home> {
  const { platform, clock, logger, from, loaded, keychain } = options
  const at = paths(loaded.env)
  const storage = await openStorage({ platform, clock, path: at.database })
  const config = liveConfig(from, loaded, { watch: options.watch, ...options.events })
  try {
    const secrets = await openSecretStore({ storage, clock, keyFile: at.keyFile, keychain })
    const access = await createAccess({ storage, clock, secrets, config: loaded.config.access, logger })
    const sources = createSources({
      env: loaded.env,
      clock,
      fetch: options.fetch ??
        (() => Promise.reject(new GwError('upstream.unreachable', 'this command has no network'))),
      secrets,
      keychain,
      grants: {
        readLogin: (vendor) => Promise.reject(new GwError('credential.login_required', `no login with ${vendor}`)),
        readForeign: (tool) => Promise.reject(new GwError('credential.unavailable', `no login of ${tool} is known`)),
      },
    })
    const accounts = await openAccounts({
      storage,
      clock,
      logger,
      secrets,
      sources,
      env: loaded.env,
      providers: options.providers,
      declared: () => config.current().config.accounts,
    })
    config.onChange((next) => {
      access.configure(next.config.access)
      accounts.reload().catch((error) => logger.log('warn', 'accounts.stale', { error }))
    })
    return {
      paths: at,
      platform,
      clock,
      logger,
      env: loaded.env,
      config,
      storage,
      secrets,
      sources,
      access,
      accounts,
      approvals: createApprovals({ storage, clock, lifeMs: loaded.config.operations.approval_secs * 1_000 }),
      audit: createAuditLog({ storage, clock }),
      async close() {
        config.stop()
        await access.close()
        await storage.close()
      },
    }
  } catch (error) {
    config.stop()
    await storage.close()
    throw error
  }
}
