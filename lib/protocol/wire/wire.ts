import type { JsonObject } from '../../base/mod.ts'
import type { ProtocolId } from '../id.ts'
import type { TokenCounts } from '../usage.ts'
import type { OwnStream, OwnStreamOptions } from './own-stream.ts'

/**
 * What one event of a stream is to a relay.
 *
 * `opening`: says that an answer begins and holds nothing the model made, so it can still be taken back. `content`: the
 * model's work, or a sign of it. `end`: the answer is complete. `failure`: the upstream says that it broke. `fault`: it
 * cannot stand where it stands, so that neither it nor what follows is to be believed. `idle`: means nothing.
 */
export type EventRole = 'opening' | 'content' | 'end' | 'failure' | 'fault' | 'idle'

/** An upstream's failure inside a stream that began well. */
export interface StreamFailure {
  readonly type: string | null
  readonly code: string | null
  readonly message: string
}

/** Follows one stream of a protocol. Reads events, changes none. */
export interface StreamTracker {
  /** The role of the event `bytes[start..end)`; takes note of usage, ids and failures on the way. */
  read(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): EventRole
  /** Of what has passed so far. */
  readonly tokens: TokenCounts
  /** The answer's own id, once an event named it. */
  readonly id: string | null
  /** Set when an event had the role `failure`. */
  readonly failure: StreamFailure | null
  /** What was wrong with the event that had the role `fault`. */
  readonly fault: string | null
  /** Whether the model said that it is done, even if the protocol's last event has not come. */
  readonly finished: boolean
  /** An event that carries data and means nothing, legal at this point of this stream. */
  keepAlive(): Uint8Array<ArrayBuffer>
  /** The protocol's own event for "this answer broke": what a client shows as an error, never as an end. */
  failureEvent(failure: StreamFailure): Uint8Array<ArrayBuffer>
}

/** The byte-level half of a protocol: all that passing it through needs. */
export interface Wire {
  readonly protocol: ProtocolId
  /** A stream that gw begins itself; absent where a keep-alive may come before everything else. */
  readonly own?: (options: OwnStreamOptions) => OwnStream
  /** Where a whole answer says what it used; absent is `usage`. */
  readonly usageField?: string
  /** A tracker for a stream that begins now. */
  tracker(): StreamTracker
  /** What a whole answer says it used. */
  usage(body: JsonObject): TokenCounts
}
