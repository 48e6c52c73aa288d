import { type Clock, GwError, type PrincipalId } from '../base/mod.ts'
import { hasLimits, rightsOf } from './grant.ts'
import type { SigningKeys } from './keys.ts'
import { presentedToken } from './present.ts'
import { operator, type Principal } from './principal.ts'
import { type StaticTokens, tokenHash } from './static.ts'
import type { AccessToken, TokenStore } from './store.ts'
import { verifyToken } from './token.ts'

/** Where a request came from, as far as it decides who may act. */
export interface Origin {
  /** Whether gw listens on loopback only and the caller is on it. */
  readonly loopback: boolean
}

/** The part of `Headers` that is needed. */
interface HeaderReader {
  get(name: string): string | null
}

/** Turns requests into principals. */
export interface Authenticator {
  /**
   * Who acts. A token seen before costs one hash and one lookup.
   *
   * @throws GwError `access.missing`, `access.invalid`, `access.expired` (401) or `access.revoked` (403)
   */
  authenticate(headers: HeaderReader, origin?: Origin): Promise<Principal>
  /** Who acts, where its token has been seen and is good: nobody waits for that. Else `null`, and it must be asked for. */
  known(headers: HeaderReader): Principal | null
  /** Forgets what is remembered of these tokens; what is being looked up right now is looked up again. */
  forget(ids: Iterable<string>): void
  /** Puts other configured tokens in place; everything is looked up again. */
  configure(statics: StaticTokens, anonymous: boolean): void
}

/** What an {@link Authenticator} stands on. */
export interface AuthenticatorParts {
  readonly store: TokenStore
  readonly keys: SigningKeys
  readonly clock: Clock
  readonly statics: StaticTokens
  readonly anonymous: boolean
  /** Most tokens remembered. */
  readonly capacity: number
  /** Called with a lineage that has limits before its principal is handed out. */
  readonly prepare: (lineage: readonly AccessToken[]) => Promise<void>
}

const anonymousPrincipal: Principal = { ...operator, id: 'anonymous' as PrincipalId, kind: 'anonymous', label: '' }

/** An {@link Authenticator}. */
export function authenticator(parts: AuthenticatorParts): Authenticator {
  const { store, keys, clock, capacity } = parts
  let { statics, anonymous } = parts
  /** Verified tokens by hash; never moved on a hit, the oldest goes first. */
  const remembered = new Map<string, { readonly principal: Principal; readonly ids: readonly string[] }>()
  /** The hashes that depend on a token: its own and those of its children. */
  const dependants = new Map<string, Set<string>>()
  /** Grows when tokens are revoked, so that a lookup that began before starts over. */
  let epoch = 0
  let issuedAny = false

  function remember(key: string, principal: Principal, lineage: readonly AccessToken[]): void {
    if (remembered.size >= capacity) drop(remembered.keys().next().value!)
    const ids = lineage.map((one) => one.id)
    remembered.set(key, { principal, ids })
    for (const id of ids) {
      const keysOfToken = dependants.get(id)
      if (keysOfToken) keysOfToken.add(key)
      else dependants.set(id, new Set([key]))
    }
  }

  function drop(key: string): void {
    const entry = remembered.get(key)
    if (!entry) return
    remembered.delete(key)
    for (const id of entry.ids) {
      const keysOfToken = dependants.get(id)
      if (keysOfToken?.delete(key) && keysOfToken.size === 0) dependants.delete(id)
    }
  }

  async function verify(token: string, key: string): Promise<Principal> {
    const claims = await verifyToken(token, keys)
    for (;;) {
      const before = epoch
      const lineage = await store.lineage(claims.id)
      if (lineage.some((one) => one.revokedAt !== null)) throw revoked()
      if (claims.expiresAt !== null && clock.now() >= claims.expiresAt) throw expired()
      const own = lineage[0]
      if (!own || lineage.at(-1)!.parent !== null) {
        throw new GwError('access.invalid', 'Invalid token: it was not issued by this gw', {
          hint: 'issue one with: gw tokens issue; tokens of another system are taken over with: gw import lr',
        })
      }
      const expiresAt = earliest([claims.expiresAt, ...lineage.map((one) => one.expiresAt)])
      if (expiresAt !== null && clock.now() >= expiresAt) throw expired()
      const limited = lineage.filter((one) => hasLimits(one.grant.limits))
      if (limited.length > 0) await parts.prepare(limited)
      if (before !== epoch) continue
      const principal = principalOf(own, expiresAt, limited)
      remember(key, principal, lineage)
      return principal
    }
  }

  async function nobody(origin: Origin | undefined): Promise<Principal> {
    if (anonymous && origin?.loopback && statics.byHash.size === 0) {
      issuedAny ||= await store.any()
      if (!issuedAny) return anonymousPrincipal
    }
    throw new GwError('access.missing', 'Missing Authorization header with Bearer token (or x-api-key)', {
      hint: 'send Authorization: Bearer la_sk_…; issue a token with: gw tokens issue',
    })
  }

  return {
    known(headers) {
      const presented = presentedToken(headers)
      if (presented === null) return null
      const principal = remembered.get(tokenHash(presented.token))?.principal
      if (principal === undefined) return null
      return principal.expiresAt === null || clock.now() < principal.expiresAt ? principal : null
    },
    async authenticate(headers, origin) {
      const presented = presentedToken(headers)
      if (presented === null) return await nobody(origin)
      const { token } = presented
      const key = tokenHash(token)
      const known = remembered.get(key)?.principal
      if (known !== undefined) {
        if (known.expiresAt === null || clock.now() < known.expiresAt) return known
        drop(key)
        throw expired()
      }
      const configured = statics.byHash.get(key)
      if (configured) return configured
      return await verify(token, key)
    },
    forget(ids) {
      epoch++
      for (const id of ids) {
        for (const key of [...dependants.get(id) ?? []]) drop(key)
      }
    },
    configure(newStatics, newAnonymous) {
      statics = newStatics
      anonymous = newAnonymous
    },
  }
}

function principalOf(token: AccessToken, expiresAt: number | null, limited: readonly AccessToken[]): Principal {
  const { grant } = token
  return {
    id: token.id as string as PrincipalId,
    kind: 'client',
    token: token.id,
    label: token.label,
    ...rightsOf(grant),
    expiresAt,
    ...(limited.length > 0 ? { limitedBy: limited.map((one) => one.id) } : {}),
  }
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((at) => at !== null)
  return known.length === 0 ? null : Math.min(...known)
}

const expired = (): GwError => new GwError('access.expired', 'Token has expired')
const revoked = (): GwError => new GwError('access.revoked', 'Token has been revoked')
