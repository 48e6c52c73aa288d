import { GwError } from '../base/mod.ts'
import type { Credential } from './credential.ts'

/**
 * Refuses to let a credential go to an origin that is not its own.
 *
 * @throws GwError `credential.audience` when the URL's origin is none of `credential.audience`
 */
export function assertAudience(credential: Pick<Credential, 'audience' | 'kind'>, url: URL | string): void {
  if (credential.kind === 'none') return
  const { origin } = new URL(url)
  if (credential.audience.includes(origin)) return
  throw new GwError(
    'credential.audience',
    `a credential for ${credential.audience.join(', ') || 'no origin'} was about to be sent to ${origin}`,
    {
      hint: 'set base_url on the account to bind its credential to another origin',
      details: { origin, audience: credential.audience },
    },
  )
}

/** The origins of base URLs; one that is no URL (an unset `${VARIABLE}`) is left out. */
export function originsOf(urls: readonly (string | null | undefined)[]): string[] {
  const origins = urls.flatMap((url) => {
    try {
      return url ? [new URL(url).origin] : []
    } catch {
      return []
    }
  })
  return [...new Set(origins.filter((origin) => origin !== 'null'))]
}
