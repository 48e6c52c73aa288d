import type { Downstream, DownstreamOwner, OpenDownstream } from '../base/mod.ts'

/** What Bun hands to a stream of its type `direct`: the way to the socket itself. */
interface DirectController {
  /** Bytes taken; a promise where the socket takes no more for now, which resolves when it does again. */
  write(bytes: Uint8Array): number | Promise<unknown>
  end(): void
  close(reason: Error): void
}

/** What may wait before the server has begun to read. */
const maxWaiting = 256 * 1024

/**
 * Answers of Bun's server straight to its socket: what is written in one turn of the event loop goes out as one piece,
 * and a stream that is held costs no queue, no reader and no promise per piece.
 */
export const openDirect: OpenDownstream = (owner) => new DirectDownstream(owner)

class DirectDownstream implements Downstream {
  readonly type = 'direct'
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>
  bytes = 0
  full = false
  readonly #owner: DownstreamOwner
  #controller: DirectController | null = null
  #waiting: Uint8Array[] | null = null
  #open = true
  #broken: Error | null = null
  #over: (() => void) | null = null

  constructor(owner: DownstreamOwner) {
    this.#owner = owner
    this.stream = new ReadableStream(this as unknown as UnderlyingDefaultSource<Uint8Array<ArrayBuffer>>)
  }

  /** Called by Bun, once, when it sends the answer; what is returned lasts as long as the answer. */
  pull(controller: DirectController): Promise<void> | undefined {
    const waiting = this.#waiting
    const held = this.full
    this.#waiting = null
    this.#controller = controller
    this.full = false
    if (waiting) { for (const piece of waiting) this.#send(controller, piece) }
    if (!this.#open) {
      if (this.#broken) controller.close(this.#broken)
      else controller.end()
      return
    }
    if (held && !this.full) this.#owner.drained()
    return new Promise((resolve) => this.#over = resolve)
  }

  /** Called by Bun when the caller has gone. */
  cancel(): void {
    if (!this.#open) return
    this.#close()
    this.#owner.leave()
  }

  write(piece: Uint8Array<ArrayBuffer>): void {
    if (!this.#open || piece.length === 0) return
    this.bytes += piece.length
    if (this.#controller) return this.#send(this.#controller, piece)
    ;(this.#waiting ??= []).push(piece)
    if (this.bytes > maxWaiting) this.full = true
  }

  end(): void {
    if (!this.#open) return
    this.#controller?.end()
    this.#close()
  }

  break(reason: Error): void {
    if (!this.#open) return
    this.#broken = reason
    this.#controller?.close(reason)
    this.#close()
  }

  #send(controller: DirectController, piece: Uint8Array): void {
    const taken = controller.write(piece)
    if (typeof taken === 'number' || this.full) return
    this.full = true
    const drained = (): void => {
      this.full = false
      if (this.#open) this.#owner.drained()
    }
    taken.then(drained, drained)
  }

  #close(): void {
    this.#open = false
    this.full = false
    this.#over?.()
    this.#over = null
  }
}
