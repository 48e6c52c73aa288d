import type { JsonObject } from '../../base/mod.ts'
import { messagesCitation } from '../citations.ts'
import type { Call, DecodedResponse, Lose } from '../codec.ts'
import type { InferenceResponse, ResponsePart, ToolCallHead } from '../event.ts'
import { upstreamFailure } from '../failure.ts'
import { type FinishReason, finishTable, finishWords } from '../finish.ts'
import { numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import { packReasoning, unpackReasoning } from '../reasoning.ts'
import { argumentsObject } from '../tools.ts'
import { addUnread } from '../unread.ts'
import { noTokens, type TokenCounts } from '../usage.ts'
import { decodeFailure } from './failure.ts'

// ---- decode ---------------------------------------------------------------------------------------------------------

/** A whole message in neutral form. */
export function decodeResponse(body: unknown, _stem: string): DecodedResponse {
  const message = objectOf(body)
  if (message?.type === 'error') return { ok: false, failure: decodeFailure(null, body) }
  if (message === undefined || !Array.isArray(message.content)) {
    return { ok: false, failure: upstreamFailure('malformed', 'the answer is no message: content is missing') }
  }
  const word = stringOf(message.stop_reason)
  const parts = objectsOf(message.content).map(decodeBlock)
  const finish = decodeFinish(word, parts.some((part) => part.type === 'tool-call'))
  if (finish === null) {
    return { ok: false, failure: upstreamFailure('malformed', `unknown stop_reason ${JSON.stringify(word)}`) }
  }
  return {
    ok: true,
    response: {
      id: stringOf(message.id),
      model: stringOf(message.model),
      parts,
      finish,
      stopSequence: stringOf(message.stop_sequence),
      tokens: { ...noTokens, ...decodeUsage(objectOf(message.usage)) },
      unread: unreadOf(message),
    },
  }
}

const messageFields = new Set(['id', 'type', 'role', 'model', 'content', 'stop_reason', 'stop_sequence', 'usage'])
const blockFields: Readonly<Record<string, ReadonlySet<string>>> = {
  text: new Set(['type', 'text', 'citations']),
  thinking: new Set(['type', 'thinking', 'signature']),
  redacted_thinking: new Set(['type', 'data']),
  tool_use: new Set(['type', 'id', 'name', 'input']),
}
const usageFields = new Set([
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation',
  'output_tokens_details',
])

/** Paths of what a whole message says and {@link decodeResponse} does not read. */
export function unreadOf(message: JsonObject): string[] {
  const out = new Set<string>()
  addUnread(message, messageFields, '', out)
  objectsOf(message.content).forEach((block, i) => {
    const fields = blockFields[String(block.type)]
    if (fields !== undefined) addUnread(block, fields, `content[${i}]`, out)
  })
  addUnread(objectOf(message.usage), usageFields, 'usage', out)
  return [...out]
}

/** A stop word, with the repairs `missing-finish` and `finish-mismatch`; `null` for a word nobody knows. */
export function decodeFinish(word: string | null, hasCalls: boolean): FinishReason | null {
  const reason = word === null ? 'stop' : finishWords.anthropic[word] ?? null
  return reason === 'stop' && hasCalls ? 'tool-calls' : reason
}

function decodeBlock(block: JsonObject): ResponsePart {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: stringOf(block.text) ?? '', annotations: objectsOf(block.citations) }
    case 'thinking':
    case 'redacted_thinking':
      return decodeThinking(block)
    case 'tool_use':
      return { ...decodeToolUse(block), input: JSON.stringify(block.input ?? {}) }
    default:
      return { type: 'native', value: block }
  }
}

/** The call that a `tool_use` block is, before its input. */
export const decodeToolUse = (block: JsonObject): ToolCallHead => ({
  type: 'tool-call',
  id: stringOf(block.id) ?? '',
  name: stringOf(block.name) ?? '',
  namespace: null,
  kind: 'function',
})

function decodeThinking(block: JsonObject): ResponsePart {
  const redacted = block.type === 'redacted_thinking'
  const data = stringOf(redacted ? block.data : block.signature) ?? ''
  const packed = unpackReasoning(data)
  if (packed !== null) return { type: 'reasoning', ...packed }
  return {
    type: 'reasoning',
    id: null,
    content: redacted ? [] : [stringOf(block.thinking) ?? ''],
    summary: [],
    proof: data === '' ? null : { issuer: 'anthropic-messages', kind: redacted ? 'redacted' : 'signature', data },
  }
}

/**
 * Usage in neutral counts. Here `input_tokens` leaves out what was read from or written to a cache; neutral counts
 * include it.
 */
export function decodeUsage(usage: JsonObject | undefined): Partial<TokenCounts> {
  if (usage === undefined) return {}
  const input = numberOf(usage.input_tokens)
  const read = numberOf(usage.cache_read_input_tokens)
  const written = numberOf(usage.cache_creation_input_tokens)
  const creation = objectOf(usage.cache_creation)
  const hour = numberOf(creation?.ephemeral_1h_input_tokens)
  const short = numberOf(creation?.ephemeral_5m_input_tokens) ?? (written === null ? null : written - (hour ?? 0))
  return {
    inputTokens: input === null ? null : input + (read ?? 0) + (written ?? (short ?? 0) + (hour ?? 0)),
    outputTokens: numberOf(usage.output_tokens),
    cachedInputTokens: read,
    cacheWriteTokens: short,
    cacheWrite1hTokens: hour,
    reasoningTokens: numberOf(objectOf(usage.output_tokens_details)?.thinking_tokens),
  }
}

// ---- encode ---------------------------------------------------------------------------------------------------------

/** A whole message for the caller. */
export function encodeResponse(response: InferenceResponse, call: Call, lose: Lose): JsonObject {
  return {
    id: `msg_${call.id}`,
    type: 'message',
    role: 'assistant',
    model: call.model,
    content: response.parts.flatMap((part, i) => encodeBlock(part, `output[${i}]`, call, lose)),
    stop_reason: finishTable[response.finish].anthropic,
    stop_sequence: response.stopSequence,
    usage: encodeUsage(response.tokens),
  }
}

function encodeBlock(part: ResponsePart, path: string, call: Call, lose: Lose): JsonObject[] {
  const own = call.upstream === 'anthropic-messages'
  switch (part.type) {
    case 'text': {
      const citations = encodeCitations(part.annotations, { path, length: part.text.length }, own, lose)
      if (part.text === '') return []
      return [{ type: 'text', text: part.text, ...(citations.length > 0 ? { citations } : {}) }]
    }
    case 'refusal':
      return part.text === '' ? [] : [{ type: 'text', text: part.text }]
    case 'reasoning':
      return encodeThinking(part)
    case 'tool-call': {
      const { value, broken } = argumentsObject(part.input)
      if (broken) lose(path, 'the arguments are no JSON object: wrapped in one')
      return [{ type: 'tool_use', id: part.id, name: part.name, input: value as JsonObject }]
    }
    case 'native':
      if (own) return [part.value]
      lose(path, `anthropic-messages knows no ${String(part.value.type)}`)
      return []
  }
}

/** The citations of a text of so many characters; those that this protocol has no form for are told to `lose`. */
export function encodeCitations(
  annotations: readonly JsonObject[],
  text: { readonly path: string; readonly length: number },
  own: boolean,
  lose: Lose,
): JsonObject[] {
  if (own) return [...annotations]
  return annotations.flatMap((value, i) => {
    const citation = messagesCitation(value, text.length)
    if (citation !== null) return [citation]
    lose(`${text.path}.annotations[${i}]`, `anthropic-messages knows no ${String(value.type)}`)
    return []
  })
}

type Reasoning = Extract<ResponsePart, { type: 'reasoning' }>

/** The signature that lets reasoning come back to its issuer: the issuer's own, or everything packed. */
export function signatureOf(part: Reasoning): string {
  return part.proof?.issuer === 'anthropic-messages' ? part.proof.data : packReasoning(part)
}

/** A thinking block, or a redacted one where there is nothing to read. */
export function encodeThinking(part: Reasoning): JsonObject[] {
  const text = (part.content.length > 0 ? part.content : part.summary).join('\n\n')
  const own = part.proof?.issuer === 'anthropic-messages'
  if (own ? part.proof!.kind === 'redacted' : text === '') {
    return part.proof === null ? [] : [{ type: 'redacted_thinking', data: signatureOf(part) }]
  }
  return [{ type: 'thinking', thinking: text, signature: signatureOf(part) }]
}

/** Usage in this protocol's terms. What the upstream did not say is 0. */
export function encodeUsage(tokens: TokenCounts): JsonObject {
  const read = tokens.cachedInputTokens ?? 0
  const short = tokens.cacheWriteTokens ?? 0
  const hour = tokens.cacheWrite1hTokens ?? 0
  return {
    input_tokens: Math.max(0, (tokens.inputTokens ?? 0) - read - short - hour),
    cache_creation_input_tokens: short + hour,
    cache_read_input_tokens: read,
    ...(short + hour > 0
      ? { cache_creation: { ephemeral_5m_input_tokens: short, ephemeral_1h_input_tokens: hour } }
      : {}),
    output_tokens: tokens.outputTokens ?? 0,
    ...(tokens.reasoningTokens === null ? {} : { output_tokens_details: { thinking_tokens: tokens.reasoningTokens } }),
  }
}
