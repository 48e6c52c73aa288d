/** What a {@link Downstream} tells its owner. */
export interface DownstreamEvents {
  /** There is room again after {@link Downstream.full}. */
  drained(): void
  /** The caller is gone. */
  left(): void
}

/** The body of an answer that is sent in pieces: knows when its reader is slow, and never throws. */
export interface Downstream {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>
  /** Whether so much is waiting for the caller that the upstream should be held back. */
  readonly full: boolean
  /** Bytes written so far. */
  readonly bytes: number
  write(bytes: Uint8Array<ArrayBuffer>): void
  end(): void
  /** Breaks the connection off, for formats that have no way to say that they broke. */
  break(reason: Error): void
}

/** What may wait for a slow caller before its upstream is held back. */
const highWaterBytes = 256 * 1024

/** A {@link Downstream}. */
export function createDownstream(events: DownstreamEvents): Downstream {
  let controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>
  let open = true
  let bytes = 0
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(given) {
      controller = given
    },
    pull: () => events.drained(),
    cancel() {
      if (!open) return
      open = false
      events.left()
    },
  }, { highWaterMark: highWaterBytes, size: (chunk) => chunk?.byteLength ?? 0 })
  return {
    stream,
    get full() {
      return open && (controller.desiredSize ?? 1) <= 0
    },
    get bytes() {
      return bytes
    },
    write(piece) {
      if (!open || piece.length === 0) return
      bytes += piece.length
      controller.enqueue(piece)
    },
    end() {
      if (!open) return
      open = false
      controller.close()
    },
    break(reason) {
      if (!open) return
      open = false
      controller.error(reason)
    },
  }
}
