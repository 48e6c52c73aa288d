import type { Json, JsonObject } from '../../base/mod.ts'
import type { Call, DecodedResponse, Lose } from '../codec.ts'
import type { InferenceResponse, ResponsePart } from '../event.ts'
import { upstreamFailure } from '../failure.ts'
import { type FinishReason, finishTable, finishWords, inexactFinish } from '../finish.ts'
import { webCitation } from '../citations.ts'
import { readLogprobs, type TokenLogprob, writeLogprobs } from '../logprobs.ts'
import { compact, jsonOf, numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import { packReasoning, unpackReasoning } from '../reasoning.ts'
import { toolSearchName } from '../tools.ts'
import { addUnread } from '../unread.ts'
import { noTokens, type TokenCounts } from '../usage.ts'
import { echo, responseId } from './echo.ts'
import { decodeFailure } from './failure.ts'

// ---- decode ---------------------------------------------------------------------------------------------------------

/** A whole response in neutral form. */
export function decodeResponse(body: unknown, stem: string): DecodedResponse {
  const reply = objectOf(body)
  if (reply !== undefined && (reply.status === 'failed' || (reply.error != null && reply.output === undefined))) {
    return { ok: false, failure: decodeFailure(null, body) }
  }
  if (reply === undefined || !Array.isArray(reply.output)) {
    return { ok: false, failure: upstreamFailure('malformed', 'the answer is no response: output is missing') }
  }
  const parts = objectsOf(reply.output).flatMap((item, i) => decodeItem(item, `${stem}${i}`))
  const finish = decodeFinish(reply, parts)
  if (finish === null) {
    return { ok: false, failure: upstreamFailure('malformed', `the response ended ${JSON.stringify(reply.status)}`) }
  }
  return {
    ok: true,
    response: {
      id: stringOf(reply.id),
      model: stringOf(reply.model),
      parts,
      finish,
      stopSequence: null,
      tokens: { ...noTokens, ...decodeUsage(objectOf(reply.usage)) },
      tier: stringOf(reply.service_tier),
      unread: unreadOf(reply),
    },
  }
}

const responseFields = new Set([
  ...[
    'id',
    'object',
    'created_at',
    'completed_at',
    'status',
    'error',
    'incomplete_details',
    'model',
    'output',
    'usage',
  ],
  'service_tier',
  // Made by a client from the others.
  'output_text',
  // What it repeats of the request.
  ...['access_programs', 'background', 'conversation', 'image', 'instructions', 'max_output_tokens', 'max_tool_calls'],
  ...['metadata', 'parallel_tool_calls', 'previous_response_id', 'prompt', 'prompt_cache_key', 'prompt_cache_options'],
  ...[
    'prompt_cache_retention',
    'reasoning',
    'safety_identifier',
    'store',
    'temperature',
    'text',
    'tool_choice',
    'tools',
  ],
  ...['top_logprobs', 'top_p', 'truncation', 'user', 'frequency_penalty', 'presence_penalty', 'billing'],
])
const itemFields: Readonly<Record<string, ReadonlySet<string>>> = {
  message: new Set(['id', 'type', 'status', 'role', 'content']),
  reasoning: new Set(['id', 'type', 'status', 'summary', 'content', 'encrypted_content']),
  function_call: new Set(['id', 'type', 'status', 'call_id', 'name', 'namespace', 'arguments']),
  custom_tool_call: new Set(['id', 'type', 'status', 'call_id', 'name', 'namespace', 'input']),
}
const usageFields = new Set([
  ...['input_tokens', 'input_tokens_details', 'output_tokens', 'output_tokens_details', 'total_tokens'],
])
const inputDetails = new Set(['cached_tokens', 'cache_write_tokens', 'cache_write_tokens_details'])
const writeDetails = new Set(['ttl_1h_tokens', 'ttl_5m_tokens'])
const outputDetails = new Set(['reasoning_tokens'])

/** Paths of what a whole response says and {@link decodeResponse} does not read. */
export function unreadOf(reply: JsonObject): string[] {
  const out = new Set<string>()
  addUnread(reply, responseFields, '', out)
  objectsOf(reply.output).forEach((item, i) => {
    const fields = itemFields[String(item.type)]
    if (fields !== undefined) addUnread(item, fields, `output[${i}]`, out)
  })
  const usage = objectOf(reply.usage)
  const details = objectOf(usage?.input_tokens_details)
  addUnread(usage, usageFields, 'usage', out)
  addUnread(details, inputDetails, 'usage.input_tokens_details', out)
  const writes = 'usage.input_tokens_details.cache_write_tokens_details'
  addUnread(objectOf(details?.cache_write_tokens_details), writeDetails, writes, out)
  addUnread(objectOf(usage?.output_tokens_details), outputDetails, 'usage.output_tokens_details', out)
  return [...out]
}

/** How a response ended, by its status, its reason, and what is in it; `null` when it did not end. */
export function decodeFinish(reply: JsonObject, parts: readonly { readonly type: string }[]): FinishReason | null {
  const status = reply.status ?? 'completed'
  if (status === 'incomplete') {
    const reason = stringOf(objectOf(reply.incomplete_details)?.reason)
    const native = stringOf(objectOf(reply.incomplete_details)?.native_finish_reason)
    return (native === null ? undefined : finishWords.anthropic[native]) ?? finishWords.responses[reason ?? ''] ??
      'length'
  }
  if (status !== 'completed') return null
  if (parts.some((part) => part.type === 'tool-call')) return 'tool-calls'
  return parts.some((part) => part.type === 'refusal') ? 'refusal' : 'stop'
}

/** The parts of one output item. */
export function decodeItem(item: JsonObject, stem: string): ResponsePart[] {
  switch (item.type) {
    case 'message':
      return objectsOf(item.content).map((part): ResponsePart =>
        part.type === 'refusal'
          ? { type: 'refusal', text: stringOf(part.refusal) ?? '' }
          : part.type === 'output_text' || part.type === 'text'
          ? decodeText(part)
          : { type: 'native', value: part }
      )
    case 'reasoning':
      return [decodeReasoning(item)]
    case 'function_call':
    case 'custom_tool_call': {
      const custom = item.type === 'custom_tool_call'
      const input = custom ? item.input : item.arguments
      return [{
        type: 'tool-call',
        // repair `missing-tool-id`
        id: stringOf(item.call_id) || stringOf(item.id) || `call_${stem}`,
        name: stringOf(item.name) ?? '',
        namespace: stringOf(item.namespace),
        kind: custom ? 'custom' : 'function',
        input: typeof input === 'string' ? input : input == null ? '' : JSON.stringify(input),
      }]
    }
    case 'tool_search_call':
      if (item.execution !== 'client') break
      return [{
        type: 'tool-call',
        id: stringOf(item.call_id) || stringOf(item.id) || `call_${stem}`,
        name: toolSearchName,
        namespace: null,
        kind: 'tool-search',
        input: JSON.stringify(item.arguments ?? {}),
      }]
  }
  return [{ type: 'native', value: item }]
}

function decodeText(part: JsonObject): ResponsePart {
  const logprobs = readLogprobs(part.logprobs)
  return {
    type: 'text',
    text: stringOf(part.text) ?? '',
    annotations: objectsOf(part.annotations),
    ...(logprobs === undefined ? {} : { logprobs }),
  }
}

/** A reasoning item, unpacked if another gateway of this kind made it. */
function decodeReasoning(item: JsonObject): Extract<ResponsePart, { type: 'reasoning' }> {
  const encrypted = stringOf(item.encrypted_content)
  const packed = encrypted === null ? null : unpackReasoning(encrypted)
  if (packed !== null) return { type: 'reasoning', ...packed }
  const texts = (value: Json | undefined): string[] => objectsOf(value).map((part) => stringOf(part.text) ?? '')
  return {
    type: 'reasoning',
    id: stringOf(item.id),
    content: texts(item.content),
    summary: texts(item.summary),
    proof: encrypted === null || encrypted === ''
      ? null
      : { issuer: 'openai-responses', kind: 'encrypted', data: encrypted },
  }
}

/** Usage in neutral counts. Cached tokens are part of the input here as there. */
export function decodeUsage(usage: JsonObject | undefined): Partial<TokenCounts> {
  if (usage === undefined) return {}
  const details = objectOf(usage.input_tokens_details)
  const writes = numberOf(details?.cache_write_tokens)
  const hour = numberOf(objectOf(details?.cache_write_tokens_details)?.ttl_1h_tokens)
  return {
    inputTokens: numberOf(usage.input_tokens),
    outputTokens: numberOf(usage.output_tokens),
    cachedInputTokens: numberOf(details?.cached_tokens),
    cacheWriteTokens: writes === null ? null : writes - (hour ?? 0),
    cacheWrite1hTokens: hour,
    reasoningTokens: numberOf(objectOf(usage.output_tokens_details)?.reasoning_tokens),
  }
}

// ---- encode ---------------------------------------------------------------------------------------------------------

/** A whole response for the caller. */
export function encodeResponse(response: InferenceResponse, call: Call, lose: Lose): JsonObject {
  const output = response.parts.flatMap((part, i) => encodeItem(part, i, call, lose))
  return {
    id: responseId(call.id),
    object: 'response',
    created_at: call.createdAt,
    ...encodeFinish(response.finish),
    error: null,
    model: call.model,
    output,
    usage: encodeUsage(response.tokens),
    ...(response.tier == null ? {} : { service_tier: response.tier }),
    ...echo(call.body),
  }
}

/** `status` and `incomplete_details`. */
export function encodeFinish(reason: FinishReason): JsonObject {
  const { status, reason: why } = finishTable[reason].responses
  const exact = inexactFinish.has(reason) ? { native_finish_reason: finishTable[reason].anthropic } : {}
  return { status, incomplete_details: why === null ? null : { reason: why, ...exact } }
}

/** The ids of items: their kind, the call's stem, their place. */
export function itemId(prefix: string, call: Call, index: number): string {
  return `${prefix}_${call.id}_${index}`
}

/** The whole output item of a part. */
function encodeItem(part: ResponsePart, index: number, call: Call, lose: Lose): JsonObject[] {
  switch (part.type) {
    case 'text':
      return [
        messageItem(
          itemId('msg', call, index),
          textContent(part.text, encodeAnnotations(part, `output[${index}]`, lose), part.logprobs),
        ),
      ]
    case 'refusal':
      return [messageItem(itemId('msg', call, index), { type: 'refusal', refusal: part.text })]
    case 'reasoning':
      return [reasoningItem(part, itemId('rs', call, index), call)]
    case 'tool-call':
      return [toolCallItem(part, callItemId(part.kind, call, index), part.input, 'completed')]
    case 'native':
      if (call.upstream === 'openai-responses') return [part.value]
      lose(`output[${index}]`, `openai-responses knows no ${String(part.value.type)}`)
      return []
  }
}

/** A message item with one content part. */
export function messageItem(id: string, content: JsonObject): JsonObject {
  return { id, type: 'message', status: 'completed', role: 'assistant', content: [content] }
}

/** Citations in the flat form of this protocol; those it does not know are lost. */
export function encodeAnnotations(
  { text, annotations }: { readonly text: string; readonly annotations: readonly JsonObject[] },
  path: string,
  lose: Lose,
): JsonObject[] {
  return annotations.flatMap((value, i) => {
    if (ownAnnotations.has(String(value.type)) && objectOf(value.url_citation) === undefined) return [value]
    const cited = webCitation(value, text.length)
    if (cited === null) {
      lose(`${path}.annotations[${i}]`, `openai-responses knows no ${String(value.type)}`)
      return []
    }
    const { url, title, start, end, quotes } = cited
    if (quotes) lose(`${path}.annotations[${i}].cited_text`, 'openai-responses quotes no sources')
    return [{ type: 'url_citation', start_index: start, end_index: end, title, url }]
  })
}

const ownAnnotations = new Set(['url_citation', 'file_citation', 'container_file_citation', 'file_path'])

/** A text part. */
export function textContent(
  text: string,
  annotations: readonly JsonObject[],
  logprobs: readonly TokenLogprob[] = [],
): JsonObject {
  return { type: 'output_text', text, annotations: [...annotations], logprobs: writeLogprobs(logprobs) }
}

type Reasoning = Extract<ResponsePart, { type: 'reasoning' }>

/** A reasoning item. Of another issuer, the thoughts are shown as summary and the whole is packed for the way back. */
export function reasoningItem(part: Reasoning, id: string, call: Call): JsonObject {
  const own = part.proof?.issuer === 'openai-responses' || (part.proof === null && call.upstream === 'openai-responses')
  if (own) {
    return compact({
      id: part.id ?? id,
      type: 'reasoning',
      summary: part.summary.map((text) => ({ type: 'summary_text', text })),
      content: part.content.length > 0 ? part.content.map((text) => ({ type: 'reasoning_text', text })) : undefined,
      encrypted_content: part.proof?.data,
    })
  }
  const shown = part.content.length > 0 ? part.content : part.summary
  const summary = shown.filter((text) => text !== '').map((text) => ({ type: 'summary_text', text }))
  return { id, type: 'reasoning', summary, encrypted_content: packReasoning(part) }
}

type ToolCall = Extract<ResponsePart, { type: 'tool-call' }>

/** The id of a tool call's item. */
export function callItemId(kind: ToolCall['kind'], call: Call, index: number): string {
  return itemId(kind === 'custom' ? 'ctc' : kind === 'tool-search' ? 'tsc' : 'fc', call, index)
}

/** A tool call item in any state. */
export function toolCallItem(
  head: Omit<ToolCall, 'input'>,
  id: string,
  input: string,
  status: 'in_progress' | 'completed',
): JsonObject {
  const namespace = head.namespace === null ? {} : { namespace: head.namespace }
  switch (head.kind) {
    case 'custom':
      return { id, type: 'custom_tool_call', status, call_id: head.id, name: head.name, ...namespace, input }
    case 'tool-search':
      return {
        id,
        type: 'tool_search_call',
        status,
        call_id: head.id,
        execution: 'client',
        arguments: searchArguments(input),
      }
    case 'function':
      return { id, type: 'function_call', status, call_id: head.id, name: head.name, ...namespace, arguments: input }
  }
}

/** Usage in this protocol's terms; `null` when the upstream said nothing. */
export function encodeUsage(tokens: TokenCounts): JsonObject | null {
  const { inputTokens, outputTokens } = tokens
  if (inputTokens === null && outputTokens === null) return null
  const hour = tokens.cacheWrite1hTokens ?? 0
  const writes = (tokens.cacheWriteTokens ?? 0) + hour
  return {
    input_tokens: inputTokens ?? 0,
    input_tokens_details: {
      cached_tokens: tokens.cachedInputTokens ?? 0,
      cache_write_tokens: writes,
      ...(hour > 0 ? { cache_write_tokens_details: { ttl_5m_tokens: writes - hour, ttl_1h_tokens: hour } } : {}),
    },
    output_tokens: outputTokens ?? 0,
    output_tokens_details: { reasoning_tokens: tokens.reasoningTokens ?? 0 },
    total_tokens: (inputTokens ?? 0) + (outputTokens ?? 0),
  }
}

/** A tool search's arguments, which are an object here and JSON text elsewhere. */
function searchArguments(input: string): Json {
  const value = jsonOf(input === '' ? '{}' : input)
  return (value === undefined ? input : value) as Json
}
