import { formatSse } from '../../base/mod.ts'
import { noTokens, type TokenCounts } from '../usage.ts'
import { endsLikeObject, eventType, isGarbage, markOf, notJson, numberBehind, readData } from './events.ts'
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

const indexMark = markOf('"output_index":')
const numberMark = markOf('"sequence_number":')

/** More items than any answer has: an upstream that adds more never comes to an end. */
const maxItems = 4096

/** One item of the output: its id, and how often it has begun and not ended. */
interface Item {
  readonly id: string | null
  open: number
}

/**
 * Reads each event that is rare, and counts the deltas between them: whoever numbers all events one by one cannot have
 * sent more of them than the numbers say. What a delta says is for the caller to read.
 */
class ResponseTracker implements StreamTracker {
  tokens = noTokens
  failure: StreamFailure | null = null
  fault: string | null = null
  finished = false
  id: string | null = null
  #content = false
  #created = false
  /** Whether a delta may come, and says nothing that must be read. */
  #flows = false
  /** The number of the last event, by count since the last one that was read. */
  #sequence = -1
  /** Whether the upstream numbers its events one by one, deltas among them; `null` until a delta was looked at. */
  #counts: boolean | null = null
  /** The highest number that was read. */
  #highest = 0
  #items: Map<number, Item> | null = null
  #open = 0

  read(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): EventRole {
    // event: response.output_text.delta — nearly every event, and nothing to read in it once the model has begun.
    if (this.#flows && endsLikeObject(bytes, start, end) && isDelta(bytes, start)) {
      this.#sequence++
      return 'content'
    }
    const type = eventType(bytes, start, end) ?? text(readData(bytes, start, end), 'type')
    const role = type?.startsWith('response.') && !this.#inOrder(type, bytes, start, end)
      ? this.#wrong('the events of the stream are doubled or out of order')
      : this.#role(type, bytes, start, end)
    this.#flows = this.#content && this.#counts !== null && (this.#items === null || this.#open > 0)
    return role
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

  #wrong(fault: string): EventRole {
    this.fault = fault
    return 'fault'
  }

  /** Upstreams that number nothing, or some events 0, are left alone; and so are numbers that were left out. */
  #inOrder(type: string, bytes: Uint8Array, start: number, end: number): boolean {
    const expected = ++this.#sequence
    const number = numberBehind(bytes, numberMark, start, end)
    if (this.#counts === null && type.endsWith('.delta')) this.#counts = number === expected
    if (number === null || (number === 0 && this.#highest > 0)) {
      this.#counts &&= false
      return true
    }
    const rises = this.#highest === 0 || number > this.#highest
    this.#highest = number
    this.#sequence = number
    return rises && (this.#counts !== true || number >= expected)
  }

  #settle(bytes: Uint8Array, start: number, end: number): unknown {
    const response = member(readData(bytes, start, end), 'response')
    this.tokens = responseUsage(response)
    return response
  }

  #role(type: string | null, bytes: Uint8Array, start: number, end: number): EventRole {
    switch (type) {
      case 'response.completed':
      case 'response.incomplete': {
        const response = this.#settle(bytes, start, end)
        if (typeof response !== 'object' || response === null) {
          return this.#wrong('the response ended without a response')
        }
        const status = text(response, 'status')
        if (status === 'failed' || status === 'cancelled') return this.#wrong(`the response ended "${status}"`)
        this.finished = true
        return 'end'
      }
      case 'response.failed': {
        const error = member(this.#settle(bytes, start, end), 'error')
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
      case 'response.created': {
        if (this.#created || this.#content) return this.#wrong('response.created came twice or late')
        this.#created = true
        this.id = text(member(readData(bytes, start, end), 'response'), 'id')
        return 'opening'
      }
      case 'response.cancelled':
        return this.#wrong('the response was cancelled')
      case 'response.output_item.added':
        return this.#added(bytes, start, end)
      case 'response.output_item.done':
        if (!this.#ended(bytes, start, end)) return this.#wrong('an output item ended twice')
        break
      case null:
        return isGarbage(bytes, start, end) && readData(bytes, start, end) === null ? this.#wrong(notJson) : 'idle'
    }
    if (!endsLikeObject(bytes, start, end) && isGarbage(bytes, start, end) && readData(bytes, start, end) === null) {
      return this.#wrong(notJson)
    }
    if (type.endsWith('.delta') && this.#isOver(bytes, start, end)) {
      return this.#wrong('a delta for an output item that has ended')
    }
    if (!this.#content && openings.has(type)) return 'opening'
    this.#content ||= type.startsWith('response.')
    return this.#content ? 'content' : 'idle'
  }

  #added(bytes: Uint8Array, start: number, end: number): EventRole {
    const event = readData(bytes, start, end)
    const item = member(event, 'item')
    if (typeof item !== 'object' || item === null) return this.#wrong('an output item was added that is none')
    const index = count(member(event, 'output_index'))
    const id = text(item, 'id')
    if (index !== null) {
      const items = this.#items ??= new Map()
      const known = items.get(index)
      // Another id under a used index is another item.
      if (known && (known.id === id || id === null)) return this.#wrong(`output item ${index} was added twice`)
      if (items.size === maxItems) return this.#wrong(`the answer has more than ${maxItems} output items`)
      items.set(index, { id, open: (known?.open ?? 0) + 1 })
      this.#open++
    }
    // The name of a tool that the model chose is its work; an empty message or reasoning item is not.
    const kind = text(item, 'type')
    if (!this.#content && (kind === 'message' || kind === 'reasoning')) return 'opening'
    this.#content = true
    return 'content'
  }

  /** Ends an item. False when it had ended; one that never was added ends well. */
  #ended(bytes: Uint8Array, start: number, end: number): boolean {
    const known = this.#item(bytes, start, end)
    if (known === undefined) return true
    if (known.open === 0) return false
    known.open--
    this.#open--
    return true
  }

  #isOver(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#item(bytes, start, end)?.open === 0
  }

  #item(bytes: Uint8Array, start: number, end: number): Item | undefined {
    const index = numberBehind(bytes, indexMark, start, end)
    return index === null ? undefined : this.#items?.get(index)
  }
}

/** Whether the `event:` line of an event names a delta of a response. */
function isDelta(bytes: Uint8Array, start: number): boolean {
  if (bytes[start] !== 101 || bytes[start + 7] !== 114) return false
  // event: response.output_text.delta, as it stands there nearly always.
  if (bytes[start + 16] === 111 && bytes[start + 23] === 116 && bytes[start + 29] === 101) return true
  let at = bytes.indexOf(10, start)
  if (bytes[at - 1] === 13) at--
  return bytes[at - 5] === 100 && bytes[at - 4] === 101 && bytes[at - 3] === 108 && bytes[at - 2] === 116 &&
    bytes[at - 1] === 97
}

/** OpenAI Responses. */
export const openaiResponsesWire: Wire = {
  protocol: 'openai-responses',
  own: ownResponse,
  tracker: () => new ResponseTracker(),
  usage: responseUsage,
}
