import { Secret } from '../base/mod.ts'
import type { Provider } from '../catalog/mod.ts'
import { originsOf, type Reading } from '../credentials/mod.ts'
import type { Account } from './account.ts'

// What an account proves itself with, and where it may be sent.

type Environment = Readonly<Record<string, string | undefined>>

/** What is read where no credential is sent. */
export const nothingNeeded: Reading = {
  secret: new Secret(''),
  kind: 'none',
  accountId: null,
  expiresAt: null,
  audience: [],
  identity: null,
  freshUntil: Infinity,
}

/** Whether a server is asked without a credential: it wants none, or it may do without the one that is not there. */
export function needsNothing({ source, ...account }: Account, providers: readonly Provider[], env: Environment) {
  const provider = providers.find((provider) => provider.id === account.provider)
  if (source.type === 'none') {
    return provider?.auth.type === 'none' || provider?.local === true || provider?.keyOptional === true
  }
  return source.type === 'env' && !source.otherwise && !env[source.variable] && provider?.keyOptional === true
}

/** A base URL of its owner binds the credential there and nowhere else; else the vendor's or the provider's origins. */
export function audienceOf(
  account: Account,
  reading: Reading,
  providers: readonly Provider[],
  env: Environment,
): readonly string[] {
  if (account.baseUrl) return originsOf([account.baseUrl])
  if (reading.audience.length > 0) return reading.audience
  const provider = providers.find((provider) => provider.id === account.provider)
  // A URL with an unset variable is no URL: `https:///v1` would parse as the host `v1`.
  const urls = provider?.deployments.map(({ baseUrl }) => {
    const missing = [...baseUrl.matchAll(/\$\{(\w+)\}/g)].some(([, name]) => !env[name!])
    return missing ? null : baseUrl.replace(/\$\{(\w+)\}/g, (_, name) => env[name]!)
  })
  return originsOf(urls ?? [])
}
