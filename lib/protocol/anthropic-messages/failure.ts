import type { JsonObject } from '../../base/mod.ts'
import { type FailureKind, kindOfStatus, type UpstreamFailure, upstreamFailure } from '../failure.ts'
import { objectOf, stringOf } from '../read.ts'

const byType: Readonly<Record<string, FailureKind>> = {
  invalid_request_error: 'invalid_request',
  authentication_error: 'unauthorized',
  billing_error: 'billing',
  permission_error: 'forbidden',
  not_found_error: 'model_unavailable',
  request_too_large: 'context_length',
  rate_limit_error: 'rate_limited',
  timeout_error: 'timeout',
  api_error: 'server_error',
  overloaded_error: 'overloaded',
}

/**
 * What an Anthropic-shaped error says: by its type, else the HTTP status.
 *
 * @see https://docs.anthropic.com/en/api/errors
 */
export function decodeFailure(status: number | null, body: unknown): UpstreamFailure {
  const outer = objectOf(body)
  const error = objectOf(outer?.error) ?? outer
  const code = stringOf(error?.type)
  const message = stringOf(error?.message) ?? 'the upstream failed without saying why'
  let kind = byType[code ?? ''] ?? kindOfStatus(status)
  if (kind === 'invalid_request') {
    if (/prompt is too long|exceed context limit|context window/i.test(message)) kind = 'context_length'
    else if (/credit balance is too low/i.test(message)) kind = 'billing'
  }
  return upstreamFailure(kind, message, { status, code })
}

const types: Readonly<Partial<Record<FailureKind, string>>> = {
  rate_limited: 'rate_limit_error',
  quota_exhausted: 'rate_limit_error',
  concurrency: 'rate_limit_error',
  billing: 'billing_error',
  overloaded: 'overloaded_error',
  unauthorized: 'authentication_error',
  forbidden: 'permission_error',
  entitlement: 'permission_error',
  model_unavailable: 'not_found_error',
  context_length: 'invalid_request_error',
  moderation: 'invalid_request_error',
  invalid_request: 'invalid_request_error',
  timeout: 'timeout_error',
}

/** The body of an error answer, and the data of an `error` event. */
export function encodeFailure(failure: UpstreamFailure): JsonObject {
  return { type: 'error', error: { type: types[failure.kind] ?? 'api_error', message: failure.message } }
}
