/** What a {@link Downstream} tells its owner. */
export interface DownstreamOwner {
  /** There is room again after {@link Downstream.full}. */
  drained(): void
  /** The caller is gone. */
  leave(): void
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

/** Opens the body of one answer. A runtime's server may have a way that costs less than a web stream. */
export type OpenDownstream = (owner: DownstreamOwner) => Downstream

/** What may wait for a slow caller before its upstream is held back. */
const highWaterBytes = 256 * 1024

/** A {@link Downstream} through the streams that every runtime has. */
export const openDownstream: OpenDownstream = (owner) => new WebDownstream(owner)

class WebDownstream implements Downstream {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>
  bytes = 0
  readonly #owner: DownstreamOwner
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>
  #open = true

  constructor(owner: DownstreamOwner) {
    this.#owner = owner
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>(this, { highWaterMark: highWaterBytes, size })
  }

  start(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): void {
    this.#controller = controller
  }

  pull(): void {
    this.#owner.drained()
  }

  cancel(): void {
    if (!this.#open) return
    this.#open = false
    this.#owner.leave()
  }

  get full(): boolean {
    return this.#open && (this.#controller.desiredSize ?? 1) <= 0
  }

  write(piece: Uint8Array<ArrayBuffer>): void {
    if (!this.#open || piece.length === 0) return
    this.bytes += piece.length
    this.#controller.enqueue(piece)
  }

  end(): void {
    if (!this.#open) return
    this.#open = false
    this.#controller.close()
  }

  break(reason: Error): void {
    if (!this.#open) return
    this.#open = false
    this.#controller.error(reason)
  }
}

const size = (chunk?: Uint8Array): number => chunk?.byteLength ?? 0
