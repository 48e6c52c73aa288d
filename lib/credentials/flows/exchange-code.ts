import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { type Clock, GwError, isObject, Secret } from '../../base/mod.ts'
import { type Grant, grantAfter, readIdentity } from '../grants/grant.ts'
import { basicAuthorization } from '../grants/refresh-call.ts'
import type { Fetch } from '../sources/source.ts'
import { boundedBody, type TokenAnswer, type TokenCall, tokenRequest } from '../token-endpoint.ts'
import type { Discovery } from '../vendors/discovery.ts'
import type { Vendor } from '../vendors/vendor.ts'
import { needClientId } from './authorize.ts'

/** What exchanging a code goes through. */
export interface ExchangeContext {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly discovery: Discovery
  /** The client secret of a vendor that has one. */
  readonly clientSecret: (vendor: Vendor) => string | null
}

/** How the client proves itself: as header and body fields of a token request. */
export function clientAuthentication(
  vendor: Vendor,
  clientSecret: ExchangeContext['clientSecret'],
): Pick<TokenCall, 'headers' | 'body'> {
  const clientId = needClientId(vendor)
  if (vendor.clientAuth === 'none') return { headers: vendor.headers, body: { client_id: clientId } }
  const secret = clientSecret(vendor) ?? ''
  if (vendor.clientAuth === 'post') {
    return { headers: vendor.headers, body: { client_id: clientId, client_secret: secret } }
  }
  return { headers: { ...vendor.headers, authorization: basicAuthorization(clientId, secret) }, body: {} }
}

/** A code and what it was asked for with. */
export interface CodeExchange {
  readonly code: string
  readonly verifier: string | null
  readonly redirectUri: string
  readonly state: string | null
  /** Expected in the id token of an issuer. */
  readonly nonce: string | null
}

/** Swaps a code for a login. @throws GwError `login.failed`, `credential.refresh_failed` */
export async function exchangeCode(vendor: Vendor, exchange: CodeExchange, context: ExchangeContext): Promise<Grant> {
  const { headers, body } = clientAuthentication(vendor, context.clientSecret)
  const answer = await tokenRequest({
    url: vendor.tokenUrl!,
    encoding: vendor.tokenEncoding,
    what: vendor.name,
    ...(headers ? { headers } : {}),
    body: {
      grant_type: 'authorization_code',
      ...vendor.tokenParams,
      ...body,
      code: exchange.code,
      redirect_uri: exchange.redirectUri,
      code_verifier: exchange.verifier ?? undefined,
      state: vendor.sendState ? exchange.state ?? undefined : undefined,
    },
  }, context)
  return await grantOf(vendor, answer, exchange.nonce, context)
}

/** The login in a token answer, its id token verified where the vendor is an issuer, its owner asked for by name. */
export async function grantOf(
  vendor: Vendor,
  answer: TokenAnswer,
  nonce: string | null,
  context: ExchangeContext,
): Promise<Grant> {
  if (vendor.issuer && answer.token.idToken) await verifyIdToken(vendor, answer.token.idToken, nonce, context)
  const grant = grantAfter(vendor, answer, context.clock.now())
  return vendor.profileUrl ? await withProfile(vendor, grant, context) : grant
}

/** Leeway for clocks that are off; the token came straight from its issuer over TLS. */
const leewaySeconds = 600
const limitMs = 15_000

async function verifyIdToken(
  vendor: Vendor,
  idToken: string,
  nonce: string | null,
  { fetch, clock, discovery }: ExchangeContext,
): Promise<void> {
  const metadata = await discovery.metadata(vendor.issuer!)
  try {
    const response = await fetch(metadata.jwks_uri!, { redirect: 'manual', signal: AbortSignal.timeout(limitMs) })
    const keys = JSON.parse(await boundedBody(response, vendor.name)) as JSONWebKeySet
    const { payload } = await jwtVerify(idToken, createLocalJWKSet(keys), {
      issuer: metadata.issuer,
      audience: needClientId(vendor),
      clockTolerance: leewaySeconds,
      currentDate: new Date(clock.now()),
      algorithms: ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'RS384', 'RS512'],
      requiredClaims: ['sub', 'exp', 'iat'],
    })
    if (nonce !== null && payload.nonce !== undefined && payload.nonce !== nonce) throw new Error('nonce')
  } catch (cause) {
    throw new GwError('login.failed', `${vendor.name}: its id token does not verify`, { cause })
  }
}

async function withProfile(vendor: Vendor, grant: Grant, { fetch }: ExchangeContext): Promise<Grant> {
  if (!grant.accessToken) return grant
  try {
    const response = await fetch(vendor.profileUrl!, {
      headers: { authorization: `Bearer ${grant.accessToken.reveal()}`, accept: 'application/json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(limitMs),
    })
    const text = await boundedBody(response, vendor.name)
    const profile: unknown = response.ok ? JSON.parse(text) : null
    return isObject(profile) ? { ...grant, identity: readIdentity(vendor, [], [profile], grant.identity) } : grant
  } catch {
    // Whose login it is would be nice to know; that it works does not depend on it.
    return grant
  }
}

/** A login that consists of a token somebody already has. */
export function grantFromToken(vendor: Vendor, token: Secret, refresh: Secret | null, expiresAt: number | null): Grant {
  const answer: TokenAnswer = {
    token: {
      accessToken: token.reveal(),
      refreshToken: refresh?.reveal() ?? null,
      idToken: null,
      scopes: [],
      extra: {},
    },
    expiresAt,
  }
  return { ...grantAfter(vendor, answer, 0), refreshedAt: null, expiresAt }
}
