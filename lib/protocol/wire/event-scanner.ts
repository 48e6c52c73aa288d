import { concat, GwError } from '../../base/mod.ts'

/** Told of each whole event: its bytes are `bytes[start..end)`, blank line excluded. Valid only during the call. */
export type OnEvent = (bytes: Uint8Array, start: number, end: number) => void

/** Finds whole events in bytes that pass by, in whatever pieces they come. */
export interface EventScanner {
  feed(chunk: Uint8Array): void
  /** Whether the last byte seen ended an event (or none was seen): here, and only here, something may be put between. */
  readonly between: boolean
  /** What came after the last blank line. */
  rest(): Uint8Array
}

const newline = 10
const carriage = 13

/**
 * Splits a text/event-stream into events without copying it: a chunk that holds whole events is handed on as it is, only
 * what crosses chunks is put together.
 *
 * Lines end in LF or CRLF. A lone CR, legal and unused, is not seen as a line end: such a stream passes, unread.
 *
 * @throws GwError `upstream.invalid` from `feed` when one event outgrows `maxEventBytes`
 */
export function eventScanner(onEvent: OnEvent, maxEventBytes: number): EventScanner {
  let held: Uint8Array[] = []
  let heldBytes = 0
  // Of the held bytes: whether they end in LF, or in LF CR, so that a boundary may lie across the seam.
  let tail = 0

  function emit(chunk: Uint8Array, start: number, end: number): void {
    if (heldBytes === 0) {
      if (end > start) onEvent(chunk, start, end)
      return
    }
    held.push(chunk.subarray(start, end))
    const whole = concat(held)
    held = []
    heldBytes = 0
    const from = whole[0] === newline ? 1 : 0
    if (whole.length > from) onEvent(whole, from, whole.length)
  }

  return {
    feed(chunk) {
      const length = chunk.length
      let start = 0
      let at = 0
      // A boundary that began in an earlier chunk.
      if (tail > 0 && length > 0) {
        const first = chunk[0]
        if (first === newline) {
          emit(chunk, 0, 0)
          start = at = 1
        } else if (tail === 1 && first === carriage && length > 1 && chunk[1] === newline) {
          emit(chunk, 0, 0)
          start = at = 2
        }
      }
      for (;;) {
        at = chunk.indexOf(newline, at)
        if (at < 0) break
        const next = chunk[at + 1]
        if (next === newline) {
          emit(chunk, start, at)
          start = at = at + 2
        } else if (next === carriage && chunk[at + 2] === newline) {
          emit(chunk, start, at)
          start = at = at + 3
        } else at++
      }
      if (start < length) {
        const last = chunk[length - 1]
        const before = length > 1 ? chunk[length - 2] : tail === 1 ? newline : 0
        tail = last === newline ? 1 : last === carriage && before === newline ? 2 : 0
        // The piece is the caller's to send on and is never written to again: holding a view is enough.
        held.push(start === 0 ? chunk : chunk.subarray(start))
        heldBytes += length - start
        if (heldBytes > maxEventBytes) {
          throw new GwError('upstream.invalid', `an event of the stream is larger than ${maxEventBytes} bytes`)
        }
      } else tail = 0
    },
    get between() {
      return heldBytes === 0
    },
    rest: () => concat(held, heldBytes),
  }
}
