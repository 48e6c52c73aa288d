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
  let data: string[] = []
  let size = 0
  let id: string | undefined
  let pending = false

  function line(text: string, out: SseEvent[]): void {
    if (text === '') {
      if (data.length > 0) {
        out.push({ event: event || 'message', data: data.join('\n'), ...(id === undefined ? {} : { id }) })
      }
      event = ''
      data = []
      size = 0
      pending = false
      return
    }
    pending = true
    size += text.length + 1
    if (size > maxEventBytes) throw tooLarge(maxEventBytes)
    const colon = text.indexOf(':')
    if (colon === 0) return
    const name = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(text.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1)
    if (name === 'data') data.push(value)
    else if (name === 'event') event = value
    else if (name === 'id' && !value.includes('\0')) id = value
  }

  return {
    push(chunk) {
      buffer += decoder.decode(chunk, { stream: true })
      if (first && buffer.length > 0) {
        first = false
        if (buffer.charCodeAt(0) === 0xfeff) buffer = buffer.slice(1)
      }
      const out: SseEvent[] = []
      let start = 0
      for (let i = scanned; i < buffer.length; i++) {
        const c = buffer.charCodeAt(i)
        if (c !== 10 && c !== 13) continue
        // A CR at the very end may be half of a CRLF: wait for the next byte.
        if (c === 13 && i + 1 === buffer.length) break
        line(buffer.slice(start, i), out)
        if (c === 13 && buffer.charCodeAt(i + 1) === 10) i++
        start = i + 1
      }
      buffer = buffer.slice(start)
      scanned = Math.max(0, buffer.endsWith('\r') ? buffer.length - 1 : buffer.length)
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
