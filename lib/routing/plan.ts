import type { Target } from '../accounts/mod.ts'
import type { BlockReason } from '../liveness/mod.ts'

/** Why a target could not serve a request. One word for machines; the sentence is in {@link Dropped}. */
export type DropReason =
  | BlockReason
  | 'disabled'
  | 'no_credential'
  | 'model_not_offered'
  | 'model_not_allowed'
  | 'provider_not_allowed'
  | 'filtered_only'
  | 'filtered_ignore'
  | 'filtered_order'
  | 'price'
  | 'not_free'
  | 'data_policy'
  | 'zdr'
  | 'distillable'
  | 'quantization'
  | 'parameters'
  | 'context'
  | 'undocumented_use'
  | 'pinned_elsewhere'
  | 'same_identity'
  | 'concurrency'
  | 'spend_limit'

/** A target that is out, and why. */
export interface Dropped {
  readonly target: Target
  readonly because: DropReason
  /** One sentence with the evidence: `429 seen 12 s ago, resets at …`. */
  readonly detail: string
  /** When it may serve again, epoch ms; `null` unknown or never by itself. */
  readonly until: number | null
}

/** What must be changed in the caller's body for one target, because the caller or the owner asked for it. */
export interface TargetEdit {
  /** Most tokens of prompt it takes: the rest is left out of the middle. `null` is no limit. */
  readonly promptTokens: number | null
  /** Whether reasoning that only another account can read is left out. */
  readonly stripReasoning: boolean
}

/** A target in its place. */
export interface PlannedTarget {
  readonly target: Target
  /** One sentence: why it stands where it stands. */
  readonly because: string
  /** Its recovery is not proven: at most one request at a time may use it, see `Router.claim`. */
  readonly trial: boolean
  /** Whether it stands here by the configured fallback alone. */
  readonly fallback?: boolean
  /** Absent: it gets the body as it is. */
  readonly edit?: TargetEdit
}

/** The session of a request and what the plan does about it. */
export interface PlannedSession {
  readonly key: string
  /** Account that held the session before this plan. */
  readonly boundTo: string | null
  /** Whether the account that answers becomes the session's home; false when it only stands in for a while. */
  readonly rebind: boolean
  /** Whether its home was lost, so that this is a forced move. */
  readonly displaced: boolean
}

/** The answer of the planner. */
export interface RoutePlan {
  /** In the order they are tried. */
  readonly targets: readonly PlannedTarget[]
  readonly dropped: readonly Dropped[]
  readonly strategy: string
  /** The session key that was used, and the account it is bound to. */
  readonly session: PlannedSession | null
  /** Earliest time at which any dropped target may serve, epoch ms. */
  readonly earliestAt: number | null
  /** Whether only the issuer of the request's ciphertext may serve it. */
  readonly pinned: boolean
}
