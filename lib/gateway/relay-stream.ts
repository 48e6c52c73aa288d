import {
  type ByteSink,
  type ByteSource,
  GwError,
  isGwError,
  publicCode,
  type Ticker,
  type Watcher,
} from '../base/mod.ts'
import {
  type Continuation,
  type EventReader,
  type EventScanner,
  eventScanner,
  type FailureKind,
  type StreamFailure,
  type StreamTracker,
  type UpstreamFailure,
  upstreamFailure,
} from '../protocol/mod.ts'
import type { Answer, AnswerField, Serving } from './answer.ts'
import { ContentMeter } from './content-meter.ts'
import { before, type Place, upTo } from './pieces.ts'
import { type Limits, wordlessMs } from './limits.ts'

/** How a stream went on after its commit. */
export interface StreamEnd {
  /** `ok`, or why it is not: the caller has been told in its own protocol. */
  readonly failure: UpstreamFailure | null
  /** A guess at the tokens that passed, for an upstream that names none. */
  readonly guessedTokens: number
}

/** Who keeps the books of a stream. */
export interface StreamBooks {
  /** What an error means that the upstream reports inside its answer. */
  reported(said: StreamFailure | null): UpstreamFailure
  /** Cuts our credential out of an event in which the upstream reports an error. */
  clean(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>
  /** Called at the commit point: the first event with content is about to go out. */
  committed(): void
  /** Called once, after the commit, when the stream is over on either side. */
  ended(end: StreamEnd): void
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
  readonly books: StreamBooks
}

/**
 * How long, ms, and with how many bytes an upstream may end its answer behind the last event. Its connection then serves
 * another request; one that goes on is closed.
 */
const tailMs = 2000
const tailBytes = 64 * 1024

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
  return new Promise((resolve) => new Relay(parts, resolve).start())
}

/** What is needed up to the commit point, and not held by the many streams that are past it. */
interface Opening {
  readonly status: number
  readonly fields: readonly AnswerField[]
  readonly held: Uint8Array<ArrayBuffer>[]
  heldBytes: number
  readonly resolve: (failure: UpstreamFailure | null) => void
}

/** One stream on its way. There are thousands at a time: its members are all that it keeps. */
class Relay implements ByteSink, EventReader, Serving, Watcher {
  readonly #source: ByteSource
  readonly #tracker: StreamTracker
  readonly #whole: boolean
  readonly #answer: Answer
  readonly #limits: Limits
  readonly #ticker: Ticker
  readonly #books: StreamBooks
  readonly #scanner: EventScanner
  readonly #written = new ContentMeter()
  /** `null` from the commit point on. */
  #opening: Opening | null
  #over = false
  #content = false
  #ended = false
  #broke = false
  /** Whether it broke because an event could not stand where it stood: that one is not passed on. */
  #faulty = false
  #empty = false
  #seen = false
  #lastIn: number
  #lastOut: number
  /** When the model said something. */
  #lastWord: number
  /** How many bytes have come, and then how many behind the last event. */
  #bytes = 0
  /** Where the last event of the protocol ended: what an upstream sends behind it is not passed on. */
  #lastEvent: Place | null = null
  #rest: Continuation | null = null

  constructor(parts: StreamParts, resolve: (failure: UpstreamFailure | null) => void) {
    this.#source = parts.source
    this.#tracker = parts.tracker
    this.#whole = parts.whole === true
    this.#answer = parts.answer
    this.#limits = parts.limits
    this.#ticker = parts.ticker
    this.#books = parts.books
    this.#scanner = this.#whole ? new WholePieces(this) : eventScanner(this, parts.limits.eventBytes)
    this.#opening = { status: parts.status, fields: parts.fields, held: [], heldBytes: 0, resolve }
    this.#lastIn = this.#lastOut = this.#lastWord = parts.ticker.now
  }

  start(): void {
    this.#ticker.watch(this)
    this.#answer.serve(this)
    this.#source.start(this)
  }

  event(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    if (this.#ended || this.#broke) return
    this.#seen = true
    switch (this.#tracker.read(bytes, start, end)) {
      case 'content':
        this.#content = true
        this.#lastWord = this.#lastIn
        this.#written.add(end - start)
        break
      case 'end':
        // An end after nothing at all, not even a counted token, is no answer: another target may have one.
        this.#empty = !this.#content && !this.#whole && !this.#tracker.tokens.outputTokens
        this.#content = this.#ended = true
        this.#lastEvent = { bytes, end }
        break
      case 'failure':
        this.#broke = true
        this.#lastEvent = { bytes, end }
        break
      case 'fault':
        this.#broke = this.#faulty = true
        this.#lastEvent = { bytes, end: start }
    }
  }

  chunk(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#over) return this.#tail(bytes.length)
    this.#lastIn = this.#ticker.now
    if (bytes.length === 0) return
    this.#bytes += bytes.length
    const { down } = this.#answer
    // Nearly every piece of a stream whose pieces are judged as they are: content behind content.
    if (
      this.#opening === null && this.#whole && this.#rest === null &&
      this.#tracker.read(bytes, 0, bytes.length) === 'content'
    ) {
      this.#lastOut = this.#lastWord = this.#lastIn
      down!.write(bytes)
      if (down!.full) this.#source.pause()
      return
    }
    let pieces: readonly Uint8Array<ArrayBuffer>[]
    try {
      pieces = this.#scanner.feed(bytes)
    } catch (error) {
      return this.#cut('malformed', isGwError(error) ? error.message : 'the stream could not be read')
    }
    if (pieces.length === 0) return
    if (this.#faulty && this.#opening !== null) return this.#cut('malformed', this.#tracker.fault!)
    this.#forward(pieces)
    if (this.#faulty) return this.#cut('malformed', this.#tracker.fault!)
    if (this.#opening !== null) {
      if (this.#empty) return this.#cut('empty', 'the answer was empty')
      if (this.#broke && !this.#content) {
        this.#source.cancel()
        return this.#giveUp(this.#opening, this.#books.reported(this.#tracker.failure))
      }
      if (this.#content || this.#broke) this.#commit(this.#opening)
      else if (this.#opening.heldBytes > this.#limits.eventBytes) {
        return this.#cut('malformed', `${this.#limits.eventBytes} bytes came before the answer`)
      }
    } else this.#lastOut = this.#lastIn
    if (!this.#ended && !this.#broke) {
      if (this.#answer.down?.full) this.#source.pause()
      return
    }
    this.#endDown()
    if (!this.#broke) return this.#finish(null, true)
    this.#source.cancel()
    this.#finish(this.#books.reported(this.#tracker.failure))
  }

  end(): void {
    if (this.#over) return this.#ticker.unwatch(this)
    const pending = this.#scanner.pending
    if (!pending && this.#tracker.finished) {
      if (this.#opening) this.#commit(this.#opening)
      this.#endDown()
      return this.#finish(null)
    }
    this.#cut(
      this.#seen || pending ? 'truncated' : 'empty',
      this.#seen ? 'the answer broke off' : 'the answer was empty',
    )
  }

  fail(error: unknown): void {
    if (this.#over) return this.#ticker.unwatch(this)
    this.#cut('truncated', error instanceof GwError ? error.message : 'the connection broke off')
  }

  beat(now: number): void {
    if (this.#over) return now - this.#lastIn > tailMs ? this.#letGo() : undefined
    const { down } = this.#answer
    // A caller that does not read keeps its upstream waiting: that silence is not the upstream's.
    if (down?.full) this.#lastIn = this.#lastWord = now
    const silent = now - this.#lastIn
    if (silent > this.#limits.idleMs) {
      return this.#cut('timeout', `the provider was silent for ${Math.round(silent / 1000)} s`)
    }
    const wordless = now - this.#lastWord
    if (wordless > wordlessMs(this.#limits)) {
      return this.#cut('timeout', `the provider said nothing for ${Math.round(wordless / 1000)} s`)
    }
    if (this.#bytes > this.#limits.streamBytes) {
      return this.#cut('malformed', `the answer is larger than ${this.#limits.streamBytes} bytes`)
    }
    if (this.#opening === null && down && !down.full && now - this.#lastOut >= this.#limits.keepAliveMs) {
      this.#lastOut = now
      down.write(this.#voice.keepAlive())
    }
  }

  left(): void {
    if (this.#over) return
    this.#source.cancel()
    const failure = upstreamFailure('cancelled', this.#answer.because?.message ?? 'the caller left')
    if (this.#opening) return this.#giveUp(this.#opening, failure)
    // Where it is the right to the stream that ended, the caller is still there to be told.
    this.#answer.down?.write(this.#voice.failureEvent(ending(this.#answer)))
    this.#answer.down?.end()
    this.#finish(failure)
  }

  drained(): void {
    this.#source.resume()
  }

  /** Who speaks to the caller beside the upstream: the stream that gw began, where it did. */
  get #voice(): Pick<StreamTracker, 'keepAlive' | 'failureEvent'> {
    return this.#answer.own ?? this.#tracker
  }

  #write(piece: Uint8Array<ArrayBuffer>): void {
    this.#answer.down!.write(this.#rest ? this.#rest.take(piece) : piece)
  }

  /** Ends the caller's stream behind the upstream's last event. */
  #endDown(): void {
    const down = this.#answer.down!
    if (this.#rest) down.write(this.#rest.end())
    down.end()
  }

  /** @param tail whether the upstream has yet to end its answer */
  #finish(failure: UpstreamFailure | null, tail = false): void {
    this.#over = true
    this.#bytes = 0
    if (!tail) this.#ticker.unwatch(this)
    this.#books.ended({ failure, guessedTokens: this.#written.tokens })
  }

  /** Bytes behind the last event. */
  #tail(length: number): void {
    this.#bytes += length
    if (this.#bytes > tailBytes) this.#letGo()
  }

  #letGo(): void {
    this.#source.cancel()
    this.#ticker.unwatch(this)
  }

  /** Nothing has gone out: another target may serve. */
  #giveUp({ resolve }: Opening, failure: UpstreamFailure): void {
    this.#over = true
    this.#ticker.unwatch(this)
    resolve(failure)
  }

  #commit({ status, fields, held, resolve }: Opening): void {
    this.#opening = null
    this.#answer.commit()
    this.#books.committed()
    this.#answer.open(status, fields)
    this.#rest = this.#answer.own?.continuation() ?? null
    for (const piece of held) this.#write(piece)
    this.#lastOut = this.#ticker.now
    resolve(null)
  }

  /** The upstream broke off: another target's turn before the commit, an error event after it. */
  #cut(kind: FailureKind, message: string): void {
    if (this.#over) return
    this.#source.cancel()
    const failure = upstreamFailure(kind, message)
    if (this.#opening) return this.#giveUp(this.#opening, failure)
    const { down } = this.#answer
    down?.write(this.#voice.failureEvent({ type: 'api_error', code: `upstream_${kind}`, message }))
    down?.end()
    this.#finish(failure)
  }

  #forward(pieces: readonly Uint8Array<ArrayBuffer>[]): void {
    for (const piece of pieces) {
      const last = this.#lastEvent !== null && piece.buffer === this.#lastEvent.bytes.buffer ? this.#lastEvent : null
      const cutPiece = last === null ? piece : this.#faulty ? before(piece, last) : upTo(piece, last)
      const out = this.#broke && !this.#faulty ? this.#books.clean(cutPiece) : cutPiece
      if (this.#opening) {
        this.#opening.held.push(out)
        this.#opening.heldBytes += out.length
      } else if (out.length > 0) this.#write(out)
      if (last !== null) break
    }
  }
}

/** A scanner of pieces that hold whole events and are judged as they are. */
class WholePieces implements EventScanner {
  readonly pending = false
  readonly #reader: EventReader

  constructor(reader: EventReader) {
    this.#reader = reader
  }

  feed(piece: Uint8Array<ArrayBuffer>): readonly Uint8Array<ArrayBuffer>[] {
    this.#reader.event(piece, 0, piece.length)
    return [piece]
  }
}

/** What a caller is told whose stream was ended from here. */
function ending({ because }: Answer): StreamFailure {
  if (because === null || because.code === 'cancelled') {
    return { type: null, code: 'cancelled', message: 'the request was ended' }
  }
  return { type: 'api_error', code: publicCode(because.code), message: because.message }
}
