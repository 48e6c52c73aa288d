import { type ErrorCode, errorCodes, GwError, isGwError, publicCode } from '../base/mod.ts'
import type { StreamFailure, UpstreamFailure } from '../protocol/mod.ts'
import type { Dialect } from './surfaces.ts'

/** The sentence a person reads: what happened and what to do about it. */
export function sentence(error: GwError): string {
  return error.hint ? `${error.message} (${error.hint})` : error.message
}

/** The error as an object in the caller's own shape. */
function errorBody(error: GwError, dialect: Dialect): Record<string, unknown> {
  const row = errorCodes[error.code]
  switch (dialect) {
    case 'openai':
      return {
        error: {
          message: sentence(error),
          type: row.openai,
          param: error.param ?? null,
          code: publicCode(error.code),
          ...(error.details ? { details: error.details } : {}),
        },
      }
    case 'anthropic':
      return {
        type: 'error',
        error: {
          type: row.anthropic,
          message: sentence(error),
          ...(error.details ? { details: error.details } : {}),
        },
      }
    case 'google':
      return { error: googleError(error) }
    case 'detail':
      return { detail: detailOf(error) }
    case 'problem':
      return {
        type: 'about:blank',
        title: error.code,
        status: error.status,
        detail: error.message,
        code: publicCode(error.code),
        ...(error.hint ? { hint: error.hint } : {}),
        ...(error.param ? { param: error.param } : {}),
        ...(error.details ? { details: error.details } : {}),
      }
  }
}

/** Status words of Google's APIs. @see https://cloud.google.com/apis/design/errors#handling_errors */
const googleWords: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  402: 'FAILED_PRECONDITION',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  408: 'DEADLINE_EXCEEDED',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

const googleWord = (status: number): string =>
  googleWords[status] ?? (status < 500 ? 'INVALID_ARGUMENT' : status === 500 ? 'INTERNAL' : 'UNAVAILABLE')

function googleError(error: GwError): Record<string, unknown> {
  const { code, status, param, retryAfterMs } = error
  const info = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: publicCode(code).toUpperCase(),
    domain: 'gw',
    ...(param === undefined ? {} : { metadata: { param } }),
  }
  const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${(retryAfterMs ?? 0) / 1000}s` }
  return {
    code: status,
    message: sentence(error),
    status: googleWord(status),
    details: [info, ...(retryAfterMs === undefined ? [] : [retry]), ...targetViolations(error)],
  }
}

/** The reason of each target that a plan had, in the form in which Google says what was in the way. */
function targetViolations({ details }: GwError): readonly Record<string, unknown>[] {
  const { targets } = (details ?? {}) as { targets?: unknown }
  if (!Array.isArray(targets)) return []
  const violations = (targets as { target: string; reason: string }[]).map(({ target, reason }) => ({
    type: reason.split(':')[0],
    subject: target,
    description: reason,
  }))
  return [{ '@type': 'type.googleapis.com/google.rpc.PreconditionFailure', violations }]
}

/** The error as an event of a stream that has begun. */
export function streamFailure(error: GwError, dialect: Dialect): StreamFailure {
  const { openai, anthropic } = errorCodes[error.code]
  const type = dialect === 'google' ? googleWord(error.status) : dialect === 'anthropic' ? anthropic : openai
  return { type, code: publicCode(error.code), message: sentence(error) }
}

/** A sentence where that is all there is to say, else an object that programs can read. */
function detailOf(error: GwError): string | Record<string, unknown> {
  const { code, details, param } = error
  if (code === 'access.scope') return { code: publicCode(code), required: details?.required ?? [] }
  const message = sentence(error)
  if (!details && !param) return message
  return {
    // A destination is judged before it is stored here, not on the way to it.
    code: code === 'egress.denied' ? 'unsafe_destination' : publicCode(code),
    message,
    ...(param ? { param } : {}),
    ...(details ? { details } : {}),
  }
}

/** What no time mends: the vendors' SDKs ask again after any 503 unless they are told not to. */
const lasting: ReadonlySet<ErrorCode> = new Set(['route.none', 'route.filtered'])

/** An error as an answer. */
export function errorResponse(
  error: GwError,
  dialect: Dialect,
  fields: readonly (readonly [string, string])[] = [],
): Response {
  const headers = new Headers(fields as [string, string][])
  headers.set('content-type', dialect === 'problem' ? 'application/problem+json' : 'application/json')
  if (error.retryAfterMs !== undefined) {
    headers.set('retry-after', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))))
  } else if (lasting.has(error.code)) headers.set('x-should-retry', 'false')
  for (const [name, value] of limitFields(error)) headers.set(name, value)
  if (error.status === 401) headers.set('www-authenticate', 'Bearer realm="gw"')
  // What is left of the body is not read: it must not be taken for the next request.
  if (error.code === 'request.too_large' || error.code === 'request.timeout') headers.set('connection', 'close')
  if (error.code === 'request.upgrade_required') headers.set('upgrade', 'HTTP/1.1')
  // Where settings are written, a destination that is refused is the caller's mistake and not a forbidden request.
  const status = dialect === 'detail' && error.code === 'egress.denied' ? 400 : error.status
  return new Response(JSON.stringify(errorBody(error, dialect)), { status, headers })
}

/** The header fields that say which limit of gw's own was reached, in the names that the vendors' clients read. */
function limitFields({ code, details, retryAfterMs }: GwError): readonly (readonly [string, string])[] {
  if (code !== 'access.rate_limited' && code !== 'access.budget_spent') return []
  const { kind, limit, remaining } = (details ?? {}) as { kind?: unknown; limit?: unknown; remaining?: unknown }
  if (typeof kind !== 'string' || typeof limit !== 'number' || typeof remaining !== 'number') return []
  const name = kind.replace(/[^a-z0-9]+/gi, '-').toLowerCase()
  return [
    [`x-ratelimit-limit-${name}`, String(limit)],
    [`x-ratelimit-remaining-${name}`, String(remaining)],
    ...(retryAfterMs === undefined ? [] : [[`x-ratelimit-reset-${name}`, `${retryAfterMs}ms`] as const]),
    [`anthropic-ratelimit-${name}-limit`, String(limit)],
    [`anthropic-ratelimit-${name}-remaining`, String(remaining)],
  ]
}

/** What a failure of an upstream is to the caller, when its own words cannot be passed on. */
export function errorOf(failure: UpstreamFailure, provider: string): GwError {
  const said = failure.status === null ? failure.message : `HTTP ${failure.status}: ${failure.message}`
  const options = failure.retryAfterMs === null ? {} : { retryAfterMs: failure.retryAfterMs }
  const make = (code: ErrorCode, text: string) => new GwError(code, text, options)
  switch (failure.kind) {
    case 'rate_limited':
    case 'quota_exhausted':
    case 'concurrency':
      return make('upstream.rate_limited', `provider ${provider} has no room now: ${said}`)
    case 'overloaded':
      return make('upstream.overloaded', `provider ${provider} is overloaded: ${said}`)
    case 'unreachable':
      return make('upstream.unreachable', failure.message)
    case 'timeout':
      return make('upstream.timeout', failure.message)
    case 'malformed':
    case 'empty':
    case 'truncated':
      return make('upstream.invalid', `provider ${provider} gave no proper answer: ${failure.message}`)
    case 'cancelled':
      return make('cancelled', 'the caller left')
    case 'local': {
      const code = failure.code !== null && failure.code in errorCodes ? failure.code as ErrorCode : 'internal'
      // What happened here is a sentence that ends in what helps.
      return new GwError(code, failure.message, { ...options, hint: null })
    }
    case 'invalid_request':
    case 'context_length':
    case 'moderation':
      return make('request.invalid', `provider ${provider} refused the request: ${said}`)
    case 'model_unavailable':
      return make('model.not_found', `provider ${provider} does not serve the model: ${said}`)
    case 'unauthorized':
    case 'forbidden':
    case 'entitlement':
    case 'billing':
      return make('upstream.failed', `provider ${provider} refused the account gw used: ${said}`)
    case 'server_error':
      return make('upstream.failed', `provider ${provider} failed: ${said}`)
  }
}

/** Any caught value as an error that may be shown: what is not ours keeps its details to itself. */
export function shown(error: unknown): GwError {
  return isGwError(error) ? error : new GwError('internal', 'something went wrong inside gw', { cause: error })
}
