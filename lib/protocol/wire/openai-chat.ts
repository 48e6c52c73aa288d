import { formatSse, type JsonObject } from '../../base/mod.ts'
import { addTokens, noTokens, type TokenCounts } from '../usage.ts'
import { dataStart, markFinder, readData } from './events.ts'
import { count, member, text } from './numbers.ts'
import { ownChat } from './own-openai-chat.ts'
import type { EventRole, StreamFailure, StreamTracker, Wire } from './wire.ts'

const encoder = new TextEncoder()

/**
 * Counts of a chat completion or embedding. `prompt_tokens` includes the cached ones, `completion_tokens` the reasoning.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/object
 */
function chatUsage(body: unknown): TokenCounts {
  const usage = member(body, 'usage')
  if (typeof usage !== 'object' || usage === null) return noTokens
  const prompt = member(usage, 'prompt_tokens_details') ?? member(usage, 'input_tokens_details')
  const completion = member(usage, 'completion_tokens_details')
  return {
    inputTokens: count(member(usage, 'prompt_tokens') ?? member(usage, 'input_tokens')),
    outputTokens: count(member(usage, 'completion_tokens') ?? member(usage, 'output_tokens')),
    cachedInputTokens: count(member(prompt, 'cached_tokens') ?? member(usage, 'prompt_cache_hit_tokens')),
    cacheWriteTokens: count(member(prompt, 'cache_write_tokens')),
    cacheWrite1hTokens: null,
    reasoningTokens: count(member(completion, 'reasoning_tokens')),
  }
}

function tracker(): StreamTracker {
  const marked = markFinder(['"usage":{', '"usage": {', '"error"'])
  let tokens = noTokens
  let failure: StreamFailure | null = null
  let content = false
  let finished = false
  let id = ''
  let model = ''
  // The newest event before [DONE], kept in case the stream ends without one.
  let last: Uint8Array | null = null
  let lastStart = 0
  let lastEnd = 0

  /** Whether a chunk holds something the model made. Parsed, because only the first few chunks are asked. */
  function look(chunk: Record<string, unknown>): EventRole {
    id ||= text(chunk, 'id') ?? ''
    model ||= text(chunk, 'model') ?? ''
    const choices = chunk['choices']
    if (!Array.isArray(choices)) return 'opening'
    for (const choice of choices as unknown[]) {
      const reason = member(choice, 'finish_reason')
      // Stopping of itself with nothing said is no answer yet; any other reason is one.
      if (typeof reason === 'string' && reason !== 'stop') return 'content'
      const delta = member(choice, 'delta')
      if (typeof delta !== 'object' || delta === null) continue
      for (const [name, value] of Object.entries(delta)) {
        if (name !== 'role' && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0)) {
          return 'content'
        }
      }
    }
    return 'opening'
  }

  function fail(chunk: Record<string, unknown>): EventRole {
    const error = chunk['error']
    failure = {
      type: text(error, 'type'),
      code: text(error, 'code') ?? (typeof member(error, 'code') === 'number' ? String(member(error, 'code')) : null),
      message: text(error, 'message') ?? (typeof error === 'string' ? error : 'the upstream reported an error'),
    }
    return 'failure'
  }

  return {
    read(bytes, start, end) {
      const data = dataStart(bytes, start, end)
      if (data < 0) return 'idle'
      // [DONE]
      if (bytes[data] === 91 && bytes[data + 1] === 68) {
        finished = true
        return 'end'
      }
      last = bytes
      lastStart = start
      lastEnd = end
      // Once the model has begun, a chunk is opened only for its usage, or for an error.
      if (content && !marked(bytes)) return 'content'
      const chunk = readData(bytes, start, end)
      if (!chunk) return content ? 'content' : 'idle'
      if (chunk['error'] !== undefined && chunk['error'] !== null) return fail(chunk)
      if (chunk['usage']) tokens = addTokens(tokens, chatUsage(chunk))
      if (content) return 'content'
      const role = look(chunk)
      if (role === 'content') content = true
      return role
    },
    get tokens() {
      return tokens
    },
    get id() {
      return id === '' ? null : id
    },
    get failure() {
      return failure
    },
    get finished() {
      if (finished || !last) return finished
      const choices = readData(last, lastStart, lastEnd)?.['choices']
      // A usage chunk without choices comes after the finish.
      return Array.isArray(choices) &&
        (choices.length === 0 ? tokens.outputTokens !== null : choices.every((c) => text(c, 'finish_reason') !== null))
    },
    keepAlive() {
      // With the stream's own id: the official SDK takes another id for another answer.
      const delta = id === '' ? { role: 'assistant', content: '' } : {}
      return encoder.encode(formatSse({
        data: JSON.stringify({
          id,
          object: 'chat.completion.chunk',
          created: 0,
          model,
          choices: [{ index: 0, delta, finish_reason: null }],
        }),
      }))
    },
    failureEvent: ({ type, code, message }) =>
      encoder.encode(
        formatSse({ data: JSON.stringify({ error: { message, type: type ?? 'api_error', param: null, code } }) }),
      ),
  }
}

/** Chat completions, and the embeddings and transcriptions that share their usage object. */
export const openaiChatWire: Wire = {
  protocol: 'openai-chat',
  own: ownChat,
  tracker,
  usage: (body: JsonObject) => chatUsage(body),
}
