import { parseRetryAfter } from '../base/mod.ts'
import type { DeadReason, DegradedReason } from '../liveness/mod.ts'
import type { FailureClass, FailureRule, Probe, ProviderDefinition } from './definition/schema.ts'

/** What came back from a probe, before anybody judged it. */
export interface ProbeOutcome {
  /** HTTP status, or the one a command's end stands for. */
  readonly status: number
  /** The provider's wait, milliseconds, from any header it uses; `null` when it named none. */
  readonly waitMs: number | null
  /** Text that failure rules look into. Never stored, never shown. */
  readonly hint: string
}

/**
 * A judgement about one use of one account. `waitMs` is what the provider asked for, `null` when it named no wait: how
 * long to leave it alone then is for liveness to say.
 */
export type Classified =
  | { readonly is: 'success' }
  | { readonly is: 'dead'; readonly reason: DeadReason }
  | { readonly is: 'degraded'; readonly reason: DegradedReason; readonly waitMs: number | null }
  | { readonly is: 'rate_limited'; readonly waitMs: number | null }
  | { readonly is: 'quota_exhausted'; readonly resetsAt: number | null }
  | { readonly is: 'failure' }

/** The one word about a hint that may be kept. */
export type HintClass =
  | 'none'
  | 'rate_limit'
  | 'quota_exhausted'
  | 'auth_dead'
  | 'failure'
  | DegradedReason

/**
 * What an outcome means: the definition's failure rules first, then the usual meaning of its status.
 *
 * A spent quota whose reset nobody named has `resetsAt: null`: no reset is made up, it takes a probe to find out.
 */
export function classify(
  outcome: ProbeOutcome,
  rules: {
    readonly definition: Pick<ProviderDefinition, 'failure_rules' | 'rate_limits'>
    readonly success?: Pick<Probe, 'success_status_min' | 'success_status_max'>
    readonly now: number
  },
): Classified {
  const hint = outcome.hint.toLowerCase()
  const rule = rules.definition.failure_rules.find((row) => matches(row, outcome, hint))
  if (rule) return fromClass(rule.class, outcome, rules.now)
  const { success_status_min: min = 200, success_status_max: max = 299 } = rules.success ?? {}
  const { status, waitMs } = outcome
  if (status >= min && status <= max) return { is: 'success' }
  if (status === 401) return { is: 'dead', reason: 'token_revoked' }
  if (status === 403) return { is: 'degraded', reason: forbidden(hint), waitMs: null }
  if (status === 429) {
    return waitMs === null || waitMs <= rules.definition.rate_limits.quota_threshold_seconds * 1000
      ? { is: 'rate_limited', waitMs }
      : { is: 'quota_exhausted', resetsAt: rules.now + waitMs }
  }
  if (status >= 500) return { is: 'degraded', reason: 'provider_degraded', waitMs }
  if (status >= 400) return { is: 'degraded', reason: 'unknown_4xx', waitMs: null }
  return { is: 'failure' }
}

function matches(rule: FailureRule, { status, waitMs }: ProbeOutcome, hint: string): boolean {
  if (rule.status !== undefined && status !== rule.status) return false
  if (rule.status_min !== undefined && status < rule.status_min) return false
  if (rule.status_max !== undefined && status > rule.status_max) return false
  if (rule.retry_after_gte !== undefined && !(waitMs !== null && waitMs >= rule.retry_after_gte * 1000)) return false
  if (rule.retry_after_lt !== undefined && !(waitMs !== null && waitMs < rule.retry_after_lt * 1000)) return false
  if (rule.hint_equals !== undefined && hint.trim() !== rule.hint_equals.toLowerCase()) return false
  if (rule.hint_contains !== undefined && !hint.includes(rule.hint_contains.toLowerCase())) return false
  return true
}

function fromClass(named: FailureClass, { waitMs }: ProbeOutcome, now: number): Classified {
  if ('dead' in named) return { is: 'dead', reason: named.dead }
  if ('degraded' in named) {
    return { is: 'degraded', reason: named.degraded, waitMs: named.degraded === 'provider_degraded' ? waitMs : null }
  }
  if ('rate_limited' in named) return { is: 'rate_limited', waitMs }
  if ('quota_exhausted' in named) return { is: 'quota_exhausted', resetsAt: waitMs === null ? null : now + waitMs }
  if ('provider_degraded' in named) {
    return { is: 'degraded', reason: 'provider_degraded', waitMs }
  }
  return 'success' in named ? { is: 'success' } : { is: 'failure' }
}

/** Order matters: a text about a missing scope may also speak of the terms. */
function forbidden(hint: string): DegradedReason {
  if (hint.includes('scope')) return 'scope_insufficient'
  if (/step[-_ ]?up|insufficient_user_authentication/.test(hint)) return 'step_up_required'
  if (/pending|verif/.test(hint)) return 'pending_verification'
  if (hint.includes('terms')) return 'terms_required'
  return 'tier_insufficient'
}

/** The word about an outcome that may be stored and shown. */
export function hintClass(classified: Classified): HintClass {
  switch (classified.is) {
    case 'success':
      return 'none'
    case 'dead':
      return 'auth_dead'
    case 'degraded':
      return classified.reason
    case 'rate_limited':
      return 'rate_limit'
    case 'quota_exhausted':
      return 'quota_exhausted'
    case 'failure':
      return 'failure'
  }
}

/**
 * The wait an HTTP answer asks for, milliseconds; `null` when it names none.
 *
 * `Retry-After` (seconds or a date) first; then the definition's reset header, when nothing remains or the status is 429.
 */
export function headerWait(
  headers: Headers,
  status: number,
  limits: ProviderDefinition['rate_limits'],
  now: number,
): number | null {
  const named = parseRetryAfter(headers.get(limits.retry_after_header), now)
  if (named !== undefined) return named
  const reset = limits.reset_header ? parseReset(headers.get(limits.reset_header), now) : null
  if (reset === null) return null
  const remaining = limits.remaining_header ? headers.get(limits.remaining_header)?.trim() : undefined
  return status === 429 || remaining === '0' ? Math.max(0, reset - now) : null
}

/**
 * When a vendor's reset header says the window ends, epoch ms; `null` when it cannot be read.
 *
 * Vendors send epoch seconds, epoch milliseconds, seconds from now, `6m30s` and dates.
 *
 * @internal
 */
export function parseReset(value: string | null, now: number): number | null {
  const text = value?.trim()
  if (!text) return null
  if (/^\d+(\.\d+)?$/.test(text)) {
    const number = Number(text)
    if (number >= 1e12) return Math.round(number)
    return Math.round(number >= 1e9 ? number * 1000 : now + number * 1000)
  }
  const parts = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/.exec(text)
  if (parts) {
    const [d, h, m, s, ms] = parts.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number, number]
    return Math.round(now + (((d * 24 + h) * 60 + m) * 60 + s) * 1000 + ms)
  }
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : at
}
