import { formatSse, type JsonObject } from '../../base/mod.ts'
import { addTokens, noTokens, type TokenCounts } from '../usage.ts'
import { dataStart, endsLikeObject, isGarbage, Marks, notJson, readData } from './events.ts'
import { count, maxChoices, member, text } from './numbers.ts'
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

/**
 * What an event holds that must be opened although the model has begun: by how its upstream writes JSON, and whether its
 * finish is still to come. An upstream writes all of its JSON in one way, so that no more is searched than one way needs.
 * Without their first quote, which stands everywhere, they are found in half the time.
 */
const marks = {
  tight: { begun: new Marks('usage":{', 'finish_reason":"', 'error"'), loose: new Marks('usage":{', 'error"') },
  spaced: {
    begun: new Marks('usage": {', 'finish_reason": "', 'error"'),
    loose: new Marks('usage": {', 'error"'),
  },
}

/** Which way it is: a space behind the colon of the first name, or none. */
function wayOf(bytes: Uint8Array, data: number): keyof typeof marks {
  // {"id": or {"choices": and the like.
  if (bytes[data + 1] !== 34) return 'spaced'
  let at = data + 2
  while (at < data + 24 && bytes[at] !== 34) at++
  return bytes[at + 2] === 32 ? 'spaced' : 'tight'
}

/** Whether a delta holds something the model made. */
function saysSomething(choice: unknown): boolean {
  const delta = member(choice, 'delta')
  if (typeof delta !== 'object' || delta === null) return false
  return Object.entries(delta).some(([name, value]) =>
    name !== 'role' && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0)
  )
}

/**
 * Reads the first chunks, each that says how the answer finished or what it used, and all that come behind the finish. Of
 * the others it reads that they begin and end like an object.
 */
class ChatTracker implements StreamTracker {
  tokens = noTokens
  failure: StreamFailure | null = null
  fault: string | null = null
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
  /** The choices that have finished; `null` while there are none. */
  #finished: Set<number> | null = null
  /** Whether a finish is no end to this upstream: some name one in every chunk. */
  #loose = false

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
      this.#mark = marks[wayOf(bytes, data)][this.#loose ? 'loose' : 'begun'].next(bytes, start)
    }
    this.#lastStart = start
    this.#lastEnd = end
    // Once the model has begun, a chunk is opened only for its finish, its usage, or for an error.
    if (
      this.#content && this.#mark >= end && this.#finished === null && bytes[data] === 123 &&
      endsLikeObject(bytes, start, end)
    ) return 'content'
    const chunk = readData(bytes, start, end)
    if (!chunk) {
      return isGarbage(bytes, start, end) ? this.#wrong(notJson) : this.#content ? 'content' : 'idle'
    }
    if (chunk['error'] !== undefined && chunk['error'] !== null) return this.#fail(chunk)
    if (chunk['usage']) this.tokens = addTokens(this.tokens, chatUsage(chunk))
    this.#id ||= text(chunk, 'id') ?? ''
    this.#model ||= text(chunk, 'model') ?? ''
    return this.#look(chunk['choices'])
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

  #wrong(fault: string): EventRole {
    this.fault = fault
    return 'fault'
  }

  /** What the choices of a chunk say. */
  #look(choices: unknown): EventRole {
    if (!Array.isArray(choices)) return this.#content ? 'content' : 'opening'
    const begun = this.#content
    for (const choice of choices as unknown[]) {
      const index = count(member(choice, 'index')) ?? 0
      const says = saysSomething(choice)
      if (says && this.#finished?.has(index)) return this.#wrong('the stream went on after its finish_reason')
      const reason = text(choice, 'finish_reason')
      // Stopping of itself with nothing said is no answer yet; any other reason is one.
      this.#content ||= says || (reason !== null && reason !== 'stop')
      if (reason === null || this.#loose) continue
      // A finish in the first chunk with words, or before it, or that is empty, stands in every chunk.
      if (!begun || reason === '') this.#loose = true
      else if (index < maxChoices) (this.#finished ??= new Set()).add(index)
    }
    return this.#content ? 'content' : 'opening'
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
