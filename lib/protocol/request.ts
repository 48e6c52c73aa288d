import type { LogprobsWish } from './logprobs.ts'
import type { Json, JsonObject } from '../base/mod.ts'
import type { ToolCallHead } from './event.ts'
import type { ProtocolId } from './id.ts'

/**
 * Something that was found in a caller's document.
 *
 * `extra` holds the fields that only the document's own protocol knows: they re-emerge there and are a loss elsewhere.
 */
export interface Found {
  /** JSON path in the caller's document, such as `messages[2].content[0]`. */
  readonly path: string
  readonly extra?: JsonObject | undefined
  /** The same, of objects inside it, by the name under which they stand. */
  readonly nested?: Readonly<Record<string, JsonObject | undefined>> | undefined
  /** Fields that say once more what the neutral form says, as written: for the source's own protocol only. */
  readonly again?: JsonObject | undefined
}

/** A wish to cache the prompt up to and including the thing that carries it. */
export interface CacheMark {
  readonly path: string
  /** As written by the caller: `5m`, `1h`, `30m`, `12h`; `null` for the protocol's default. */
  readonly ttl: string | null
  /** As written, for its own protocol. */
  readonly raw: JsonObject
}

interface Marked extends Found {
  readonly cache?: CacheMark | undefined
}

/** Where an image or a file comes from. */
export type MediaSource =
  | { readonly kind: 'base64'; readonly mediaType: string; readonly data: string }
  | { readonly kind: 'text'; readonly mediaType: string; readonly text: string }
  | { readonly kind: 'url'; readonly url: string }
  /** An id in the store of the caller's own provider. */
  | { readonly kind: 'file'; readonly id: string }

/** Plain words. */
export interface TextPart extends Marked {
  readonly type: 'text'
  readonly text: string
}

/** A picture. */
export interface ImagePart extends Marked {
  readonly type: 'image'
  readonly source: MediaSource
  /** `low`, `high`, `auto`, `original`. */
  readonly detail: string | null
}

/** A document. */
export interface FilePart extends Marked {
  readonly type: 'file'
  readonly source: MediaSource
  readonly name: string | null
}

/** Recorded speech or sound, base64. */
export interface AudioPart extends Marked {
  readonly type: 'audio'
  readonly data: string
  /** `wav`, `mp3`. */
  readonly format: string
}

/** The model's words for why it will not answer. */
export interface RefusalPart extends Marked {
  readonly type: 'refusal'
  readonly text: string
}

/** What makes reasoning acceptable to the one who issued it, byte for byte. */
export interface ReasoningProof {
  readonly issuer: ProtocolId
  /** A signature over visible thoughts, thoughts that only the issuer can read, or a block it hid for safety. */
  readonly kind: 'signature' | 'encrypted' | 'redacted'
  readonly data: string
}

/** Thoughts of the model. Only their issuer takes them back. */
export interface ReasoningPart extends Marked {
  readonly type: 'reasoning'
  readonly id: string | null
  /** The thoughts themselves, in sections. */
  readonly content: readonly string[]
  /** What the issuer says about them, in sections. */
  readonly summary: readonly string[]
  readonly proof: ReasoningProof | null
}

/** How a tool takes its input: JSON arguments, free text (custom and grammar tools), or the client's own tool search. */
export type ToolKind = 'function' | 'custom' | 'tool-search'

/** A call that the model made. */
export interface ToolCallPart extends ToolCallHead, Marked {
  /** JSON text for functions and searches, the text itself for custom tools. */
  readonly input: string
}

/** What came of a call. */
export interface ToolResultPart extends Marked {
  readonly type: 'tool-result'
  readonly callId: string
  readonly kind: ToolKind
  readonly content: readonly Part[]
  readonly isError: boolean
  /** The source wrote one string rather than parts. */
  readonly plain: boolean
}

/** Tools that a message brings along; they are also among the request's tools. */
export interface AdditionalToolsPart extends Marked {
  readonly type: 'additional-tools'
  readonly value: JsonObject
}

/** A block or item that only the source protocol knows: server tool calls and their results, compactions, references. */
export interface NativePart extends Marked {
  readonly type: 'native'
  readonly value: JsonObject
}

/** One piece of a message. */
export type Part =
  | TextPart
  | ImagePart
  | FilePart
  | AudioPart
  | RefusalPart
  | ReasoningPart
  | ToolCallPart
  | ToolResultPart
  | AdditionalToolsPart
  | NativePart

/** Who speaks. */
export type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool'

/** One message, or one item of a protocol that has items. */
export interface Message extends Found {
  readonly role: Role
  readonly parts: readonly Part[]
  /** The source wrote one string rather than parts. */
  readonly plain: boolean
  /** Fields of the message inside the path, for protocols that wrap it. */
  readonly id?: string | undefined
}

/** A group of tools under one name. */
export interface ToolNamespace extends Found {
  readonly name: string
  readonly description: string | null
}

interface ToolBase extends Marked {
  /** In the request's tool list, or brought along by a message. */
  readonly origin: 'tools' | 'message'
}

/** A tool with JSON arguments. */
export interface FunctionTool extends ToolBase {
  readonly type: 'function'
  readonly name: string
  readonly namespace: ToolNamespace | null
  readonly description: string | null
  readonly schema: JsonObject | null
  readonly strict: boolean | null
}

/** A tool that takes free text, perhaps under a grammar. */
export interface CustomTool extends ToolBase {
  readonly type: 'custom'
  readonly name: string
  readonly namespace: ToolNamespace | null
  readonly description: string | null
  readonly format: { readonly syntax: string; readonly definition: string } | null
  /** The source wrote `format: {type: 'text'}`. */
  readonly plainFormat: boolean
}

/** The client finds further tools itself when the model asks. */
export interface ToolSearchTool extends ToolBase {
  readonly type: 'tool-search'
  readonly description: string | null
  readonly schema: JsonObject | null
}

/** A tool that its own provider runs. */
export interface NativeTool extends ToolBase {
  readonly type: 'native'
  readonly value: JsonObject
}

/** What the model may call. */
export type ToolDefinition = FunctionTool | CustomTool | ToolSearchTool | NativeTool

/** What the model must call. */
export type ToolChoice =
  | { readonly type: 'auto' | 'none' | 'required' }
  | { readonly type: 'tool'; readonly name: string; readonly kind: 'function' | 'custom' }
  | {
    readonly type: 'allowed'
    readonly mode: 'auto' | 'required'
    readonly names: readonly string[]
    /** Paths of the others among them, which their provider runs. */
    readonly unnamed: readonly string[]
    readonly value: Json
  }
  | { readonly type: 'native'; readonly value: Json }

/** How the answer is drawn. `null` means the caller did not say. */
export interface Sampling {
  readonly maxOutputTokens: number | null
  readonly temperature: number | null
  readonly topP: number | null
  readonly topK: number | null
  readonly stop: readonly string[] | null
  readonly seed: number | null
  readonly frequencyPenalty: number | null
  readonly presencePenalty: number | null
}

/** How much the model shall think. */
export interface ReasoningOptions extends Found {
  /** `off`, `on` (with a budget), `auto` (as it sees fit). */
  readonly mode: 'off' | 'on' | 'auto'
  /** `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`. */
  readonly effort: string | null
  /** Path of the effort, which some protocols keep elsewhere. */
  readonly effortPath: string
  readonly budgetTokens: number | null
  /** What of the thoughts shall be shown: `auto`, `concise`, `detailed`, `omitted`. */
  readonly summary: string | null
}

/** The shape that the answer must have. */
export type OutputFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json' }
  | (Found & {
    readonly type: 'json-schema'
    readonly name: string | null
    readonly description: string | null
    readonly schema: JsonObject
    readonly strict: boolean | null
  })

/** One request to a model, in no protocol: per concept it follows the richest one. */
export interface InferenceRequest extends Found {
  /** The protocol it was written in: `extra` and `native` things belong to it. */
  readonly source: ProtocolId
  readonly model: string
  /** System text that stands outside the conversation. */
  readonly instructions: readonly Part[]
  readonly instructionsPlain: boolean
  readonly messages: readonly Message[]
  readonly tools: readonly ToolDefinition[]
  readonly toolChoice: ToolChoice | null
  readonly parallelToolCalls: boolean | null
  readonly sampling: Sampling
  /** How many answers the caller wants to choose from; `null` when it did not say. */
  readonly choices: number | null
  readonly logprobs: LogprobsWish | null
  readonly reasoning: ReasoningOptions | null
  readonly output: OutputFormat | null
  /** `low`, `medium`, `high`. */
  readonly verbosity: string | null
  readonly stream: boolean
  /** Whether a chat stream shall end with a usage chunk. */
  readonly includeUsage: boolean
  /** The caller's word for its end user. */
  readonly user: string | null
  /** The same, for finding abuse and nothing else. */
  readonly safetyId: string | null
  readonly store: boolean | null
  /** `auto`, `default`, `flex`, `priority`. */
  readonly serviceTier: string | null
  /** A mark on the request as a whole: cache up to its last block. */
  readonly cache: CacheMark | null
}
