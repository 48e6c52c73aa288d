import { formatSse } from '../../base/mod.ts'
import { addTokens, noTokens, type TokenCounts } from '../usage.ts'
import { endsLikeObject, eventType, isGarbage, notJson, readData } from './events.ts'
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

/** More blocks open at a time than any answer has: an upstream that opens more never comes to an end. */
const maxOpen = 256

/**
 * Reads each event that is rare, and of the deltas only that a block is open and that they end like an object: which
 * block they are of, and what they say, is for the caller to read.
 */
class MessagesTracker implements StreamTracker {
  tokens = noTokens
  failure: StreamFailure | null = null
  fault: string | null = null
  finished = false
  id: string | null = null
  #started = false
  #content = false
  /** Whether a delta may come, and says nothing that must be read. */
  #flows = false
  /** The blocks that are open: one, but for upstreams that let them overlap. */
  readonly #open: number[] = []
  /** The highest block that has begun. */
  #top = -1
  #reason: string | null = null

  read(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): EventRole {
    // event: content_block_delta — nearly every event, and nothing to read in it once the model has begun.
    if (
      this.#flows && bytes[start] === 101 && bytes[start + 7] === 99 && bytes[start + 21] === 100 &&
      endsLikeObject(bytes, start, end)
    ) return 'content'
    const role = this.#role(
      eventType(bytes, start, end) ?? text(readData(bytes, start, end), 'type'),
      bytes,
      start,
      end,
    )
    this.#flows = this.#content && this.#open.length > 0 && this.#reason === null
    return role
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

  #wrong(fault: string): EventRole {
    this.fault = fault
    return 'fault'
  }

  #role(type: string | null, bytes: Uint8Array, start: number, end: number): EventRole {
    switch (type) {
      case null:
        return isGarbage(bytes, start, end) && readData(bytes, start, end) === null ? this.#wrong(notJson) : 'idle'
      case 'ping':
        return 'idle'
      case 'message_start': {
        const message = member(readData(bytes, start, end), 'message')
        if (this.#started || typeof message !== 'object' || message === null) {
          return this.#wrong('message_start came twice or empty')
        }
        this.#started = true
        this.id = text(message, 'id')
        this.tokens = addTokens(this.tokens, messageUsage(member(message, 'usage')))
        return 'opening'
      }
      case 'error': {
        const error = member(readData(bytes, start, end), 'error')
        this.failure = {
          type: text(error, 'type'),
          code: null,
          message: text(error, 'message') ?? 'the upstream reported an error',
        }
        return 'failure'
      }
      case 'message_delta':
      case 'message_stop':
      case 'content_block_start':
      case 'content_block_delta':
      case 'content_block_stop':
        if (!this.#started) return this.#wrong(`${type} came before message_start`)
        return this.#known(type, bytes, start, end)
    }
    this.#content = true
    return 'content'
  }

  /** An event of the message that has begun. */
  #known(type: string, bytes: Uint8Array, start: number, end: number): EventRole {
    if (type === 'content_block_delta') {
      if (this.#reason !== null) return this.#wrong('content came behind the stop_reason')
      if (this.#open.length === 0) return this.#wrong('a delta for a content block that is not open')
      if (!endsLikeObject(bytes, start, end) && readData(bytes, start, end) === null) return this.#wrong(notJson)
      this.#content = true
      return 'content'
    }
    const event = readData(bytes, start, end)
    if (event === null) return this.#wrong(notJson)
    switch (type) {
      case 'message_delta': {
        // Some deltas repeat only the output: the input of the start then stands.
        this.tokens = addTokens(this.tokens, messageUsage(member(event, 'usage')))
        const reason = text(member(event, 'delta'), 'stop_reason')
        if (reason !== null && this.#reason !== null && reason !== this.#reason) {
          return this.#wrong('the message stopped for two reasons')
        }
        this.#reason ??= reason
        // The end of a turn in which nothing was written is no answer; any other reason to stop is one.
        if (!this.#content && (reason === null || reason === 'end_turn') && !this.tokens.outputTokens) return 'opening'
        this.#content = true
        return 'content'
      }
      case 'message_stop':
        this.finished = true
        return 'end'
      case 'content_block_start':
        return this.#begin(event)
      default:
        return this.#stop(count(member(event, 'index')))
    }
  }

  #begin(event: unknown): EventRole {
    const block = member(event, 'content_block')
    const index = count(member(event, 'index')) ?? this.#top + 1
    if (this.#reason !== null) return this.#wrong('content came behind the stop_reason')
    if (index <= this.#top || typeof block !== 'object' || block === null) {
      return this.#wrong(`content block ${index} began twice, out of turn or empty`)
    }
    if (this.#open.length === maxOpen) return this.#wrong(`${maxOpen} content blocks are open`)
    this.#top = index
    this.#open.push(index)
    // The name of a tool that the model chose is its work; an empty text or thinking block is not.
    const kind = text(block, 'type')
    if (!this.#content && (kind === 'text' || kind === 'thinking')) return 'opening'
    this.#content = true
    return 'content'
  }

  #stop(index: number | null): EventRole {
    const at = index === null ? this.#open.length - 1 : this.#open.indexOf(index)
    if (at < 0) return this.#wrong(`content block ${index ?? ''} ended, which is not open`)
    this.#open.splice(at, 1)
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
