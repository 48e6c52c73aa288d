import type { UpstreamFailure } from '../protocol/mod.ts'
import type { RoutePlan } from './plan.ts'

/** What comes after a failed attempt. */
export type Next =
  /** Index into the plan's targets. */
  | { readonly is: 'target'; readonly index: number }
  | {
    readonly is: 'over'
    readonly because: 'nothing_left' | 'request_at_fault' | 'max_attempts' | 'retry_budget'
  }

/** What {@link nextAttempt} reads. */
export interface NextInput {
  /** Indices tried so far, in order. */
  readonly tried: readonly number[]
  /** The failures of those attempts, in the same order. */
  readonly failures: readonly UpstreamFailure[]
  /** Most calls of upstreams; what never left this machine is none. */
  readonly maxAttempts: number
  /** Upstream statuses after which a fallback is tried; absent is every one. */
  readonly retryStatuses?: readonly number[]
  /** Epoch ms. */
  readonly now: number
}

/**
 * The next target of a plan.
 *
 * A failure that every target would repeat ends it. A failure of the provider as a whole, or of the model, sends the
 * request to another one first; what the caller's models list says about errors of the prompt itself (too long, refused
 * for its content) is that the next *model* may take it.
 */
export function nextAttempt(plan: RoutePlan, { tried, failures, maxAttempts, retryStatuses }: NextInput): Next {
  if (tried.length === 0) return plan.targets.length > 0 ? first : over('nothing_left')
  const used = new Set(tried)
  const status = failures.at(-1)?.status ?? null
  const mayFallBack = retryStatuses === undefined || status === null || status < 400 || retryStatuses.includes(status)
  const left = plan.targets.map((_, index) => index)
    .filter((index) => !used.has(index) && (mayFallBack || plan.targets[index]!.fallback !== true))
  if (failures.filter(wasSent).length >= maxAttempts) return over('max_attempts')
  const last = failures.at(-1)
  if (!last) return left.length > 0 ? { is: 'target', index: left[0]! } : over('nothing_left')
  const failed = plan.targets[tried.at(-1)!]!.target
  const promptAtFault = last.kind === 'context_length' || last.kind === 'moderation'
  if (promptAtFault) {
    const other = left.find((index) => plan.targets[index]!.target.model !== failed.model)
    return other === undefined ? over('request_at_fault') : { is: 'target', index: other }
  }
  if (!last.mayTryOther) return over('request_at_fault')
  if (left.length === 0) return over('nothing_left')
  if (last.scope === 'provider') {
    const other = left.find((index) => plan.targets[index]!.target.provider !== failed.provider)
    return { is: 'target', index: other ?? left[0]! }
  }
  return { is: 'target', index: left[0]! }
}

/** Whether a failed attempt was a call of an upstream: not without a credential, and not while another proves the target. */
export const wasSent = ({ kind, status }: UpstreamFailure): boolean =>
  kind !== 'local' && (kind !== 'concurrency' || status !== null)

const first: Next = { is: 'target', index: 0 }

const over = (because: Extract<Next, { is: 'over' }>['because']): Next => ({ is: 'over', because })
