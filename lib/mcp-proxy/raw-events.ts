import { GwError } from '../base/mod.ts'

/** One event of a stream as it stood on the wire, with its data taken out. */
export interface RawEvent {
  /** The exact text, its closing blank line included. */
  readonly raw: string
  readonly data: string
}

/** Splits text/event-stream text into whole events without changing a character of them. */
export interface RawEventSplitter {
  push(chunk: Uint8Array): RawEvent[]
  /** Text of an event that has begun and not ended. */
  readonly rest: string
}

const boundary = /\r\n\r\n|\n\n|\r\r/

/** A {@link RawEventSplitter} that refuses an event above `maxChars`. */
export function rawEventSplitter(maxChars: number): RawEventSplitter {
  const decoder = new TextDecoder()
  let buffer = ''
  let from = 0
  return {
    push(chunk) {
      buffer += decoder.decode(chunk, { stream: true })
      const events: RawEvent[] = []
      for (;;) {
        boundary.lastIndex = 0
        const found = boundary.exec(from > 0 ? buffer.slice(from) : buffer)
        if (!found) break
        const end = from + found.index + found[0].length
        const raw = buffer.slice(0, end)
        events.push({ raw, data: dataOf(raw) })
        buffer = buffer.slice(end)
        from = 0
      }
      if (buffer.length > maxChars) {
        throw new GwError('upstream.invalid', `an event is larger than ${maxChars} characters`)
      }
      from = Math.max(0, buffer.length - 3)
      return events
    },
    get rest() {
      return buffer
    },
  }
}

function dataOf(raw: string): string {
  const lines: string[] = []
  for (const line of raw.split(/\r\n|\r|\n/)) {
    if (line.startsWith('data:')) lines.push(line.slice(line[5] === ' ' ? 6 : 5))
  }
  return lines.join('\n')
}
