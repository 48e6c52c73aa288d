import { concat, GwError } from '../../base/mod.ts'

/** Told of each whole event: its bytes are `bytes[start..end)`, blank line excluded. Valid only during the call. */
export interface EventReader {
  event(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void
}

/** Cuts passing bytes into whole events, in whatever pieces they come. */
export interface EventScanner {
  /**
   * Takes the next piece and calls the reader for each event that it completes.
   *
   * @returns the bytes of those events, blank lines included, in order: what may be sent on now. Usually the piece itself
   */
  feed(chunk: Uint8Array<ArrayBuffer>): readonly Uint8Array<ArrayBuffer>[]
  /** Whether bytes are held that no blank line has closed yet. */
  readonly pending: boolean
}

const newline = 10
const carriage = 13
const nothing: readonly Uint8Array<ArrayBuffer>[] = []

/**
 * Finds the whole events of a text/event-stream without copying it: a piece that holds whole events is handed on as it
 * is, only what crosses pieces is put together.
 *
 * Half an event is never handed on. A client cannot use it anyway, and so something may be put between two events at any
 * time, and a stream that is cut can still end in a proper error event.
 *
 * Lines end in LF or CRLF. (A lone CR, legal and used by nobody, is not seen as a line end.)
 *
 * @throws GwError `upstream.invalid` from `feed` when one event outgrows `maxEventBytes`
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export function eventScanner(reader: EventReader, maxEventBytes: number): EventScanner {
  return new Scanner(reader, maxEventBytes)
}

class Scanner implements EventScanner {
  readonly #reader: EventReader
  readonly #maxEventBytes: number
  #held: Uint8Array<ArrayBuffer>[] | null = null
  #heldBytes = 0

  constructor(reader: EventReader, maxEventBytes: number) {
    this.#reader = reader
    this.#maxEventBytes = maxEventBytes
  }

  feed(chunk: Uint8Array<ArrayBuffer>): readonly Uint8Array<ArrayBuffer>[] {
    const length = chunk.length
    if (length === 0) return nothing
    let from = 0
    let first: Uint8Array<ArrayBuffer> | null = null
    if (this.#held !== null) {
      from = firstBoundary(this.#held, chunk)
      if (from < 0) {
        this.#hold(chunk)
        return nothing
      }
      this.#held.push(chunk.subarray(0, from))
      first = concat(this.#held, this.#heldBytes + from)
      this.#held = null
      this.#heldBytes = 0
      this.#tell(first, 0, first.length)
    }
    let done = from
    for (;;) {
      const next = boundary(chunk, done)
      if (next < 0) break
      this.#tell(chunk, done, next)
      done = next
    }
    if (done < length) this.#hold(done === 0 ? chunk : chunk.subarray(done))
    const rest = done === from ? null : from === 0 && done === length ? chunk : chunk.subarray(from, done)
    return first ? rest ? [first, rest] : [first] : rest ? [rest] : nothing
  }

  get pending(): boolean {
    return this.#held !== null
  }

  #hold(piece: Uint8Array<ArrayBuffer>): void {
    ;(this.#held ??= []).push(piece)
    this.#heldBytes += piece.length
    if (this.#heldBytes > this.#maxEventBytes) {
      throw new GwError('upstream.invalid', `an event of the stream is larger than ${this.#maxEventBytes} bytes`)
    }
  }

  /** Reports `bytes[start..end)` without the line ends around it. */
  #tell(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    let [from, to] = [start, end]
    while (to > from && (bytes[to - 1] === newline || bytes[to - 1] === carriage)) to--
    while (from < to && (bytes[from] === newline || bytes[from] === carriage)) from++
    if (to > from) this.#reader.event(bytes, from, to)
  }
}

/** The byte `back` places from the end of what is held; 0 when there is none. */
function tail(held: readonly Uint8Array[], back: number): number {
  for (let i = held.length - 1; i >= 0; i--) {
    const piece = held[i]!
    if (back <= piece.length) return piece[piece.length - back]!
    back -= piece.length
  }
  return 0
}

/** Where the first blank line of the piece ends that closes the held event; -1 when it holds none. */
function firstBoundary(held: readonly Uint8Array[], chunk: Uint8Array): number {
  const last = tail(held, 1)
  if (last === newline) {
    if (chunk[0] === newline) return 1
    if (chunk[0] === carriage && chunk[1] === newline) return 2
  } else if (last === carriage && tail(held, 2) === newline && chunk[0] === newline) return 1
  return boundary(chunk, 0)
}

/** The index after the first blank line at or behind `from`; -1 when there is none. */
function boundary(bytes: Uint8Array, from: number): number {
  let at = from
  for (;;) {
    at = bytes.indexOf(newline, at)
    if (at < 0) return -1
    const next = bytes[at + 1]
    if (next === newline) return at + 2
    if (next === carriage && bytes[at + 2] === newline) return at + 3
    at++
  }
}
