/** What a live target can do right now. Times are epoch ms. */
export type Availability =
  | { readonly is: 'available' }
  | {
    readonly is: 'rate_limited'
    readonly limitedAt: number
    readonly until: number
    readonly window: 'per_minute' | 'per_hour' | 'per_day' | 'unknown'
  }
  /** `resetsAt` null is an unknown reset, which is not a passed one. */
  | {
    readonly is: 'quota_exhausted'
    readonly exhaustedAt: number
    readonly resetsAt: number | null
    readonly usedPct: number | null
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
