import { isObject, parseRetryAfter, redact } from '../base/mod.ts'
import type { ReplyHeaders } from '../platform/mod.ts'
import type { FailureKind, FailureScope, UpstreamFailure } from '../protocol/mod.ts'

/** Reads an answer that is no success into a failure. The protocols' own tables are finer; this one knows only HTTP. */
export type ReadFailure = (answer: FailedAnswer) => UpstreamFailure

/** An answer with an error status, its body read as far as 64 KiB. */
export interface FailedAnswer {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly body: Uint8Array
  readonly now: number
}

const byStatus: Readonly<Record<number, readonly [FailureKind, FailureScope, mayTryOther: boolean]>> = {
  400: ['invalid_request', 'request', false],
  401: ['unauthorized', 'account', true],
  402: ['billing', 'account', true],
  403: ['forbidden', 'account', true],
  404: ['model_unavailable', 'model', true],
  408: ['timeout', 'provider', true],
  409: ['invalid_request', 'request', false],
  413: ['invalid_request', 'request', false],
  415: ['invalid_request', 'request', false],
  422: ['invalid_request', 'request', false],
  429: ['rate_limited', 'account', true],
  503: ['overloaded', 'provider', true],
  529: ['overloaded', 'provider', true],
}

/** What an error status alone says. */
export const readHttpFailure: ReadFailure = ({ status, headers, body, now }) => {
  const [kind, scope, mayTryOther] = byStatus[status] ??
    (status >= 500 ? ['server_error', 'provider', true] as const : ['invalid_request', 'request', false] as const)
  const { message, code } = said(body)
  const seconds = headers.get('retry-after')
  const millis = Number(headers.get('retry-after-ms') ?? NaN)
  return {
    kind,
    scope,
    status,
    message: redact(message ?? `HTTP ${status}`, 500),
    code,
    mayTryOther,
    retryAfterMs: Number.isFinite(millis) && millis >= 0 ? millis : parseRetryAfter(seconds, now) ?? null,
    windows: [],
  }
}

function said(body: Uint8Array): { message: string | null; code: string | null } {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    const error = isObject(value) && isObject(value['error']) ? value['error'] : isObject(value) ? value : {}
    const pick = (name: string) => typeof error[name] === 'string' ? error[name] as string : null
    return { message: pick('message'), code: pick('code') ?? pick('type') }
  } catch {
    return { message: null, code: null }
  }
}

/** A failure without an answer. */
export function failureOf(kind: FailureKind, message: string, scope: FailureScope): UpstreamFailure {
  return {
    kind,
    scope,
    status: null,
    message: redact(message, 500),
    code: null,
    mayTryOther: kind !== 'cancelled',
    retryAfterMs: null,
    windows: [],
  }
}
