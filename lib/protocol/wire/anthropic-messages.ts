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

function tracker(): StreamTracker {
  let tokens = noTokens
  let failure: StreamFailure | null = null
  let finished = false
  let content = false
  let id: string | null = null

  function role(type: string | null, bytes: Uint8Array, start: number, end: number): EventRole {
    switch (type) {
      case null:
      case 'ping':
        return 'idle'
      case 'message_start': {
        const message = member(readData(bytes, start, end), 'message')
        id = text(message, 'id')
        tokens = addTokens(tokens, messageUsage(member(message, 'usage')))
        return 'opening'
      }
      case 'message_delta': {
        const event = readData(bytes, start, end)
        // Some deltas repeat only the output: the input of the start then stands.
        tokens = addTokens(tokens, messageUsage(member(event, 'usage')))
        // The end of a turn in which nothing was written is no answer; any other reason to stop is one.
        const reason = text(member(event, 'delta'), 'stop_reason')
        if (!content && (reason === null || reason === 'end_turn') && !tokens.outputTokens) return 'opening'
        content = true
        return 'content'
      }
      case 'message_stop':
        finished = true
        return 'end'
      case 'error': {
        const error = member(readData(bytes, start, end), 'error')
        failure = {
          type: text(error, 'type'),
          code: null,
          message: text(error, 'message') ?? 'the upstream reported an error',
        }
        return 'failure'
      }
      case 'content_block_start': {
        if (content) return 'content'
        // The name of a tool that the model chose is its work; an empty text or thinking block is not.
        const kind = text(member(readData(bytes, start, end), 'content_block'), 'type')
        if (kind === 'text' || kind === 'thinking') return 'opening'
      }
    }
    content = true
    return 'content'
  }

  return {
    // event: content_block_… — nearly every event, and nothing to read in it once the model has begun.
    read: (bytes, start, end) =>
      content && bytes[start] === 101 && bytes[start + 7] === 99
        ? 'content'
        : role(eventType(bytes, start, end) ?? text(readData(bytes, start, end), 'type'), bytes, start, end),
    get tokens() {
      return tokens
    },
    get id() {
      return id
    },
    get failure() {
      return failure
    },
    get finished() {
      return finished
    },
    keepAlive: () => ping,
    failureEvent: ({ type, message }) =>
      encoder.encode(formatSse({
        event: 'error',
        data: JSON.stringify({ type: 'error', error: { type: type ?? 'api_error', message } }),
      })),
  }
}

/** Anthropic Messages. */
export const anthropicMessagesWire: Wire = {
  protocol: 'anthropic-messages',
  own: ownMessages,
  tracker,
  usage: (body) => addTokens(noTokens, messageUsage(body['usage'])),
}
