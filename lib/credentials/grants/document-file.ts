import { lstat, realpath } from 'node:fs/promises'
import { GwError, isObject, Secret } from '../../base/mod.ts'
import { removeFile, statFile, writeAtomic } from '../../platform/mod.ts'
import type { Keychain } from '../../secrets/mod.ts'
import { readClaims } from '../identity.ts'
import { type CredentialPayload, readPayload, readTime } from '../payload.ts'
import type { Vendor } from '../vendors/vendor.ts'
import { fingerprint, type Grant, localExpiry, newer, readIdentity } from './grant.ts'
import { fileVersion, lockPathOf, proveWritable, readLogin } from './own-file.ts'
import type { GrantStore } from './store.ts'

/** How a program writes its login document: the names it uses where the document has none yet. */
export interface DocumentShape {
  /** Keys that lead to the object with the tokens. */
  readonly at: readonly string[]
  readonly access: string
  readonly refresh: string
  readonly id: string | null
  readonly expiry: { readonly name: string; readonly unit: 'ms' | 's' } | null
  /** Top-level field with the time of the last refresh, RFC 3339. */
  readonly refreshed: string | null
}

/** The shape gw gives a document that it starts itself. */
export const plainShape: DocumentShape = {
  at: [],
  access: 'access_token',
  refresh: 'refresh_token',
  id: 'id_token',
  expiry: { name: 'expires_at', unit: 'ms' },
  refreshed: 'last_refresh',
}

/** The login in a document of another program. `null` when it holds none. */
function grantFromDocument(document: unknown, vendor: Vendor): Grant | null {
  const payload = readPayload(document)
  if (!payload || (payload.accessToken === null && payload.refreshToken === null)) return null
  const top = isObject(document) ? document : {}
  const refreshedAt = readTime(top.last_refresh ?? top.lastRefresh)
  const inner = innerObject(top, payload.at)
  const identity = readIdentity(vendor, [payload.idToken, payload.accessToken], [inner, top])
  return {
    vendor: vendor.id,
    accessToken: payload.accessToken === null ? null : new Secret(payload.accessToken),
    refreshToken: payload.refreshToken === null ? null : new Secret(payload.refreshToken),
    idToken: payload.idToken === null ? null : new Secret(payload.idToken),
    expiresAt: expiryOf(payload, refreshedAt),
    refreshedAt,
    scopes: payload.scopes,
    identity: { ...identity, accountId: payload.accountId ?? identity.accountId },
    clientId: vendor.clientId,
    resourceUrl: payload.resourceUrl,
  }
}

function expiryOf({ accessToken, expiresAt }: CredentialPayload, refreshedAt: number | null): number | null {
  if (expiresAt !== null || accessToken === null) return expiresAt
  if (refreshedAt !== null) return localExpiry(accessToken, refreshedAt)
  const exp = readClaims(accessToken)?.exp
  return typeof exp === 'number' ? exp * 1000 : null
}

/** A document with the tokens of a grant laid in; every field that is not a token stays as it is. */
function documentWith(document: unknown, grant: Grant, shape: DocumentShape): Record<string, unknown> {
  const top: Record<string, unknown> = isObject(document) ? { ...document } : {}
  const at = readPayload(document)?.at ?? shape.at
  let inner = top
  for (const key of at) inner = inner[key] = { ...(isObject(inner[key]) ? inner[key] : {}) }
  const set = (names: readonly string[], fallback: string | null, value: unknown) => {
    const name = names.find((name) => name in inner) ?? fallback
    if (name !== null && value !== null && value !== undefined) inner[name] = value
  }
  set(['accessToken', 'access_token', 'oauthToken', 'oauth_token', 'access'], shape.access, grant.accessToken?.reveal())
  set(['refreshToken', 'refresh_token', 'refresh'], shape.refresh, grant.refreshToken?.reveal())
  set(['idToken', 'id_token'], shape.id, grant.idToken?.reveal())
  set(['resource_url', 'resourceUrl'], null, grant.resourceUrl)
  const expiry = ['expiresAt', 'expires_at', 'expiry_date', 'expiryDate', 'expires'].find((name) => name in inner)
  if (grant.expiresAt !== null && (expiry || shape.expiry)) {
    inner[expiry ?? shape.expiry!.name] = sameUnit(inner[expiry ?? ''], grant.expiresAt, shape.expiry?.unit ?? 'ms')
  }
  if (grant.refreshedAt !== null && (shape.refreshed !== null)) {
    top[shape.refreshed] = new Date(grant.refreshedAt).toISOString()
  }
  return top
}

/** A time written as the one before it was: seconds, milliseconds or text. */
function sameUnit(before: unknown, at: number, unit: 'ms' | 's'): number | string {
  if (typeof before === 'string' && !/^\d+$/.test(before)) return new Date(at).toISOString()
  const seconds = typeof before === 'number' && before > 0 ? before < 1e11 : unit === 's'
  return seconds ? Math.floor(at / 1000) : at
}

function innerObject(top: Record<string, unknown>, at: readonly string[]): unknown {
  let value: unknown = top
  for (const key of at) value = isObject(value) ? value[key] : undefined
  return value
}

/** A login document that another program owns, or that the user named: plain, 0600, unknown fields kept. */
export function documentFile(path: string, vendor: Vendor, shape: DocumentShape): GrantStore {
  const readDocument = async (): Promise<unknown> => {
    const content = await readLogin(path, 4 * 1024 * 1024)
    return content === null ? null : parseDocument(content, path)
  }
  return {
    name: path,
    lockPath: lockPathOf(path),
    async read() {
      return grantFromDocument(await readDocument(), vendor)
    },
    version: () => fileVersion(path),
    prepare: async () => proveWritable(await target(path)),
    async write(grant) {
      const document = documentWith(await readDocument(), grant, shape)
      await writeAtomic(await target(path), `${JSON.stringify(document, null, 2)}\n`)
    },
    async remove() {
      const existed = await statFile(path) !== null
      await removeFile(path)
      return existed
    },
  }
}

/** Dotfile managers link these files: what is replaced is the file, and the link stays. */
async function target(path: string): Promise<string> {
  const linked = await lstat(path).then((info) => info.isSymbolicLink(), () => false)
  return linked ? await realpath(path) : path
}

function parseDocument(content: string, name: string): unknown {
  try {
    return JSON.parse(content)
  } catch (cause) {
    throw new GwError('credential.unavailable', `${name} is not valid JSON: it may be half-written`, {
      hint: 'try again; if it stays, log in again with the tool that owns it',
      cause,
    })
  }
}

/** A keychain item that holds such a document. */
export function keychainDocument(
  item: { readonly service: string; readonly account: string },
  lockBeside: string,
  vendor: Vendor,
  shape: DocumentShape,
  keychain: Keychain,
): GrantStore {
  const name = `keychain item ${item.service}`
  const read = async () => {
    const content = await keychain.get(item.service, item.account)
    return content === null ? null : parseDocument(content, name)
  }
  return {
    name,
    lockPath: lockPathOf(lockBeside),
    async read() {
      return grantFromDocument(await read(), vendor)
    },
    async version() {
      const content = await keychain.get(item.service, item.account)
      return content === null ? null : fingerprint(new Secret(content))
    },
    prepare: async () => void await read(),
    write: async (grant) =>
      await keychain.set(item.service, item.account, JSON.stringify(documentWith(await read(), grant, shape))),
    remove: () => keychain.delete(item.service, item.account),
  }
}

/** Several places of one login: the newest counts, and a write reaches each place that has it. */
export function everyStore(stores: readonly [GrantStore, ...GrantStore[]]): GrantStore {
  const [first] = stores
  if (stores.length === 1) return first
  return {
    name: first.name,
    lockPath: first.lockPath,
    async read() {
      const found = (await Promise.all(stores.map((store) => store.read()))).filter((grant) => grant !== null)
      return found.length === 0 ? null : found.reduce(newer)
    },
    async version() {
      const versions = await Promise.all(stores.map((store) => store.version()))
      return versions.every((version) => version === null) ? null : versions.join('|')
    },
    async prepare() {
      for (const store of stores) if (await store.version() !== null) await store.prepare()
    },
    async write(grant) {
      let written = 0
      for (const store of stores) {
        if (await store.version() === null) continue
        await store.write(grant)
        written++
      }
      if (written === 0) await first.write(grant)
    },
    async remove() {
      const removed = await Promise.all(stores.map((store) => store.remove()))
      return removed.includes(true)
    },
  }
}
