import { redact } from '../base/mod.ts'

/** Why an upstream did not serve a request. Each kind has one treatment, everywhere. */
export type FailureKind =
  /** A short throttle: too many requests or tokens in the last seconds or minutes. */
  | 'rate_limited'
  /** A plan's window (five hours, a week, a month) is spent. */
  | 'quota_exhausted'
  /** The provider as a whole has too much to do (529, `overloaded_error`). */
  | 'overloaded'
  /** Too many at once for this account. */
  | 'concurrency'
  /** No money: credit spent, card refused. */
  | 'billing'
  /** This account's plan or organisation does not include this model or use. */
  | 'entitlement'
  /** The credential is not accepted. */
  | 'unauthorized'
  /** Accepted, but not for this. */
  | 'forbidden'
  /** The model does not exist there, or no longer. */
  | 'model_unavailable'
  /** The prompt is longer than the model takes. */
  | 'context_length'
  /** Refused for its content. */
  | 'moderation'
  /** The request itself is wrong; nobody would take it. */
  | 'invalid_request'
  | 'server_error'
  | 'timeout'
  | 'unreachable'
  /** The answer broke off. */
  | 'truncated'
  /** A finished answer with nothing in it. */
  | 'empty'
  /** The answer is not what the protocol says. */
  | 'malformed'
  /** Our side: locked keychain, missing binary, refused egress. Says nothing about the account. */
  | 'local'
  /** The caller left. */
  | 'cancelled'

/** What a failure says something about. */
export type FailureScope = 'request' | 'model' | 'account' | 'provider' | 'local'

/** One of the limits that an account lives under, as the provider last described it. */
export interface QuotaWindow {
  /** The provider's own name for it: `5h`, `7d`, `requests`, `tokens`. */
  readonly id: string
  /** Its length, when known: windows are told apart by length, not by position. */
  readonly lengthMs: number | null
  /** Part used, 0 to 1, when known. */
  readonly used: number | null
  readonly limit: number | null
  readonly remaining: number | null
  /** Epoch ms, when known. */
  readonly resetsAt: number | null
  readonly status: 'allowed' | 'warning' | 'rejected' | 'unknown'
  /** Set when it limits one model or family only. */
  readonly model: string | null
}

/** An upstream's failure as a value: routing reasons about it, the caller is shown it. */
export interface UpstreamFailure {
  readonly kind: FailureKind
  readonly scope: FailureScope
  /** HTTP status of the answer, `null` when there was none. */
  readonly status: number | null
  /** For people and logs: redacted, one line, at most 500 characters. */
  readonly message: string
  /** The provider's own code or type, when it gave one. */
  readonly code: string | null
  /** Whether another target may serve the same request. */
  readonly mayTryOther: boolean
  /** The provider's explicit wait, bounded; `null` when it named none. */
  readonly retryAfterMs: number | null
  readonly windows: readonly QuotaWindow[]
}

const treatment: Readonly<Record<FailureKind, readonly [scope: FailureScope, mayTryOther: boolean]>> = {
  rate_limited: ['account', true],
  quota_exhausted: ['account', true],
  overloaded: ['provider', true],
  concurrency: ['account', true],
  billing: ['account', true],
  entitlement: ['account', true],
  unauthorized: ['account', true],
  forbidden: ['account', true],
  model_unavailable: ['model', true],
  context_length: ['request', true],
  moderation: ['request', false],
  invalid_request: ['request', false],
  server_error: ['provider', true],
  timeout: ['provider', true],
  unreachable: ['provider', true],
  truncated: ['provider', true],
  empty: ['model', true],
  malformed: ['provider', true],
  local: ['local', true],
  cancelled: ['request', false],
}

const byStatus: Readonly<Record<number, FailureKind>> = {
  400: 'invalid_request',
  401: 'unauthorized',
  402: 'billing',
  403: 'forbidden',
  404: 'model_unavailable',
  408: 'timeout',
  413: 'context_length',
  422: 'invalid_request',
  429: 'rate_limited',
  503: 'overloaded',
  504: 'timeout',
  529: 'overloaded',
}

/** What an error status says where the body says nothing that is known. */
export const kindOfStatus = (status: number | null): FailureKind => byStatus[status ?? 0] ?? 'server_error'

/** A failure of a kind, with that kind's scope and advice, and a message cut to one line of 500 characters. */
export function upstreamFailure(
  kind: FailureKind,
  message: string,
  facts: { status?: number | null; code?: string | null; retryAfterMs?: number | null } = {},
): UpstreamFailure {
  const [scope, mayTryOther] = treatment[kind]
  return {
    kind,
    scope,
    status: facts.status ?? null,
    message: redact(message.replace(/\s+/g, ' ').trim(), 500),
    code: facts.code ?? null,
    mayTryOther,
    retryAfterMs: facts.retryAfterMs ?? null,
    windows: [],
  }
}
