import { createHash } from 'node:crypto'
import { isObject, Secret } from '../../base/mod.ts'
import { identityHash, identityOf, readClaims } from '../identity.ts'
import type { TokenAnswer } from '../token-endpoint.ts'
import type { IdentityPaths, Vendor } from '../vendors/vendor.ts'

/** Whose login it is, as far as its tokens and answers said. Shown to its owner, never logged. */
export interface GrantIdentity {
  readonly email: string | null
  readonly accountId: string | null
  readonly userId: string | null
  readonly organizationId: string | null
  readonly organization: string | null
  readonly projectId: string | null
  readonly plan: string | null
}

/** A login: what a vendor gave us once a person agreed. */
export interface Grant {
  readonly vendor: string
  readonly accessToken: Secret | null
  readonly refreshToken: Secret | null
  readonly idToken: Secret | null
  /** Epoch ms by the clock of this machine; `null` when nobody said. */
  readonly expiresAt: number | null
  /** Epoch ms. */
  readonly refreshedAt: number | null
  readonly scopes: readonly string[]
  readonly identity: GrantIdentity
  /** The client that it was issued to. */
  readonly clientId: string | null
  /** Host that the vendor assigned for its API. */
  readonly resourceUrl: string | null
}

/** An identity of which nothing is known. */
export const unknownIdentity: GrantIdentity = {
  email: null,
  accountId: null,
  userId: null,
  organizationId: null,
  organization: null,
  projectId: null,
  plan: null,
}

/** Names a secret without showing it: for telling whether two are the same. */
export function fingerprint(secret: Secret): string {
  return createHash('sha256').update('gw token v1\0').update(secret.reveal()).digest('hex').slice(0, 32)
}

/** Whether both hold the same tokens. */
export function sameTokens(a: Grant, b: Grant): boolean {
  const text = (grant: Grant) => [grant.accessToken?.reveal() ?? '', grant.refreshToken?.reveal() ?? ''].join('\0')
  return text(a) === text(b)
}

/** The newer of two: refreshed later, else valid longer. */
export function newer(a: Grant, b: Grant): Grant {
  if (a.refreshedAt !== null && b.refreshedAt !== null && a.refreshedAt !== b.refreshedAt) {
    return a.refreshedAt > b.refreshedAt ? a : b
  }
  return (b.expiresAt ?? -1) > (a.expiresAt ?? -1) ? b : a
}

function lookUp(paths: IdentityPaths[keyof IdentityPaths], documents: readonly unknown[]): string | null {
  for (const path of paths ?? []) {
    for (const document of documents) {
      let value: unknown = document
      for (const step of path) value = isObject(value) ? value[step] : undefined
      if (typeof value === 'string' && value !== '') return value.slice(0, 320)
    }
  }
  return null
}

/** What the tokens and answers of a vendor say about whose they are; what is not said stays as before. */
export function readIdentity(
  vendor: Vendor,
  tokens: readonly (Secret | string | null)[],
  documents: readonly unknown[] = [],
  before: GrantIdentity = unknownIdentity,
): GrantIdentity {
  const claims = tokens.map((token) =>
    token === null ? null : readClaims(typeof token === 'string' ? token : token.reveal())
  )
  const sources = [...documents, ...claims]
  const paths = vendor.identity
  return {
    email: lookUp(paths.email, sources) ?? before.email,
    accountId: lookUp(paths.accountId, sources) ?? before.accountId,
    userId: lookUp(paths.userId, sources) ?? before.userId,
    organizationId: lookUp(paths.organizationId, sources) ?? before.organizationId,
    organization: lookUp(paths.organization, sources) ?? before.organization,
    projectId: lookUp(paths.projectId, sources) ?? before.projectId,
    plan: lookUp(paths.plan, sources) ?? before.plan,
  }
}

/** One-way name of whose grant it is: survives refreshes, equal for two logins of one person at one account. */
export function grantIdentity(grant: Grant): string | null {
  const { accountId, userId, email } = grant.identity
  if (accountId || userId) return identityHash(grant.vendor, accountId ?? '', userId ?? '')
  if (email) return identityHash(grant.vendor, email.toLowerCase())
  return grant.accessToken ? identityOf(grant.accessToken.reveal()) : null
}

/**
 * When a token ends by the clock of this machine. A JWT names server times: its length of life is taken from it, and
 * counted from the moment it arrived, so that a clock minutes off does no harm.
 */
export function localExpiry(token: string, arrivedAt: number): number | null {
  const claims = readClaims(token)
  if (typeof claims?.exp !== 'number') return null
  if (typeof claims.iat !== 'number' || claims.exp <= claims.iat) return claims.exp * 1000
  return arrivedAt + (claims.exp - claims.iat) * 1000
}

/** The grant after a token answer; what the answer leaves out stays (RFC 6749 §6: no new refresh token keeps the old). */
export function grantAfter(vendor: Vendor, answer: TokenAnswer, now: number, before?: Grant): Grant {
  const { token } = answer
  const idToken = token.idToken ? new Secret(token.idToken) : before?.idToken ?? null
  const resourceUrl = token.extra.resource_url
  return {
    vendor: vendor.id,
    accessToken: new Secret(token.accessToken),
    refreshToken: token.refreshToken ? new Secret(token.refreshToken) : before?.refreshToken ?? null,
    idToken,
    expiresAt: answer.expiresAt ?? localExpiry(token.accessToken, now),
    refreshedAt: now,
    scopes: token.scopes ?? before?.scopes ?? vendor.scopes,
    identity: readIdentity(vendor, [idToken, token.accessToken], [token.extra], before?.identity),
    clientId: before?.clientId ?? vendor.clientId,
    resourceUrl: typeof resourceUrl === 'string' ? resourceUrl : before?.resourceUrl ?? null,
  }
}
