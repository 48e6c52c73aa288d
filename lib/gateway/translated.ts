import { type ByteSink, type ByteSource, concat, GwError, type JsonObject, sseParser } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import {
  type Aggregator,
  applyQuirks,
  awsFrames,
  bedrockPath,
  estimateTokens,
  type EventRole,
  type Loss,
  mayEdit,
  packedMarks,
  type ProtocolId,
  quirkNames,
  responseOfEvent,
  type StreamTracker,
  toBedrock,
  type TokenCounts,
  toVertex,
  type TranslatedStream,
  type Translator,
  translator,
  type UpstreamFailure,
  upstreamFailure,
  vertexCountPath,
  vertexPath,
  vertexPrefix,
} from '../protocol/mod.ts'
import { controlKeys } from '../routing/mod.ts'
import type { Field, Surface, UpstreamPath } from '../upstream/mod.ts'
import type { AnswerField } from './answer.ts'
import type { Line } from './attempt.ts'
import { stemOf } from './call.ts'
import { countingTranslation } from './counting.ts'
import { geminiTranslation } from './gemini.ts'
import { assertWhole } from './turns.ts'

/** What one target of another protocol, or of a dialect of its own, is sent, and how its answer is read. */
export interface Translation {
  readonly body: Uint8Array<ArrayBuffer>
  readonly surface: Surface | UpstreamPath
  /** Whether the answer is a stream in AWS's binary frames. */
  readonly framed: boolean
  readonly losses: readonly Loss[]
  /** Whether gw keeps the turn, as its upstream does not. */
  readonly keeps: boolean
  /** Reads the answer; `null` when its bytes are the caller's own protocol and need no reading. */
  readonly exchange: Translator | null
}

/** The path on which each protocol is asked for an answer. */
const surfaceOf: Readonly<Record<ProtocolId, Surface>> = {
  'openai-chat': 'chat',
  'openai-responses': 'responses',
  'anthropic-messages': 'messages',
  gemini: 'generate',
}

/** The header by which a caller refuses what cannot be carried over whole. */
const strictHeader = 'x-gw-strict'

/** Whether anything is left to translate: only what models answer is. */
const translated: ReadonlySet<string> = new Set(['chat', 'responses', 'messages', 'generate'])

/**
 * The request for a target, translated where it must be; `null` when the caller's own bytes will do.
 *
 * @throws GwError `request.invalid` with the JSON path, `request.lossy` in strict mode, `request.unsupported` for what
 * is no conversation
 */
export function translateFor(target: Target, line: Line): Translation | null {
  const { envelope, protocol } = target.deployment
  if (line.row.surface === 'count_tokens' && protocol !== line.row.protocol) return countingTranslation(target, line)
  if (protocol === 'gemini') return geminiTranslation(target, line, plainTranslation(target, line))
  if (envelope !== 'bedrock' && envelope !== 'vertex') return plainTranslation(target, line)
  const plain = plainTranslation(target, line)
  const text = new TextDecoder().decode(plain?.body ?? line.ask.body.rewrite(target.model))
  return inEnvelope(envelope, JSON.parse(text) as JsonObject, target, line, plain)
}

/** A messages body in the envelope of a cloud. */
function inEnvelope(
  envelope: 'bedrock' | 'vertex',
  body: JsonObject,
  target: Target,
  line: Line,
  plain: Translation | null,
): Translation {
  const stream = body.stream === true
  const { wrapped } = line.ask
  // The same envelope on both sides: the same bytes.
  const untouched = plain === null && line.row.envelope?.cloud === envelope ? wrapped?.bytes : undefined
  const shared = { losses: plain?.losses ?? [], exchange: plain?.exchange ?? null, keeps: plain?.keeps ?? false }
  if (line.row.surface === 'count_tokens') {
    const counted = bytesOf({ ...toVertex(body), model: target.model })
    return { ...shared, body: counted, surface: { path: vertexCountPath, prefix: vertexPrefix }, framed: false }
  }
  if (envelope === 'vertex') {
    const surface = { path: vertexPath(target.model, stream), prefix: vertexPrefix }
    return { ...shared, body: untouched ?? bytesOf(toVertex(body)), surface, framed: false }
  }
  const named = (line.call.headers.get('anthropic-beta') ?? '').split(',').map((flag) => flag.trim()).filter(Boolean)
  const betas = [...new Set([...named, ...wrapped?.betas ?? []])]
  const surface = { path: bedrockPath(target.model, stream) }
  return { ...shared, body: untouched ?? bytesOf(toBedrock(body, betas)), surface, framed: stream }
}

function plainTranslation(target: Target, line: Line): Translation | null {
  const { ask, row, call, rooms } = line
  const upstream = target.deployment.protocol
  const named = rooms.directory.provider(target.provider)?.quirks ?? []
  const quirks = named.filter((name) => (quirkNames as readonly string[]).includes(name))
  const same = upstream === row.protocol
  const packed = same && packedMarks.some((mark) => ask.body.mentions(mark))
  if (
    same &&
    (!translated.has(row.surface) || (!packed && !mayEdit(upstream, quirks, (field) => ask.body.has(field))))
  ) return null
  if (!translated.has(row.surface)) {
    throw new GwError(
      'request.unsupported',
      `${target.key} speaks ${upstream}, and ${row.surface} is not translated to it`,
    )
  }
  const body = withoutControls(ask.body.parsed(), line)
  const strict = /^(1|true|yes)$/i.test(call.headers.get(strictHeader) ?? '')
  const forgets = row.surface === 'responses' && (!same || quirks.some((name) => forgetful.has(name)))
  if (forgets) assertWhole(body)
  const keeps = forgets && rooms.turns !== null && body.store !== false
  if (same && !keeps && !packed) return editFor(target, line, body, quirks)
  const echo = { ...(keeps ? { store: true } : {}), ...(ask.continues ? { previous_response_id: ask.continues } : {}) }
  const exchange = exchangeFor(target, line, quirks, strict, echo)
  // What gw keeps, the upstream need not: it is no loss that it cannot.
  const { store: _, ...rest } = body
  const edited = exchange.request(keeps ? rest : body, {
    model: target.model,
    maxOutputTokens: rooms.translation?.maxOutputTokens(target) ?? null,
    ...streamWish(quirks),
  })
  return {
    body: bytesOf(edited.body),
    surface: same ? row.surface : surfaceOf[upstream],
    framed: false,
    losses: edited.losses,
    keeps,
    exchange: same && !keeps && ask.stream === (edited.body.stream === true) ? null : exchange,
  }
}

/** The caller's own body with the edits of its upstream's dialect; `null` when there are none. */
function editFor(target: Target, line: Line, body: JsonObject, quirks: readonly string[]): Translation | null {
  const { row, ask } = line
  const losses: Loss[] = []
  const renamed = { ...body, model: target.model }
  const edited = applyQuirks(row.protocol, renamed, quirks, (path, reason) => void losses.push({ path, reason }))
  if (JSON.stringify(edited) === JSON.stringify(renamed)) return null
  const turned = ask.stream !== (edited.stream === true)
  const exchange = turned ? exchangeFor(target, line, quirks, false) : null
  exchange?.request(body, { model: target.model, stream: true })
  return { body: bytesOf(edited), surface: row.surface, framed: false, losses, exchange, keeps: false }
}

/** Dialects of the responses protocol that store nothing. */
const forgetful: ReadonlySet<string> = new Set(['codex-backend', 'no-store'])

/** Some upstreams only stream, whatever the caller wants. */
function streamWish(quirks: readonly string[]): { stream?: boolean } {
  return quirks.includes('codex-backend') ? { stream: true } : {}
}

/** The translator of one try at one target. */
function exchangeFor(
  target: Target,
  { call, row, rooms }: Line,
  quirks: readonly string[],
  strict: boolean,
  echo: JsonObject = {},
): Translator {
  return translator(row.protocol, target.deployment.protocol, {
    id: stemOf(call),
    now: rooms.clock.now(),
    quirks,
    strict,
    echo,
    autoCache: rooms.translation?.autoCache === true,
  })
}

function withoutControls(body: JsonObject, { plan }: Line): JsonObject {
  if (!plan.controls) return body
  const dropped = new Set<string>(controlKeys)
  return Object.fromEntries(Object.entries(body).filter(([name]) => !dropped.has(name)))
}

function bytesOf(body: JsonObject): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(body))
}

/** Header fields that mean something to the caller's own protocol alone. */
const dialectFields = /^(anthropic-|openai-|x-stainless-|x-claude-code-|x-codex-|originator$|version$|x-app$)/

/** The caller's header fields without those of its own protocol, for an upstream of another. */
export function plainHeaders(fields: readonly Field[]): Field[] {
  return fields.filter(([name]) => !dialectFields.test(name))
}

/** The most that the list of losses takes of an answer's head. */
const maxLossBytes = 2048

/** `x-gw-losses`: the paths of what was left out, as far as they fit. */
export function lossFields(losses: readonly Loss[]): AnswerField[] {
  if (losses.length === 0) return []
  const paths = losses.map(({ path }) => path.replace(/[^\x20-\x7e]/g, '?'))
  let text = paths.join(', ')
  if (text.length > maxLossBytes) text = `${text.slice(0, text.lastIndexOf(',', maxLossBytes))}, … (${paths.length})`
  return [['x-gw-losses', text.replace('…', '...')]]
}

/** A count of tokens where the upstream has no such surface: gw's estimate, marked as one. */
export function estimatedCount(line: Line): Response {
  const body = JSON.parse(new TextDecoder().decode(line.ask.body.bytes)) as JsonObject
  const { inputTokens } = estimateTokens(body)
  const counted = line.row.protocol === 'gemini' ? { totalTokens: inputTokens } : { input_tokens: inputTokens }
  return new Response(JSON.stringify(counted), {
    headers: { 'content-type': 'application/json', 'x-gw-estimated': 'true', 'x-gw-request-id': line.call.id },
  })
}

/** A body in AWS's binary frames as the event stream inside them. */
export function unframed(body: ByteSource): ByteSource {
  function start(sink: ByteSink): void {
    const frames = awsFrames()
    const utf8 = new TextEncoder()
    let over = false
    const fail = (error: unknown): void => {
      if (over) return
      over = true
      body.cancel()
      sink.fail(error)
    }
    body.start({
      chunk(bytes) {
        if (over) return
        try {
          const text = frames.push(bytes)
          if (text !== '') sink.chunk(utf8.encode(text))
        } catch (error) {
          fail(error)
        }
      },
      end() {
        if (over) return
        if (frames.pending) return fail(new GwError('upstream.invalid', 'the event stream broke off inside a frame'))
        over = true
        sink.end()
      },
      fail,
    })
  }
  return { start, pause: () => body.pause(), resume: () => body.resume(), cancel: () => body.cancel() }
}

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
  maxBytes: number,
  keeps: boolean,
): TranslatedSource & { readonly tracker: StreamTracker } {
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
      for (const piece of pieces) sink.chunk(piece as Uint8Array<ArrayBuffer>)
    }
    body.start({
      chunk(bytes) {
        if (over) return
        if (streamed === true) return send(stream.push(bytes))
        streamed ??= looksLikeStream(bytes)
        if (streamed === true) {
          for (const chunk of held.splice(0)) send(stream.push(chunk))
          return send(stream.push(bytes))
        }
        size += bytes.length
        if (size <= maxBytes) return void held.push(bytes)
        over = true
        body.cancel()
        send(stream.fail(upstreamFailure('malformed', `the answer is larger than ${maxBytes} bytes`)))
        sink.end()
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
