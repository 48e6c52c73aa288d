import { Buffer } from 'node:buffer'
import { GwError } from '../../base/mod.ts'

const bad = (what: string): GwError => new GwError('upstream.invalid', `the provider's answer is not HTTP: ${what}`)

/** Longest line of a chunk's size with its extensions, and longest trailer. */
const maxLine = 1024
const maxTrailer = 16 * 1024

/** Digits of a chunk's size: more would not be a safe integer. */
const maxDigits = 13

const carriage = 13
const newline = 10

/**
 * Takes the chunked coding off a body. Strict: sizes are hexadecimal digits, lines end in CRLF.
 *
 * @see RFC 9112 §7.1
 */
export class ChunkedDecoder {
  /** Whether the last chunk and its trailer have been read. */
  done = false
  /** `upstream.invalid`, once the coding turned out to be broken: what comes after that is not looked at. */
  failure: GwError | null = null
  /** What comes next. */
  #state: 'size' | 'data' | 'data-end' | 'trailer' = 'size'
  /** Bytes of the chunk that are still to come. */
  #left = 0
  /** The part of a line that came in an earlier piece. */
  #line = ''
  #trailer = 0

  /**
   * Takes the next piece and gives what of the body is in it, as one piece however many chunks it came in: the bytes are
   * moved together in place. `taken` is how many bytes belonged to this body: all, or up to its end.
   */
  feed(bytes: Uint8Array<ArrayBuffer>): { readonly body: Uint8Array<ArrayBuffer>; readonly taken: number } {
    let at = 0
    let from = 0
    let to = 0
    while (at < bytes.length && !this.done) {
      if (this.#state !== 'data') {
        const next = this.#readLine(bytes, at)
        if (this.failure) break
        at = next
        continue
      }
      const end = Math.min(bytes.length, at + this.#left)
      if (to === 0) from = at
      else bytes.copyWithin(to, at, end)
      to = to === 0 ? end : to + end - at
      this.#left -= end - at
      at = end
      if (this.#left === 0) this.#state = 'data-end'
    }
    return { body: from === 0 && to === bytes.length ? bytes : cut(bytes, from, to), taken: at }
  }

  /** Reads a line that stands between the data, and gives where the next begins. */
  #readLine(bytes: Uint8Array, at: number): number {
    if (this.#line === '') {
      // Nearly every line is whole, and has nothing to remember.
      if (this.#state === 'data-end' && bytes[at] === carriage && bytes[at + 1] === newline) {
        this.#state = 'size'
        return at + 2
      }
      const next = this.#state === 'size' ? this.#readSize(bytes, at) : 0
      if (next > 0) return next
    }
    const end = bytes.indexOf(newline, at)
    const until = end < 0 ? bytes.length : end + 1
    if (this.#line.length + until - at > (this.#state === 'trailer' ? maxTrailer : maxLine)) {
      this.failure = bad('a chunk line is too long')
      return at
    }
    for (let i = at; i < until; i++) this.#line += String.fromCharCode(bytes[i]!)
    if (end < 0) return bytes.length
    const line = this.#line
    this.#line = ''
    this.#take(line)
    return until
  }

  /** Reads a size without an extension that is whole; 0 for any other, which is read as a line. */
  #readSize(bytes: Uint8Array, start: number): number {
    let size = 0
    let at = start
    for (;; at++) {
      const byte = bytes[at]!
      const digit = byte >= 48 && byte <= 57 ? byte - 48 : hexLetter(byte | 32)
      if (digit < 0) break
      size = size * 16 + digit
    }
    const digits = at - start
    if (digits === 0 || digits > maxDigits || bytes[at] !== carriage || bytes[at + 1] !== newline) return 0
    this.#begin(size)
    return at + 2
  }

  #begin(size: number): void {
    this.#left = size
    this.#state = size === 0 ? 'trailer' : 'data'
  }

  #take(line: string): void {
    switch (this.#state) {
      case 'size': {
        const match = /^([0-9A-Fa-f]{1,13})[ \t]*(?:;[^\r\n\0]*)?\r\n$/.exec(line)
        if (match) this.#begin(parseInt(match[1]!, 16))
        else this.failure = bad('the size of a chunk cannot be read')
        return
      }
      case 'data-end':
        if (line === '\r\n') this.#state = 'size'
        else this.failure = bad('a chunk is longer than its size')
        return
      default:
        this.#trailer += line.length
        if (this.#trailer > maxTrailer || !line.endsWith('\r\n')) this.failure = bad('its trailer cannot be read')
        else if (line === '\r\n') this.done = true
    }
  }
}

/** Up to here a copy costs a tenth of a view, which makes a buffer of its own out of what had none. */
const copiedBytes = 1000

function cut(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): Uint8Array<ArrayBuffer> {
  if (to - from > copiedBytes) return bytes.subarray(from, to)
  const out = new Uint8Array(to - from)
  Buffer.prototype.copy.call(bytes, out, 0, from, to)
  return out
}

/** What a letter of a hexadecimal number is worth; -1 for any other. `NaN`, which stands behind the end, is none. */
const hexLetter = (lower: number): number => lower >= 97 && lower <= 102 ? lower - 87 : -1
