import { formatSse } from '../../base/mod.ts'
import { addTokens, noTokens, type TokenCounts } from '../usage.ts'
import { eventType, readData } from './events.ts'
import { count, member, text } from './numbers.ts'
import { ownMessages } from './own-anthropic-messages.ts'
import type { EventRole, StreamFailure, StreamTracker, Wire } from './wire.ts'

const encoder = new TextEncoder()
const ping = encoder.encode(formatSse({ event: 'ping', data: '{"type": "ping"}' }))

/**
 * Counts of a message. Anthropic's `input_tokens` leaves the cached and the cache-writing ones out: they are added here.
 *
 * @see https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
 */
function messageUsage(usage: unknown): Partial<TokenCounts> {
  if (typeof usage !== 'object' || usage === null) return {}
  const fresh = count(member(usage, 'input_tokens'))
  const cached = count(member(usage, 'cache_read_input_tokens'))
  const written = count(member(usage, 'cache_creation_input_tokens'))
  const hour = count(member(member(usage, 'cache_creation'), 'ephemeral_1h_input_tokens'))
  return {
    inputTokens: fresh === null ? null : fresh + (cached ?? 0) + (written ?? 0),
    outputTokens: count(member(usage, 'output_tokens')),
    cachedInputTokens: cached,
    cacheWriteTokens: written === null ? null : Math.max(0, written - (hour ?? 0)),
    cacheWrite1hTokens: hour,
    reasoningTokens: null,
  }
}

class MessagesTracker implements StreamTracker {
  tokens = noTokens
  failure: StreamFailure | null = null
  finished = false
  id: string | null = null
  #content = false

  read(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): EventRole {
    // event: content_block_… — nearly every event, and nothing to read in it once the model has begun.
    return this.#content && bytes[start] === 101 && bytes[start + 7] === 99
      ? 'content'
      : this.#role(eventType(bytes, start, end) ?? text(readData(bytes, start, end), 'type'), bytes, start, end)
  }

  keepAlive(): Uint8Array<ArrayBuffer> {
    return ping
  }

  failureEvent({ type, message }: StreamFailure): Uint8Array<ArrayBuffer> {
    return encoder.encode(formatSse({
      event: 'error',
      data: JSON.stringify({ type: 'error', error: { type: type ?? 'api_error', message } }),
    }))
  }

  #role(type: string | null, bytes: Uint8Array, start: number, end: number): EventRole {
    switch (type) {
      case null:
      case 'ping':
        return 'idle'
      case 'message_start': {
        const message = member(readData(bytes, start, end), 'message')
        this.id = text(message, 'id')
        this.tokens = addTokens(this.tokens, messageUsage(member(message, 'usage')))
        return 'opening'
      }
      case 'message_delta': {
        const event = readData(bytes, start, end)
        // Some deltas repeat only the output: the input of the start then stands.
        this.tokens = addTokens(this.tokens, messageUsage(member(event, 'usage')))
        // The end of a turn in which nothing was written is no answer; any other reason to stop is one.
        const reason = text(member(event, 'delta'), 'stop_reason')
        if (!this.#content && (reason === null || reason === 'end_turn') && !this.tokens.outputTokens) return 'opening'
        this.#content = true
        return 'content'
      }
      case 'message_stop':
        this.finished = true
        return 'end'
      case 'error': {
        const error = member(readData(bytes, start, end), 'error')
        this.failure = {
          type: text(error, 'type'),
          code: null,
          message: text(error, 'message') ?? 'the upstream reported an error',
        }
        return 'failure'
      }
      case 'content_block_start': {
        if (this.#content) return 'content'
        // The name of a tool that the model chose is its work; an empty text or thinking block is not.
        const kind = text(member(readData(bytes, start, end), 'content_block'), 'type')
        if (kind === 'text' || kind === 'thinking') return 'opening'
      }
    }
    this.#content = true
    return 'content'
  }
}

/** Anthropic Messages. */
export const anthropicMessagesWire: Wire = {
  protocol: 'anthropic-messages',
  own: ownMessages,
  tracker: () => new MessagesTracker(),
  usage: (body) => addTokens(noTokens, messageUsage(body['usage'])),
}
