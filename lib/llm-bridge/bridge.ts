import { type Clock, GwError, type Logger, Secret, singleFlight } from '../base/mod.ts'
import {
  createLogins,
  createLoginSessions,
  type Fetch,
  type LoginSession,
  type ReadOptions,
  resolveVendors,
} from '../credentials/mod.ts'
import type { Platform } from '../platform/mod.ts'
import type { SecretStore } from '../secrets/mod.ts'
import type { Storage } from '../storage/mod.ts'
import {
  assertConfigured,
  assertSound,
  changed,
  defaultCallbackPort,
  defaultProxyPort,
  effectiveScopes,
  isConfigured,
  type LlmChange,
  type LlmSettings,
  llmSettings,
  tokenName,
} from './settings.ts'

/** Shows a person where to log in; absent where there is nobody to show it to. */
export type ShowLogin = (session: LoginSession) => void | Promise<void>

/** A bridge to a gateway behind OIDC, for tools that ask a program for a token and for tools that cannot. */
export interface LlmBridge {
  settings(): Promise<LlmSettings>
  /** Saves a change, or nothing at all. @throws GwError `config.invalid` naming every problem */
  set(change: LlmChange): Promise<LlmSettings>
  /** Forgets tokens and settings. False when the tokens could not be removed. */
  reset(): Promise<{ purged: boolean }>
  /**
   * A token that is good now: remembered, refreshed, or by a login when `show` is given. Everyone who asks meanwhile
   * shares one login.
   *
   * @throws GwError `credential.login_required` when a person is needed and none is there; the real cause otherwise
   */
  token(options?: ReadOptions & { show?: ShowLogin }): Promise<Secret>
  /** Port the proxy listens on. */
  proxyPort(settings: LlmSettings): number
  /** The key that tools on this machine give the proxy: one per installation. */
  proxyKey(): Promise<Secret>
  close(): Promise<void>
}

/** What {@link createLlmBridge} needs. */
export interface LlmBridgeOptions {
  readonly platform: Platform
  readonly clock: Clock
  readonly fetch: Fetch
  readonly logger: Logger
  readonly env: Readonly<Record<string, string | undefined>>
  readonly storage: Storage
  readonly secrets: SecretStore
  /** Folder of the login files. */
  readonly folder: string
}

const fact = 'llm-bridge.settings'
const vendor = 'llm'

/** Makes {@link LlmBridge}. Its login is an ordinary one of gw, so it is refreshed by one writer like all others. */
export function createLlmBridge(options: LlmBridgeOptions): LlmBridge {
  const { storage, clock, secrets } = options
  const flight = singleFlight<Secret>()
  const stop = new AbortController()
  let current: LlmSettings = llmSettings.parse({})
  const logins = createLogins({ ...options, keychain: null, vendors: () => vendorsOf(current) })
  const sessions = createLoginSessions({ ...options, logins })

  async function settings(): Promise<LlmSettings> {
    const row = await storage.db.selectFrom('facts').select('value').where('key', '=', fact).executeTakeFirst()
    try {
      return current = llmSettings.parse(row ? JSON.parse(row.value) : {})
    } catch (cause) {
      throw new GwError('config.invalid', 'the settings of gw llm cannot be read', {
        hint: 'gw llm config reset',
        cause,
      })
    }
  }

  async function save(value: LlmSettings | null): Promise<void> {
    await storage.write(async (tx) => {
      await tx.deleteFrom('facts').where('key', '=', fact).execute()
      if (value === null) return
      await tx.insertInto('facts').values({ key: fact, value: JSON.stringify(value), updated_ms: clock.now() })
        .execute()
    })
    current = value ?? llmSettings.parse({})
  }

  const kept = (now: LlmSettings) => logins.own(vendor, { binding: tokenName(now) })

  async function logIn(now: LlmSettings, show: ShowLogin): Promise<Secret> {
    const session = await sessions.begin({
      vendor,
      method: 'browser',
      binding: tokenName(now),
      // Another person's login at the same gateway is replaced: this command has one.
      replace: true,
    })
    await show(session)
    await sessions.wait(session.id, stop.signal)
    return (await logins.keeper.fresh(kept(now))).accessToken!
  }

  return {
    settings,
    async set(change) {
      const next = changed(await settings(), change)
      assertSound(next)
      await save(next)
      return next
    },
    async reset() {
      const now = await settings().catch(() => llmSettings.parse({}))
      let purged = true
      if (isConfigured(now)) purged = await logins.remove(kept(now)).then(() => true, () => false)
      await save(null)
      return { purged }
    },
    async token({ show, ...read } = {}) {
      const now = await settings()
      assertConfigured(now)
      try {
        return (await logins.keeper.fresh(kept(now), read)).accessToken!
      } catch (error) {
        const missing = error instanceof GwError && error.code === 'credential.login_required'
        if (!missing) throw error
        if (!show) {
          throw new GwError('credential.login_required', 'nobody is logged in to the LLM gateway', {
            hint: 'run gw llm token in a terminal to log in',
            cause: error,
          })
        }
        return await flight.run(tokenName(now), () => logIn(now, show))
      }
    },
    proxyPort: (now) => now.proxy.listen_port || defaultProxyPort,
    async proxyKey() {
      const { bytes } = await secrets.ensureKey('llm-proxy', 24)
      return new Secret(`gw-llm-${btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_')}`)
    },
    async close() {
      // A login under way ends with the bridge, and with nothing before it.
      stop.abort()
      await sessions.close()
    },
  }
}

function vendorsOf(now: LlmSettings) {
  if (!isConfigured(now)) return resolveVendors({ [vendor]: {} }, {})
  return resolveVendors({
    [vendor]: {
      name: 'LLM gateway',
      issuer: now.oidc.issuer,
      client_id: now.oidc.client_id,
      scopes: effectiveScopes(now),
      redirect_host: '127.0.0.1',
      redirect_ports: [now.oidc.callback_port || defaultCallbackPort],
      redirect_path: '/callback',
      audience: [now.gateway_url],
      ...(now.oidc.audience ? { authorize_params: { audience: now.oidc.audience } } : {}),
    },
  }, {})
}
