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

  function size(): number {
    const match = /^([0-9A-Fa-f]{1,13})[ \t]*(?:;[^\r\n\0]*)?\r\n$/.exec(line)
    if (!match) throw bad('the size of a chunk cannot be read')
    return parseInt(match[1]!, 16)
  }

  return {
    feed(bytes, out) {
      let at = 0
      while (at < bytes.length && state !== 'done') {
        if (state === 'data') {
          const end = Math.min(bytes.length, at + left)
          out(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
          left -= end - at
          at = end
          if (left === 0) state = 'data-end'
          continue
        }
        const next = readLine(bytes, at, state === 'trailer' ? maxTrailer : maxLine)
        if (next < 0) return bytes.length
        at = next
        if (state === 'size') {
          left = size()
          state = left === 0 ? 'trailer' : 'data'
        } else if (state === 'data-end') {
          if (line !== '\r\n') throw bad('a chunk is longer than its size')
          state = 'size'
        } else {
          trailer += line.length
          if (trailer > maxTrailer || !line.endsWith('\r\n')) throw bad('its trailer cannot be read')
          if (line === '\r\n') state = 'done'
        }
        line = ''
      }
      return at
    },
    get done() {
      return state === 'done'
    },
  }
}
