import { Buffer, isUtf8 } from 'node:buffer'

/** A field whose value changes from one event to the next: its words, its number, or what means nothing. */
export interface Gap {
  readonly kind: 'text' | 'number' | 'noise'
  /** What stands before it, since the gap before this one: of a string, its quote too. */
  readonly before: string
}

/** What stands around the words of an event, where the next one has the same around its own. */
export interface Frame {
  readonly gaps: readonly Gap[]
  /** What stands behind the last gap. */
  readonly after: string
  /** Whether the words are needed again at their end. */
  readonly keeps?: boolean
}

/** What has been carried over, for those whom it went past. */
export interface Carried {
  readonly events: number
  /** UTF-16 units of the words. */
  readonly characters: number
  /** The words themselves, where a frame {@link Frame.keeps} them; else empty. */
  readonly text: string
  /** The upstream's number of the last event; -1 where events have none. */
  readonly number: number
}

/** The bytes of a {@link Gap}. */
interface Field {
  readonly kind: Gap['kind']
  readonly before: Uint8Array
}

const utf8 = new TextEncoder()
const nothing = new Uint8Array(0)

const newline = 10
const quote = 34
const comma = 44
const zero = 48
const colon = 58
const backslash = 92
const brace = 125

/** What stands behind the backslash of an escape that all writers of JSON write alike: `"`, `\`, `b`, `f`, `n`, `r`, `t`. */
const commonEscapes: ReadonlySet<number | undefined> = new Set([...'"\\bfnrt'].map((sign) => sign.charCodeAt(0)))

/** Digits of a number that are read: more would not be a safe integer. */
const maxDigits = 15

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
  readonly #fields: readonly Field[]
  readonly #after: Uint8Array
  readonly #newFields: readonly Field[]
  readonly #newAfter: Uint8Array
  readonly #keeps: boolean
  #events = 0
  #characters = 0
  /** The number of the last event that was read, and of the next one to write. */
  #number = -1
  #next = 0
  /** The words since they were last asked for, as they stand between their quotes. */
  #kept = nothing
  #keptBytes = 0
  /** Where the words of the last piece begin and end, by turns. */
  #spans: number[] = []
  #ascii = true

  /**
   * @param lead what stands before the data of the upstream's events: `data: `, or that behind an `event:` line
   * @param to the frame in the caller's events: all of an event, and not its data alone
   */
  constructor(lead: string, from: Frame, to: Frame) {
    this.from = from
    this.#fields = from.gaps.map(({ kind, before }, i) => ({
      kind,
      before: utf8.encode(i === 0 ? lead + before : before),
    }))
    this.#after = utf8.encode(`${from.after}\n`)
    this.#newFields = to.gaps.map(({ kind, before }) => ({ kind, before: utf8.encode(before) }))
    this.#newAfter = utf8.encode(to.after)
    this.#keeps = from.keeps === true || to.keeps === true
  }

  /** Whether nothing has been carried over that has not been told. */
  get told(): boolean {
    return this.#events === 0
  }

  /** Bytes of words that are kept until they are told. */
  get kept(): number {
    return this.#keptBytes
  }

  /** Goes on where others have read and written: `number` was the upstream's last one, `next` is the caller's next. */
  follow(number: number, next: number): void {
    this.#number = number
    this.#next = next
  }

  /**
   * Carries over what events in the frame stand at the beginning of a piece, as far as they are whole.
   *
   * @param from where the piece begins: between two events
   * @returns the caller's events; {@link Reframe.taken} says where in the piece the next one begins
   */
  take(piece: Uint8Array, from: number): Uint8Array {
    const [events, characters, number] = [this.#events, this.#characters, this.#number]
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
    this.#events = events
    this.#characters = characters
    this.#number = number
    this.taken = from
    return nothing
  }

  /** What has been carried over since this was last asked. */
  tell(): Carried {
    const text = this.#keeps ? textOf(this.#kept.subarray(0, this.#keptBytes)) : ''
    const carried = { events: this.#events, characters: this.#characters, text, number: this.#number }
    this.#events = this.#characters = this.#keptBytes = 0
    return carried
  }

  /** Reads the event at `at` and returns where the next one begins; -1 when it is not a whole event in the frame. */
  #read(piece: Uint8Array, at: number): number {
    let number = this.#number
    let units = 0
    let [start, end] = [0, 0]
    let next = at
    for (const { kind, before } of this.#fields) {
      if (!standsAt(piece, before, next)) return -1
      const from = next + before.length
      switch (kind) {
        case 'text':
          start = from
          end = next = endOfWords(piece, from)
          // Nothing said is nothing to carry.
          if (end <= start) return -1
          break
        case 'number': {
          next = endOfNumber(piece, from)
          if (next < 0) return -1
          const said = numberIn(piece, from, next)
          // Those that do not rise are for the reader to judge.
          if (said <= number) return -1
          number = said
          break
        }
        case 'noise':
          next = endOfString(piece, from)
          if (next < 0) return -1
      }
    }
    if (!standsAt(piece, this.#after, next)) return -1
    next += this.#after.length
    while (piece[next] === colon) {
      while (piece[next] !== newline) if (!(piece[next++]! >= 32)) return -1
      next++
    }
    if (piece[next] !== newline) return -1
    for (let i = start; i < end; i++) {
      const byte = piece[i]!
      // A character counts with its first byte, and twice where UTF-16 needs two units; an escape counts once.
      if (byte < 0x80) units++
      else {
        this.#ascii = false
        if (byte >= 0xc0) units += byte >= 0xf0 ? 2 : 1
      }
      if (byte === backslash) i++
    }
    this.#spans.push(start, end)
    this.#events++
    this.#characters += units
    this.#number = number
    return next + 1
  }

  #write(piece: Uint8Array, spans: readonly number[]): Uint8Array {
    if (spans.length === 0) return nothing
    const fields = this.#newFields
    const after = this.#newAfter
    let size = 0
    let next = this.#next
    for (let i = 0; i < spans.length; i += 2) {
      size += after.length
      for (const { kind, before } of fields) {
        size += before.length + (kind === 'number' ? digitsOf(next++) : spans[i + 1]! - spans[i]!)
      }
    }
    const out = new Uint8Array(size)
    let at = 0
    for (let i = 0; i < spans.length; i += 2) {
      const [start, end] = [spans[i]!, spans[i + 1]!]
      for (const { kind, before } of fields) {
        out.set(before, at)
        at += before.length
        if (kind === 'number') at = writeNumber(this.#next++, out, at)
        else for (let from = start; from < end; from++) out[at++] = piece[from]!
      }
      out.set(after, at)
      at += after.length
      if (this.#keeps) this.#keep(piece, start, end)
    }
    return out
  }

  #keep(piece: Uint8Array, start: number, end: number): void {
    const size = this.#keptBytes + end - start
    if (size > this.#kept.length) {
      const grown = new Uint8Array(Math.max(1024, 2 * size))
      grown.set(this.#kept.subarray(0, this.#keptBytes))
      this.#kept = grown
    }
    for (let from = start; from < end; from++) this.#kept[this.#keptBytes++] = piece[from]!
  }
}

const textOf = (words: Uint8Array): string =>
  JSON.parse(`"${new TextDecoder('utf-8', { ignoreBOM: true }).decode(words)}"`)

function standsAt(piece: Uint8Array, what: Uint8Array, at: number): boolean {
  const end = at + what.length
  return end <= piece.length && Buffer.prototype.compare.call(piece, what, 0, what.length, at, end) === 0
}

/** Where the quote is that closes a string whose bytes may be copied as they are; -1 where there is none. */
function endOfWords(piece: Uint8Array, from: number): number {
  for (let at = from;; at++) {
    const byte = piece[at]
    if (byte === quote) return at
    // Controls are not allowed in a string, and behind the last byte there is none.
    if (byte === undefined || byte < 32) return -1
    if (byte === backslash && !commonEscapes.has(piece[++at])) return -1
  }
}

/** The same for a string that nobody reads. */
function endOfString(piece: Uint8Array, from: number): number {
  for (let at = from;; at++) {
    const byte = piece[at]
    if (byte === quote) return at
    if (byte === undefined || byte < 32) return -1
    if (byte === backslash) at++
  }
}

/** Where a plain number ends, which is no part of another; -1 where there is none. */
function endOfNumber(piece: Uint8Array, from: number): number {
  let at = from
  while (piece[at]! >= zero && piece[at]! < colon) at++
  if (at === from || at - from > maxDigits || (piece[from] === zero && at - from > 1)) return -1
  return piece[at] === comma || piece[at] === brace ? at : -1
}

function numberIn(piece: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at++) value = value * 10 + piece[at]! - zero
  return value
}

function digitsOf(value: number): number {
  let digits = 1
  for (let rest = value; rest >= 10; rest /= 10) digits++
  return digits
}

/** Writes a whole number that is not negative; returns where it ends. */
function writeNumber(value: number, out: Uint8Array, at: number): number {
  const end = at + digitsOf(value)
  let rest = value
  for (let i = end - 1; i >= at; i--) {
    out[i] = zero + rest % 10
    rest = Math.floor(rest / 10)
  }
  return end
}
