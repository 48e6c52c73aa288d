import { GwError, isObject, Secret } from '../../base/mod.ts'
import type { SecretStore } from '../../secrets/mod.ts'
import { tokenDocument } from '../token-endpoint.ts'
import type { Vendor } from '../vendors/vendor.ts'
import type { ExchangeContext } from './exchange-code.ts'

const refOf = (vendor: Vendor): string => `login-client/${vendor.id}`

/**
 * The vendor with a client of this home's own: the one that was registered before, else a new one, kept sealed.
 *
 * @see RFC 7591 §3.1
 * @throws GwError `login.failed` when the vendor registers none
 */
export async function withClient(
  vendor: Vendor,
  secrets: Pick<SecretStore, 'get' | 'put'>,
  context: ExchangeContext,
): Promise<Vendor> {
  const { registrationUrl } = vendor
  if (vendor.clientId || !registrationUrl) return vendor
  const before = await secrets.get(refOf(vendor))
  const known: unknown = before ? JSON.parse(before.reveal()) : null
  if (isObject(known) && known.at === registrationUrl && typeof known.client_id === 'string') {
    return { ...vendor, clientId: known.client_id }
  }
  const { host, ports, path } = vendor.redirect
  const document = await tokenDocument({
    url: registrationUrl,
    encoding: 'json',
    what: vendor.name,
    headers: vendor.headers,
    body: {
      client_name: 'gw',
      application_type: 'native',
      redirect_uris: ports.map((port) => `http://${host}${port === 0 ? '' : `:${port}`}${path}`),
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: vendor.scopes.join(' '),
    } as never,
  }, context)
  if (typeof document.client_id !== 'string' || document.client_id === '') {
    throw new GwError('login.failed', `${vendor.name} did not register gw as a client`, {
      hint: `register one (${vendor.docs}) and set client_id in [logins.${vendor.id}]`,
    })
  }
  await secrets.put(refOf(vendor), new Secret(JSON.stringify({ at: registrationUrl, client_id: document.client_id })))
  return { ...vendor, clientId: document.client_id }
}
