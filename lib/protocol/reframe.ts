import { Buffer, isUtf8 } from 'node:buffer'

/**
 * What stands around the words of an event, up to and from the quotes of the JSON string that they are, where the next
 * event has the same around its own.
 */
export interface Frame {
  readonly before: string
  readonly after: string
}

const utf8 = new TextEncoder()

const nothing = new Uint8Array(0)

const newline = 10
const quote = 34
const colon = 58
const backslash = 92

/** What stands behind the backslash of an escape that all writers of JSON write alike: `"`, `\`, `b`, `f`, `n`, `r`, `t`. */
const commonEscapes: ReadonlySet<number | undefined> = new Set([...'"\\bfnrt'].map((sign) => sign.charCodeAt(0)))

/**
 * Carries words from the events of one stream into those of another as bytes.
 *
 * Nearly every event of a stream is the one before it with other words in it, and so is what a translation makes of it.
 * Once one of them has been read and written, it is known what stands around the words on either side: the next one is
 * neither decoded nor parsed nor written, its words are copied. That spares work and, where thousands of streams take
 * turns, memory to walk through, which is what costs most then.
 */
export class Reframe {
  /** The frame in the upstream's events, as their reader gave it. */
  readonly from: Frame
  /** How far the last piece was taken. */
  taken = 0
  /** Events carried over since these were last set to 0, and UTF-16 units of words in them. */
  events = 0
  characters = 0
  readonly #before: Uint8Array
  readonly #after: Uint8Array
  readonly #newBefore: Uint8Array
  readonly #newAfter: Uint8Array
  /** Where the words of the last piece begin and end, by turns. */
  #spans: number[] = []
  #ascii = true

  /**
   * @param lead what stands before the data of the upstream's events: `data: `, or that behind an `event:` line
   * @param to the frame in the caller's events: all of an event, and not its data alone
   */
  constructor(lead: string, from: Frame, to: Frame) {
    this.from = from
    this.#before = utf8.encode(lead + from.before)
    this.#after = utf8.encode(`${from.after}\n`)
    this.#newBefore = utf8.encode(to.before)
    this.#newAfter = utf8.encode(to.after)
  }

  /**
   * Carries over what events in the frame stand at the beginning of a piece, as far as they are whole.
   *
   * @param from where the piece begins: between two events
   * @returns the caller's events; {@link Reframe.taken} says where in the piece the next one begins
   */
  take(piece: Uint8Array, from: number): Uint8Array {
    const [events, characters] = [this.events, this.characters]
    const spans = this.#spans = []
    this.#ascii = true
    this.taken = from
    while (this.taken < piece.length) {
      const next = this.#read(piece, this.taken)
      if (next < 0) break
      this.taken = next
    }
    if (this.#ascii || isUtf8(piece)) return this.#write(piece, spans)
    // What is no text, or ends within a character: that is for those who decode it.
    this.events = events
    this.characters = characters
    this.taken = from
    return nothing
  }

  /** Reads the event at `at` and returns where the next one begins; -1 when it is not a whole event in the frame. */
  #read(piece: Uint8Array, at: number): number {
    if (!standsAt(piece, this.#before, at)) return -1
    const start = at + this.#before.length
    let units = 0
    let end = start
    for (let byte = piece[end]; byte !== quote; byte = piece[++end]) {
      // Controls are not allowed in a string, and behind the last byte there is none.
      if (byte === undefined || byte < 32) return -1
      if (byte === backslash && !commonEscapes.has(piece[++end])) return -1
      // A character counts with its first byte, and twice where UTF-16 needs two units.
      if (byte < 0x80) units++
      else {
        this.#ascii = false
        if (byte >= 0xc0) units += byte >= 0xf0 ? 2 : 1
      }
    }
    if (end === start || !standsAt(piece, this.#after, end)) return -1
    let next = end + this.#after.length
    while (piece[next] === colon) {
      while (piece[next] !== newline) if (!(piece[next++]! >= 32)) return -1
      next++
    }
    if (piece[next] !== newline) return -1
    this.#spans.push(start, end)
    this.events++
    this.characters += units
    return next + 1
  }

  #write(piece: Uint8Array, spans: readonly number[]): Uint8Array {
    if (spans.length === 0) return nothing
    const [before, after] = [this.#newBefore, this.#newAfter]
    let size = spans.length / 2 * (before.length + after.length)
    for (let i = 0; i < spans.length; i += 2) size += spans[i + 1]! - spans[i]!
    const out = new Uint8Array(size)
    let at = 0
    for (let i = 0; i < spans.length; i += 2) {
      out.set(before, at)
      at += before.length
      const end = spans[i + 1]!
      for (let from = spans[i]!; from < end; from++) out[at++] = piece[from]!
      out.set(after, at)
      at += after.length
    }
    return out
  }
}

function standsAt(piece: Uint8Array, what: Uint8Array, at: number): boolean {
  const end = at + what.length
  return end <= piece.length && Buffer.prototype.compare.call(piece, what, 0, what.length, at, end) === 0
}
