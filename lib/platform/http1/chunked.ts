import { GwError } from '../../base/mod.ts'

/** Takes the chunked coding off a body. */
export interface ChunkedDecoder {
  /**
   * Feeds bytes and hands the decoded ones on.
   *
   * @returns how many bytes were taken: all, or up to the end of the body
   * @throws GwError `upstream.invalid`
   */
  feed(bytes: Uint8Array<ArrayBuffer>, out: (piece: Uint8Array<ArrayBuffer>) => void): number
  /** Whether the last chunk and its trailer have been read. */
  readonly done: boolean
}

const bad = (what: string): GwError => new GwError('upstream.invalid', `the provider's answer is not HTTP: ${what}`)

/** Longest line of a chunk's size with its extensions, and longest trailer. */
const maxLine = 1024
const maxTrailer = 16 * 1024

/** A {@link ChunkedDecoder}. Strict: sizes are hexadecimal digits, lines end in CRLF. @see RFC 9112 §7.1 */
export function chunkedDecoder(): ChunkedDecoder {
  let state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size'
  let left = 0
  let line = ''
  let trailer = 0

  /** Reads up to the LF of a line that must end in CRLF; -1 when it is not there yet. */
  function readLine(bytes: Uint8Array, from: number, limit: number): number {
    const end = bytes.indexOf(10, from)
    const until = end < 0 ? bytes.length : end + 1
    if (line.length + until - from > limit) throw bad('a chunk line is too long')
    for (let at = from; at < until; at++) line += String.fromCharCode(bytes[at]!)
    return end < 0 ? -1 : end + 1
  }

  function open(bytes: number): void {
    left = bytes
    state = left === 0 ? 'trailer' : 'data'
  }

  function size(): number {
    const match = /^([0-9A-Fa-f]{1,13})[ \t]*(?:;[^\r\n\0]*)?\r\n$/.exec(line)
    if (!match) throw bad('the size of a chunk cannot be read')
    return parseInt(match[1]!, 16)
  }

  /** Reads lines and what stands between them; returns how far. */
  function step(bytes: Uint8Array<ArrayBuffer>, at: number): number {
    // Nearly every line: whole, and nothing on it but what must be.
    if (line === '' && state === 'data-end' && isBreak(bytes, at)) {
      state = 'size'
      return at + 2
    }
    const plain = line === '' && state === 'size' ? plainSize(bytes, at) : 0
    if (plain > 0) {
      open(sizeAt(bytes, at, plain - 2))
      return plain
    }
    const next = readLine(bytes, at, state === 'trailer' ? maxTrailer : maxLine)
    if (next < 0) return bytes.length
    if (state === 'size') open(size())
    else if (state === 'data-end') {
      if (line !== '\r\n') throw bad('a chunk is longer than its size')
      state = 'size'
    } else {
      trailer += line.length
      if (trailer > maxTrailer || !line.endsWith('\r\n')) throw bad('its trailer cannot be read')
      if (line === '\r\n') state = 'done'
    }
    line = ''
    return next
  }

  return {
    feed(bytes, out) {
      let at = 0
      // Chunks that came together go on together: each is moved up to the end of the one before it.
      let from = -1
      let to = -1
      try {
        while (at < bytes.length && state !== 'done') {
          if (state !== 'data') {
            at = step(bytes, at)
            continue
          }
          const end = Math.min(bytes.length, at + left)
          if (from < 0) from = at
          else bytes.copyWithin(to, at, end)
          to = from === at ? end : to + end - at
          left -= end - at
          at = end
          if (left === 0) state = 'data-end'
        }
      } finally {
        if (from >= 0) out(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))
      }
      return at
    },
    get done() {
      return state === 'done'
    },
  }
}

/** Where the line behind a size of up to six digits begins that has nothing else on it; 0 for any other line. */
function plainSize(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < from + 6 && hexOf(bytes[at]) >= 0) at++
  return at > from && isBreak(bytes, at) ? at + 2 : 0
}

function sizeAt(bytes: Uint8Array, from: number, to: number): number {
  let size = 0
  for (let at = from; at < to; at++) size = size * 16 + hexOf(bytes[at])
  return size
}

const isBreak = (bytes: Uint8Array, at: number): boolean => bytes[at] === 13 && bytes[at + 1] === 10

/** The value of a hexadecimal digit, or -1. */
function hexOf(byte = 0): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const letter = byte | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
