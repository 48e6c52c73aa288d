/** Why an answer ended. */
export type FinishReason =
  /** The model was done. */
  | 'stop'
  /** A stop sequence of the caller. */
  | 'stop-sequence'
  /** The caller's limit on output. */
  | 'length'
  /** The model's window is full. */
  | 'context-window'
  | 'tool-calls'
  /** The provider held the answer back. */
  | 'content-filter'
  /** The model would not. */
  | 'refusal'
  /** A long turn paused by the provider, to be sent back and continued. */
  | 'pause'
  /** The same, after the provider has shortened the conversation. */
  | 'compacted'

/** How one end of an answer is written in every protocol. */
export interface FinishRow {
  readonly anthropic: string
  readonly chat: string
  readonly responses: { readonly status: 'completed' | 'incomplete'; readonly reason: string | null }
  readonly gemini: string
}

/**
 * Every end of an answer in every protocol: what encoders write.
 *
 * A protocol without a word of its own gets the nearest one that does not claim a normal end; the exact word then rides
 * beside it (`native_finish_reason`).
 */
export const finishTable: Readonly<Record<FinishReason, FinishRow>> = {
  'stop': { anthropic: 'end_turn', chat: 'stop', responses: { status: 'completed', reason: null }, gemini: 'STOP' },
  'stop-sequence': {
    anthropic: 'stop_sequence',
    chat: 'stop',
    responses: { status: 'completed', reason: null },
    gemini: 'STOP',
  },
  'length': {
    anthropic: 'max_tokens',
    chat: 'length',
    responses: { status: 'incomplete', reason: 'max_output_tokens' },
    gemini: 'MAX_TOKENS',
  },
  'context-window': {
    anthropic: 'model_context_window_exceeded',
    chat: 'length',
    responses: { status: 'incomplete', reason: 'max_output_tokens' },
    gemini: 'MAX_TOKENS',
  },
  'tool-calls': {
    anthropic: 'tool_use',
    chat: 'tool_calls',
    responses: { status: 'completed', reason: null },
    gemini: 'STOP',
  },
  'content-filter': {
    anthropic: 'refusal',
    chat: 'content_filter',
    responses: { status: 'incomplete', reason: 'content_filter' },
    gemini: 'SAFETY',
  },
  'refusal': {
    anthropic: 'refusal',
    chat: 'content_filter',
    responses: { status: 'incomplete', reason: 'content_filter' },
    gemini: 'SAFETY',
  },
  'pause': {
    anthropic: 'pause_turn',
    chat: 'length',
    responses: { status: 'incomplete', reason: 'max_output_tokens' },
    gemini: 'OTHER',
  },
  'compacted': {
    anthropic: 'compaction',
    chat: 'length',
    responses: { status: 'incomplete', reason: 'max_output_tokens' },
    gemini: 'OTHER',
  },
}

/** Ends whose exact name the other protocols cannot say: it rides along as `native_finish_reason`. */
export const inexactFinish: ReadonlySet<FinishReason> = new Set<FinishReason>([
  'context-window',
  'refusal',
  'pause',
  'compacted',
])

/** Words that decoders understand, by protocol. A word that is not here ends the answer as `malformed`. */
export const finishWords: Readonly<
  Record<'anthropic' | 'chat' | 'responses' | 'gemini', Readonly<Record<string, FinishReason>>>
> = {
  anthropic: {
    end_turn: 'stop',
    stop_sequence: 'stop-sequence',
    max_tokens: 'length',
    model_context_window_exceeded: 'context-window',
    tool_use: 'tool-calls',
    refusal: 'refusal',
    pause_turn: 'pause',
    compaction: 'compacted',
  },
  chat: {
    stop: 'stop',
    eos: 'stop',
    end_turn: 'stop',
    length: 'length',
    max_tokens: 'length',
    model_length: 'context-window',
    tool_calls: 'tool-calls',
    function_call: 'tool-calls',
    tool_use: 'tool-calls',
    content_filter: 'content-filter',
    content_filtered: 'content-filter',
    refusal: 'refusal',
    pause_turn: 'pause',
    sensitive: 'content-filter',
  },
  /** `incomplete_details.reason`. */
  responses: {
    max_output_tokens: 'length',
    max_messages: 'length',
    steered: 'pause',
    content_filter: 'content-filter',
  },
  gemini: {
    STOP: 'stop',
    MAX_TOKENS: 'length',
    CONTINUATION: 'length',
    SAFETY: 'content-filter',
    RECITATION: 'content-filter',
    LANGUAGE: 'content-filter',
    BLOCKLIST: 'content-filter',
    PROHIBITED_CONTENT: 'content-filter',
    SPII: 'content-filter',
    IMAGE_SAFETY: 'content-filter',
    IMAGE_PROHIBITED_CONTENT: 'content-filter',
    IMAGE_RECITATION: 'content-filter',
    IMAGE_OTHER: 'pause',
    NO_IMAGE: 'pause',
    OTHER: 'pause',
    // Calls that the model got wrong (MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL and their kin) are no end of an
    // answer: they are left out, so that another target may do better.
  },
}
