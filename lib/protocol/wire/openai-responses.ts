import { formatSse } from '../../base/mod.ts'
import { noTokens, type TokenCounts } from '../usage.ts'
import { eventType, readData } from './events.ts'
import { count, member, text } from './numbers.ts'
import { ownResponse } from './own-openai-responses.ts'
import type { EventRole, StreamFailure, StreamTracker, Wire } from './wire.ts'

const encoder = new TextEncoder()

/** Counts of a response object. @see https://platform.openai.com/docs/api-reference/responses/object */
function responseUsage(body: unknown): TokenCounts {
  const usage = member(body, 'usage')
  if (typeof usage !== 'object' || usage === null) return noTokens
  return {
    inputTokens: count(member(usage, 'input_tokens')),
    outputTokens: count(member(usage, 'output_tokens')),
    cachedInputTokens: count(member(member(usage, 'input_tokens_details'), 'cached_tokens')),
    cacheWriteTokens: count(member(member(usage, 'input_tokens_details'), 'cache_write_tokens')),
    cacheWrite1hTokens: null,
    reasoningTokens: count(member(member(usage, 'output_tokens_details'), 'reasoning_tokens')),
  }
}

/** Events that announce and hold nothing the model made yet. */
const openings = new Set([
  'response.created',
  'response.queued',
  'response.in_progress',
  'response.output_item.added',
  'response.content_part.added',
  'response.reasoning_summary_part.added',
])

class ResponseTracker implements StreamTracker {
  tokens = noTokens
  failure: StreamFailure | null = null
  finished = false
  id: string | null = null
  #content = false
  #sequence = -1

  read(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): EventRole {
    // event: response.output_… — nearly every event, and nothing to read in it once the model has begun.
    if (this.#content && bytes[start] === 101 && bytes[start + 16] === 111) {
      this.#sequence++
      return 'content'
    }
    const type = eventType(bytes, start, end) ?? text(readData(bytes, start, end), 'type')
    if (type !== null) this.#sequence++
    return this.#role(type, bytes, start, end)
  }

  /** What the vendor itself sends in long silences; clients pass over types that they do not know. */
  keepAlive(): Uint8Array<ArrayBuffer> {
    return encoder.encode(formatSse({
      event: 'keepalive',
      data: JSON.stringify({ type: 'keepalive', sequence_number: Math.max(0, this.#sequence) }),
    }))
  }

  failureEvent({ code, message }: StreamFailure): Uint8Array<ArrayBuffer> {
    return encoder.encode(formatSse({
      event: 'error',
      data: JSON.stringify({ type: 'error', code, message, param: null, sequence_number: this.#sequence + 1 }),
    }))
  }

  #settle(bytes: Uint8Array, start: number, end: number): Record<string, unknown> | null {
    const event = readData(bytes, start, end)
    this.tokens = responseUsage(member(event, 'response'))
    return event
  }

  #role(type: string | null, bytes: Uint8Array, start: number, end: number): EventRole {
    switch (type) {
      case 'response.completed':
      case 'response.incomplete':
        this.#settle(bytes, start, end)
        this.finished = true
        return 'end'
      case 'response.failed': {
        const error = member(member(this.#settle(bytes, start, end), 'response'), 'error')
        this.failure = {
          type: 'response.failed',
          code: text(error, 'code'),
          message: text(error, 'message') ?? 'the response failed',
        }
        return 'failure'
      }
      case 'error': {
        const event = readData(bytes, start, end)
        const error = member(event, 'error') ?? event
        this.failure = {
          type: text(error, 'type'),
          code: text(error, 'code'),
          message: text(error, 'message') ?? 'the upstream reported an error',
        }
        return 'failure'
      }
      case null:
        return 'idle'
    }
    if (this.#content || !openings.has(type)) {
      this.#content ||= type.startsWith('response.')
      return this.#content ? 'content' : 'idle'
    }
    // The name of a tool that the model chose is its work; an empty message or reasoning item is not.
    if (type === 'response.output_item.added') {
      const kind = text(member(readData(bytes, start, end), 'item'), 'type')
      if (kind === 'message' || kind === 'reasoning') return 'opening'
      this.#content = true
      return 'content'
    }
    if (type === 'response.created') this.id = text(member(readData(bytes, start, end), 'response'), 'id')
    return 'opening'
  }
}

/** OpenAI Responses. */
export const openaiResponsesWire: Wire = {
  protocol: 'openai-responses',
  own: ownResponse,
  tracker: () => new ResponseTracker(),
  usage: responseUsage,
}
