import { summarize } from '../liveness/look.ts'
import type { Liveness } from '../liveness/mod.ts'
import type { Evidence, LastProbe } from './evidence.ts'

const epoch = (ms: number): number => Math.floor(ms / 1000)
const secondsUntil = (until: number, now: number): number => Math.max(0, Math.ceil((until - now) / 1000))

/** The liveness of a route as every report shows it. Times are epoch seconds. */
export interface LivenessReport {
  readonly summary: string
  readonly state: Liveness['state']
  readonly availability?: string
  readonly reason?: string
  readonly since?: number
  readonly retry_at?: number | null
  readonly retry_after_s?: number
  readonly limited_at?: number
  readonly window?: string
  readonly window_resets_at?: number | null
  readonly usage_pct?: number | null
  readonly exhausted_at?: number
  readonly cooldown_until?: number
  readonly cooldown_reason?: string
  readonly revalidation_needed?: boolean
  readonly reset_window_state?: 'active' | 'expired' | 'unknown'
}

/** {@link LivenessReport} of what is recorded. */
export function livenessReport(evidence: Evidence, now: number): LivenessReport {
  const { liveness } = evidence
  const { state } = liveness
  const summary = summarize(liveness, now)
  if (state === 'dead') return { summary, state, reason: liveness.reason, since: epoch(liveness.since) }
  if (state === 'degraded') {
    const { reason, since, retryAt } = liveness
    return { summary, state, reason, since: epoch(since), retry_at: retryAt === null ? null : epoch(retryAt) }
  }
  const { availability } = liveness
  switch (availability.is) {
    case 'available':
      return withRevalidation({ summary, state, availability: 'available' }, evidence)
    case 'rate_limited':
      return {
        summary,
        state,
        availability: 'rate_limited',
        retry_after_s: secondsUntil(availability.until, now),
        limited_at: epoch(availability.limitedAt),
        window: availability.window,
      }
    case 'quota_exhausted':
      return withRevalidation({
        summary,
        state,
        availability: 'quota_exhausted',
        window_resets_at: availability.resetsAt === null ? null : epoch(availability.resetsAt),
        usage_pct: availability.usedPct,
        exhausted_at: epoch(availability.exhaustedAt),
      }, evidence)
    case 'cooldown':
      return {
        summary,
        state,
        availability: 'cooldown',
        cooldown_until: epoch(availability.until),
        cooldown_reason: availability.reason,
      }
  }
}

function withRevalidation(
  report: LivenessReport,
  { revalidationNeeded, resetWindowState }: Evidence,
): LivenessReport {
  if (!revalidationNeeded && resetWindowState === null) return report
  return {
    ...report,
    ...(revalidationNeeded ? { revalidation_needed: true } : {}),
    ...(resetWindowState === null ? {} : { reset_window_state: resetWindowState }),
  }
}

/** What a caller should do about a route, in oauth-mux's words. */
export type Decision = 'use_this' | 'wait_and_retry' | 'try_next_account' | 'try_next_provider'

/** What a caller should do about what is recorded. One table for exec, env, probe and planning. */
export function decisionFor(evidence: Evidence): Decision {
  const { liveness } = evidence
  if (evidence.circuit === 'open') return 'try_next_account'
  if (liveness.state === 'dead') return 'try_next_account'
  if (liveness.state === 'degraded') {
    return liveness.reason === 'provider_degraded' ? 'try_next_provider' : 'try_next_account'
  }
  switch (liveness.availability.is) {
    case 'available':
      return evidence.revalidationNeeded ? 'try_next_account' : 'use_this'
    case 'quota_exhausted':
      return 'try_next_account'
    case 'rate_limited':
    case 'cooldown':
      return 'wait_and_retry'
  }
}

/** The last look as every report shows it. */
export interface LastProbeReport {
  readonly source: LastProbe['source']
  readonly observed_at: number
  readonly retry_after_s: number | null
  readonly hint_class: LastProbe['hintClass']
  readonly decision: Decision
}

/** {@link LastProbeReport}, or `null` when nobody ever looked. */
export function lastProbeReport(evidence: Evidence): LastProbeReport | null {
  const { lastProbe } = evidence
  return lastProbe === null ? null : {
    source: lastProbe.source,
    observed_at: epoch(lastProbe.observedAt),
    retry_after_s: lastProbe.retryAfterMs === null ? null : Math.ceil(lastProbe.retryAfterMs / 1000),
    hint_class: lastProbe.hintClass,
    decision: decisionFor(evidence),
  }
}
