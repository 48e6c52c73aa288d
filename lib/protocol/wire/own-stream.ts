import { formatSse, type JsonObject, sseParser } from '../../base/mod.ts'
import type { StreamFailure } from './wire.ts'

type Bytes = Uint8Array<ArrayBuffer>

/**
 * A stream that gw begins itself while nobody has said anything yet, and that the answer of any upstream then goes on.
 *
 * A caller sees one start, under one id, however many upstreams are tried behind it. No two of its events carry the same
 * place in the order, where the protocol numbers them.
 */
export interface OwnStream {
  /** The answer's id, as the caller knows it. */
  readonly id: string
  /** What begins the stream. Called once, before all else. */
  start(): Bytes
  /** A sign of life with data in it, legal between any two events. */
  keepAlive(): Bytes
  /** The protocol's event for "this answer broke", and what ends a stream behind it. */
  failureEvent(failure: StreamFailure): Bytes
  /** An upstream's stream as the rest of this one. */
  continuation(): Continuation
  /** The whole answer, where the last event that went by held it. */
  readonly closing: JsonObject | null
}

/** Turns the events of one upstream into those of an {@link OwnStream}. */
export interface Continuation {
  /** Whole events, in the order they are sent; what the caller has had already is left out. May give nothing. */
  take(events: Bytes): Bytes
  /** What the upstream left out at its end. */
  end(): Bytes
}

/** What an {@link OwnStream} is made of. */
export interface OwnStreamOptions {
  /** Unique, `[0-9a-z]+`: the stem of the id. The same as that of a translation, so that both name the answer alike. */
  readonly stem: string
  /** Epoch seconds. */
  readonly createdAt: number
  /** As the caller wrote it. */
  readonly model: string
  /** The caller's body, for protocols whose answers repeat parts of it. */
  readonly body: JsonObject
}

const utf8 = new TextEncoder()

/** Nothing to send. */
export const noBytes: Bytes = new Uint8Array(0)

/** One event as bytes. */
export function eventBytes(data: JsonObject, named: boolean): Bytes {
  return utf8.encode(eventText(data, named))
}

/** One event as text, under its `type` where the protocol names its events. */
export function eventText(data: JsonObject, named: boolean): string {
  return formatSse({ ...(named ? { event: String(data.type) } : {}), data: JSON.stringify(data) })
}

/**
 * Reads whole events and writes each anew. `rewrite` gets an event's JSON and gives the text that goes out, empty to
 * leave it out; what is no JSON object passes as it is.
 */
export function rewriter(
  rewrite: (data: JsonObject) => string,
  passed?: (data: string) => void,
): (events: Bytes) => Bytes {
  const parser = sseParser()
  return (events) => {
    let text = ''
    for (const { event, data } of parser.push(events)) {
      const object = objectIn(data)
      if (object === null) passed?.(data)
      text += object === null ? formatSse({ event, data }) : rewrite(object)
    }
    return text === '' ? noBytes : utf8.encode(text)
  }
}

function objectIn(data: string): JsonObject | null {
  try {
    const value = JSON.parse(data) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as JsonObject : null
  } catch {
    return null
  }
}
