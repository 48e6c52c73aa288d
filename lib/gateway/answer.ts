import { GwError } from '../base/mod.ts'
import type { OwnStream } from '../protocol/mod.ts'
import { createDownstream, type Downstream } from './downstream.ts'

/** A header field of an answer. */
export type AnswerField = readonly [name: string, value: string]

/** The caller's side of one request: what it is given, and whether it is still there. */
export interface Answer {
  /** Resolves when there is something to give: at once for a whole answer, at its opening for a stream. Never rejects. */
  readonly response: Promise<Response>
  /** Whether the caller is gone. */
  readonly left: boolean
  /** Why it is gone; `null` while it is there. */
  readonly because: GwError | null
  /** Whether the head has gone out: from here on a failure is an event of the stream. */
  readonly opened: boolean
  readonly down: Downstream | null
  /** Whether content has gone out: from here on nobody else may answer. */
  readonly committed: boolean
  /** The stream that gw began itself, which may still be anybody's to go on with; `null` when there is none. */
  readonly own: OwnStream | null
  /** The last word: a whole answer. */
  whole(response: Response): void
  /** Sends the head of a stream and returns its body. */
  open(status: number, fields: readonly AnswerField[]): Downstream
  /** Opens the stream with gw's own start. */
  begin(own: OwnStream, fields: readonly AnswerField[]): void
  /** Content goes out now. */
  commit(): void
  /** What to stop when the caller leaves; the latest counts. */
  onLeave(stop: () => void): void
  /** What to go on with when a slow caller has read; the latest counts. */
  onDrain(resume: () => void): void
  /** The caller is gone, or its time or its right is: stops what runs for it. */
  leave(because?: GwError): void
}

/** An {@link Answer}. `gone` is what a caller that left would get. */
export function createAnswer(gone: (because: GwError) => Response): Answer {
  let resolve!: (response: Response) => void
  const response = new Promise<Response>((done) => resolve = done)
  let because: GwError | null = null
  let done = false
  let down: Downstream | null = null
  let stop: (() => void) | null = null
  let resume: (() => void) | null = null
  let committed = false
  let own: OwnStream | null = null

  function leave(why = new GwError('cancelled', 'the caller left')): void {
    if (because !== null || (done && !down)) return
    because = why
    stop?.()
    if (!done) {
      done = true
      resolve(gone(why))
    }
  }

  function open(status: number, fields: readonly AnswerField[]): Downstream {
    if (down) return down
    down = createDownstream({ drained: () => resume?.(), left: () => leave() })
    if (!done) {
      done = true
      resolve(new Response(down.stream, { status, headers: fields as [string, string][] }))
    }
    return down
  }

  return {
    response,
    get left() {
      return because !== null
    },
    get because() {
      return because
    },
    get opened() {
      return down !== null
    },
    get down() {
      return down
    },
    get committed() {
      return committed
    },
    get own() {
      return own
    },
    commit: () => void (committed = true),
    whole(given) {
      if (done) return
      done = true
      resolve(given)
    },
    open,
    begin(given, fields) {
      if (down || done) return
      own = given
      open(200, fields).write(own.start())
    },
    onLeave(next) {
      stop = next
      if (because !== null) next()
    },
    onDrain(next) {
      resume = next
    },
    leave,
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
