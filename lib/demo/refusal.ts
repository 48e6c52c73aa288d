/** The error shapes the demo answers in. */
export type Dialect = 'openai' | 'anthropic' | 'google'

/** Thrown inside the demo for a request that the real servers would refuse; becomes the answer at the door. */
export class Refusal extends Error {
  readonly status: number
  readonly param: string | null
  readonly code: string | null

  constructor(status: number, message: string, options: { param?: string; code?: string } = {}) {
    super(message)
    this.status = status
    this.param = options.param ?? null
    this.code = options.code ?? null
  }
}

const openaiTypes: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_exceeded',
}

const anthropicTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

const googleWords: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
  529: 'UNAVAILABLE',
}

/** The error body of a dialect. */
export function errorBody(dialect: Dialect, refusal: Refusal, requestId: string): Record<string, unknown> {
  const { status, message, param, code } = refusal
  if (dialect === 'anthropic') {
    const type = anthropicTypes[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
    return { type: 'error', error: { type, message }, request_id: requestId }
  }
  if (dialect === 'google') {
    return {
      error: { code: status, message, status: googleWords[status] ?? (status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL') },
    }
  }
  const type = openaiTypes[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error')
  return { error: { message, type, param, code } }
}

/** The error that `demo-error-<status>` stands for. */
export function errorFor(status: number): Refusal {
  const said: Readonly<Record<number, [string, string]>> = {
    400: ['this model refuses every request', 'demo_refused'],
    401: ['incorrect API key provided', 'invalid_api_key'],
    403: ['this key may not use this model', 'demo_forbidden'],
    404: ['this model does not exist', 'model_not_found'],
    413: ['the request is too large', 'demo_too_large'],
    429: ['rate limit reached; please try again in 2s', 'rate_limit_exceeded'],
    529: ['overloaded', 'overloaded'],
  }
  const [message, code] = said[status] ?? [`the demo upstream fails with ${status}`, `demo_error_${status}`]
  return new Refusal(status, message, { code })
}
