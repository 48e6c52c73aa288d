import { type Credential, readClaims } from '../credentials/mod.ts'
import { GwError } from '../base/mod.ts'

/** What a credential says about whom it is for. */
export type AudienceVerdict =
  /** It names this server. */
  | 'named'
  /** It names nobody that can be compared: an opaque token or key, a token without `aud`, or names that are no addresses. */
  | 'unnamed'

/**
 * Checks that a credential may be sent to a server.
 *
 * 1. Where gw knows the origins that a credential is for, the server's must be one of them. A login that gw made for a
 *    server is always bound to that server's origin.
 * 2. Where the credential is a JWT with an `aud` of addresses, one of them must be the server or stand above it in the
 *    same origin: a token for `https://host/other` is not one for `https://host/mcp`.
 * 3. Where it names nobody, there is nothing to compare. gw asks for each token with the server as `resource` and sends
 *    it nowhere else; whether an opaque token was made for it is the server's to check, as the specification has it.
 *
 * @param whose the account or login, for the error
 * @throws GwError `credential.audience`
 * @see RFC 8707 §2; RFC 9068 §3; MCP 2025-11-25, authorization: token audience binding and validation
 */
export function checkAudience(
  credential: Pick<Credential, 'audience' | 'secret'>,
  url: URL,
  { whose, hint }: { readonly whose: string; readonly hint: string },
): AudienceVerdict {
  const { audience, secret } = credential
  if (audience.length > 0 && !audience.includes(url.origin)) {
    throw new GwError('credential.audience', `${whose} must not be used at ${url.origin}`, { hint })
  }
  const { aud } = readClaims(secret.reveal()) ?? {}
  const names = (Array.isArray(aud) ? aud : [aud]).filter((name): name is string => typeof name === 'string')
  const addresses = names.filter((name) => /^https?:\/\//i.test(name))
  if (addresses.length === 0 || addresses.length < names.length) return addresses.some(covers) ? 'named' : 'unnamed'
  if (addresses.some(covers)) return 'named'
  throw new GwError('credential.audience', `${whose} was issued for ${addresses.join(', ').slice(0, 300)}`, { hint })

  function covers(name: string): boolean {
    const named = URL.parse(name)
    if (!named || named.origin !== url.origin) return false
    const [above, path] = [named, url].map(({ pathname }) => pathname.replace(/\/*$/, '/')) as [string, string]
    return path.startsWith(above)
  }
}
