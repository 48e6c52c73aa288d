import { GwError } from './error.ts'

/** One event of a text/event-stream, as the WHATWG parser dispatches it. */
export interface SseEvent {
  /** The `event:` field, or `message`. */
  readonly event: string
  /** The `data:` lines joined by a newline. */
  readonly data: string
  /** The last `id:` seen so far. */
  readonly id?: string
}

/** An incremental parser: bytes in any split, events out. */
export interface SseParser {
  /** Feeds bytes and returns the events they completed. */
  push(chunk: Uint8Array): SseEvent[]
  /** Ends the stream. An event without its closing blank line is discarded, as the standard says. */
  end(): void
  /** Whether bytes are held that no blank line has closed: the stream was cut inside an event. */
  readonly pending: boolean
}

/**
 * Parses text/event-stream from arbitrary byte splits: inside UTF-8 sequences and between CR and LF too.
 *
 * @param maxEventBytes how many bytes one event may hold before it is refused
 * @throws GwError `upstream.invalid` from `push` when an event outgrows the bound
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function sseParser(maxEventBytes = 16 * 1024 * 1024): SseParser {
  const decoder = new TextDecoder()
  let buffer = ''
  let scanned = 0
  let first = true
  let event = ''
  let data: string | null = null
  let size = 0
  let id: string | undefined
  let pending = false

  function dispatch(out: SseEvent[]): void {
    if (data !== null) {
      const name = event === '' ? 'message' : event
      out.push(id === undefined ? { event: name, data } : { event: name, data, id })
      data = null
    }
    event = ''
    size = 0
    pending = false
  }
  /** Takes the line `buffer[start..end)`. */
  function line(start: number, end: number, out: SseEvent[]): void {
    if (start === end) return dispatch(out)
    pending = true
    size += end - start + 1
    if (size > maxEventBytes) throw tooLarge(maxEventBytes)
    if (isField('data', start, end)) {
      const value = valueOf('data', start, end)
      data = data === null ? value : `${data}\n${value}`
    } else if (isField('event', start, end)) event = valueOf('event', start, end)
    else if (isField('id', start, end)) {
      const value = valueOf('id', start, end)
      if (!value.includes('\0')) id = value
    }
  }
  function isField(name: string, start: number, end: number): boolean {
    const after = start + name.length
    return buffer.startsWith(name, start) && (after === end || buffer.charCodeAt(after) === 58)
  }
  /** What stands behind the colon and one space; empty for a name alone. */
  function valueOf(name: string, start: number, end: number): string {
    const after = start + name.length
    return after === end ? '' : buffer.slice(buffer.charCodeAt(after + 1) === 32 ? after + 2 : after + 1, end)
  }
  /** Lines end in LF, CRLF or CR. Returns where the first line begins that has not ended. */
  function anyLines(out: SseEvent[]): number {
    let start = 0
    for (let i = scanned; i < buffer.length; i++) {
      const c = buffer.charCodeAt(i)
      if (c !== 10 && c !== 13) continue
      // A CR at the very end may be half of a CRLF: wait for the next byte.
      if (c === 13 && i + 1 === buffer.length) break
      line(start, i, out)
      if (c === 13 && buffer.charCodeAt(i + 1) === 10) i++
      start = i + 1
    }
    return start
  }
  /** The same for text without a CR: one native search a line. */
  function plainLines(out: SseEvent[]): number {
    let start = 0
    for (let end = buffer.indexOf('\n', scanned); end >= 0; end = buffer.indexOf('\n', start)) {
      line(start, end, out)
      start = end + 1
    }
    return start
  }

  return {
    push(chunk) {
      const text = decoder.decode(chunk, { stream: true })
      buffer = buffer === '' ? text : buffer + text
      if (first && buffer.length > 0) {
        first = false
        if (buffer.charCodeAt(0) === 0xfeff) buffer = buffer.slice(1)
      }
      const out: SseEvent[] = []
      const start = buffer.includes('\r', scanned) ? anyLines(out) : plainLines(out)
      if (start > 0) buffer = start === buffer.length ? '' : buffer.slice(start)
      scanned = buffer.endsWith('\r') ? buffer.length - 1 : buffer.length
      if (buffer.length + size > maxEventBytes) throw tooLarge(maxEventBytes)
      return out
    },
    end() {
      buffer += decoder.decode()
    },
    get pending() {
      return pending || buffer.replace('\r', '') !== ''
    },
  }
}

function tooLarge(maxEventBytes: number): GwError {
  return new GwError('upstream.invalid', `an event of the stream is larger than ${maxEventBytes} bytes`)
}

/** The wire text of one event; `event` is omitted when it is `message`. Newlines in `data` become further data lines. */
export function formatSse(event: { event?: string; data: string; id?: string }): string {
  const name = event.event && event.event !== 'message' ? `event: ${event.event}\n` : ''
  const id = event.id === undefined ? '' : `id: ${event.id}\n`
  const data = event.data.includes('\n') || event.data.includes('\r')
    ? event.data.split(/\r\n|\r|\n/).map((part) => `data: ${part}\n`).join('')
    : `data: ${event.data}\n`
  return `${name}${id}${data}\n`
}
