import { assertAudience, type Credential, originsOf } from '../credentials/mod.ts'
import type { AuthScheme, Deployment, Provider } from '../catalog/mod.ts'
import type { UpstreamCall } from './call.ts'
import { baseOf, endpointUrl, type Environment, urlOf } from './endpoint.ts'

/** Where calls of one credential to one surface go, and how they are signed there. */
export interface Place {
  readonly surface: UpstreamCall['surface']
  readonly deployment: Deployment
  readonly row: Provider | null
  readonly bound: string | null
  /** Shared by calls: nobody changes it. */
  readonly url: URL
  readonly scheme: AuthScheme
}

/** What {@link createPlaces} asks. */
export interface PlaceOptions {
  readonly provider: (id: string) => Provider | null
  readonly environment: Environment
  /** The base URL that its owner bound an account to, over its provider's. */
  readonly baseUrl?: (account: string) => string | null
}

/**
 * Finds the place of a call, and remembers the last one that each credential was let go to: requests repeat themselves,
 * and URLs are dear.
 *
 * What is returned throws GwError `credential.audience`, `request.unsupported`, `config.invalid`.
 */
export function createPlaces({ provider, environment, baseUrl }: PlaceOptions): (call: UpstreamCall) => Place {
  const places = new WeakMap<Credential, Place>()

  /** Where a credential belongs that names no origin itself: its account's own base URL, else its provider's. */
  function home(row: Provider | null, bound: string | null): string[] {
    if (bound) return originsOf([bound])
    return originsOf((row?.deployments ?? []).map(({ baseUrl }) => {
      try {
        return baseOf(baseUrl, environment)
      } catch {
        // A deployment whose variable is not set is no place to send anything to.
        return null
      }
    }))
  }

  return ({ target, credential, surface, search }) => {
    const row = provider(target.provider)
    const bound = baseUrl?.(target.account) ?? null
    const known = search === '' ? places.get(credential) : undefined
    if (
      known !== undefined && known.surface === surface && known.deployment === target.deployment &&
      known.row === row && known.bound === bound
    ) return known
    const prefix = typeof surface === 'object' ? surface.prefix ?? '' : ''
    const deployment = bound || prefix !== ''
      ? { ...target.deployment, baseUrl: (bound ?? target.deployment.baseUrl).replace(/\/+$/, '') + prefix }
      : target.deployment
    const url = typeof surface === 'string'
      ? endpointUrl(row, deployment, surface, search, environment)
      : urlOf(row, deployment, surface.path, search, environment)
    assertAudience(credential.audience.length > 0 ? credential : { ...credential, audience: home(row, bound) }, url)
    const scheme = deployment.auth ?? row?.auth ?? { type: 'bearer' }
    const place: Place = { surface, deployment: target.deployment, row, bound, url, scheme }
    // A key in the query is written into the URL of each call.
    if (search === '' && typeof surface === 'string' && scheme.type !== 'query') places.set(credential, place)
    return place
  }
}
