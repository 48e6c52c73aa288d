import type { TargetKey } from '../accounts/mod.ts'
import type { QuotaWindow } from '../protocol/mod.ts'
import type { Samples } from './samples.ts'

/** What a live target can do right now. Times are epoch ms. */
export type Availability =
  | { readonly is: 'available' }
  | {
    readonly is: 'rate_limited'
    readonly limitedAt: number
    readonly until: number
    readonly window: 'per_minute' | 'per_hour' | 'per_day' | 'unknown'
    /** Whether the provider named the time; otherwise it is our own guess. */
    readonly told: boolean
  }
  /** `resetsAt` null is an unknown reset, which is not a passed one. */
  | {
    readonly is: 'quota_exhausted'
    readonly exhaustedAt: number
    readonly resetsAt: number | null
    readonly usedPct: number | null
    /** Whether the provider named the reset; otherwise it is our own guess. */
    readonly told: boolean
  }
  | { readonly is: 'cooldown'; readonly until: number; readonly reason: string }

/** Why a target works less than it should. */
export type DegradedReason =
  | 'tier_insufficient'
  | 'subscription_paused'
  | 'provider_degraded'
  | 'scope_insufficient'
  | 'audience_mismatch'
  | 'schema_invalid'
  | 'terms_required'
  | 'step_up_required'
  | 'pending_verification'
  | 'unknown_4xx'

/** Why a target does not work until somebody does something. */
export type DeadReason = 'token_revoked' | 'account_deleted' | 'auth_permanently_failed' | 'credential_unavailable'

/** What we believe about one target or account. Changes only through `observe`. */
export type Liveness =
  | { readonly state: 'live'; readonly since: number; readonly availability: Availability }
  | {
    readonly state: 'degraded'
    readonly since: number
    readonly reason: DegradedReason
    readonly retryAt: number | null
  }
  | { readonly state: 'dead'; readonly since: number; readonly reason: DeadReason }

/** Three failures within a minute open it; it then lets one request at a time try, and closes after two successes. */
export type Circuit =
  | { readonly is: 'closed'; readonly failedAt: readonly number[] }
  | { readonly is: 'open'; readonly until: number }
  | { readonly is: 'half_open'; readonly successes: number }

/** Where a piece of knowledge came from. */
export type EvidenceSource =
  | 'serving'
  | 'credential_validation'
  | 'capability_probe'
  | 'http_status'
  | 'broker_run_live'
  | 'observed_child_output'
  | 'supervised_child_output'
  | 'operator'

/** The kind of the last hint, in oauth-mux's words. */
export type HintClass =
  | 'none'
  | 'rate_limit'
  | 'quota_exhausted'
  | 'auth_dead'
  | Exclude<DegradedReason, 'unknown_4xx'>
  | 'unknown_4xx'
  | 'failure'

/** The last thing seen of a target. Holds no text of the provider's. */
export interface Evidence {
  readonly source: EvidenceSource
  readonly observedAt: number
  readonly retryAfterMs: number | null
  readonly hint: HintClass
}

/** A quota window and when it was last described. */
export interface SeenWindow extends QuotaWindow {
  readonly seenAt: number
}

/** Everything remembered about one key: `provider:account`, or a capability or model of it. Times are epoch ms. */
export interface Standing {
  readonly key: TargetKey
  readonly liveness: Liveness
  readonly circuit: Circuit
  /** −100 to 100, starts at 50; heals 2 an hour from `scoreAt`. */
  readonly score: number
  readonly scoreAt: number
  /** Failures left before it must rest: 50, refilled one per 10 s from `bucketAt`. */
  readonly bucket: number
  readonly bucketAt: number
  readonly successes: number
  readonly failures: number
  readonly rateLimits: number
  readonly consecutiveFailures: number
  readonly lastStatus: number | null
  readonly lastFailureAt: number | null
  /** Smoothed milliseconds to the first content. */
  readonly latencyMs: number | null
  /** Smoothed output tokens per second. */
  readonly tokensPerSecond: number | null
  /** The last milliseconds to the first content, for percentiles. */
  readonly latencies: Samples
  /** The last output tokens per second, for percentiles. */
  readonly speeds: Samples
  readonly windows: readonly SeenWindow[]
  readonly evidence: Evidence | null
  readonly updatedAt: number
}

/** Score of a target nobody has used. */
const startScore = 50
/** Failures a target may spend in a row before it rests. */
export const bucketCapacity = 50

/** The standing of a key that was never observed. */
export function freshStanding(key: TargetKey, now: number): Standing {
  return {
    key,
    liveness: { state: 'live', since: now, availability: { is: 'available' } },
    circuit: { is: 'closed', failedAt: [] },
    score: startScore,
    scoreAt: now,
    bucket: bucketCapacity,
    bucketAt: now,
    successes: 0,
    failures: 0,
    rateLimits: 0,
    consecutiveFailures: 0,
    lastStatus: null,
    lastFailureAt: null,
    latencyMs: null,
    tokensPerSecond: null,
    latencies: [],
    speeds: [],
    windows: [],
    evidence: null,
    updatedAt: now,
  }
}
