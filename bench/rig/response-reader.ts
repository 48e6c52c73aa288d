/** What a client has to know of the answers on one connection: where they end, their status, the bytes of bodies. */
export interface ResponseReader {
  /** Feeds bytes. */
  push(bytes: Buffer): void
}

/** Called while an answer is read. */
export interface ResponseEvents {
  head(status: number): void
  body(bytes: Buffer): void
  end(): void
}

/** Reads HTTP/1.1 answers that carry a Content-Length or are chunked, in any split. */
export function responseReader(events: ResponseEvents): ResponseReader {
  let held: Buffer = Buffer.alloc(0)
  let state: 'head' | 'sized' | 'size' | 'chunk' | 'trailer' = 'head'
  let left = 0

  function step(): boolean {
    if (state === 'head') {
      const end = held.indexOf('\r\n\r\n')
      if (end < 0) return false
      const head = held.toString('latin1', 0, end)
      held = held.subarray(end + 4)
      events.head(Number(head.slice(9, 12)))
      left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
      state = /\r\ntransfer-encoding: *chunked/i.test(head) ? 'size' : 'sized'
      if (state === 'sized' && left === 0) done()
      return true
    }
    if (state === 'size') {
      const end = held.indexOf('\r\n')
      if (end < 0) return false
      left = parseInt(held.toString('latin1', 0, end), 16)
      held = held.subarray(end + 2)
      state = left === 0 ? 'trailer' : 'chunk'
      return true
    }
    if (state === 'trailer') {
      if (held.length < 2) return false
      held = held.subarray(2)
      done()
      return true
    }
    if (held.length === 0 || left === 0) {
      if (left > 0) return false
      // The line break after a chunk.
      if (held.length < 2) return false
      held = held.subarray(2)
      state = 'size'
      return true
    }
    const part = held.subarray(0, left)
    held = held.subarray(part.length)
    left -= part.length
    events.body(part)
    if (state === 'sized' && left === 0) done()
    return true
  }

  function done(): void {
    state = 'head'
    events.end()
  }

  return {
    push(bytes) {
      held = held.length === 0 ? bytes : Buffer.concat([held, bytes])
      while (held.length > 0 || (state === 'chunk' && left === 0)) if (!step()) break
      held = held.length === 0 ? Buffer.alloc(0) : Buffer.from(held)
    },
  }
}
