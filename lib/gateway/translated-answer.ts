import type { Target } from '../accounts/mod.ts'
import { type ByteSink, type ByteSource, concat, GwError, type JsonObject, sseParser } from '../base/mod.ts'
import {
  type Aggregator,
  type EventRole,
  type Loss,
  responseOfEvent,
  type StreamTracker,
  type TokenCounts,
  type TranslatedStream,
  type Translator,
  type UpstreamFailure,
  upstreamFailure,
} from '../protocol/mod.ts'
import type { Line } from './attempt.ts'
import type { Limits } from './limits.ts'
import { bytesOf, exchangeFor, translated, withoutControls } from './translated.ts'

const nothing = new Uint8Array(0)

/** An upstream's body on its way to becoming the caller's. */
export interface TranslatedSource {
  /** Gives the caller's bytes. Ends with a failure when the upstream's answer was one. */
  readonly source: ByteSource
  /** What the upstream's answer was, when it was a failure. */
  readonly failure: UpstreamFailure | null
  readonly usage: TokenCounts | null
  readonly losses: readonly Loss[]
  /** The whole answer in the caller's protocol, once it is complete, where it was asked for. */
  readonly answer: JsonObject | null
}

/** Whether a body is an event stream, by its first bytes: labels lie. `null` while there is only white space. */
function looksLikeStream(bytes: Uint8Array): boolean | null {
  for (const byte of bytes) {
    if (byte === 32 || byte === 9 || byte === 10 || byte === 13 || byte === 0xef || byte === 0xbb || byte === 0xbf) {
      continue
    }
    return byte !== 123 && byte !== 91
  }
  return null
}

/** The answer as one JSON document, whatever form the upstream gave it. */
export function wholeSource(body: ByteSource, exchange: Translator, maxBytes: number): TranslatedSource {
  let failure: UpstreamFailure | null = null
  let usage: TokenCounts | null = null
  let losses: readonly Loss[] = []
  let whole: JsonObject | null = null

  function start(sink: ByteSink): void {
    const chunks: Uint8Array<ArrayBuffer>[] = []
    let size = 0
    let streamed: boolean | null = null
    let over = false
    let aggregator: Aggregator | null = null

    function settle(): void {
      over = true
      const answer = aggregator ? aggregator.end() : exchange.response(parse(chunks))
      usage = answer.usage
      losses = answer.losses
      failure = answer.failure
      if (failure !== null) return sink.fail(new GwError('upstream.invalid', failure.message))
      whole = answer.body
      sink.chunk(bytesOf(answer.body))
      sink.end()
    }
    body.start({
      chunk(bytes) {
        if (over) return
        size += bytes.length
        if (size > maxBytes) {
          over = true
          body.cancel()
          failure = upstreamFailure('malformed', `the answer is larger than ${maxBytes} bytes`)
          return sink.fail(new GwError('upstream.invalid', failure.message))
        }
        streamed ??= looksLikeStream(bytes)
        if (streamed === true) {
          aggregator ??= exchange.aggregate()
          for (const chunk of chunks.splice(0)) aggregator.push(chunk)
          aggregator.push(bytes)
          if (aggregator.done) {
            body.cancel()
            return settle()
          }
        } else chunks.push(bytes)
        // Nothing to pass on yet, but the upstream is alive.
        sink.chunk(new Uint8Array(0))
      },
      end: () => over || settle(),
      fail(error) {
        if (over) return
        over = true
        sink.fail(error)
      },
    })
  }

  return {
    source: { start, pause: () => body.pause(), resume: () => body.resume(), cancel: () => body.cancel() },
    get failure() {
      return failure
    },
    get usage() {
      return usage
    },
    get losses() {
      return losses
    },
    get answer() {
      return whole
    },
  }
}

/**
 * A whole answer in the caller's own protocol as the stream that it asked for.
 *
 * @throws GwError `upstream.invalid` when it is no answer
 */
export function wholeAsStream(target: Target, line: Line, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const exchange = exchangeFor(target, line, [], false)
  exchange.request(withoutControls(line.ask.body.parsed(), line), { model: target.model })
  const stream = exchange.streamOf(parse([bytes]))
  const pieces = stream.end()
  if (stream.failure !== null) throw new GwError('upstream.invalid', stream.failure.message)
  return concat(pieces)
}

/**
 * What puts a stream of the caller's own protocol together for a caller who asked for none; `null` where its request
 * cannot be read, and for what is no answer of a model.
 */
export function gatherer(target: Target, line: Line): Translator | null {
  if (!translated.has(line.row.surface)) return null
  const exchange = exchangeFor(target, line, [], false)
  try {
    exchange.request(withoutControls(line.ask.body.parsed(), line), { model: target.model })
    return exchange
  } catch {
    return null
  }
}

function parse(chunks: readonly Uint8Array[]): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(concat(chunks)))
  } catch {
    return undefined
  }
}

/**
 * The answer as the caller's event stream, whatever form the upstream gave it; and the tracker that follows it: its pieces
 * hold whole events, and what they are is known without reading them again.
 *
 * @param id the answer's own id, as the caller sees it
 */
export function streamSource(
  body: ByteSource,
  exchange: Translator,
  id: string,
  { replyBytes, streamBytes }: Pick<Limits, 'replyBytes' | 'streamBytes'>,
  keeps: boolean,
): TranslatedSource & { readonly tracker: StreamTracker; readonly guessedTokens: number } {
  let stream: TranslatedStream = exchange.stream()
  let whole: JsonObject | null = null

  function start(sink: ByteSink): void {
    const held: Uint8Array<ArrayBuffer>[] = []
    let size = 0
    let streamed: boolean | null = null
    let over = false
    const send = (pieces: readonly Uint8Array[]): void => {
      // The closing event of this protocol holds the whole answer.
      if (keeps && stream.state === 'done') whole = closingResponse(pieces) ?? whole
      // Nothing to pass on yet, but the upstream is alive.
      if (pieces.length === 0) sink.chunk(nothing)
      for (const piece of pieces) sink.chunk(piece as Uint8Array<ArrayBuffer>)
    }
    function tooLarge(maxBytes: number): void {
      over = true
      body.cancel()
      send(stream.fail(upstreamFailure('malformed', `the answer is larger than ${maxBytes} bytes`)))
      sink.end()
    }
    body.start({
      chunk(bytes) {
        if (over) return
        size += bytes.length
        if (streamed === true) return size > streamBytes ? tooLarge(streamBytes) : send(stream.push(bytes))
        streamed ??= looksLikeStream(bytes)
        if (streamed === true) {
          for (const chunk of held.splice(0)) send(stream.push(chunk))
          return send(stream.push(bytes))
        }
        if (size > replyBytes) return tooLarge(replyBytes)
        held.push(bytes)
        sink.chunk(nothing)
      },
      end() {
        if (over) return
        over = true
        if (streamed === false) stream = exchange.streamOf(parse(held))
        send(stream.end())
        sink.end()
      },
      fail(error) {
        if (over) return
        over = true
        send(
          stream.fail(
            upstreamFailure('truncated', error instanceof GwError ? error.message : 'the connection broke off'),
          ),
        )
        sink.end()
      },
    })
  }

  const tracker: StreamTracker = {
    read: () => roles[stream.state],
    get tokens() {
      return stream.usage
    },
    id,
    get failure() {
      return stream.failure && { type: null, code: stream.failure.code, message: stream.failure.message }
    },
    // The translator tells a fault as a failure.
    fault: null,
    get finished() {
      return stream.state === 'done'
    },
    keepAlive: () => stream.keepAlive() as Uint8Array<ArrayBuffer>,
    failureEvent(failure) {
      const kind = failure.code === 'cancelled'
        ? 'cancelled'
        : failure.code === 'upstream_timeout'
        ? 'timeout'
        : 'truncated'
      return concat(stream.fail(upstreamFailure(kind, failure.message)))
    },
  }
  return {
    tracker,
    source: { start, pause: () => body.pause(), resume: () => body.resume(), cancel: () => body.cancel() },
    get failure() {
      return stream.failure
    },
    get guessedTokens() {
      return stream.guessedTokens
    },
    get usage() {
      return stream.usage
    },
    get losses() {
      return stream.losses
    },
    get answer() {
      return whole
    },
  }
}

/** What a piece is to a relay after which a translated stream is in a state. */
const roles: Readonly<Record<TranslatedStream['state'], EventRole>> = {
  open: 'opening',
  content: 'content',
  done: 'end',
  failed: 'failure',
}

function closingResponse(pieces: readonly Uint8Array[]): JsonObject | null {
  for (const { data } of sseParser().push(concat(pieces)).toReversed()) {
    const response = /"response\.(completed|incomplete)"/.test(data) ? responseOfEvent(JSON.parse(data)) : null
    if (response !== null) return response
  }
  return null
}
