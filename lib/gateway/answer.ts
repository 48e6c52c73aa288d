import { GwError } from '../base/mod.ts'
import type { OwnStream } from '../protocol/mod.ts'
import { createDownstream, type Downstream } from './downstream.ts'

/** A header field of an answer. */
export type AnswerField = readonly [name: string, value: string]

/** The caller's side of one request: what it is given, and whether it is still there. */
export class Answer {
  /** Resolves when there is something to give: at once for a whole answer, at its opening for a stream. Never rejects. */
  readonly response: Promise<Response>
  /** Why the caller is gone; `null` while it is there. */
  because: GwError | null = null
  /** Whether content has gone out: from here on nobody else may answer. */
  committed = false
  /** The body of the stream that has been opened. */
  down: Downstream | null = null
  /** The stream that gw began itself, which may still be anybody's to go on with; `null` when there is none. */
  own: OwnStream | null = null
  readonly #gone: (because: GwError) => Response
  #resolve!: (response: Response) => void
  #done = false
  #stop: (() => void) | null = null
  #resume: (() => void) | null = null

  /** @param gone what a caller that left would get */
  constructor(gone: (because: GwError) => Response) {
    this.#gone = gone
    this.response = new Promise((resolve) => this.#resolve = resolve)
  }

  /** Whether the caller is gone. */
  get left(): boolean {
    return this.because !== null
  }

  /** Whether the head has gone out: from here on a failure is an event of the stream. */
  get opened(): boolean {
    return this.down !== null
  }

  /** The last word: a whole answer. */
  whole(response: Response): void {
    if (this.#done) return
    this.#done = true
    this.#resolve(response)
  }

  /** Sends the head of a stream and returns its body. */
  open(status: number, fields: readonly AnswerField[]): Downstream {
    if (this.down) return this.down
    const down = this.down = createDownstream({ drained: () => this.#resume?.(), left: () => this.leave() })
    this.whole(new Response(down.stream, { status, headers: fields as [string, string][] }))
    return down
  }

  /** Opens the stream with gw's own start. */
  begin(own: OwnStream, fields: readonly AnswerField[]): void {
    if (this.down || this.#done) return
    this.own = own
    this.open(200, fields).write(own.start())
  }

  /** Content goes out now. */
  commit(): void {
    this.committed = true
  }

  /** What to stop when the caller leaves; the latest counts. */
  onLeave(stop: () => void): void {
    this.#stop = stop
    if (this.because !== null) stop()
  }

  /** What to go on with when a slow caller has read; the latest counts. */
  onDrain(resume: () => void): void {
    this.#resume = resume
  }

  /** The caller is gone, or its time or its right is: stops what runs for it. */
  leave(because: GwError = new GwError('cancelled', 'the caller left')): void {
    if (this.because !== null || (this.#done && !this.down)) return
    this.because = because
    this.#stop?.()
    if (!this.#done) this.whole(this.#gone(because))
  }
}

/** The head of an event stream that gw opens before any upstream has answered. */
export function streamFields(requestId: string): AnswerField[] {
  return [
    ['content-type', 'text/event-stream; charset=utf-8'],
    ['cache-control', 'no-cache'],
    ['x-gw-request-id', requestId],
  ]
}
