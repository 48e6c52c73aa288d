import { GwError } from '../../base/mod.ts'
import type { ReplyHeaders } from '../port.ts'

/** The head of a response. */
export interface Head {
  readonly status: number
  /** Whether it is HTTP/1.1 (else 1.0). */
  readonly modern: boolean
  readonly headers: FieldList
}

/** Largest head that is read: a real one is a few kilobytes. */
export const maxHeadBytes = 64 * 1024
const maxFields = 256

/** Header fields in their order, names in lower case. */
class FieldList implements ReplyHeaders {
  /** A name and its value by turns: a stream keeps them for as long as it lasts. */
  readonly #fields: string[] = []

  /** Adds one field line. */
  add(name: string, value: string): void {
    this.#fields.push(name, value)
  }

  get count(): number {
    return this.#fields.length / 2
  }

  get(name: string): string | null {
    const fields = this.#fields
    let found: string | null = null
    for (let at = 0; at < fields.length; at += 2) {
      if (fields[at] === name) found = found === null ? fields[at + 1]! : `${found}, ${fields[at + 1]}`
    }
    return found
  }

  forEach(visit: (value: string, name: string) => void): void {
    const fields = this.#fields
    for (let at = 0; at < fields.length; at += 2) visit(fields[at + 1]!, fields[at]!)
  }
}

const bad = (what: string): GwError => new GwError('upstream.invalid', `the provider's answer is not HTTP: ${what}`)

/** Characters of a field name; everything else in one is an attack or an accident. */
const namePattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Controls that no line may hold; a tab may, and the two that end a line where they do. */
// deno-lint-ignore no-control-regex
const forbidden = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/

/**
 * Reads a response head, strictly: where two readers could understand it differently, it is refused.
 *
 * @param text the head without its closing blank line, one character per byte
 * @throws GwError `upstream.invalid`
 * @see RFC 9112 §4, §5
 */
export function parseHead(text: string): Head {
  const lineEnd = text.indexOf('\r\n')
  const first = lineEnd < 0 ? text : text.slice(0, lineEnd)
  const match = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/.exec(first)
  if (!match) throw bad('its status line cannot be read')
  // One look at all of it: one at each line would cost more than the rest of this function.
  if (forbidden.test(text)) throw bad('its head holds control characters')
  const headers = new FieldList()
  let at = lineEnd < 0 ? text.length : lineEnd + 2
  while (at < text.length) {
    let end = text.indexOf('\r\n', at)
    if (end < 0) end = text.length
    const colon = text.indexOf(':', at)
    if (colon < 0 || colon > end) throw bad('a header line has no name')
    const name = text.slice(at, colon)
    // A line that begins with a space continues the one before it, for some readers.
    if (!namePattern.test(name)) throw bad('a header name cannot be read')
    headers.add(name.toLowerCase(), text.slice(colon + 1, end).trim())
    if (headers.count > maxFields) throw bad(`it has more than ${maxFields} header fields`)
    at = end + 2
  }
  return { status: Number(match[2]), modern: match[1] === '1', headers }
}

/** How the body of a response is delimited. */
export type Framing =
  | { readonly is: 'none' }
  | { readonly is: 'length'; readonly bytes: number }
  | { readonly is: 'chunked' }
  | { readonly is: 'close' }

const nothing: Framing = { is: 'none' }
const chunked: Framing = { is: 'chunked' }
const close: Framing = { is: 'close' }

/**
 * The framing a head announces. Two announcements are refused, even where they agree.
 *
 * @throws GwError `upstream.invalid`
 * @see RFC 9112 §6.3
 */
export function framingOf({ status, modern, headers }: Head, method: string): Framing {
  const length = headers.get('content-length')
  const coding = headers.get('transfer-encoding')
  if (coding !== null) {
    if (length !== null) throw bad('it has a length and a transfer coding')
    if (!modern || coding.toLowerCase() !== 'chunked') throw bad('its transfer coding is unknown')
  }
  if (length !== null && !/^\d{1,15}$/.test(length)) throw bad('its length cannot be read')
  if (method === 'HEAD' || status === 204 || status === 304) return nothing
  if (coding !== null) return chunked
  if (length !== null) return length === '0' ? nothing : { is: 'length', bytes: Number(length) }
  return close
}
