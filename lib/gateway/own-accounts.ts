import { type AccountId, GwError } from '../base/mod.ts'
import { type Account, plainAccount, type Target } from '../accounts/mod.ts'
import { type Credential, originsOf } from '../credentials/mod.ts'
import type { Ask, Rooms } from './seams.ts'

/** The account of a target that is served with the caller's own plan token. */
const passthroughId = 'passthrough' as AccountId
/** The account of a target that is served with a key the caller sent along. */
const providerKeyId = 'provider-key' as AccountId

/**
 * The accounts a caller brought for one request: its own plan token, bound to the vendor whose client it is, and its own
 * provider keys.
 *
 * @throws GwError `access.denied` for a plan token that no vendor's client sent, `provider.not_found`
 */
export function ownAccounts(ask: Ask, rooms: Rooms): readonly Account[] {
  const accounts: Account[] = []
  if (ask.planToken) {
    const [vendor] = rooms.directory.passthrough(ask.headers, ask.protocol)
    if (!vendor) {
      throw new GwError(
        'access.denied',
        'the Authorization header carries a token for no provider that takes it here',
        {
          hint:
            "a plan token passes only from its vendor's own client and in its protocol; send the gw token alone otherwise",
        },
      )
    }
    // Not one of our plan logins: the caller's own, whose use is the caller's.
    accounts.push(plainAccount(passthroughId, vendor.id))
  }
  for (const slug of ask.providerKeys.keys()) {
    const provider = rooms.directory.provider(slug)
    if (!provider) {
      throw new GwError('provider.not_found', `no provider ${slug.slice(0, 64)}`, { hint: 'gw providers list' })
    }
    accounts.push(plainAccount(providerKeyId, provider.id))
  }
  return accounts
}

/** Whether a target must not serve this request, because the caller brought its own credential for it. */
export function shadowed(target: Target, ask: Ask, rooms: Rooms): boolean {
  if (ask.planToken) return target.account !== passthroughId
  if (ask.providerKeys.size === 0 || target.account === providerKeyId) return false
  return [...ask.providerKeys.keys()].some((slug) => rooms.directory.provider(slug)?.id === target.provider)
}

/** The caller's own credential for a target; `null` where gw's is used. It goes to the provider's own origin only. */
export function ownCredential(target: Target, ask: Ask, rooms: Rooms): Credential | null {
  if (target.account !== passthroughId && target.account !== providerKeyId) return null
  const shared = { accountId: null, expiresAt: null, identity: null, audience: originsOf([target.deployment.baseUrl]) }
  if (target.account === passthroughId && ask.planToken) {
    return { ...shared, kind: 'auth-token', secret: ask.planToken, accountId: ask.headers.get('chatgpt-account-id') }
  }
  if (target.account !== providerKeyId) return null
  for (const [slug, secret] of ask.providerKeys) {
    if (rooms.directory.provider(slug)?.id === target.provider) return { ...shared, kind: 'api-key', secret }
  }
  return null
}
