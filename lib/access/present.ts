/** The header of gw's own, for callers whose `Authorization` carries their plan token to the provider. */
export const tokenHeader = 'x-gw-token'

/** A token as it came in. */
export interface Presented {
  readonly token: string
  /** Which header is ours, and so never goes upstream. */
  readonly header: typeof tokenHeader | 'authorization' | 'x-api-key' | 'x-goog-api-key'
}

/** The part of `Headers` that is needed. */
interface HeaderReader {
  get(name: string): string | null
}

/**
 * The token of a request: from gw's own header, else the first of `Authorization: Bearer`, `x-api-key` and
 * `x-goog-api-key` that looks
 * like one of ours (`la_sk_…`), else the first of them there is. `null` when there is none.
 */
export function presentedToken(headers: HeaderReader): Presented | null {
  const own = headers.get(tokenHeader)
  if (own) return { token: own, header: tokenHeader }
  const authorization = headers.get('authorization')
  const bearer = authorization !== null && /^bearer /i.test(authorization) ? authorization.slice(7).trim() : ''
  if (bearer.startsWith('la_sk_')) return { token: bearer, header: 'authorization' }
  const key = headers.get('x-api-key')
  if (key && (bearer === '' || key.startsWith('la_sk_'))) return { token: key, header: 'x-api-key' }
  const google = headers.get('x-goog-api-key')
  if (google && (bearer === '' || google.startsWith('la_sk_'))) return { token: google, header: 'x-goog-api-key' }
  return bearer === '' ? null : { token: bearer, header: 'authorization' }
}
