import { type ErrorCode, GwError } from '../base/mod.ts'
import type { UpstreamFailure } from '../protocol/mod.ts'
import type { DropReason, RoutePlan } from './plan.ts'

/** One target and why it did not serve, for the caller. */
export interface TargetReason {
  readonly target: string
  readonly model: string
  readonly reason: string
  /** ISO time at which it may serve again. */
  readonly until?: string
}

/** What of the request ruled targets out, by reason. */
const wishes: Partial<Record<DropReason, string>> = {
  filtered_only: 'provider.only',
  filtered_ignore: 'provider.ignore',
  filtered_order: 'provider.order',
  price: 'provider.max_price',
  not_free: 'model',
  data_policy: 'provider.data_collection',
  zdr: 'provider.zdr',
  distillable: 'provider.enforce_distillable_text',
  quantization: 'provider.quantizations',
  parameters: 'provider.require_parameters',
}
const byWish: ReadonlySet<DropReason> = new Set(Object.keys(wishes) as DropReason[])
const byLimit: ReadonlySet<DropReason> = new Set([
  'rate_limited',
  'quota_exhausted',
  'cooldown',
  'concurrency',
  'spend_limit',
])

const iso = (at: number): string => new Date(at).toISOString()

/** Every target with its reason, those that were tried first. At most 50: an error is read by people. */
function reasonsOf(
  plan: RoutePlan,
  attempts: readonly { readonly target: string; readonly model: string; readonly failure: UpstreamFailure }[],
): TargetReason[] {
  const tried = attempts.map(({ target, model, failure }) => ({
    target,
    model,
    reason: `${failure.kind}${failure.status === null ? '' : ` (${failure.status})`}: ${failure.message}`,
  }))
  const out = plan.dropped.map((drop) => ({
    target: drop.target.key,
    model: drop.target.model,
    reason: `${drop.because}: ${drop.detail}`,
    ...(drop.until === null ? {} : { until: iso(drop.until) }),
  }))
  return [...tried, ...out].slice(0, 50)
}

/**
 * The error for a plan without a target: 404 when nobody offers the model, 503 when accounts are missing, filtered out
 * or down, 429 when all of them only wait; with the reason per target and the earliest time that any returns.
 *
 * @param model as the caller wrote it
 */
export function nothingToTry(plan: RoutePlan, model: string, provider: string, now: number): GwError {
  const targets = reasonsOf(plan, [])
  const reasons = new Set(plan.dropped.map(({ because }) => because))
  const details = { targets, ...retryAt(plan.earliestAt) }
  const all = (set: ReadonlySet<DropReason>) => [...reasons].every((reason) => set.has(reason))
  if (reasons.size === 0) {
    return new GwError(
      'route.no_account',
      `no account can serve ${model}: there is none for provider ${provider} that can do this`,
      {
        hint: `gw accounts add ${provider} --from env:NAME, or set its variable and start again`,
        details,
      },
    )
  }
  const list = [...reasons].join(', ')
  if (plan.pinned) {
    const home = plan.session?.boundTo ?? 'its issuer'
    return new GwError(
      'route.exhausted',
      `the request carries ciphertext that only account ${home} can read, and that account cannot serve now`,
      { ...wait(plan, now), hint: 'wait, or begin a new conversation', details },
    )
  }
  if (reasons.has('model_not_allowed') || reasons.has('provider_not_allowed')) {
    if (all(new Set<DropReason>(['model_not_allowed', 'provider_not_allowed', 'disabled']))) {
      return new GwError('access.denied', `this token may not use ${model}`, { param: 'model', details })
    }
  }
  const limited = plan.dropped.some(({ because }) => byLimit.has(because))
  if (limited && [...reasons].every((reason) => byLimit.has(reason) || reason === 'same_identity')) {
    return new GwError('route.exhausted', `every account for ${model} is waiting (${list})${when(plan.earliestAt)}`, {
      ...wait(plan, now),
      details,
    })
  }
  if (all(byWish)) {
    const asked = [...reasons].map((reason) => wishes[reason]!)
    const named = asked.map((field) => field === 'model' ? ':free' : field).join(', ')
    return new GwError('route.filtered', `no target for ${model} meets the request's routing requirements (${named})`, {
      ...(asked.length === 1 ? { param: asked[0]! } : {}),
      details,
    })
  }
  // A provider that has just said it has no such model is not asked again at once, and the caller hears the same.
  if (all(new Set<DropReason>(['model_not_offered', 'model_unavailable']))) {
    const said = plan.dropped.find(({ because }) => because === 'model_unavailable')
    const why = said ? `: provider ${said.target.provider} does not serve it` : ''
    return new GwError('model.not_found', `no account offers ${model}${why}`, {
      param: 'model',
      hint: 'gw models list --available',
      details,
    })
  }
  const first = plan.dropped.find(({ because }) => because === 'undocumented_use') ?? plan.dropped[0]!
  return new GwError('route.none', `no target can serve ${model} now (${list}): ${first.detail}`, {
    ...wait(plan, now),
    hint: 'gw route explain shows each target',
    details,
  })
}

function wait(plan: RoutePlan, now: number): { readonly retryAfterMs?: number } {
  return plan.earliestAt === null ? {} : { retryAfterMs: Math.max(1_000, plan.earliestAt - now) }
}

const when = (at: number | null): string => at === null ? '' : `; the first returns at ${iso(at)}`

const retryAt = (at: number | null): { readonly retry_at?: string } => at === null ? {} : { retry_at: iso(at) }

/** Which failure is told when several targets failed: the caller's own mistake before ours, a wait before a fault. */
const tellFirst: readonly UpstreamFailure['kind'][] = [
  'invalid_request',
  'context_length',
  'moderation',
  'rate_limited',
  'quota_exhausted',
  'concurrency',
  'overloaded',
  'billing',
  'entitlement',
  'forbidden',
  'unauthorized',
  'model_unavailable',
  'timeout',
  'server_error',
  'truncated',
  'empty',
  'malformed',
  'unreachable',
  'local',
  'cancelled',
]

const codes: Readonly<Record<UpstreamFailure['kind'], ErrorCode>> = {
  invalid_request: 'request.invalid',
  context_length: 'request.invalid',
  moderation: 'request.invalid',
  rate_limited: 'route.exhausted',
  quota_exhausted: 'route.exhausted',
  concurrency: 'route.exhausted',
  overloaded: 'upstream.overloaded',
  billing: 'route.none',
  entitlement: 'route.none',
  forbidden: 'route.none',
  // A refused credential of ours is no fault of the caller's token: never 401, or the client throws away its session.
  unauthorized: 'upstream.failed',
  model_unavailable: 'model.not_found',
  timeout: 'upstream.timeout',
  server_error: 'upstream.failed',
  truncated: 'upstream.failed',
  empty: 'upstream.failed',
  malformed: 'upstream.invalid',
  unreachable: 'upstream.unreachable',
  local: 'credential.unavailable',
  cancelled: 'cancelled',
}

/** The failure that the caller is told about, by what it can act on. */
export function worthTelling(failures: readonly UpstreamFailure[]): UpstreamFailure | null {
  let best: UpstreamFailure | null = null
  for (const failure of failures) {
    if (best === null || tellFirst.indexOf(failure.kind) < tellFirst.indexOf(best.kind)) best = failure
  }
  return best
}

/** How long the provider said that its refusal holds, ms: in words, or by the windows that refused. */
function waitOf({ retryAfterMs, windows }: UpstreamFailure, now: number): number | null {
  const resets = windows.filter(({ status }) => status === 'rejected').map(({ resetsAt }) => (resetsAt ?? 0) - now)
  const waits = [...resets, retryAfterMs ?? 0].filter((ms) => ms > 0)
  return waits.length > 0 ? Math.max(...waits) : retryAfterMs
}

/**
 * The error after every attempt failed: the failure worth telling, the reason per target, and the earliest time that
 * any target of the plan returns.
 *
 * @param model as the caller wrote it
 */
export function allFailed(
  plan: RoutePlan,
  attempts: readonly { readonly target: string; readonly model: string; readonly failure: UpstreamFailure }[],
  model: string,
  now: number,
): GwError {
  const failure = worthTelling(attempts.map((attempt) => attempt.failure))
  if (failure === null) return new GwError('route.none', 'no target was tried', { hint: 'ask again; gw why says more' })
  const code = codes[failure.kind]
  const retryable = code !== 'request.invalid' && code !== 'model.not_found'
  const waits = retryable ? attempts.map((attempt) => waitOf(attempt.failure, now)).filter((ms) => ms !== null) : []
  if (retryable && plan.earliestAt !== null) waits.push(Math.max(0, plan.earliestAt - now))
  const waitMs = waits.length > 0 ? Math.max(1_000, Math.min(...waits)) : null
  const firstAt = waitMs === null ? null : now + waitMs
  const others = attempts.length + plan.dropped.length
  const message = others === 1 || !retryable
    ? failure.message
    : `none of the ${others} targets for ${model} served: ${attempts.find((one) => one.failure === failure)!.target} ` +
      `said "${failure.message}"${when(firstAt)}`
  return new GwError(code, message, {
    // What the provider said is passed on as it said it.
    hint: null,
    ...(waitMs === null ? {} : { retryAfterMs: waitMs }),
    details: {
      targets: reasonsOf(plan, attempts),
      ...retryAt(firstAt),
      upstream_status: failure.status,
      upstream_code: failure.code,
    },
  })
}
