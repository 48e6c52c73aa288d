import { isObject } from '../base/mod.ts'
import type { Behaviour } from './models.ts'
import type { Frame } from './pace.ts'
import { allText, type Body, json, listOf, partsOf, tokensIn, wholeNumber } from './read.ts'
import { Refusal } from './refusal.ts'
import { pieces } from './tokens.ts'
import type { Ask, Tool, Turn } from './turn.ts'

/** Input tokens of a Messages request: what `count_tokens` answers and what `usage` adds up to. */
export function messagesTokens(body: Body): number {
  return tokensIn(body['system']) + tokensIn(listOf(body, 'messages')) + tokensIn(body['tools'])
}

/** Reads a Messages request. */
export function readMessages(body: Body, model: string, behaviour: Behaviour): Ask {
  const messages = listOf(body, 'messages')
  for (const [i, message] of messages.entries()) {
    if (message['role'] !== 'user' && message['role'] !== 'assistant') {
      throw new Refusal(400, `messages.${i}.role: Input should be 'user' or 'assistant'`)
    }
  }
  const maxTokens = wholeNumber(body, 'max_tokens')
  if (maxTokens === null) throw new Refusal(400, 'max_tokens: Field required')
  const spoken = messages.findLastIndex((message) =>
    message['role'] === 'user' && !partsOf(message['content']).some((part) => part['type'] === 'tool_result')
  )
  const parts = spoken < 0 ? [] : partsOf(messages[spoken]!['content'])
  const total = messagesTokens(body)
  const cached = cachedOf(body, messages, total)
  const thinking = body['thinking']
  return {
    model,
    behaviour,
    text: String(parts.findLast((part) => part['type'] === 'text')?.['text'] ?? ''),
    attachments: parts.filter((part) => part['type'] !== 'text').length,
    results: messages.slice(spoken + 1).flatMap((message) => partsOf(message['content']))
      .filter((part) => part['type'] === 'tool_result').map((part) => allText(part['content'])),
    tools: toolsOf(body['tools']),
    choice: choiceOf(body['tool_choice']),
    parallel: !(isObject(body['tool_choice']) && body['tool_choice']['disable_parallel_tool_use'] === true),
    inputTokens: total,
    ...cached,
    maxTokens,
    stop: Array.isArray(body['stop_sequences']) ? body['stop_sequences'].map(String) : [],
    json: formatOf(body),
    think: isObject(thinking) && (thinking['type'] === 'enabled' || thinking['type'] === 'adaptive'),
  }
}

/** Cache marks make the first turn of a conversation write what later turns read. */
function cachedOf(body: Body, messages: Body[], total: number): { cachedTokens: number; cacheWriteTokens: number } {
  const marked = [body['system'], body['tools'], ...messages.map((message) => message['content'])]
    .some((place) => Array.isArray(place) && place.some((part) => isObject(part) && isObject(part['cache_control'])))
  if (!marked) return { cachedTokens: 0, cacheWriteTokens: 0 }
  const lastAssistant = messages.findLastIndex((message) => message['role'] === 'assistant')
  const fixed = tokensIn(body['system']) + tokensIn(body['tools'])
  if (lastAssistant < 0) return { cachedTokens: 0, cacheWriteTokens: fixed }
  const read = fixed + tokensIn(messages.slice(0, lastAssistant))
  return { cachedTokens: read, cacheWriteTokens: Math.max(0, total - read - tokensIn(messages.at(-1))) }
}

function toolsOf(tools: unknown): Tool[] {
  if (!Array.isArray(tools)) return []
  return tools.filter(isObject).flatMap((tool): Tool[] => {
    // A tool with a type of its own runs on the server, and this one runs none.
    if (typeof tool['name'] !== 'string' || (tool['type'] !== undefined && tool['type'] !== 'custom')) return []
    return [{ name: tool['name'], namespace: undefined, kind: 'function', schema: json(tool['input_schema']) }]
  })
}

function choiceOf(choice: unknown): Ask['choice'] {
  if (!isObject(choice)) return 'auto'
  if (choice['type'] === 'any') return 'required'
  if (choice['type'] === 'none') return 'none'
  return choice['type'] === 'tool' && typeof choice['name'] === 'string' ? { name: choice['name'] } : 'auto'
}

function formatOf(body: Body): Ask['json'] {
  const output = body['output_config']
  const format = isObject(output) ? output['format'] : body['output_format']
  return isObject(format) && format['type'] === 'json_schema' ? { schema: json(format['schema']) } : null
}

const stopReasons = {
  'stop': 'end_turn',
  'stop-sequence': 'stop_sequence',
  'refusal': 'refusal',
  'length': 'max_tokens',
  'calls': 'tool_use',
} as const satisfies Record<Turn['end'], string>

/** What is the same in every object of one answer. */
export interface MessageIdentity {
  readonly id: string
  readonly model: string
  readonly newId: (prefix: string) => string
}

function usageOf(ask: Ask, outputTokens: number): Record<string, unknown> {
  return {
    input_tokens: ask.inputTokens - ask.cachedTokens - ask.cacheWriteTokens,
    cache_creation_input_tokens: ask.cacheWriteTokens,
    cache_read_input_tokens: ask.cachedTokens,
    cache_creation: { ephemeral_5m_input_tokens: ask.cacheWriteTokens, ephemeral_1h_input_tokens: 0 },
    output_tokens: outputTokens,
    service_tier: 'standard',
  }
}

/** A stand-in for the signature of a thinking block: opaque, and the same for the same text. */
function signatureOf(reasoning: string): string {
  return btoa(`demo:${reasoning.length}:${reasoning.slice(0, 24)}`)
}

/** The whole answer as one `message`. */
export function message(ask: Ask, turn: Turn, who: MessageIdentity): Record<string, unknown> {
  const text = turn.text.join('')
  return {
    id: who.id,
    type: 'message',
    role: 'assistant',
    model: who.model,
    content: [
      ...(turn.reasoning === null
        ? []
        : [{ type: 'thinking', thinking: turn.reasoning, signature: signatureOf(turn.reasoning) }]),
      ...(text === '' ? [] : [{ type: 'text', text }]),
      ...turn.calls.map(({ tool, input }) => ({
        type: 'tool_use',
        id: who.newId('toolu_'),
        name: tool.name,
        input: JSON.parse(input) as unknown,
      })),
    ],
    stop_reason: stopReasons[turn.end],
    stop_sequence: turn.stopSequence,
    usage: usageOf(ask, turn.outputTokens),
  }
}

/** The answer as Messages events. */
export function* messageEvents(ask: Ask, turn: Turn, who: MessageIdentity): Iterable<Frame> {
  const frame = (data: { readonly type: string } & Record<string, unknown>, generated = false): Frame => ({
    event: data.type,
    data,
    generated,
  })
  let index = -1
  const start = (block: unknown): Frame => {
    index++
    return frame({ type: 'content_block_start', index, content_block: block })
  }
  const delta = (value: unknown): Frame => frame({ type: 'content_block_delta', index, delta: value }, true)
  const stop = (): Frame => frame({ type: 'content_block_stop', index })

  const whole = message(ask, turn, who)
  yield frame({
    type: 'message_start',
    message: { ...whole, content: [], stop_reason: null, stop_sequence: null, usage: usageOf(ask, 1) },
  })
  let pinged = false
  const ping = function* (): Iterable<Frame> {
    if (!pinged) yield frame({ type: 'ping' })
    pinged = true
  }
  if (turn.reasoning !== null) {
    yield start({ type: 'thinking', thinking: '', signature: '' })
    yield* ping()
    for (const piece of pieces(turn.reasoning)) yield delta({ type: 'thinking_delta', thinking: piece })
    yield delta({ type: 'signature_delta', signature: signatureOf(turn.reasoning) })
    yield stop()
  }
  if (turn.text.length > 0) {
    yield start({ type: 'text', text: '' })
    yield* ping()
    for (const piece of turn.text) yield delta({ type: 'text_delta', text: piece })
    yield stop()
  }
  for (const { tool, input } of turn.calls) {
    yield start({ type: 'tool_use', id: who.newId('toolu_'), name: tool.name, input: {} })
    yield* ping()
    yield delta({ type: 'input_json_delta', partial_json: '' })
    for (const piece of pieces(input)) yield delta({ type: 'input_json_delta', partial_json: piece })
    yield stop()
  }
  yield frame({
    type: 'message_delta',
    delta: { stop_reason: stopReasons[turn.end], stop_sequence: turn.stopSequence },
    usage: usageOf(ask, turn.outputTokens),
  })
  yield frame({ type: 'message_stop' })
}
