import * as oauth from 'oauth4webapi'
import { type Clock, GwError, isGwError } from '../../base/mod.ts'
import type { Fetch } from '../sources/source.ts'
import type { Vendor } from './vendor.ts'

/** Finds the endpoints of OpenID issuers, and remembers them. */
export interface Discovery {
  /**
   * The vendor with its endpoints filled in from its issuer's metadata; what its row states wins.
   *
   * @throws GwError `upstream.unreachable` and its like when the issuer is not reached, `credential.refresh_failed` when
   * it serves no metadata, `login.failed` when they are another issuer's
   */
  endpointsOf(vendor: Vendor): Promise<Vendor>
  /** The metadata of an issuer. */
  metadata(issuer: string): Promise<oauth.AuthorizationServer>
}

const keptMs = 3_600_000
const limitMs = 15_000

/** Makes {@link Discovery} over the guarded fetch. */
export function createDiscovery({ fetch, clock }: { fetch: Fetch; clock: Clock }): Discovery {
  const known = new Map<string, { at: number; metadata: Promise<oauth.AuthorizationServer> }>()

  function metadata(issuer: string): Promise<oauth.AuthorizationServer> {
    const kept = known.get(issuer)
    if (kept && clock.monotonic() - kept.at < keptMs) return kept.metadata
    const fresh = discover(issuer, fetch)
    known.set(issuer, { at: clock.monotonic(), metadata: fresh })
    // A failure is not remembered: the next caller asks again.
    fresh.catch(() => known.delete(issuer))
    return fresh
  }

  return {
    metadata,
    async endpointsOf(vendor) {
      if (!vendor.issuer || (vendor.tokenUrl && vendor.authorizeUrl)) return vendor
      const found = await metadata(vendor.issuer)
      const device = vendor.device ?? (found.device_authorization_endpoint
        ? {
          style: 'rfc8628' as const,
          url: found.device_authorization_endpoint,
          pollUrl: null,
          verifyUrl: null,
          redirectUri: null,
        }
        : null)
      return {
        ...vendor,
        authorizeUrl: vendor.authorizeUrl ?? found.authorization_endpoint ?? null,
        tokenUrl: vendor.tokenUrl ?? found.token_endpoint ?? null,
        registrationUrl: vendor.registrationUrl ??
          (vendor.registers ? found.registration_endpoint ?? null : null),
        revokeUrl: vendor.revokeUrl ?? found.revocation_endpoint ?? null,
        device,
        scopes: vendor.scopes.length > 0 ? vendor.scopes : ['openid', 'offline_access'],
      }
    },
  }
}

/** Whether plain http is bearable: on this machine, for tests and local issuers. */
function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
}

async function discover(issuer: string, fetch: Fetch): Promise<oauth.AuthorizationServer> {
  const options: oauth.DiscoveryRequestOptions = {
    [oauth.customFetch]: (url, { method, headers, redirect, signal }) =>
      fetch(url, { method, headers, redirect, ...(signal ? { signal } : {}) }),
    [oauth.allowInsecureRequests]: isLoopback(issuer),
    signal: () => AbortSignal.timeout(limitMs),
  }
  const identifier = new URL(issuer)
  let last: unknown
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    try {
      const response = await oauth.discoveryRequest(identifier, { ...options, algorithm })
      return await oauth.processDiscoveryResponse(identifier, response)
    } catch (error) {
      if ((error as { code?: string }).code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
        throw new GwError('login.failed', `${issuer}: its metadata names another issuer`, { cause: error })
      }
      // Where nobody is reached there is no second place to look at.
      if (isGwError(error)) throw error
      last = error
    }
  }
  throw new GwError('credential.refresh_failed', `${issuer}: its OpenID metadata cannot be had`, {
    hint: 'check the issuer URL; it must serve /.well-known/openid-configuration',
    cause: last,
  })
}
