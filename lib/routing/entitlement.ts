import type { Account, Entitlement } from '../accounts/mod.ts'
import type { Provider } from '../catalog/mod.ts'

/**
 * What the vendor says about serving this caller with this account.
 *
 * An API key is documented use. A plan login is native use when the caller shows itself as the vendor's own client and
 * its bytes pass through; gw never makes a caller look like one.
 *
 * @param passesThrough whether the caller's protocol is the upstream's, so that nothing is rewritten
 */
export function entitlementOf(
  account: Account,
  provider: Provider,
  headers: Headers,
  passesThrough: boolean,
): Entitlement {
  if (!account.plan) return 'documented'
  const { source } = account
  if (source.type === 'login' && provider.plan?.documented.includes(source.vendor) === true) return 'documented'
  return passesThrough && isNativeClient(provider, headers) ? 'native' : 'undocumented'
}

/** Whether the caller's own headers are those of the vendor's client. */
export function isNativeClient(provider: Provider, headers: Headers): boolean {
  return provider.plan?.native.some(({ header, startsWith }) => {
    const value = headers.get(header)
    return value !== null && startsWith.some((text) => value.startsWith(text))
  }) === true
}

/** What to do about an undocumented use, with the page to read first. */
export function entitlementRemedy(account: Account, provider: Provider): string {
  const page = provider.plan?.page ?? provider.docs
  return `${provider.name} documents no such use of a plan login (${page}); use an API key, the vendor's own client, ` +
    `or set allow_undocumented_use = true on account ${account.id}`
}
