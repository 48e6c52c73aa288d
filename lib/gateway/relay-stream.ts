import { type ByteSource, GwError, isGwError, type Ticker, type Watcher } from '../base/mod.ts'
import {
  type Continuation,
  type EventScanner,
  eventScanner,
  type FailureKind,
  type OnEvent,
  type StreamFailure,
  type StreamTracker,
  type UpstreamFailure,
} from '../protocol/mod.ts'
import { failureOf } from '../upstream/mod.ts'
import type { Answer, AnswerField } from './answer.ts'
import type { Limits } from './limits.ts'

/** How a stream went on after its commit. */
export interface StreamEnd {
  /** `ok`, or why it is not: the caller has been told in its own protocol. */
  readonly failure: UpstreamFailure | null
  /** A guess at the tokens that passed, for an upstream that names none. */
  readonly guessedTokens: number
}

/** What {@link relayStream} works with. */
export interface StreamParts {
  readonly source: ByteSource
  readonly tracker: StreamTracker
  /** Whether each piece holds whole events and the tracker judges pieces, an empty answer among them. */
  readonly whole?: boolean
  readonly answer: Answer
  readonly status: number
  readonly fields: readonly AnswerField[]
  readonly limits: Limits
  readonly ticker: Ticker
  /** What an error means that the upstream reports inside its answer. */
  readonly reported: (said: StreamFailure | null) => UpstreamFailure
  /** Cuts our credential out of an event in which the upstream reports an error. */
  readonly clean: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>
  /** Called at the commit point: the first event with content is about to go out. */
  readonly committed: () => void
  /** Called once, after the commit, when the stream is over on either side. */
  readonly ended: (end: StreamEnd) => void
}

const blankLine = new Uint8Array([10, 10])

/**
 * Passes an upstream's event stream on.
 *
 * Until the first event with content everything is held, so that a stream that fails in its opening can be replaced by
 * another target's. From there on, the commit point, whole events go out as they come; the protocol's last event ends
 * the answer; and a stream that breaks ends in the protocol's own error event, never as if it were finished.
 *
 * @returns `null` at the commit, or the failure that came before it
 */
export function relayStream(parts: StreamParts): Promise<UpstreamFailure | null> {
  const { source, tracker, answer, limits, ticker } = parts
  return new Promise((resolve) => {
    let held: Uint8Array<ArrayBuffer>[] = []
    let committed = false
    let over = false
    let content = false
    let ended = false
    let broke = false
    let empty = false
    let seen = false
    const written = contentMeter()
    let lastIn = ticker.now
    let lastOut = ticker.now
    // Where the last event of the protocol ended: what an upstream sends behind it is not passed on.
    let lastEvent: { readonly bytes: Uint8Array; readonly end: number } | null = null
    let rest: Continuation | null = null

    const onEvent: OnEvent = (bytes, start, end) => {
      if (ended || broke) return
      seen = true
      switch (tracker.read(bytes, start, end)) {
        case 'content':
          content = true
          written.add(end - start)
          break
        case 'end':
          // An end after nothing at all, not even a counted token, is no answer: another target may have one.
          empty = !content && parts.whole !== true && !tracker.tokens.outputTokens
          content = ended = true
          lastEvent = { bytes, end }
          break
        case 'failure':
          broke = true
          lastEvent = { bytes, end }
      }
    }
    const scanner = parts.whole ? wholePieces(onEvent) : eventScanner(onEvent, limits.eventBytes)

    const watcher: Watcher = { beat }
    ticker.watch(watcher)
    const unwatch = (): void => ticker.unwatch(watcher)

    function beat(now: number): void {
      if (over) return
      // A caller that does not read keeps its upstream waiting: that silence is not the upstream's.
      if (answer.down?.full) lastIn = now
      if (now - lastIn > limits.idleMs) {
        return cut('timeout', `the provider was silent for ${Math.round((now - lastIn) / 1000)} s`)
      }
      if (committed && answer.down && !answer.down.full && now - lastOut >= limits.keepAliveMs) {
        lastOut = now
        answer.down.write((answer.own ?? tracker).keepAlive())
      }
    }

    function write(piece: Uint8Array<ArrayBuffer>): void {
      answer.down!.write(rest ? rest.take(piece) : piece)
    }

    /** Ends the caller's stream behind the upstream's last event. */
    function endDown(): void {
      if (rest) answer.down!.write(rest.end())
      answer.down!.end()
    }

    function finish(failure: UpstreamFailure | null): void {
      over = true
      unwatch()
      parts.ended({ failure, guessedTokens: written.tokens })
    }

    function commit(): void {
      committed = true
      answer.commit()
      parts.committed()
      answer.open(parts.status, parts.fields)
      rest = answer.own?.continuation() ?? null
      for (const piece of held) write(piece)
      held = []
      lastOut = ticker.now
      resolve(null)
    }

    /** The upstream broke off: another target's turn before the commit, an error event after it. */
    function cut(kind: FailureKind, message: string): void {
      if (over) return
      source.cancel()
      const failure = failureOf(kind, message, 'provider')
      if (!committed) {
        over = true
        unwatch()
        return resolve(failure)
      }
      answer.down?.write((answer.own ?? tracker).failureEvent({ type: 'api_error', code: `upstream_${kind}`, message }))
      answer.down?.end()
      finish(failure)
    }

    function forward(pieces: readonly Uint8Array<ArrayBuffer>[]): void {
      for (const piece of pieces) {
        const cutPiece = lastEvent ? upTo(piece, lastEvent) : piece
        const out = broke ? parts.clean(cutPiece) : cutPiece
        if (committed) write(out)
        else held.push(out)
        if (cutPiece !== piece) break
      }
    }

    answer.onLeave(() => {
      if (over) return
      source.cancel()
      const failure = failureOf('cancelled', answer.because?.message ?? 'the caller left', 'request')
      if (committed) {
        // Where it is the right to the stream that ended, the caller is still there to be told.
        answer.down?.write((answer.own ?? tracker).failureEvent(ending(answer)))
        answer.down?.end()
        return finish(failure)
      }
      over = true
      unwatch()
      resolve(failure)
    })
    answer.onDrain(() => source.resume())

    source.start({
      chunk(bytes) {
        if (over) return
        lastIn = ticker.now
        // Nearly every piece of a stream whose pieces are judged as they are: content behind content.
        if (committed && parts.whole === true && rest === null && tracker.read(bytes, 0, bytes.length) === 'content') {
          lastOut = lastIn
          answer.down!.write(bytes)
          if (answer.down!.full) source.pause()
          return
        }
        let pieces: readonly Uint8Array<ArrayBuffer>[]
        try {
          pieces = scanner.feed(bytes)
        } catch (error) {
          return cut('malformed', isGwError(error) ? error.message : 'the stream could not be read')
        }
        if (pieces.length === 0) return
        forward(pieces)
        if (!committed) {
          if (empty) return cut('empty', 'the answer was empty')
          if (broke && !content) {
            over = true
            unwatch()
            source.cancel()
            return resolve(parts.reported(tracker.failure))
          }
          if (content || broke) commit()
        } else lastOut = lastIn
        if (!ended && !broke) {
          if (answer.down?.full) source.pause()
          return
        }
        endDown()
        finish(broke ? parts.reported(tracker.failure) : null)
      },
      end() {
        if (over) return
        if (!scanner.pending && tracker.finished) {
          if (!committed) commit()
          endDown()
          return finish(null)
        }
        cut(seen || scanner.pending ? 'truncated' : 'empty', seen ? 'the answer broke off' : 'the answer was empty')
      },
      fail: (error) => cut('truncated', error instanceof GwError ? error.message : 'the connection broke off'),
    })
  })
}

/** What a token takes in a text, about. */
const bytesPerToken = 4

/**
 * Guesses tokens from the lengths of events alone: one for each, as models that write token by token send them, or more
 * where events are longer than the shortest but one, whose length is taken for what an event costs without its text (the
 * very shortest may be the odd one that says why the model stopped).
 */
function contentMeter() {
  let events = 0
  let bytes = 0
  let shortest = Infinity
  let second = Infinity
  return {
    add(length: number): void {
      events++
      bytes += length
      if (length < shortest) {
        second = shortest
        shortest = length
      } else if (length < second) second = length
    },
    get tokens(): number {
      const bare = events > 2 ? second : shortest
      return events === 0 ? 0 : Math.max(events, Math.round((bytes - events * bare) / bytesPerToken))
    },
  }
}

/** A scanner of pieces that hold whole events and are judged as they are. */
function wholePieces(onEvent: OnEvent): EventScanner {
  return {
    feed(piece) {
      onEvent(piece, 0, piece.length)
      return [piece]
    },
    pending: false,
  }
}

/** What a caller is told whose stream was ended from here. */
function ending({ because }: Answer): StreamFailure {
  if (because?.code !== 'upstream.timeout') return { type: null, code: 'cancelled', message: 'the request was ended' }
  return { type: 'api_error', code: 'upstream_timeout', message: because.message }
}

/** The piece as far as the last event reaches, closed by a blank line; the piece itself when nothing comes behind. */
function upTo(
  piece: Uint8Array<ArrayBuffer>,
  last: { readonly bytes: Uint8Array; readonly end: number },
): Uint8Array<ArrayBuffer> {
  if (piece.buffer !== last.bytes.buffer) return piece
  const end = last.bytes.byteOffset + last.end - piece.byteOffset
  if (end < 0 || end > piece.length) return piece
  for (let at = end; at < piece.length; at++) {
    const byte = piece[at]
    if (byte !== 10 && byte !== 13) {
      const out = new Uint8Array(end + 2)
      out.set(piece.subarray(0, end))
      out.set(blankLine, end)
      return out
    }
  }
  return piece
}
