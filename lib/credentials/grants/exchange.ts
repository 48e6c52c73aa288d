import { type Clock, GwError, isGwError, isObject, Secret } from '../../base/mod.ts'
import { originsOf } from '../audience.ts'
import { readTime } from '../payload.ts'
import type { Fetch } from '../sources/source.ts'
import type { Vendor } from '../vendors/vendor.ts'
import { boundedBody } from '../token-endpoint.ts'

/** A short-lived token got for a login, and where it is good. */
export interface ExchangedToken {
  readonly token: Secret
  /** Epoch ms by our clock. */
  readonly expiresAt: number | null
  readonly audience: readonly string[]
  readonly baseUrl: string | null
}

const limitMs = 30_000

/**
 * Swaps a GitHub login for a Copilot token. Its `proxy-ep` field names the host of the API.
 *
 * @throws GwError `credential.login_required` when the login is refused, `upstream.unreachable` and its like when nobody
 * was asked, `credential.refresh_failed` when asking again can help
 */
export async function exchangeToken(
  vendor: Vendor,
  login: Secret,
  { fetch, clock }: { fetch: Fetch; clock: Clock },
): Promise<ExchangedToken> {
  let response: Response
  try {
    response = await fetch(vendor.exchangeUrl!, {
      headers: { accept: 'application/json', authorization: `token ${login.reveal()}`, ...vendor.headers },
      redirect: 'manual',
      signal: AbortSignal.timeout(limitMs),
    })
  } catch (cause) {
    const stopped = isGwError(cause) ? cause : null
    throw new GwError(
      stopped?.code ?? 'upstream.unreachable',
      `${vendor.name}: ${stopped?.message ?? 'the token exchange cannot be reached'}`,
      { cause, ...(stopped?.hint ? { hint: stopped.hint } : {}) },
    )
  }
  const text = await boundedBody(response, vendor.name)
  if (response.status === 401 || response.status === 403 || response.status === 404) {
    throw new GwError('credential.login_required', `${vendor.name}: the login is not accepted (${response.status})`, {
      hint: `gw auth login ${vendor.id}; check that the account has a plan`,
    })
  }
  let document: unknown = null
  try {
    document = JSON.parse(text)
  } catch {
    // no JSON: the same answer as no token
  }
  if (!response.ok || !isObject(document) || typeof document.token !== 'string' || document.token === '') {
    throw new GwError('credential.refresh_failed', `${vendor.name}: the token exchange answered ${response.status}`, {
      details: { status: response.status },
    })
  }
  const proxy = /(?:^|;)\s*proxy-ep=([^;\s]+)/.exec(document.token)?.[1]
  const host = proxy?.replace(/^https?:\/\//, '').replace(/^proxy\./, 'api.')
  // Only a host below the vendor's own domain may be named by a token: it is the far side that wrote it.
  const named = host && /^api\.[a-z0-9.-]*githubcopilot\.com$/i.test(host) ? `https://${host}` : null
  const baseUrl = named ?? vendor.audience[0] ?? null
  return {
    token: new Secret(document.token),
    expiresAt: readTime(document.expires_at) ?? clock.now() + 25 * 60_000,
    audience: originsOf([baseUrl, ...vendor.audience]),
    baseUrl,
  }
}
