import { type Clock, GwError, isGwError, type Secret } from '../../base/mod.ts'
import type { Fetch } from '../sources/source.ts'
import { type TokenAnswer, tokenRequest } from '../token-endpoint.ts'
import type { Discovery } from '../vendors/discovery.ts'
import type { Vendors } from '../vendors/registry.ts'
import type { Vendor } from '../vendors/vendor.ts'
import type { Grant } from './grant.ts'

/** What {@link callRefresh} goes through. */
export interface RefreshContext {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly discovery: Discovery
  readonly vendors: () => Vendors
}

/** Spends the refresh token of a grant at its vendor: one call, no retry. Throws as {@link tokenRequest} does. */
export async function callRefresh(
  vendor: Vendor,
  grant: Grant & { readonly refreshToken: Secret },
  { fetch, clock, discovery, vendors }: RefreshContext,
): Promise<TokenAnswer> {
  const { tokenUrl } = vendor.refreshUrl ? vendor : await discovery.endpointsOf(vendor)
  const clientId = grant.clientId ?? vendor.clientId ?? undefined
  const secret = vendor.clientAuth === 'none' ? null : vendors().clientSecret(vendor)
  return await tokenRequest({
    url: vendor.refreshUrl ?? tokenUrl!,
    encoding: vendor.refreshEncoding,
    headers: {
      ...vendor.headers,
      ...(vendor.clientAuth === 'basic' ? { authorization: basicAuthorization(clientId ?? '', secret ?? '') } : {}),
    },
    what: vendor.name,
    body: {
      grant_type: 'refresh_token',
      ...vendor.tokenParams,
      refresh_token: grant.refreshToken.reveal(),
      client_id: clientId,
      client_secret: vendor.clientAuth === 'post' ? secret ?? undefined : undefined,
    },
  }, { fetch, clock })
}

/** RFC 6749 §2.3.1: both parts form-encoded, then base64. */
export function basicAuthorization(id: string, secret: string): string {
  const part = (text: string) => encodeURIComponent(text).replaceAll('%20', '+')
  return `Basic ${btoa(`${part(id)}:${part(secret)}`)}`
}

/** Whether a vendor names a place to refresh at. */
export const canRefresh = (vendor: Vendor): boolean => (vendor.refreshUrl ?? vendor.tokenUrl ?? vendor.issuer) !== null

/** Whether a refusal is about the grant itself, so that asking again cannot help. */
export function isFinal(error: GwError, vendor: Vendor): boolean {
  if (error.code !== 'login.failed') return false
  return error.details?.final === true || vendor.finalStatuses.includes(Number(error.details?.status))
}

/** The error of a refusal that says nothing final about the grant (a firewall's 403, a malformed answer) may pass. */
export function transient(error: unknown): unknown {
  if (!isGwError(error) || error.code !== 'login.failed') return error
  return new GwError('credential.refresh_failed', error.message, { details: { ...error.details }, cause: error })
}
