import type { Provider } from '../catalog/mod.ts'
import type { Account } from './account.ts'

/**
 * Whether an account is a plan login, though its source is not a login: its owner says so, it is declared as an auth
 * token of a provider that has plans, or its provider takes nothing else.
 *
 * What is kept as a key may still be a plan token. Its use has the vendor's terms, not those of an API key.
 *
 * @param stated what its owner wrote, `undefined` when nothing
 */
export function isPlan(account: Account, provider: Provider | undefined, stated: boolean | undefined): boolean {
  if (stated !== undefined) return stated
  if (account.plan || provider?.auth.type === 'chatgpt') return true
  return account.kind === 'auth-token' && provider?.plan !== undefined
}

/** Whether a secret is a plan token of the provider, by how it begins. */
export function isPlanToken(provider: Provider | undefined, secret: string): boolean {
  return provider?.plan?.tokens?.some((beginning) => secret.startsWith(beginning)) === true
}
