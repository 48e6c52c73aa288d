import type { JsonObject } from '../base/mod.ts'
import type { UpstreamFailure } from './failure.ts'
import type { FinishReason } from './finish.ts'
import type { TokenLogprob } from './logprobs.ts'
import type { ReasoningProof, ToolKind } from './request.ts'
import type { TokenCounts } from './usage.ts'

/** A call of the model, before its input. */
export interface ToolCallHead {
  readonly type: 'tool-call'
  readonly id: string
  readonly name: string
  readonly namespace: string | null
  readonly kind: ToolKind
}

/** What a part of an answer is, said when it opens. */
export type PartHead =
  | { readonly type: 'text' }
  | { readonly type: 'refusal' }
  | { readonly type: 'reasoning'; readonly id: string | null }
  | ToolCallHead
  /** A block or item that only the upstream's protocol knows, whole. */
  | { readonly type: 'native'; readonly value: JsonObject }

/** The beginning of a part. */
export interface OpenEvent {
  readonly type: 'open'
  readonly part: number
  readonly head: PartHead
  /** Of which answer it is a part, where there are several to choose from; absent is the first. */
  readonly choice?: number
}

/** The beginning of a part of the answer `choice`, counted from 0. */
export const opened = (part: number, head: PartHead, choice: number): OpenEvent =>
  choice === 0 ? { type: 'open', part, head } : { type: 'open', part, head, choice }

/** More of a part that is open. */
export interface DeltaEvent {
  readonly type: 'delta'
  readonly part: number
  readonly text: string
  /** Of reasoning: whether this is the issuer's summary rather than the thoughts, and which section of it. */
  readonly summary?: boolean
  readonly section?: number
  /** Of text, where the caller asked for it: its tokens, and how likely they were. */
  readonly logprobs?: readonly TokenLogprob[]
}

/** The end of a part. */
export interface CloseEvent {
  readonly type: 'close'
  readonly part: number
  readonly proof?: ReasoningProof | null
  /** Citations and annotations of a text, as the upstream wrote them. */
  readonly annotations?: readonly JsonObject[]
}

/** The end of an answer other than the first, whose end is the end of all, and is said by `finish`. */
export interface EndedEvent {
  readonly type: 'ended'
  readonly choice: number
  readonly reason: FinishReason
  readonly stopSequence: string | null
}

/** The end of all. */
export interface FinishEvent {
  readonly type: 'finish'
  readonly reason: FinishReason
  readonly stopSequence: string | null
  /** How the upstream served, in the words of OpenAI's protocols; `null` when it did not say. */
  readonly tier?: string | null
  /** Paths of what the upstream said and nobody gets to see. */
  readonly unread?: readonly string[]
}

/** One step of an answer. Parts are numbered in the order they open; several may be open at once. */
export type InferenceEvent =
  | { readonly type: 'start'; readonly id: string | null; readonly model: string | null }
  | OpenEvent
  | DeltaEvent
  | CloseEvent
  | EndedEvent
  | { readonly type: 'usage'; readonly tokens: Partial<TokenCounts> }
  | FinishEvent
  | { readonly type: 'failure'; readonly failure: UpstreamFailure }

/** The end of the answer `choice`, counted from 0, where no stop sequence is told. */
export const endOf = (choice: number, reason: FinishReason): InferenceEvent =>
  choice === 0 ? { type: 'finish', reason, stopSequence: null } : { type: 'ended', choice, reason, stopSequence: null }

/** A part of a whole answer. */
export type ResponsePart =
  | {
    readonly type: 'text'
    readonly text: string
    readonly annotations: readonly JsonObject[]
    readonly logprobs?: readonly TokenLogprob[]
  }
  | { readonly type: 'refusal'; readonly text: string }
  | {
    readonly type: 'reasoning'
    readonly id: string | null
    readonly content: readonly string[]
    readonly summary: readonly string[]
    readonly proof: ReasoningProof | null
  }
  | (ToolCallHead & { readonly input: string })
  | { readonly type: 'native'; readonly value: JsonObject }

/** What a model said from beginning to end. */
export interface Choice {
  readonly parts: readonly ResponsePart[]
  readonly finish: FinishReason
  readonly stopSequence: string | null
}

/** A whole answer. */
export interface InferenceResponse extends Choice {
  readonly id: string | null
  readonly model: string | null
  /** The other answers to choose from, where there are any. */
  readonly others?: readonly Choice[]
  /** Of all of them. */
  readonly tokens: TokenCounts
  /** See {@link FinishEvent.tier}. */
  readonly tier?: string | null
  /** See {@link FinishEvent.unread}. */
  readonly unread?: readonly string[]
}
