import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, GwError, isGwError, type Logger, Secret, singleFlight } from '../base/mod.ts'
import type { Platform } from '../platform/mod.ts'
import type { Keychain, SecretStore } from '../secrets/mod.ts'
import { originsOf } from './audience.ts'
import type { Reading, ReadOptions } from './credential.ts'
import { foreignTool, openForeign } from './foreign/open.ts'
import { foreignTools } from './foreign/tools.ts'
import { documentFile, plainShape } from './grants/document-file.ts'
import { type ExchangedToken, exchangeToken } from './grants/exchange.ts'
import { type Grant, type GrantIdentity, grantIdentity, unknownIdentity } from './grants/grant.ts'
import { createKeeper, type Keeper, type KeptGrant } from './grants/keeper.ts'
import { ownFile } from './grants/own-file.ts'
import { withSpare } from './grants/spare.ts'
import type { GrantStore } from './grants/store.ts'
import type { Fetch } from './sources/source.ts'
import { grantFromToken } from './flows/exchange-code.ts'
import { createDiscovery, type Discovery } from './vendors/discovery.ts'
import type { Vendors } from './vendors/registry.ts'
import type { Vendor, VendorUse } from './vendors/vendor.ts'

/** A login as its owner is shown it. No token, no hash of one. */
export interface LoginInfo {
  readonly vendor: string
  readonly vendorName: string
  /** `null` for the default login of a vendor, and for another program's. */
  readonly binding: string | null
  /** The program whose login it is; `null` for gw's own. */
  readonly tool: string | null
  /** The file or keychain item that holds it. */
  readonly where: string
  readonly identity: GrantIdentity
  readonly expiresAt: number | null
  readonly refreshedAt: number | null
  readonly canRefresh: boolean
  readonly scopes: readonly string[]
  /** The catalog's provider that its tokens are for. */
  readonly provider: string | null
  readonly audience: readonly string[]
  readonly uses: readonly VendorUse[]
  /** Why it cannot be read; `null` when it can. */
  readonly problem: string | null
}

/** Which login is meant, by whose it is. */
export interface Selector {
  readonly email?: string
  readonly accountId?: string
  readonly organizationId?: string
  readonly projectId?: string
}

/** Which file is meant. */
export interface LoginPlace {
  readonly binding?: string | null
  /** A file named by the user, plain JSON, instead of one of this home. */
  readonly file?: string | null
}

/** The logins of a home and of the programs beside it. */
export interface Logins {
  readonly vendors: () => Vendors
  readonly keeper: Keeper
  readonly discovery: Discovery
  /** The login of that name, whether it exists or not. */
  own(vendor: string, place?: LoginPlace): KeptGrant
  foreign(tool: string, path?: string | null): Promise<KeptGrant>
  /** Every login of this home. */
  list(): Promise<readonly LoginInfo[]>
  /** Logins of other programs that are on this machine. */
  discover(): Promise<readonly LoginInfo[]>
  inspect(kept: KeptGrant): Promise<LoginInfo>
  /**
   * The one login of a vendor that is meant: by name, or by whose it is.
   *
   * @throws GwError `credential.login_required` for none, `request.conflict` for several
   */
  select(vendor: string, place: LoginPlace, selector: Selector): Promise<KeptGrant>
  /** Stores a new login in place of what was there. */
  save(kept: KeptGrant, grant: Grant): Promise<void>
  /** Stores a token that somebody already has. `expiresAt` is epoch ms, `null` when nobody knows. */
  keepToken(kept: KeptGrant, token: Secret, refresh: Secret | null, expiresAt: number | null): Promise<void>
  /** Forgets a login, revoking it first where the vendor lets one. False when there was none. */
  remove(kept: KeptGrant): Promise<{ removed: boolean; revoked: boolean }>
  readLogin(vendor: string, binding: string | null, options: ReadOptions): Promise<Reading>
  readForeign(tool: string, path: string | null, options: ReadOptions): Promise<Reading>
  /** Refreshes what ends soon, once: the gateway calls it in the background. Returns how many were renewed. */
  tick(): Promise<number>
}

/** What {@link createLogins} needs. */
export interface LoginsOptions {
  readonly platform: Platform
  readonly clock: Clock
  readonly fetch: Fetch
  readonly logger: Logger
  readonly env: Readonly<Record<string, string | undefined>>
  readonly secrets: Pick<SecretStore, 'seal' | 'unseal'>
  readonly keychain: Keychain | null
  /** Folder of the login files. */
  readonly folder: string
  readonly vendors: () => Vendors
  readonly random?: () => number
  /** Told of each login that somebody made, once it is stored. */
  readonly made?: () => Promise<void>
}

const bindingPattern = /^[A-Za-z0-9_-]{1,64}$/
/** How long a reading stands before the file is looked at again. */
const recheckMs = 1_000
const exchangeMarginMs = 5 * 60_000

/** Makes {@link Logins}. */
export function createLogins(options: LoginsOptions): Logins {
  const { clock, fetch, env, secrets, keychain, folder, vendors } = options
  const stores = new Map<string, GrantStore>()
  const used = new Map<string, KeptGrant>()
  const exchanged = new Map<string, ExchangedToken & { readonly from: string }>()
  const exchanging = singleFlight<ExchangedToken>()
  const discovery = createDiscovery({ fetch, clock })
  const keeper = createKeeper({
    ...options,
    discovery,
    random: options.random ?? Math.random,
    copies: (kept) =>
      [...used.values()].filter((other) => other.vendor.id === kept.vendor.id && other.store !== kept.store)
        .map((other) => other.store),
  })

  function store(key: string, make: () => GrantStore): GrantStore {
    let found = stores.get(key)
    if (!found) stores.set(key, found = make())
    return found
  }

  const spared = (theirs: GrantStore): GrantStore => withSpare(theirs, folder, secrets)

  function own(id: string, { binding = null, file = null }: LoginPlace = {}): KeptGrant {
    const vendor = vendors().get(id)
    if (binding !== null && !bindingPattern.test(binding)) {
      throw new GwError('usage.invalid', `"${binding}" is no name for a login`, { hint: 'letters, digits, _ and -' })
    }
    const mend = [
      'gw auth login',
      vendor.id,
      ...(binding ? ['--binding', binding] : []),
      ...(file ? ['--auth-file', file] : []),
    ]
    const path = file ?? join(folder, `${vendor.file}${binding ? `.${binding}` : ''}.json`)
    return {
      vendor,
      mend: mend.join(' '),
      store: store(path, () => file ? spared(documentFile(file, vendor, plainShape)) : ownFile(path, secrets)),
    }
  }

  async function foreign(id: string, path: string | null = null): Promise<KeptGrant> {
    const tool = foreignTool(id)
    const vendor = vendors().get(tool.vendor)
    const key = `${tool.id}\0${path ?? ''}`
    const known = stores.get(key) ?? spared(await openForeign(tool, vendor, path, { env, keychain }))
    stores.set(key, known)
    return {
      vendor: tool.refresh ? vendor : { ...vendor, tokenUrl: null, refreshUrl: null },
      store: known,
      mend: `log in again with ${tool.name}`,
    }
  }

  async function reading(kept: KeptGrant, readOptions: ReadOptions): Promise<Reading> {
    used.set(kept.store.lockPath, kept)
    const { vendor } = kept
    if (vendor.exchangeUrl) return await exchangedReading(kept, readOptions)
    const grant = await keeper.fresh(kept, readOptions)
    const baseUrl = resourceBase(grant.resourceUrl)
    return {
      secret: grant.accessToken!,
      kind: 'auth-token',
      accountId: grant.identity.accountId,
      expiresAt: grant.expiresAt,
      audience: originsOf([...vendor.audience, baseUrl]),
      identity: grantIdentity(grant),
      freshUntil: clock.now() + recheckMs,
      ...(baseUrl ? { baseUrl } : {}),
    }
  }

  async function exchangedReading(kept: KeptGrant, { force, rejected }: ReadOptions): Promise<Reading> {
    const grant = await keeper.fresh(kept)
    const login = grant.accessToken!
    const key = kept.store.lockPath
    const known = exchanged.get(key)
    const refused = rejected ? known?.token.reveal() === rejected.reveal() : force === true
    const good = known && !refused && known.from === login.reveal() &&
      (known.expiresAt === null || known.expiresAt - exchangeMarginMs > clock.now())
    const fresh = good ? known : await exchanging.run(key, async () => {
      const answer = await exchangeToken(kept.vendor, login, { fetch, clock })
      exchanged.set(key, { ...answer, from: login.reveal() })
      return answer
    })
    return {
      secret: fresh.token,
      kind: 'auth-token',
      accountId: null,
      expiresAt: fresh.expiresAt,
      audience: fresh.audience,
      identity: grantIdentity(grant),
      freshUntil: clock.now() + recheckMs,
      ...(fresh.baseUrl ? { baseUrl: fresh.baseUrl } : {}),
    }
  }

  async function describe(kept: KeptGrant, binding: string | null, tool: string | null): Promise<LoginInfo | null> {
    const { vendor, store } = kept
    let grant: Grant | null = null
    let problem: string | null = null
    try {
      grant = await store.read()
      if (!grant) return null
    } catch (error) {
      if (!isGwError(error)) throw error
      problem = error.message
    }
    return {
      vendor: vendor.id,
      vendorName: vendor.name,
      binding,
      tool,
      where: store.name,
      identity: grant?.identity ?? unknownIdentity,
      expiresAt: grant?.expiresAt ?? null,
      refreshedAt: grant?.refreshedAt ?? null,
      canRefresh: grant?.refreshToken !== null && grant !== null &&
        (vendor.refreshUrl ?? vendor.tokenUrl ?? vendor.issuer) !== null,
      scopes: grant?.scopes ?? [],
      provider: vendor.provider,
      audience: originsOf([...vendor.audience, resourceBase(grant?.resourceUrl ?? null)]),
      uses: vendor.uses,
      problem,
    }
  }

  async function save(kept: KeptGrant, grant: Grant): Promise<void> {
    await keeper.alone(kept, () => kept.store.write(grant))
    await options.made?.()
  }

  async function files(): Promise<{ vendor: Vendor; binding: string | null }[]> {
    const names = await readdir(folder).catch(() => [])
    return names.sort().flatMap((name) => {
      const match = /^([a-z0-9-]+)(?:\.([A-Za-z0-9_-]+))?\.json$/.exec(name)
      const vendor = match && vendors().list().find((vendor) => vendor.file === match[1])
      return vendor ? [{ vendor, binding: match[2] ?? null }] : []
    })
  }

  async function list(): Promise<LoginInfo[]> {
    const found = await Promise.all(
      (await files()).map(({ vendor, binding }) => describe(own(vendor.id, { binding }), binding, null)),
    )
    return found.filter((info) => info !== null)
  }

  return {
    vendors,
    keeper,
    discovery,
    own,
    foreign,
    list,
    async discover() {
      const found = await Promise.all(foreignTools.map(async (tool) => describe(await foreign(tool.id), null, tool.id)))
      return found.filter((info) => info !== null)
    },
    async inspect(kept) {
      const info = await describe(kept, null, null)
      if (info) return info
      throw new GwError('credential.login_required', `no login in ${kept.store.name}`, { hint: kept.mend })
    },
    async select(id, place, selector) {
      const wanted = Object.entries(selector).filter(([, value]) => value !== undefined)
      if (place.file || place.binding || wanted.length === 0) {
        const kept = own(id, place)
        if (wanted.length === 0) return kept
        const info = await describe(kept, place.binding ?? null, null)
        if (info && matches(info, selector)) return kept
        throw new GwError('credential.login_required', `the login in ${kept.store.name} is not the one asked for`, {
          hint: 'gw auth list',
        })
      }
      const vendor = vendors().get(id)
      const found = (await list()).filter((info) => info.vendor === vendor.id && matches(info, selector))
      const asked = wanted.map(([name, value]) => `${name} ${value}`).join(', ')
      if (found.length > 1) {
        throw new GwError('request.conflict', `${found.length} ${vendor.name} logins match ${asked}`, {
          hint: `name one with --binding: ${found.map((info) => info.binding ?? 'the default').join(', ')}`,
        })
      }
      if (!found[0]) {
        throw new GwError('credential.login_required', `no ${vendor.name} login matches ${asked}`, {
          hint: 'gw auth list',
        })
      }
      return own(id, { binding: found[0].binding })
    },
    save,
    keepToken: (kept, token, refresh, expiresAt) => save(kept, grantFromToken(kept.vendor, token, refresh, expiresAt)),
    async remove(kept) {
      const grant = await kept.store.read().catch(() => null)
      const revoked = grant ? await revoke(kept.vendor, grant) : false
      const removed = await keeper.alone(kept, () => kept.store.remove())
      exchanged.delete(kept.store.lockPath)
      used.delete(kept.store.lockPath)
      return { removed, revoked }
    },
    readLogin: (vendor, binding, readOptions) => reading(own(vendor, { binding }), readOptions),
    readForeign: async (tool, path, readOptions) => reading(await foreign(tool, path), readOptions),
    async tick() {
      const mine = (await files()).map(({ vendor, binding }) => own(vendor.id, { binding }))
      const all = new Map([...mine, ...used.values()].map((kept) => [kept.store.lockPath, kept]))
      const renewed = await Promise.all([...all.values()].map((kept) => keeper.tend(kept)))
      return renewed.filter(Boolean).length
    },
  }

  /** Best effort: a vendor that cannot be reached does not keep its login in the house. */
  async function revoke(vendor: Vendor, grant: Grant): Promise<boolean> {
    const token = grant.refreshToken ?? grant.accessToken
    if (!token) return false
    try {
      const { revokeUrl } = await discovery.endpointsOf(vendor)
      if (!revokeUrl) return false
      const response = await fetch(revokeUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        body: new URLSearchParams({ token: token.reveal(), client_id: grant.clientId ?? vendor.clientId ?? '' })
          .toString(),
        redirect: 'manual',
        signal: AbortSignal.timeout(10_000),
      })
      await response.body?.cancel()
      return response.ok
    } catch {
      return false
    }
  }
}

function matches({ identity }: LoginInfo, { email, accountId, organizationId, projectId }: Selector): boolean {
  if (email !== undefined && identity.email?.toLowerCase() !== email.toLowerCase()) return false
  if (accountId !== undefined && identity.accountId !== accountId) return false
  if (organizationId !== undefined && identity.organizationId !== organizationId) return false
  return projectId === undefined || identity.projectId === projectId
}

/** A host a vendor assigned (`portal.qwen.ai`) as a base URL; https only. */
function resourceBase(resource: string | null): string | null {
  if (!resource) return null
  try {
    const url = new URL(/^https?:\/\//.test(resource) ? resource : `https://${resource}`)
    if (url.protocol !== 'https:' || url.username !== '') return null
    const path = url.pathname.replace(/\/$/, '')
    return `${url.origin}${path === '' ? '/v1' : path}`
  } catch {
    return null
  }
}
