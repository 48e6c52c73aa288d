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
  /** The last word: a whole answer. */
  whole(response: Response): void
  /** Sends the head of a stream and returns its body. */
  open(status: number, fields: readonly AnswerField[]): Downstream
  /** What to stop when the caller leaves; the latest counts. */
  onLeave(stop: () => void): void
  /** What to go on with when a slow caller has read; the latest counts. */
  onDrain(resume: () => void): void
  /** The caller is gone: stops what runs for it. */
  leave(): void
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
