/** Reading single events of a text/event-stream in place. */
import { Buffer } from 'node:buffer'

const text = new TextDecoder()
const newline = 10
const carriage = 13
const colon = 58
const brace = 125

/** The fields of one event that matter here. `data` may be empty. */
export interface EventFields {
  readonly event: string | null
  readonly data: string
}

/** The event as text fields; data lines joined as the standard says. For the few events that are read, not for each. */
function readEvent(bytes: Uint8Array, start: number, end: number): EventFields {
  let event: string | null = null
  const data: string[] = []
  for (const raw of text.decode(bytes.subarray(start, end)).split('\n')) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const value = line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1)
    if (line.startsWith('event:')) event = value
    else if (line.startsWith('data:')) data.push(value)
  }
  return { event, data: data.join('\n') }
}

/** The JSON object in an event's data, or `null` when it holds none. */
export function readData(bytes: Uint8Array, start: number, end: number): Record<string, unknown> | null {
  try {
    const value = JSON.parse(readEvent(bytes, start, end).data) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : null
  } catch {
    return null
  }
}

/** Whether an event of which {@link readData} made nothing has data all the same: garbage, or half of an event. */
export function isGarbage(bytes: Uint8Array, start: number, end: number): boolean {
  const data = readEvent(bytes, start, end).data.trim()
  return data !== '' && data !== doneMark
}

/** What is wrong with an event of garbage. */
export const notJson = 'an event of the stream is not JSON'

/** Ends the streams of one protocol; some gateways write it behind those of the others. */
const doneMark = '[DONE]'

/** Whether the data of an event ends like an object. Comments may stand behind it. */
export function endsLikeObject(bytes: Uint8Array, start: number, end: number): boolean {
  let to = end
  while (bytes[to - 1] !== brace) {
    const line = bytes.lastIndexOf(newline, to - 1)
    if (line < start || bytes[line + 1] !== colon) return false
    to = bytes[line - 1] === carriage ? line - 1 : line
  }
  return true
}

/** Where the data of an event begins, when it is one line; -1 when the event is of another make. */
export function dataStart(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  // event: or id: lines before it are short: at most four are looked at.
  for (let line = 0; line < 4 && at < end; line++) {
    if (bytes[at] === 100 && bytes[at + 4] === 58) return bytes[at + 5] === 32 ? at + 6 : at + 5
    at = bytes.indexOf(newline, at) + 1
    if (at === 0) return -1
  }
  return -1
}

/**
 * The type of an event: its `event:` line, else a `type` that opens its data object.
 *
 * Looks at a few dozen bytes; `null` when the type is neither, and the caller has to parse.
 */
export function eventType(bytes: Uint8Array, start: number, end: number): string | null {
  if (bytes[start] === 101 && bytes[start + 5] === 58) {
    const from = bytes[start + 6] === 32 ? start + 7 : start + 6
    let to = bytes.indexOf(newline, from)
    if (to < 0 || to > end) to = end
    if (bytes[to - 1] === 13) to--
    return latin(bytes, from, Math.min(to, from + 64))
  }
  const data = dataStart(bytes, start, end)
  if (data < 0) return null
  // {"type":"
  let at = data
  for (const code of typePrefix) {
    while (code !== 58 && bytes[at] === 32) at++
    if (bytes[at++] !== code) return null
  }
  while (bytes[at] === 32) at++
  if (bytes[at] !== 34) return null
  const close = bytes.indexOf(34, at + 1)
  return close < 0 || close > end || close - at > 64 ? null : latin(bytes, at + 1, close)
}

/**
 * The plain number behind a mark such as `"index":`, found by a native search; `null` when there is none. Quotes inside
 * strings are escaped, so that a mark is always a name.
 */
export function numberBehind(bytes: Uint8Array, mark: Uint8Array, start: number, end: number): number | null {
  let at: number = Buffer.prototype.indexOf.call(bytes, mark, start)
  if (at < 0 || at >= end) return null
  at += mark.length
  if (bytes[at] === 32) at++
  let value = 0
  const from = at
  for (let c = bytes[at]!; c >= 48 && c <= 57 && at - from < 15; c = bytes[++at]!) value = value * 10 + c - 48
  return at === from || at > end ? null : value
}

/** The bytes of a mark. */
export const markOf = (text: string): Uint8Array => Buffer.from(text, 'latin1')

const typePrefix = [...'{"type":'].map((c) => c.charCodeAt(0))

function latin(bytes: Uint8Array, start: number, end: number): string {
  let out = ''
  for (let at = start; at < end; at++) out += String.fromCharCode(bytes[at]!)
  return out
}

/**
 * Which events of a stream hold one of a few marks: a native search over a whole piece, asked again only behind each
 * place where one was found, costs less than a look at every event.
 */
export class Marks {
  readonly #marks: readonly Uint8Array[]

  constructor(...marks: readonly string[]) {
    this.#marks = marks.map((mark) => Buffer.from(mark, 'latin1'))
  }

  /** Where the first of the marks begins, at or behind `from`; `Infinity` when there is none. */
  next(bytes: Uint8Array<ArrayBuffer>, from: number): number {
    let first = Infinity
    for (const mark of this.#marks) {
      const at = Buffer.prototype.indexOf.call(bytes, mark, from)
      if (at >= 0 && at < first) first = at
    }
    return first
  }
}
