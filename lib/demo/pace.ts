import { type Clock, formatSse } from '../base/mod.ts'
import type { Behaviour } from './models.ts'

/** One event of an answer, before it is put on the wire. */
export interface Frame {
  /** The `event:` line; absent where the protocol has none. */
  readonly event?: string
  readonly data: unknown
  /** Generated content: paced, and what breaks and stalls are counted in. */
  readonly generated?: boolean
}

/** What pacing needs to know. */
export interface Pace {
  readonly clock: Clock
  readonly behaviour: Behaviour
  /** Milliseconds between two pieces where the model's name says nothing. */
  readonly pieceDelayMs: number
  /** The frame that this protocol breaks a stream with, after `sent` frames. */
  readonly broken: (sent: number) => Frame
}

/** After how many pieces a stream that breaks, breaks. */
const breaksAfter = 3

/**
 * The bytes of an event stream: one read, one event, paced; ends when the reader leaves. A `string` as data goes out as
 * it is (`[DONE]`), anything else as JSON.
 */
export function paced(frames: Iterable<Frame>, pace: Pace): ReadableStream<Uint8Array> {
  const { clock, behaviour, broken } = pace
  const gone = new AbortController()
  const encoder = new TextEncoder()
  const source = (behaviour.broken === 'twice' ? twice(frames) : frames)[Symbol.iterator]()
  const delayMs = behaviour.delayMs ?? pace.pieceDelayMs
  let generated = 0
  let sent = 0
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = source.next()
      if (next.done) return controller.close()
      const frame = next.value
      if (frame.generated) {
        generated++
        const ms = generated === 2 && behaviour.stallMs > 0 ? behaviour.stallMs : delayMs
        if (ms > 0 && generated > 1) await clock.sleep(ms, gone.signal).catch(() => {})
        if (gone.signal.aborted) return
        if (behaviour.broken === 'connection' && generated > breaksAfter) {
          // What was written must be on its way first: a server drops its last bytes with a body that fails.
          await clock.sleep(50, gone.signal).catch(() => {})
          return controller.error(new Error('the demo upstream lost the connection, as demo-cut does'))
        }
        if (behaviour.broken === 'event' && generated > breaksAfter) {
          controller.enqueue(encoder.encode(write(broken(sent))))
          return controller.close()
        }
        if (behaviour.broken === 'garbage' && generated === breaksAfter) {
          controller.enqueue(encoder.encode('data: {"choices":[{"ind\n\n'))
        }
      }
      sent++
      controller.enqueue(encoder.encode(write(frame)))
    },
    cancel() {
      gone.abort()
    },
  }, { highWaterMark: 0 })
}

/** What ends a stream for good, where a protocol has such an event. */
const ends: ReadonlySet<unknown> = new Set(['[DONE]', 'message_stop', 'response.completed'])

/** All frames but the very end, and then all of them. */
function* twice(frames: Iterable<Frame>): Generator<Frame> {
  const all = [...frames]
  yield* all.filter(({ event, data }) => !ends.has(event) && !ends.has(data))
  yield* all
}

function write(frame: Frame): string {
  const data = typeof frame.data === 'string' ? frame.data : JSON.stringify(frame.data)
  return formatSse({ ...(frame.event === undefined ? {} : { event: frame.event }), data })
}
