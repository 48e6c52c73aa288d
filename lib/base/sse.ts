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

const streaming = { stream: true } as const

/** Reads what is whole by itself. It keeps a byte order mark, which only counts at the start of a stream. */
const whole = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Parses text/event-stream from arbitrary byte splits: inside UTF-8 sequences and between CR and LF too.
 *
 * @param maxEventBytes how many bytes one event may hold before it is refused
 * @throws GwError `upstream.invalid` from `push` when an event outgrows the bound
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function sseParser(maxEventBytes = 16 * 1024 * 1024): SseParser {
  return new Parser(maxEventBytes)
}

class Parser implements SseParser {
  readonly #maxEventBytes: number
  /** Takes over where a piece ends inside a character, and until one does not. */
  #decoder: TextDecoder | null = null
  #buffer = ''
  #scanned = 0
  #first = true
  #event = ''
  #data: string | null = null
  #size = 0
  #id: string | undefined
  #pending = false

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes
  }

  push(chunk: Uint8Array): SseEvent[] {
    const text = this.#decode(chunk)
    this.#buffer = this.#buffer === '' ? text : this.#buffer + text
    if (this.#first && this.#buffer.length > 0) {
      this.#first = false
      if (this.#buffer.charCodeAt(0) === 0xfeff) this.#buffer = this.#buffer.slice(1)
    }
    const buffer = this.#buffer
    const out: SseEvent[] = []
    const start = buffer.includes('\r', this.#scanned) ? this.#anyLines(out) : this.#plainLines(out)
    if (start > 0) this.#buffer = start === buffer.length ? '' : buffer.slice(start)
    this.#scanned = this.#buffer.endsWith('\r') ? this.#buffer.length - 1 : this.#buffer.length
    if (this.#buffer.length + this.#size > this.#maxEventBytes) throw tooLarge(this.#maxEventBytes)
    return out
  }

  end(): void {
    this.#buffer += this.#decoder?.decode() ?? ''
  }

  get pending(): boolean {
    return this.#pending || this.#buffer.replace('\r', '') !== ''
  }

  #decode(chunk: Uint8Array): string {
    const ends = chunk.length === 0 || chunk[chunk.length - 1]! < 0x80
    if (this.#decoder === null && ends) return whole.decode(chunk)
    this.#decoder ??= new TextDecoder('utf-8', { ignoreBOM: true })
    const text = this.#decoder.decode(chunk, streaming)
    // Behind a plain character nothing is held back.
    if (ends && chunk.length > 0) this.#decoder = null
    return text
  }

  #dispatch(out: SseEvent[]): void {
    const data = this.#data
    if (data !== null) {
      const event = this.#event === '' ? 'message' : this.#event
      out.push(this.#id === undefined ? { event, data } : { event, data, id: this.#id })
      this.#data = null
    }
    this.#event = ''
    this.#size = 0
    this.#pending = false
  }

  /** Takes the line `buffer[start..end)`. */
  #line(start: number, end: number, out: SseEvent[]): void {
    if (start === end) return this.#dispatch(out)
    this.#pending = true
    this.#size += end - start + 1
    if (this.#size > this.#maxEventBytes) throw tooLarge(this.#maxEventBytes)
    const buffer = this.#buffer
    switch (buffer.charCodeAt(start)) {
      case 100:
        if (isField(buffer, 'data', start, end)) {
          const value = valueOf(buffer, 'data', start, end)
          this.#data = this.#data === null ? value : `${this.#data}\n${value}`
        }
        return
      case 101:
        if (isField(buffer, 'event', start, end)) this.#event = valueOf(buffer, 'event', start, end)
        return
      case 105:
        if (isField(buffer, 'id', start, end)) {
          const value = valueOf(buffer, 'id', start, end)
          if (!value.includes('\0')) this.#id = value
        }
    }
  }

  /** Lines end in LF, CRLF or CR. Returns where the first line begins that has not ended. */
  #anyLines(out: SseEvent[]): number {
    const buffer = this.#buffer
    let start = 0
    for (let i = this.#scanned; i < buffer.length; i++) {
      const c = buffer.charCodeAt(i)
      if (c !== 10 && c !== 13) continue
      // A CR at the very end may be half of a CRLF: wait for the next byte.
      if (c === 13 && i + 1 === buffer.length) break
      this.#line(start, i, out)
      if (c === 13 && buffer.charCodeAt(i + 1) === 10) i++
      start = i + 1
    }
    return start
  }

  /** The same for text without a CR: one native search a line. */
  #plainLines(out: SseEvent[]): number {
    const buffer = this.#buffer
    let start = 0
    for (let end = buffer.indexOf('\n', this.#scanned); end >= 0; end = buffer.indexOf('\n', start)) {
      this.#line(start, end, out)
      start = end + 1
    }
    return start
  }
}

function isField(buffer: string, name: string, start: number, end: number): boolean {
  const after = start + name.length
  return buffer.startsWith(name, start) && (after === end || buffer.charCodeAt(after) === 58)
}

/** What stands behind the colon and one space; empty for a name alone. */
function valueOf(buffer: string, name: string, start: number, end: number): string {
  const after = start + name.length
  return after === end ? '' : buffer.slice(buffer.charCodeAt(after + 1) === 32 ? after + 2 : after + 1, end)
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
