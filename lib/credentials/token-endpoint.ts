import { type Clock, GwError, isGwError, isObject, parseRetryAfter, redact } from '../base/mod.ts'
import type { Fetch } from './sources/source.ts'

/** One call of a token endpoint. */
export interface TokenCall {
  readonly url: string
  readonly body: Readonly<Record<string, string | undefined>>
  readonly encoding: 'form' | 'json'
  readonly headers?: Readonly<Record<string, string>>
  /** Who is asked, for messages. */
  readonly what: string
}

/** What the call goes through. */
export interface TokenContext {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly signal?: AbortSignal
}

/** The tokens of an answer (RFC 6749 §5.1). `null` where the answer did not say. */
export interface TokenSet {
  readonly accessToken: string
  readonly refreshToken: string | null
  readonly idToken: string | null
  readonly scopes: readonly string[] | null
  /** The rest of the answer, for what a vendor adds. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** A token answer as it arrived. */
export interface TokenAnswer {
  readonly token: TokenSet
  /** Epoch ms by our clock, from `expires_in` and the moment the request was sent; `null` when it did not say. */
  readonly expiresAt: number | null
}

const limitMs = 30_000
const maxAnswerBytes = 1024 * 1024
/** Ten years: a longer life than this is a typo. */
const maxLifeS = 10 * 365 * 86_400

/** OAuth errors that a repeated request cannot mend. */
const finalErrors = new Set([
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'refresh_token_expired',
  'refresh_token_reused',
  'refresh_token_invalidated',
  'access_denied',
  'expired_token',
])

/**
 * Asks a token endpoint. Its body never leaves the process: errors carry the OAuth error code and a redacted
 * description only.
 *
 * @throws GwError `upstream.unreachable`, `upstream.timeout` or `egress.denied` when nobody was asked;
 * `credential.refresh_failed` when it may work later (429, 5xx, nonsense), with `details.oauth` absent; `login.failed`
 * when the endpoint refused, with its code in `details.oauth` and `details.final` telling whether the grant itself was
 * refused
 */
export async function tokenRequest(call: TokenCall, context: TokenContext): Promise<TokenAnswer> {
  const sentAt = context.clock.now()
  const document = await tokenDocument(call, context)
  const accessToken = document.access_token
  if (typeof accessToken !== 'string' || accessToken === '') {
    throw new GwError('credential.refresh_failed', `${call.what}: the token endpoint answered without a token`)
  }
  const text = (value: unknown) => typeof value === 'string' && value !== '' ? value : null
  const lifeS = Number(document.expires_in)
  const lives = document.expires_in !== undefined && document.expires_in !== null && Number.isFinite(lifeS) && lifeS > 0
  return {
    token: {
      accessToken,
      refreshToken: text(document.refresh_token),
      idToken: text(document.id_token),
      scopes: text(document.scope)?.split(/\s+/) ?? null,
      extra: document,
    },
    expiresAt: lives ? sentAt + Math.min(lifeS, maxLifeS) * 1000 : null,
  }
}

/** {@link tokenRequest} for endpoints that answer something else than a token set: the bare JSON object. */
export async function tokenDocument(call: TokenCall, context: TokenContext): Promise<Record<string, unknown>> {
  const response = await send(call, context)
  const text = await boundedBody(response, call.what)
  let document: unknown = null
  try {
    document = JSON.parse(text)
  } catch {
    // An HTML error page, or nothing: the status alone speaks.
  }
  const error = oauthError(document)
  if (response.ok && !error && isObject(document)) return document
  if (response.status === 429 || response.status >= 500 || (response.ok && !error) || response.status < 400 && !error) {
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), context.clock.now())
    throw new GwError('credential.refresh_failed', `${call.what}: the token endpoint answered ${response.status}`, {
      details: { status: response.status },
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    })
  }
  const code = error?.code ?? `http_${response.status}`
  throw new GwError('login.failed', `${call.what}: ${code}${error?.description ? ` (${error.description})` : ''}`, {
    details: { oauth: code, status: response.status, final: finalErrors.has(code) },
  })
}

/** The OAuth error of an answer, in RFC 6749's flat form and OpenAI's nested one. */
function oauthError(document: unknown): { code: string; description: string | null } | null {
  if (!isObject(document)) return null
  const nested = isObject(document.error) ? document.error : null
  const code = nested ? nested.code ?? nested.type : document.error ?? (document.detail ? document.code : undefined)
  if (typeof code !== 'string' || code === '') return null
  const description = nested ? nested.message : document.error_description
  return {
    code: redact(code, 100),
    description: typeof description === 'string' && description ? redact(hideLongWords(description), 200) : null,
  }
}

/** A description may echo the token it complains about: words that long are no prose. */
const hideLongWords = (text: string): string => text.replace(/[^\s"'<>]{25,}/g, '[secret]')

async function send(call: TokenCall, { fetch, signal }: TokenContext): Promise<Response> {
  const fields = Object.entries(call.body).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const deadline = AbortSignal.timeout(limitMs)
  try {
    return await fetch(call.url, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': call.encoding === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
        ...call.headers,
      },
      body: call.encoding === 'json'
        ? JSON.stringify(Object.fromEntries(fields))
        : new URLSearchParams(fields).toString(),
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    })
  } catch (cause) {
    if (signal?.aborted) throw new GwError('cancelled', `${call.what}: cancelled`, { cause })
    // What stopped gw on its way out knows what helps: a network that is not there wants no new login.
    const stopped = !deadline.aborted && isGwError(cause) ? cause : null
    const why = deadline.aborted ? `did not answer within ${limitMs} ms` : 'cannot be reached'
    const code = stopped?.code ?? (deadline.aborted ? 'upstream.timeout' : 'upstream.unreachable')
    throw new GwError(code, `${call.what}: ${stopped?.message ?? `the token endpoint ${why}`}`, {
      cause,
      ...(stopped?.hint ? { hint: stopped.hint } : {}),
    })
  }
}

/** The text of an answer, up to 1 MiB. @throws GwError `credential.refresh_failed` when it is longer or breaks off */
export async function boundedBody(response: Response, what: string): Promise<string> {
  const reader = response.body?.getReader()
  if (!reader) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return text + decoder.decode()
      bytes += value.length
      if (bytes > maxAnswerBytes) {
        await reader.cancel()
        throw new GwError('credential.refresh_failed', `${what}: the answer is larger than ${maxAnswerBytes} bytes`)
      }
      text += decoder.decode(value, { stream: true })
    }
  } catch (cause) {
    if ((cause as GwError).name === 'GwError') throw cause
    throw new GwError('credential.refresh_failed', `${what}: the answer broke off`, { cause })
  }
}
