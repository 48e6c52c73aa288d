import { type Downstream, type DownstreamOwner, GwError, type OpenDownstream, openDownstream } from '../base/mod.ts'
import type { OwnStream } from '../protocol/mod.ts'

/** A header field of an answer. */
export type AnswerField = readonly [name: string, value: string]

/** A response with these fields. */
export function respond(body: BodyInit | null, status: number, fields: readonly AnswerField[]): Response {
  return new Response(body, { status, headers: recordOf(fields) ?? fields as [string, string][] })
}

/** Fields by name, which a runtime reads in half the time; `null` where a name stands twice. */
function recordOf(fields: readonly AnswerField[]): Record<string, string> | null {
  const record: Record<string, string> = {}
  for (const [name, value] of fields) {
    if (name in record) return null
    record[name] = value
  }
  return record
}

/** Who works for a caller, and is told when to stop and when it may go on. */
export interface Serving {
  /** The caller is gone. */
  left(): void
  /** A slow caller has read. */
  drained(): void
}

/** The caller's side of one request: what it is given, and whether it is still there. */
export class Answer implements DownstreamOwner {
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
  /** Both `null` once the caller has been given something: a stream that runs for an hour holds nothing of its start. */
  #gone: ((because: GwError) => Response) | null
  #resolve: ((response: Response) => void) | null = null
  readonly #openDown: OpenDownstream
  #serving: Serving | null = null

  /**
   * @param gone what a caller that left would get
   * @param openDown how the body of a stream is opened
   */
  constructor(gone: (because: GwError) => Response, openDown: OpenDownstream = openDownstream) {
    this.#gone = gone
    this.#openDown = openDown
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
    const resolve = this.#resolve
    this.#resolve = null
    this.#gone = null
    resolve?.(response)
  }

  /** Sends the head of a stream and returns its body. */
  open(status: number, fields: readonly AnswerField[]): Downstream {
    if (this.down) return this.down
    const down = this.down = this.#openDown(this)
    this.whole(respond(down.stream, status, fields))
    return down
  }

  /** Opens the stream with gw's own start. */
  begin(own: OwnStream, fields: readonly AnswerField[]): void {
    if (this.down || this.#resolve === null) return
    this.own = own
    this.open(200, fields).write(own.start())
  }

  /** Content goes out now. */
  commit(): void {
    this.committed = true
  }

  /** Who works for the caller from now on, and is told at once when it is gone already; the latest counts. */
  serve(serving: Serving): void {
    this.#serving = serving
    if (this.because !== null) serving.left()
  }

  /** Goes with the caller's signal. It is not let go of: a request that is over leaves nothing to stop. */
  follow(signal: AbortSignal): void {
    if (signal.aborted) this.leave()
    else signal.addEventListener('abort', this, { once: true })
  }

  /** The signal that is followed has fired. */
  handleEvent(): void {
    this.leave()
  }

  /** A slow caller has read. */
  drained(): void {
    this.#serving?.drained()
  }

  /** The caller is gone, or its time or its right is: stops what runs for it. */
  leave(because: GwError = new GwError('cancelled', 'the caller left')): void {
    if (this.because !== null || (this.#resolve === null && !this.down)) return
    this.because = because
    this.#serving?.left()
    if (this.#gone) this.whole(this.#gone(because))
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
