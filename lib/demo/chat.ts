import { isObject } from '../base/mod.ts'
import type { Behaviour } from './models.ts'
import type { Frame } from './pace.ts'
import { allText, type Body, json, listOf, partsOf, tokensIn, wholeNumber } from './read.ts'
import { Refusal } from './refusal.ts'
import { pieces } from './tokens.ts'
import type { Ask, Tool, Turn } from './turn.ts'

/** Reads a Chat Completions request. */
export function readChat(body: Body, model: string, behaviour: Behaviour): Ask {
  const messages = listOf(body, 'messages')
  for (const [i, message] of messages.entries()) {
    if (!['system', 'developer', 'user', 'assistant', 'tool', 'function'].includes(String(message['role']))) {
      throw new Refusal(400, `invalid value for 'messages[${i}].role'`, { param: `messages[${i}].role` })
    }
  }
  const lastUser = messages.findLastIndex((message) => message['role'] === 'user')
  const lastAssistant = messages.findLastIndex((message) => message['role'] === 'assistant')
  const parts = lastUser < 0 ? [] : partsOf(messages[lastUser]!['content'])
  return {
    model,
    behaviour,
    text: String(parts.findLast((part) => part['type'] === 'text')?.['text'] ?? ''),
    attachments: parts.filter((part) => part['type'] !== 'text').length,
    results: messages.slice(lastUser + 1).filter((message) =>
      message['role'] === 'tool' || message['role'] === 'function'
    )
      .map((message) => allText(message['content'])),
    tools: toolsOf(body['tools']),
    choice: choiceOf(body['tool_choice']),
    parallel: body['parallel_tool_calls'] !== false,
    inputTokens: tokensIn(messages) + tokensIn(body['tools']) + 3,
    cachedTokens: lastAssistant < 0 ? 0 : tokensIn(messages.slice(0, lastAssistant)) + tokensIn(body['tools']),
    cacheWriteTokens: 0,
    maxTokens: wholeNumber(body, 'max_completion_tokens', 'max_tokens'),
    stop: typeof body['stop'] === 'string'
      ? [body['stop']]
      : Array.isArray(body['stop'])
      ? body['stop'].map(String)
      : [],
    json: formatOf(body['response_format']),
    think: body['reasoning_effort'] !== undefined && body['reasoning_effort'] !== 'none',
  }
}

function toolsOf(tools: unknown): Tool[] {
  if (!Array.isArray(tools)) return []
  return tools.filter(isObject).flatMap((tool): Tool[] => {
    const kind = tool['type'] === 'custom' ? 'custom' : 'function'
    const about = tool[kind]
    if (!isObject(about) || typeof about['name'] !== 'string') return []
    return [{ name: about['name'], namespace: undefined, kind, schema: json(about['parameters']) }]
  })
}

function choiceOf(choice: unknown): Ask['choice'] {
  if (choice === 'none' || choice === 'required') return choice
  if (!isObject(choice)) return 'auto'
  const named = choice['function'] ?? choice['custom']
  return isObject(named) && typeof named['name'] === 'string' ? { name: named['name'] } : 'auto'
}

function formatOf(format: unknown): Ask['json'] {
  if (!isObject(format) || format['type'] === 'text') return null
  const named = format['json_schema']
  return { schema: isObject(named) ? json(named['schema']) : undefined }
}

const finishReasons = {
  'stop': 'stop',
  'stop-sequence': 'stop',
  'refusal': 'stop',
  'length': 'length',
  'calls': 'tool_calls',
} as const satisfies Record<Turn['end'], string>

/** What is the same in every object of one answer. */
export interface ChatIdentity {
  readonly id: string
  /** Epoch seconds. */
  readonly created: number
  readonly model: string
  /** A fresh id with this prefix, for each call. */
  readonly newId: (prefix: string) => string
}

function usageOf(ask: Ask, turn: Turn): Record<string, unknown> {
  return {
    prompt_tokens: ask.inputTokens,
    completion_tokens: turn.outputTokens,
    total_tokens: ask.inputTokens + turn.outputTokens,
    prompt_tokens_details: { cached_tokens: ask.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: turn.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

/** The whole answer as one `chat.completion`. */
export function chatCompletion(ask: Ask, turn: Turn, who: ChatIdentity): Record<string, unknown> {
  const text = turn.text.join('')
  const calls = turn.calls.map((call) => ({
    id: who.newId('call_'),
    ...(call.tool.kind === 'custom'
      ? { type: 'custom', custom: { name: call.tool.name, input: call.input } }
      : { type: 'function', function: { name: call.tool.name, arguments: call.input } }),
  }))
  return {
    id: who.id,
    object: 'chat.completion',
    created: who.created,
    model: who.model,
    choices: [{
      index: 0,
      message: {
        role: 'assistant',
        content: turn.refused || (text === '' && calls.length > 0) ? null : text,
        refusal: turn.refused ? text : null,
        annotations: [],
        ...(calls.length > 0 ? { tool_calls: calls } : {}),
      },
      logprobs: null,
      finish_reason: finishReasons[turn.end],
    }],
    usage: usageOf(ask, turn),
    service_tier: 'default',
    system_fingerprint: 'fp_demo',
  }
}

/** The answer as `chat.completion.chunk` events, ended by `[DONE]`. */
export function* chatChunks(ask: Ask, turn: Turn, who: ChatIdentity, includeUsage: boolean): Iterable<Frame> {
  const chunk = (choices: unknown[], usage: unknown = null): unknown => ({
    id: who.id,
    object: 'chat.completion.chunk',
    created: who.created,
    model: who.model,
    service_tier: 'default',
    system_fingerprint: 'fp_demo',
    choices,
    ...(includeUsage ? { usage } : {}),
  })
  const delta = (value: unknown, finish: string | null = null): unknown =>
    chunk([{ index: 0, delta: value, logprobs: null, finish_reason: finish }])

  yield { data: delta({ role: 'assistant', content: turn.calls.length > 0 ? null : '', refusal: null }) }
  for (const piece of turn.text) {
    yield { data: delta(turn.refused ? { refusal: piece } : { content: piece }), generated: true }
  }
  for (const [index, { tool, input }] of turn.calls.entries()) {
    const id = who.newId('call_')
    if (tool.kind === 'custom') {
      const custom = { name: tool.name, input: '' }
      yield { data: delta({ tool_calls: [{ index, id, type: 'custom', custom }] }), generated: true }
      for (const piece of pieces(input)) {
        yield { data: delta({ tool_calls: [{ index, custom: { input: piece } }] }), generated: true }
      }
      continue
    }
    const start = { index, id, type: 'function', function: { name: tool.name, arguments: '' } }
    yield { data: delta({ tool_calls: [start] }), generated: true }
    for (const piece of pieces(input)) {
      yield { data: delta({ tool_calls: [{ index, function: { arguments: piece } }] }), generated: true }
    }
  }
  yield { data: delta({}, finishReasons[turn.end]) }
  if (includeUsage) yield { data: chunk([], usageOf(ask, turn)) }
  yield { data: '[DONE]' }
}
