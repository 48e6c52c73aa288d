import * as oauth from 'oauth4webapi'
import { GwError } from '../../base/mod.ts'
import type { Vendor } from '../vendors/vendor.ts'

/** What one attempt to log in is recognised by. Never reused, never shown together. */
export interface Attempt {
  readonly state: string
  readonly verifier: string
  readonly nonce: string
  readonly redirectUri: string
}

/** A fresh attempt: state apart from verifier (RFC 7636, RFC 9700 §4.7). */
export function newAttempt(redirectUri: string): Attempt {
  return {
    state: oauth.generateRandomState(),
    verifier: oauth.generateRandomCodeVerifier(),
    nonce: oauth.generateRandomNonce(),
    redirectUri,
  }
}

/** Values that a caller adds to one authorization request. */
export interface AuthorizeExtras {
  readonly scopes?: readonly string[]
  readonly loginHint?: string
  readonly clientSecret?: string | null
}

/**
 * The page a person agrees on.
 *
 * @throws GwError `request.unsupported` when the vendor has none, `usage.invalid` when it needs a client id
 */
export async function authorizationUrl(vendor: Vendor, attempt: Attempt, extras: AuthorizeExtras = {}): Promise<URL> {
  if (!vendor.authorizeUrl) {
    throw new GwError('request.unsupported', `${vendor.name} has no login in a browser`, {
      hint: vendor.device ? `gw auth login ${vendor.id} --device` : `see ${vendor.docs}`,
    })
  }
  const clientId = needClientId(vendor)
  const scopes = extras.scopes ?? vendor.scopes
  const url = await namedUrl(vendor, clientId, attempt, scopes) ?? new URL(vendor.authorizeUrl)
  const set = (name: string, value: string | undefined) => {
    if (value) url.searchParams.set(name, value)
  }
  set('response_type', 'code')
  set('client_id', clientId)
  set('redirect_uri', attempt.redirectUri)
  set('scope', scopes.join(vendor.scopeSeparator))
  set('state', attempt.state)
  if (vendor.pkce) {
    set('code_challenge', await oauth.calculatePKCECodeChallenge(attempt.verifier))
    set('code_challenge_method', 'S256')
  }
  if (vendor.issuer) set('nonce', attempt.nonce)
  for (const [name, value] of Object.entries(vendor.authorizeParams)) set(name, value)
  set('login_hint', extras.loginHint)
  return url
}

/** The client id of a vendor. @throws GwError `usage.invalid` when its user has to register one */
export function needClientId(vendor: Vendor): string {
  if (vendor.clientId) return vendor.clientId
  throw new GwError('usage.invalid', `${vendor.name} needs an OAuth app of yours`, {
    hint: `register one (${vendor.docs}) and set client_id in [logins.${vendor.id}]`,
  })
}

type ArcticClient = { createAuthorizationURL(...values: unknown[]): URL }
type ArcticClass = new (id: string, secret: string, redirect: string) => ArcticClient

/** The authorization URL as arctic builds it for a named service; its endpoint gives way to one the config names. */
async function namedUrl(
  vendor: Vendor,
  clientId: string,
  { state, verifier, redirectUri }: Attempt,
  scopes: readonly string[],
): Promise<URL | null> {
  if (!vendor.arctic) return null
  const arctic = (await import('arctic')) as unknown as Record<string, ArcticClass>
  const client = new arctic[vendor.arctic]!(clientId, '', redirectUri)
  // arctic's classes take the verifier where the service knows PKCE, and no scopes where it knows none.
  const built = vendor.pkce
    ? client.createAuthorizationURL(state, verifier, [...scopes])
    : client.createAuthorizationURL(state, [...scopes])
  const url = new URL(vendor.authorizeUrl!)
  for (const [name, value] of built.searchParams) url.searchParams.set(name, value)
  return url
}

/** What came back from the vendor's page. */
export type Callback =
  | { readonly type: 'code'; readonly code: string }
  /** Not the answer to this attempt: it neither ends the wait nor tells the sender anything. */
  | { readonly type: 'foreign' }
  | { readonly type: 'refused'; readonly error: GwError }

/** Errors of the authorization endpoint that mean a person or an administrator said no. */
const denials = new Set(['access_denied', 'consent_required', 'interaction_required', 'login_required'])

/** Reads the parameters of a callback: state first, then the issuer (RFC 9207), then error or code. */
export function readCallback(vendor: Vendor, attempt: Pick<Attempt, 'state'>, parameters: URLSearchParams): Callback {
  if (parameters.getAll('state').length !== 1 || parameters.get('state') !== attempt.state) return { type: 'foreign' }
  const issuer = parameters.get('iss')
  const wanted = vendor.issuer ?? vendor.answersAs
  if (issuer !== null && wanted !== null && issuer.replace(/\/$/, '') !== wanted.replace(/\/$/, '')) {
    return {
      type: 'refused',
      error: new GwError('login.failed', `the answer comes from another issuer than ${vendor.name}`),
    }
  }
  const error = parameters.get('error')
  if (error !== null) return { type: 'refused', error: refusal(vendor, error, parameters.get('error_description')) }
  const code = parameters.get('code')
  if (!code || parameters.getAll('code').length !== 1) {
    return { type: 'refused', error: new GwError('login.failed', `${vendor.name} answered without a code`) }
  }
  return { type: 'code', code }
}

function refusal(vendor: Vendor, error: string, description: string | null): GwError {
  const name = /^[\w.-]{1,64}$/.test(error) ? error : 'an unknown error'
  if (/missing_codex_entitlement/.test(`${error} ${description}`)) {
    return new GwError('login.denied', `this ${vendor.name} workspace has no Codex`, {
      hint: 'choose another workspace, or ask its administrator for Codex',
      details: { oauth: 'missing_codex_entitlement' },
    })
  }
  const said = description && /^[\x20-\x7e]{1,200}$/.test(description) ? ` (${description})` : ''
  return new GwError(denials.has(error) ? 'login.denied' : 'login.failed', `${vendor.name} refused: ${name}${said}`, {
    hint: 'start the login again',
    details: { oauth: name },
  })
}

/**
 * What a person pasted: the whole redirect URL, `code#state` as a hosted page shows it, or the query alone.
 *
 * @throws GwError `request.invalid` when it is none of these
 */
export function readPasted(text: string): URLSearchParams {
  const pasted = text.trim()
  const wrong = () =>
    new GwError('request.invalid', 'this is neither the address of the page nor its code', {
      hint: 'paste the whole address of the last page, or code#state as the page shows it',
      param: 'pasted',
    })
  if (pasted.length === 0 || pasted.length > 16_384) throw wrong()
  if (/^https?:\/\//.test(pasted)) {
    try {
      return new URL(pasted).searchParams
    } catch {
      throw wrong()
    }
  }
  const match = /^([^#\s&=]+)#([^#\s&=]+)$/.exec(pasted)
  if (match) return new URLSearchParams({ code: match[1]!, state: match[2]! })
  const query = new URLSearchParams(pasted.replace(/^\?/, ''))
  if (query.has('state') && (query.has('code') || query.has('error'))) return query
  throw wrong()
}
