import { createDownstream, type Downstream } from './downstream.ts'

/** A header field of an answer. */
export type AnswerField = readonly [name: string, value: string]

/** The caller's side of one request: what it is given, and whether it is still there. */
export interface Answer {
  /** Resolves when there is something to give: at once for a whole answer, at its opening for a stream. Never rejects. */
  readonly response: Promise<Response>
  /** Whether the caller is gone. */
  readonly left: boolean
  /** Whether the head has gone out: from here on a failure is an event of the stream. */
  readonly opened: boolean
  readonly down: Downstream | null
  /** Whether content has gone out: from here on nobody else may answer. */
  readonly committed: boolean
  /** The id under which the caller saw an answer begin that may still come from somebody else; `null` when it saw none. */
  readonly startedAs: string | null
  /** The last word: a whole answer. */
  whole(response: Response): void
  /** Sends the head of a stream and returns its body. */
  open(status: number, fields: readonly AnswerField[]): Downstream
  /** Content goes out now. */
  commit(): void
  /** Gives the opening events that are held back, when they are there; the latest counts. */
  onEarly(take: () => EarlyOpening | null): void
  /** What {@link onEarly} has to give; from then on the answer has begun under its id. */
  takeOpening(): EarlyOpening | null
  /** What to stop when the caller leaves; the latest counts. */
  onLeave(stop: () => void): void
  /** What to go on with when a slow caller has read; the latest counts. */
  onDrain(resume: () => void): void
  /** The caller is gone: stops what runs for it. */
  leave(): void
}

/** The events in which a protocol says that an answer begins. */
export interface EarlyOpening {
  readonly id: string
  readonly pieces: readonly Uint8Array<ArrayBuffer>[]
}

/** An {@link Answer}. `gone` is what a caller that left would get. */
export function createAnswer(gone: () => Response): Answer {
  let resolve!: (response: Response) => void
  const response = new Promise<Response>((done) => resolve = done)
  let left = false
  let done = false
  let down: Downstream | null = null
  let stop: (() => void) | null = null
  let resume: (() => void) | null = null
  let early: (() => EarlyOpening | null) | null = null
  let committed = false
  let startedAs: string | null = null

  function leave(): void {
    if (left || (done && !down)) return
    left = true
    stop?.()
    if (!done) {
      done = true
      resolve(gone())
    }
  }

  return {
    response,
    get left() {
      return left
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
    get startedAs() {
      return startedAs
    },
    commit: () => void (committed = true),
    onEarly: (take) => void (early = take),
    takeOpening() {
      const opening = early?.() ?? null
      if (opening) startedAs = opening.id
      return opening
    },
    whole(given) {
      if (done) return
      done = true
      resolve(given)
    },
    open(status, fields) {
      if (down) return down
      down = createDownstream({ drained: () => resume?.(), left: leave })
      if (!done) {
        done = true
        resolve(new Response(down.stream, { status, headers: fields as [string, string][] }))
      }
      return down
    },
    onLeave(next) {
      stop = next
      if (left) next()
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
