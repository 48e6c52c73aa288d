import { formatSse, type JsonObject } from '../../base/mod.ts'
import { addTokens, noTokens, type TokenCounts } from '../usage.ts'
import { dataStart, Marks, readData } from './events.ts'
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

/** What an event holds that must be opened although the model has begun. */
const marks = new Marks('"usage":{', '"usage": {', '"error"')

class ChatTracker implements StreamTracker {
  tokens = noTokens
  failure: StreamFailure | null = null
  #content = false
  #done = false
  #id = ''
  #model = ''
  /** The newest event before [DONE], kept in case the stream ends without one. */
  #last: Uint8Array<ArrayBuffer> | null = null
  #lastStart = 0
  #lastEnd = 0
  /** Where the next mark of its piece is. */
  #mark = Infinity

  get id(): string | null {
    return this.#id === '' ? null : this.#id
  }

  get finished(): boolean {
    if (this.#done || !this.#last) return this.#done
    const choices = readData(this.#last, this.#lastStart, this.#lastEnd)?.['choices']
    // A usage chunk without choices comes after the finish.
    return Array.isArray(choices) &&
      (choices.length === 0
        ? this.tokens.outputTokens !== null
        : choices.every((c) => text(c, 'finish_reason') !== null))
  }

  read(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): EventRole {
    const data = dataStart(bytes, start, end)
    if (data < 0) return 'idle'
    // [DONE]
    if (bytes[data] === 91 && bytes[data + 1] === 68) {
      this.#done = true
      return 'end'
    }
    if (this.#last !== bytes || this.#mark < start) {
      this.#last = bytes
      this.#mark = marks.next(bytes, start)
    }
    this.#lastStart = start
    this.#lastEnd = end
    // Once the model has begun, a chunk is opened only for its usage, or for an error.
    if (this.#content && this.#mark >= end) return 'content'
    const chunk = readData(bytes, start, end)
    if (!chunk) return this.#content ? 'content' : 'idle'
    if (chunk['error'] !== undefined && chunk['error'] !== null) return this.#fail(chunk)
    if (chunk['usage']) this.tokens = addTokens(this.tokens, chatUsage(chunk))
    if (this.#content) return 'content'
    const role = this.#look(chunk)
    if (role === 'content') this.#content = true
    return role
  }

  keepAlive(): Uint8Array<ArrayBuffer> {
    // With the stream's own id: the official SDK takes another id for another answer.
    const id = this.#id
    const delta = id === '' ? { role: 'assistant', content: '' } : {}
    return encoder.encode(formatSse({
      data: JSON.stringify({
        id,
        object: 'chat.completion.chunk',
        created: 0,
        model: this.#model,
        choices: [{ index: 0, delta, finish_reason: null }],
      }),
    }))
  }

  failureEvent({ type, code, message }: StreamFailure): Uint8Array<ArrayBuffer> {
    const error = { message, type: type ?? 'api_error', param: null, code }
    return encoder.encode(formatSse({ data: JSON.stringify({ error }) }))
  }

  /** Whether a chunk holds something the model made. Parsed, because only the first few chunks are asked. */
  #look(chunk: Record<string, unknown>): EventRole {
    this.#id ||= text(chunk, 'id') ?? ''
    this.#model ||= text(chunk, 'model') ?? ''
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

  #fail(chunk: Record<string, unknown>): EventRole {
    const error = chunk['error']
    this.failure = {
      type: text(error, 'type'),
      code: text(error, 'code') ?? (typeof member(error, 'code') === 'number' ? String(member(error, 'code')) : null),
      message: text(error, 'message') ?? (typeof error === 'string' ? error : 'the upstream reported an error'),
    }
    return 'failure'
  }
}

/** Chat completions, and the embeddings and transcriptions that share their usage object. */
export const openaiChatWire: Wire = {
  protocol: 'openai-chat',
  own: ownChat,
  tracker: () => new ChatTracker(),
  usage: (body: JsonObject) => chatUsage(body),
}
