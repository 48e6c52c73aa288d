import type { OutlookReader, Standing } from '../liveness/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'
import type { Candidate, Unfit } from './candidates.ts'
import type { Controls } from './controls.ts'
import type { SessionKey } from './session.ts'
import type { StrategyName } from './strategies/mod.ts'

/** What the planner must know of a request. Everything else of it is the upstream's business. */
export interface PlanRequest {
  readonly headers: Headers
  readonly controls: Controls | null
  /** Principal's limits: model and provider patterns, and one account; `null` is no limit. */
  readonly models: readonly string[] | null
  readonly providers: readonly string[] | null
  readonly account: string | null
  readonly session: SessionKey | null
  /** Whether it carries ciphertext that only its issuer can read. */
  readonly ciphertext: boolean
  /** Whether what only its issuer can read may be left out and the rest still makes sense. */
  readonly strippable: boolean
  /** Whether the session was once served without its reasoning: nobody then has all of it, and everybody gets none. */
  readonly stripAll: boolean
  /** Prompt length, when somebody counted it. */
  readonly inputTokens: number | null
  /** Tokens its answer may take, when somebody looked. */
  readonly outputTokens: number | null
  /** Names of the parameters it sets, when the caller wants all of them honoured. */
  readonly parameters: readonly string[]
  /** What the reference's suffix asks for. */
  readonly sort: 'throughput' | 'price' | null
  readonly protocol: ProtocolId | null
}

/** Everything a plan depends on besides the request. The same snapshot, seed and time give the same plan. */
export interface Snapshot {
  readonly candidates: readonly Candidate[]
  readonly unfit: readonly Unfit[]
  readonly strategy: StrategyName
  readonly reserve: number
  readonly cursor: number
  readonly sticky: {
    readonly enabled: boolean
    readonly minGain: number
    readonly expectedTurns: number
    /** Whether foreign reasoning is left out where its issuer cannot serve. */
    readonly stripForeign: boolean
  }
  standing(key: string): Standing | null
  /** What an account's quota windows leave for a model. */
  readonly outlook: OutlookReader
  /** Keys with anything but a clean standing: the others need no look. */
  readonly troubled: ReadonlySet<string>
  inFlight(account: string): number
  used(account: string): number
  /** Requests sent to the account in the last minute. */
  recent(account: string): number
  /** Whether a proving request is running on the account. */
  proving(key: string): boolean
  /** micro-USD spent today, `null` when nobody counts. */
  spentToday(account: string): number | null
  identity(account: string): string | null
  /** Account that holds the session, `null` when none does. */
  boundTo(session: string): string | null
  /** Sessions displaced in this minute: all, and those that an account took. */
  displaced(account: string | null): number
}

/** Seed and time of a plan. */
export interface PlanMoment {
  readonly seed: number
  /** Epoch ms. */
  readonly now: number
}
