import type { JsonObject } from '../../base/mod.ts'
import type { Call, DecodedResponse, Lose } from '../codec.ts'
import type { Choice, InferenceResponse, ResponsePart } from '../event.ts'
import { upstreamFailure } from '../failure.ts'
import { type FinishReason, finishTable, finishWords, inexactFinish } from '../finish.ts'
import { isHarmless } from '../ledger.ts'
import { webCitation } from '../citations.ts'
import { readLogprobs, type TokenLogprob, writeLogprobs } from '../logprobs.ts'
import { compact, numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import { addUnread, isAllRead } from '../unread.ts'
import { noTokens, type TokenCounts } from '../usage.ts'
import { decodeFailure } from './failure.ts'
import { decodeReasoningDetail, encodeReasoningDetails } from './reasoning.ts'

// ---- decode ---------------------------------------------------------------------------------------------------------

/** A whole chat completion in neutral form. */
export function decodeResponse(body: unknown, stem: string): DecodedResponse {
  const reply = objectOf(body)
  if (reply?.error != null) return { ok: false, failure: decodeFailure(null, body) }
  const choices: Choice[] = []
  const unread = new Set<string>()
  if (reply !== undefined) addUnreadReply(reply, unread)
  for (const [i, choice] of inOrder(objectsOf(reply?.choices)).entries()) {
    const message = objectOf(choice.message)
    // Only the first one must be there.
    if (message === undefined) break
    const decoded = decodeChoice(choice, message, i === 0 ? stem : `${stem}c${i}x`)
    if (typeof decoded === 'string') {
      return { ok: false, failure: upstreamFailure('malformed', `unknown finish_reason ${decoded}`) }
    }
    choices.push(decoded)
    addUnreadChoice(choice, message, unread)
  }
  const [first, ...others] = choices
  if (reply === undefined || first === undefined) {
    return {
      ok: false,
      failure: upstreamFailure('malformed', 'the answer is no chat completion: choices[0].message is missing'),
    }
  }
  return {
    ok: true,
    response: {
      id: stringOf(reply.id),
      model: stringOf(reply.model),
      ...first,
      ...(others.length === 0 ? {} : { others }),
      tokens: { ...noTokens, ...decodeUsage(objectOf(reply.usage)) },
      tier: stringOf(reply.service_tier),
      unread: [...unread],
    },
  }
}

const replyFields = new Set([
  ...['id', 'object', 'created', 'model', 'system_fingerprint', 'choices', 'usage', 'error', 'service_tier'],
  // What it repeats of the request, and what hides the length of an event.
  ...['metadata', 'obfuscation'],
])
const choiceFields = new Set([
  ...['index', 'message', 'delta', 'finish_reason', 'native_finish_reason', 'logprobs', 'usage'],
])
const messageFields = new Set([
  ...['role', 'content', 'refusal', 'tool_calls', 'function_call', 'annotations'],
  ...['reasoning_content', 'reasoning', 'reasoning_details'],
])
const usageFields = new Set([
  ...['prompt_tokens', 'prompt_tokens_details', 'completion_tokens', 'completion_tokens_details', 'total_tokens'],
  ...['prompt_cache_hit_tokens', 'prompt_cache_miss_tokens', 'reasoning_tokens'],
])
const promptDetails = new Set(['cached_tokens', 'cache_write_tokens'])
const completionDetails = new Set(['reasoning_tokens'])

/** Adds the paths of what a completion, or a chunk of one, says beside its choices and is not read. */
export function addUnreadReply(reply: JsonObject, out: Set<string>): void {
  addUnread(reply, replyFields, '', out)
  const usage = objectOf(reply.usage)
  if (usage === undefined) return
  addUnread(usage, usageFields, 'usage', out)
  addUnread(objectOf(usage.prompt_tokens_details), promptDetails, 'usage.prompt_tokens_details', out)
  addUnread(objectOf(usage.completion_tokens_details), completionDetails, 'usage.completion_tokens_details', out)
}

/** Adds the paths of what a choice says in its message, or in a piece of it, and is not read. */
export function addUnreadChoice(choice: JsonObject, message: JsonObject | undefined, out: Set<string>): void {
  const chances = objectOf(choice.logprobs)?.refusal
  const refused = Array.isArray(chances) && chances.length > 0
  if (!refused && isAllRead(choice, choiceFields) && (message === undefined || isAllRead(message, messageFields))) {
    return
  }
  const path = `choices[${numberOf(choice.index) ?? 0}]`
  addUnread(choice, choiceFields, path, out)
  addUnread(message, messageFields, `${path}.message`, out)
  if (refused) out.add(`${path}.logprobs.refusal`)
}

function inOrder(choices: readonly JsonObject[]): readonly JsonObject[] {
  const at = (choice: JsonObject): number => numberOf(choice.index) ?? 0
  return choices.length < 2 ? choices : choices.toSorted((a, b) => at(a) - at(b))
}

/** One choice in neutral form, or the word for its end that nobody knows. */
function decodeChoice(choice: JsonObject, message: JsonObject, stem: string): Choice | string {
  const logprobs = readLogprobs(objectOf(choice.logprobs)?.content)
  const parts = [...decodeReasoning(message), ...decodeContent(message, logprobs), ...decodeCalls(message, stem)]
  const word = stringOf(choice.finish_reason)
  const finish = decodeFinish(word, parts.some((part) => part.type === 'tool-call'))
  if (finish === null) return JSON.stringify(word)
  const refused = finish === 'stop' && parts.some((part) => part.type === 'refusal')
  return { parts, finish: refused ? 'refusal' : finish, stopSequence: null }
}

/**
 * A finish word with the repairs `missing-finish` (none at all: the answer is whole, so it ended) and `finish-mismatch`
 * (a normal stop although tools were called). `null` for a word nobody knows.
 */
export function decodeFinish(word: string | null, hasCalls: boolean): FinishReason | null {
  const reason = word === null ? 'stop' : finishWords.chat[word.toLowerCase()] ?? null
  return reason === 'stop' && hasCalls ? 'tool-calls' : reason
}

/**
 * Usage in neutral counts. Cached tokens are part of the prompt here as there. Some upstreams count reasoning beside the
 * completion and not in it: where the total says so, it is added.
 */
export function decodeUsage(usage: JsonObject | undefined): Partial<TokenCounts> {
  if (usage === undefined) return {}
  const prompt = numberOf(usage.prompt_tokens)
  const completion = numberOf(usage.completion_tokens)
  const details = objectOf(usage.prompt_tokens_details)
  const reasoning = numberOf(objectOf(usage.completion_tokens_details)?.reasoning_tokens) ??
    numberOf(usage.reasoning_tokens)
  const beside = prompt !== null && completion !== null && reasoning !== null && reasoning > 0 &&
    numberOf(usage.total_tokens) === prompt + completion + reasoning
  return {
    inputTokens: prompt,
    outputTokens: beside ? completion + reasoning : completion,
    cachedInputTokens: numberOf(details?.cached_tokens) ?? numberOf(usage.prompt_cache_hit_tokens),
    cacheWriteTokens: numberOf(details?.cache_write_tokens),
    reasoningTokens: reasoning,
  }
}

function decodeReasoning(message: JsonObject): ResponsePart[] {
  const details = objectsOf(message.reasoning_details)
  if (details.length > 0) {
    return details.map((detail) => {
      const { id, content, summary, proof } = decodeReasoningDetail(detail, '')
      return { type: 'reasoning', id, content, summary, proof }
    })
  }
  const text = stringOf(message.reasoning_content) ?? stringOf(message.reasoning)
  return text === null || text === ''
    ? []
    : [{ type: 'reasoning', id: null, content: [text], summary: [], proof: null }]
}

function decodeContent(message: JsonObject, logprobs: readonly TokenLogprob[] | undefined): ResponsePart[] {
  const out: ResponsePart[] = []
  const text = stringOf(message.content) ??
    objectsOf(message.content).map((part) => stringOf(part.text) ?? '').join('')
  if (text !== '') {
    const annotations = objectsOf(message.annotations)
    out.push({ type: 'text', text, annotations, ...(logprobs === undefined ? {} : { logprobs }) })
  }
  const refusal = stringOf(message.refusal)
  if (refusal !== null && refusal !== '') out.push({ type: 'refusal', text: refusal })
  return out
}

function decodeCalls(message: JsonObject, stem: string): ResponsePart[] {
  const legacy = objectOf(message.function_call)
  const calls = legacy === undefined ? objectsOf(message.tool_calls) : [{ function: legacy }]
  return calls.map((call, i) => {
    const custom = objectOf(call.custom)
    const fn = custom ?? objectOf(call.function) ?? {}
    const input = custom ? fn.input : fn.arguments
    return {
      type: 'tool-call',
      // repair `missing-tool-id`
      id: stringOf(call.id) || `call_${stem}${i}`,
      name: stringOf(fn.name) ?? '',
      namespace: null,
      kind: custom ? 'custom' : 'function',
      // repair `arguments-object`
      input: typeof input === 'string' ? input : input == null ? '' : JSON.stringify(input),
    }
  })
}

// ---- encode ---------------------------------------------------------------------------------------------------------

/** A whole chat completion for the caller. */
export function encodeResponse(response: InferenceResponse, call: Call, lose: Lose): JsonObject {
  const choices = [response, ...response.others ?? []]
  return compact({
    id: `chatcmpl-${call.id}`,
    object: 'chat.completion',
    created: call.createdAt,
    model: call.model,
    choices: choices.map((choice, index) =>
      encodeChoice(choice, index, (path, reason) => lose(index === 0 ? path : `choices[${index}].${path}`, reason))
    ),
    usage: encodeUsage(response.tokens),
    service_tier: response.tier ?? undefined,
  })
}

function encodeChoice(choice: Choice, index: number, lose: Lose): JsonObject {
  const texts: string[] = []
  const refusals: string[] = []
  const calls: JsonObject[] = []
  const thoughts: string[] = []
  const details: JsonObject[] = []
  const annotations: JsonObject[] = []
  const chances: TokenLogprob[] = []
  let said = 0
  choice.parts.forEach((part, i) => {
    switch (part.type) {
      case 'text':
        texts.push(part.text)
        if (part.logprobs !== undefined) chances.push(...part.logprobs)
        annotations.push(
          ...chatAnnotations(part.annotations, { path: `output[${i}]`, before: said, length: part.text.length }, lose),
        )
        said += part.text.length
        return
      case 'refusal':
        refusals.push(part.text)
        return
      case 'reasoning':
        thoughts.push(...(part.content.length > 0 ? part.content : part.summary))
        details.push(...encodeReasoningDetails(part, details.length))
        return
      case 'tool-call':
        calls.push(encodeCall(part))
        return
      case 'native':
        if (!isHarmless('native', part.value)) lose(`output[${i}]`, `openai-chat knows no ${String(part.value.type)}`)
    }
  })
  const message = compact({
    role: 'assistant',
    content: texts.length > 0 ? texts.join('') : null,
    refusal: refusals.length > 0 ? refusals.join('') : null,
    reasoning_content: thoughts.length > 0 ? thoughts.join('\n\n') : undefined,
    reasoning_details: details.length > 0 ? details : undefined,
    annotations: annotations.length > 0 ? annotations : undefined,
    tool_calls: calls.length > 0 ? calls : undefined,
  })
  return { index, message, logprobs: encodeLogprobs(chances), ...encodeFinish(choice.finish) }
}

/** `logprobs` of a choice; `null` when nothing is known. */
export function encodeLogprobs(list: readonly TokenLogprob[]): JsonObject | null {
  return list.length === 0 ? null : { content: writeLogprobs(list), refusal: null }
}

/** `finish_reason`, and the exact word beside it where chat has none. */
export function encodeFinish(reason: FinishReason): JsonObject {
  const row = finishTable[reason]
  return { finish_reason: row.chat, ...(inexactFinish.has(reason) ? { native_finish_reason: row.anthropic } : {}) }
}

/** The parts of chat's usage; `undefined` when the upstream said nothing. */
export function encodeUsage(tokens: TokenCounts): JsonObject | undefined {
  const { inputTokens, outputTokens } = tokens
  if (inputTokens === null && outputTokens === null) return undefined
  const writes = (tokens.cacheWriteTokens ?? 0) + (tokens.cacheWrite1hTokens ?? 0)
  return {
    prompt_tokens: inputTokens ?? 0,
    completion_tokens: outputTokens ?? 0,
    total_tokens: (inputTokens ?? 0) + (outputTokens ?? 0),
    prompt_tokens_details: {
      cached_tokens: tokens.cachedInputTokens ?? 0,
      ...(writes > 0 ? { cache_write_tokens: writes } : {}),
    },
    completion_tokens_details: { reasoning_tokens: tokens.reasoningTokens ?? 0 },
  }
}

function encodeCall(part: Extract<ResponsePart, { type: 'tool-call' }>): JsonObject {
  return part.kind === 'custom'
    ? { id: part.id, type: 'custom', custom: { name: part.name, input: part.input } }
    : { id: part.id, type: 'function', function: { name: part.name, arguments: part.input } }
}

/** A text whose citations are written. */
export interface Cited {
  readonly path: string
  /** How many characters of the answer stand before it: chat has one text only. */
  readonly before: number
  readonly length: number
}

/** URL citations in chat's form; others are lost. */
export function chatAnnotations(annotations: readonly JsonObject[], text: Cited, lose: Lose): JsonObject[] {
  return annotations.flatMap((value, i) => {
    const cited = webCitation(value, text.length)
    if (cited === null) {
      lose(`${text.path}.annotations[${i}]`, `openai-chat knows no ${String(value.type)}`)
      return []
    }
    const { url, title, start, end, quotes } = cited
    if (quotes) lose(`${text.path}.annotations[${i}].cited_text`, 'openai-chat quotes no sources')
    const place = { start_index: text.before + start, end_index: text.before + end }
    return [{ type: 'url_citation', url_citation: { ...place, title, url } }]
  })
}
