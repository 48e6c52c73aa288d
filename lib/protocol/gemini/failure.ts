import type { JsonObject } from '../../base/mod.ts'
import { type FailureKind, kindOfStatus, type UpstreamFailure, upstreamFailure } from '../failure.ts'
import { numberOf, objectOf, objectsOf, stringOf } from '../read.ts'

const byWord: Readonly<Record<string, FailureKind>> = {
  INVALID_ARGUMENT: 'invalid_request',
  OUT_OF_RANGE: 'invalid_request',
  UNIMPLEMENTED: 'invalid_request',
  ALREADY_EXISTS: 'invalid_request',
  // The account's country or plan does not include it.
  FAILED_PRECONDITION: 'entitlement',
  UNAUTHENTICATED: 'unauthorized',
  PERMISSION_DENIED: 'forbidden',
  NOT_FOUND: 'model_unavailable',
  RESOURCE_EXHAUSTED: 'rate_limited',
  UNAVAILABLE: 'overloaded',
  DEADLINE_EXCEEDED: 'timeout',
  ABORTED: 'server_error',
  CANCELLED: 'server_error',
  DATA_LOSS: 'server_error',
  INTERNAL: 'server_error',
  UNKNOWN: 'server_error',
}

/**
 * What an error of Google's APIs says: by its status word, else the HTTP status; reasons in its details are more exact.
 *
 * A streaming call that was asked for a list answers with the error in a list.
 *
 * @see https://cloud.google.com/apis/design/errors
 */
export function decodeFailure(status: number | null, body: unknown): UpstreamFailure {
  const outer = objectOf(Array.isArray(body) ? body[0] : body)
  const error = objectOf(outer?.error) ?? outer
  const word = stringOf(error?.status)
  const numeric = numberOf(error?.code)
  const message = stringOf(error?.message) ?? 'the upstream failed without saying why'
  const details = objectsOf(error?.details)
  const reasons = details.map((detail) => stringOf(detail.reason))
  let kind = byWord[word ?? ''] ?? kindOfStatus(status ?? numeric)
  if (reasons.includes('API_KEY_INVALID') || reasons.includes('API_KEY_EXPIRED')) kind = 'unauthorized'
  else if (reasons.includes('BILLING_DISABLED')) kind = 'billing'
  else if (kind === 'invalid_request' && /exceeds the maximum number of tokens|token count .* exceeds/i.test(message)) {
    kind = 'context_length'
  }
  const delay = details.map((detail) => /^(\d+(?:\.\d+)?)s$/.exec(stringOf(detail.retryDelay) ?? '')?.[1]).find(Boolean)
  return upstreamFailure(kind, message, {
    status: status ?? numeric,
    code: word,
    ...(delay === undefined ? {} : { retryAfterMs: Math.ceil(Number(delay) * 1000) }),
  })
}

const said: Readonly<Record<FailureKind, readonly [code: number, status: string]>> = {
  rate_limited: [429, 'RESOURCE_EXHAUSTED'],
  quota_exhausted: [429, 'RESOURCE_EXHAUSTED'],
  concurrency: [429, 'RESOURCE_EXHAUSTED'],
  billing: [403, 'PERMISSION_DENIED'],
  overloaded: [503, 'UNAVAILABLE'],
  unauthorized: [401, 'UNAUTHENTICATED'],
  forbidden: [403, 'PERMISSION_DENIED'],
  entitlement: [403, 'PERMISSION_DENIED'],
  model_unavailable: [404, 'NOT_FOUND'],
  context_length: [400, 'INVALID_ARGUMENT'],
  moderation: [400, 'INVALID_ARGUMENT'],
  invalid_request: [400, 'INVALID_ARGUMENT'],
  timeout: [504, 'DEADLINE_EXCEEDED'],
  cancelled: [499, 'CANCELLED'],
  unreachable: [503, 'UNAVAILABLE'],
  server_error: [500, 'INTERNAL'],
  truncated: [500, 'INTERNAL'],
  empty: [500, 'INTERNAL'],
  malformed: [500, 'INTERNAL'],
  local: [500, 'INTERNAL'],
}

/** The body of an error answer, and the last event of a stream that broke. */
export function encodeFailure(failure: UpstreamFailure): JsonObject {
  const [code, status] = said[failure.kind]
  return { error: { code, message: failure.message, status } }
}
