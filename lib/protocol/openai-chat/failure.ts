import type { JsonObject } from '../../base/mod.ts'
import { type FailureKind, kindOfStatus, type UpstreamFailure, upstreamFailure } from '../failure.ts'
import { objectOf, stringOf } from '../read.ts'

const byCode: Readonly<Record<string, FailureKind>> = {
  rate_limit_exceeded: 'rate_limited',
  rate_limit_error: 'rate_limited',
  requests: 'rate_limited',
  tokens: 'rate_limited',
  usage_limit_reached: 'quota_exhausted',
  insufficient_quota: 'billing',
  billing_hard_limit_reached: 'billing',
  billing_not_active: 'billing',
  usage_not_included: 'entitlement',
  server_is_overloaded: 'overloaded',
  slow_down: 'overloaded',
  overloaded_error: 'overloaded',
  service_unavailable_error: 'overloaded',
  engine_overloaded: 'overloaded',
  invalid_api_key: 'unauthorized',
  authentication_error: 'unauthorized',
  permission_error: 'forbidden',
  model_not_found: 'model_unavailable',
  context_length_exceeded: 'context_length',
  string_above_max_length: 'context_length',
  content_policy_violation: 'moderation',
  content_filter: 'moderation',
  invalid_prompt: 'moderation',
  bio_policy: 'moderation',
  invalid_request_error: 'invalid_request',
  server_error: 'server_error',
  api_error: 'server_error',
  timeout: 'timeout',
}

/**
 * What an OpenAI-shaped error says: by its code, else its type, else the HTTP status.
 *
 * @see https://platform.openai.com/docs/guides/error-codes
 */
export function decodeFailure(status: number | null, body: unknown): UpstreamFailure {
  const outer = objectOf(body)
  const error = objectOf(outer?.error) ?? outer ?? {}
  const text = stringOf(outer?.error) ?? stringOf(error.message) ?? stringOf(outer?.detail) ?? stringOf(outer?.message)
  const codes = [error.code, error.type].map((code) => typeof code === 'number' ? String(code) : stringOf(code))
  const code = codes.find((item) => item !== null) ?? null
  const numeric = typeof error.code === 'number' ? error.code : null
  const known = codes.map((item) => item === null ? undefined : byCode[item]).find((item) => item !== undefined)
  let kind = known ?? kindOfStatus(status ?? numeric)
  if (
    kind === 'invalid_request' && text !== null && /context (length|window)|maximum context|too many tokens/i.test(text)
  ) {
    kind = 'context_length'
  }
  return upstreamFailure(kind, text ?? 'the upstream failed without saying why', { status: status ?? numeric, code })
}

const types: Readonly<Partial<Record<FailureKind, readonly [type: string, code: string]>>> = {
  rate_limited: ['rate_limit_error', 'rate_limit_exceeded'],
  quota_exhausted: ['rate_limit_error', 'usage_limit_reached'],
  concurrency: ['rate_limit_error', 'rate_limit_exceeded'],
  billing: ['insufficient_quota', 'insufficient_quota'],
  overloaded: ['service_unavailable_error', 'server_is_overloaded'],
  unauthorized: ['authentication_error', 'invalid_api_key'],
  forbidden: ['permission_error', 'permission_denied'],
  entitlement: ['permission_error', 'usage_not_included'],
  model_unavailable: ['invalid_request_error', 'model_not_found'],
  context_length: ['invalid_request_error', 'context_length_exceeded'],
  moderation: ['invalid_request_error', 'content_policy_violation'],
  invalid_request: ['invalid_request_error', 'invalid_request'],
  timeout: ['timeout_error', 'timeout'],
}

/** OpenAI's `error` object for a failure. */
export function errorObject(failure: UpstreamFailure): JsonObject {
  const [type, code] = types[failure.kind] ?? ['server_error', failure.kind]
  return { message: failure.message, type, param: null, code }
}

/** The body of an error answer. */
export function encodeFailure(failure: UpstreamFailure): JsonObject {
  return { error: errorObject(failure) }
}
