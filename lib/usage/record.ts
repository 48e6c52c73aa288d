import type { AccountId, PrincipalId, RequestId } from '../base/mod.ts'
import type { ModelPrice } from '../catalog/mod.ts'
import type { FailureKind, Loss, ProtocolId, TokenCounts } from '../protocol/mod.ts'

/** How a request ended. */
export type Outcome =
  | 'ok'
  /** The upstream failed and the caller was told so. */
  | 'failed'
  /** Refused by gw before any upstream was asked. */
  | 'denied'
  /** The caller left. */
  | 'aborted'
  /** The answer broke off after it had begun. */
  | 'truncated'

/** One try at one target. */
export interface Attempt {
  readonly target: string
  readonly account: AccountId
  readonly provider: string
  readonly model: string
  readonly startedAt: number
  /** Milliseconds to the answer's head; `null` when none came. */
  readonly headMs: number | null
  readonly durationMs: number
  readonly status: number | null
  readonly failure: FailureKind | null
  readonly message: string | null
}

/** Everything kept about one request: one row, written once, when it has ended. */
export interface RequestRecord {
  readonly id: RequestId
  readonly at: number
  readonly principal: PrincipalId
  /** The surface called: `chat`, `responses`, `messages`, `embeddings`, `transcription`, `proxy`, `mcp`. */
  readonly surface: string
  readonly clientProtocol: ProtocolId | null
  /** As the caller wrote it. */
  readonly requestedModel: string | null
  /** Of the target that answered. */
  readonly model: string | null
  readonly provider: string | null
  readonly account: AccountId | null
  readonly attempts: readonly Attempt[]
  readonly stream: boolean
  readonly tokens: TokenCounts
  /** Whether the token counts are gw's estimate because the upstream gave none. */
  readonly estimated: boolean
  /** micro-USD; `null` when a price is unknown. Real money: 0 on a plan login. */
  readonly costMicros: number | null
  /** What the same call would cost by API key; shown beside, never added. */
  readonly shadowCostMicros: number | null
  readonly priceSource: string | null
  /** The table it was priced with, kept so that the same request prices the same for ever. */
  readonly price?: ModelPrice | null
  readonly status: number
  readonly outcome: Outcome
  readonly error: string | null
  readonly firstByteMs: number | null
  readonly durationMs: number
  readonly requestBytes: number
  readonly responseBytes: number
  readonly losses: readonly Loss[]
  /** Session key the router used for stickiness, hashed. */
  readonly session: string | null
  /** Client's own name for itself, from the user agent, bounded. */
  readonly client: string | null
}
