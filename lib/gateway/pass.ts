import type { Target } from '../accounts/mod.ts'
import { cutCredential, type JsonObject, type Secret } from '../base/mod.ts'
import type { Credential } from '../credentials/mod.ts'
import {
  type Loss,
  noTokens,
  responseId,
  type StreamTracker,
  type TokenCounts,
  type Translator,
  type UpstreamFailure,
  upstreamFailure,
  type Wire,
} from '../protocol/mod.ts'
import type { Claim } from '../routing/mod.ts'
import { lossFields, type Translation } from './translated.ts'
import { gatherer, streamSource, wholeAsStream, wholeSource } from './translated-answer.ts'
import { unframed } from './unframed.ts'
import { classifyFailure } from '../liveness/mod.ts'
import { replyFields, type UpstreamReply } from '../upstream/mod.ts'
import type { Answer, AnswerField } from './answer.ts'
import type { Line } from './attempt.ts'
import { stemOf } from './call.ts'
import { relayStream, type StreamBooks, type StreamEnd } from './relay-stream.ts'
import { relayWhole } from './relay-whole.ts'
import type { Ask, Rooms } from './seams.ts'
import type { Ledger } from './settle.ts'
import { wireOf } from './surfaces.ts'
import { keepName, keepTurn } from './turns.ts'

/** An answer with a success status, and what it came from. */
export interface Served {
  readonly target: Target
  readonly claim: Claim
  readonly credential: Credential
  /** Whether the credential was the caller's own: then the answer says nothing about our accounts. */
  readonly own: boolean
  readonly reply: UpstreamReply
  readonly translation: Translation | null
  /** What was left out of the request before it was translated. */
  readonly losses: readonly Loss[]
}

const eventStream = /^text\/event-stream\b/i
const webPage = /^text\/html\b/i

/** Passes an answer on, stream or not, and closes the books when it is over; `null` at the commit point. */
export function pass(
  { target, claim, credential, own, reply, translation, losses }: Served,
  line: Line,
): Promise<UpstreamFailure | null> {
  const { call, row, answer, ledger, rooms, plan } = line
  const wire = wireOf(row)
  const body = translation?.framed ? unframed(reply.body) : reply.body
  const type = translation?.framed ? 'text/event-stream' : reply.headers.get('content-type') ?? ''
  const fields: AnswerField[] = replyFields(reply.headers, credential.secret)
  if (translation?.framed) {
    const at = fields.findIndex(([name]) => name === 'content-type')
    fields[at < 0 ? fields.length : at] = ['content-type', `${type}; charset=utf-8`]
  }
  const asked = translation ? [...losses, ...translation.losses] : losses
  fields.push(...lossFields(asked))
  fields.push(
    ['x-gw-request-id', call.id],
    ['x-gw-target', target.key],
    ['x-gw-attempts', String(ledger.attempts.length + 1)],
    ['x-gw-cache', plan.session === null ? 'none' : plan.session.boundTo === target.account ? 'warm' : 'cold'],
    ...line.notices,
  )

  const session = plan.session?.key ?? null
  const books = new Books({ line, target, claim, own, reply, secret: credential.secret, losses: asked, session })
  const shared = { source: body, answer, status: reply.status, fields, limits: rooms.limits, ticker: rooms.ticker }
  if (translation?.exchange && wire) return passTranslated(translation.exchange, wire)
  const relayed = (wire: Wire, parts: typeof shared): Promise<UpstreamFailure | null> => {
    const tracker = books.tracker = wire.tracker()
    return relayStream({ ...parts, tracker, books })
  }
  if (wire && eventStream.test(type)) {
    // Some providers stream whatever they are asked for.
    const gathers = line.ask.stream ? null : gatherer(target, line)
    return gathers ? passTranslated(gathers, wire) : relayed(wire, shared)
  }
  if (row.json && webPage.test(type)) {
    reply.body.cancel()
    return Promise.resolve(upstreamFailure('malformed', 'the provider answered with a web page'))
  }
  return relayWhole({
    ...shared,
    length: reply.length,
    wire,
    json: row.json,
    // Some providers label their streams as JSON.
    asEvents: row.json && line.ask.stream && wire
      ? (source) => relayed(wire, { ...shared, source, fields: named('text/event-stream; charset=utf-8') })
      : null,
    asStream: line.ask.stream && wire?.own ? (bytes) => wholeAsStream(target, line, bytes) : null,
    reported: (said) => books.reported(said),
    committed: () => books.committed(),
    ended: ({ failure, tokens, bytes, id }) =>
      books.close(failure, { tokens, bytes, id, guessedTokens: guessWhole(bytes) }),
  })

  function named(type: string): AnswerField[] {
    return [...fields.filter(([name]) => name !== 'content-type'), ['content-type', type]]
  }

  /** The same, through the translator: what is relayed is the caller's protocol already. */
  async function passTranslated(exchange: Translator, wire: Wire): Promise<UpstreamFailure | null> {
    const keeps = translation?.keeps === true
    const id = responseId(stemOf(call))
    const { ask } = line
    const keep = (failure: UpstreamFailure | null, answer: JsonObject | null): void => {
      if (keeps && failure === null && answer !== null && rooms.turns) keepTurn(ask, answer, rooms.turns)
    }
    if (ask.stream) {
      const through = streamSource(body, exchange, id, rooms.limits, keeps)
      const failure = await relayStream({
        ...shared,
        source: through.source,
        whole: true,
        fields: named('text/event-stream; charset=utf-8'),
        tracker: through.tracker,
        books: {
          reported: (said) => books.reported(said),
          clean: (bytes) => books.clean(bytes),
          committed: () => books.committed(),
          ended({ failure }) {
            keep(failure, through.answer)
            books.close(failure && books.discreet(through.failure ?? failure), {
              tokens: through.usage ?? noTokens,
              bytes: answer.down?.bytes ?? 0,
              id: through.tracker.id,
              guessedTokens: through.guessedTokens,
              losses: through.losses,
            })
          },
        },
      })
      return failure && books.discreet(through.failure ?? failure)
    }
    const through = wholeSource(body, exchange, rooms.limits.replyBytes)
    const failure = await relayWhole({
      ...shared,
      source: through.source,
      fields: named('application/json'),
      length: null,
      wire,
      // The translator has read it.
      json: false,
      asStream: null,
      reported: (said) => books.reported(said),
      committed: () => books.committed(),
      ended({ failure, bytes }) {
        keep(failure, through.answer)
        books.close(failure && books.discreet(failure), {
          tokens: through.usage ?? noTokens,
          bytes,
          id,
          guessedTokens: guessWhole(bytes),
          losses: through.losses,
        })
      },
    })
    return failure && books.discreet(through.failure ?? failure)
  }
}

/** What {@link Books} are opened with. */
interface Passed extends Pick<Served, 'target' | 'claim' | 'own' | 'reply' | 'losses'> {
  readonly line: Line
  readonly secret: Secret
  readonly session: string | null
}

/** What an answer came to. */
interface Sum {
  readonly tokens: TokenCounts
  readonly bytes: number
  /** The answer's own id. */
  readonly id: string | null
  readonly guessedTokens: number | null
  /** What its translation left out. */
  readonly losses?: readonly Loss[]
}

/**
 * The books of one answer. They keep of the request what is needed at the end and not the request itself, its plan or its
 * call: a stream holds them for as long as it lasts.
 */
class Books implements StreamBooks {
  /** Of a stream that is passed on as it is. */
  tracker: StreamTracker | null = null
  readonly #rooms: Rooms
  readonly #answer: Answer
  readonly #ledger: Ledger
  readonly #target: Target
  readonly #claim: Claim
  readonly #own: boolean
  readonly #status: number
  readonly #headers: UpstreamReply['headers']
  readonly #secret: Secret
  readonly #losses: readonly Loss[]
  readonly #session: string | null
  readonly #surface: string
  /** Needed to keep the turn of a stream that gw began itself; `null` when it turns out that it did not. */
  #ask: Ask | null
  #committedAt: number

  constructor({ line, target, claim, own, reply, secret, losses, session }: Passed) {
    this.#rooms = line.rooms
    this.#answer = line.answer
    this.#ledger = line.ledger
    this.#ask = line.ask
    this.#surface = line.row.surface
    this.#target = target
    this.#claim = claim
    this.#own = own
    this.#status = reply.status
    this.#headers = reply.headers
    this.#secret = secret
    this.#losses = losses
    this.#session = session
    this.#committedAt = line.rooms.clock.monotonic()
  }

  committed(): void {
    this.#ledger.firstByte()
    this.#committedAt = this.#rooms.clock.monotonic()
    if (this.#answer.own === null) this.#ask = null
    if (this.#own) return
    this.#rooms.observer.served(this.#target, {
      status: this.#status,
      headers: this.#headers,
      firstByteMs: this.#ledger.attemptMs ?? 0,
    })
  }

  ended({ failure, guessedTokens }: StreamEnd): void {
    const { tokens, id } = this.tracker!
    this.close(failure, { tokens, bytes: this.#answer.down?.bytes ?? 0, id, guessedTokens })
  }

  /** The answer is over. */
  close(failure: UpstreamFailure | null, { tokens, bytes, id, guessedTokens, losses = [] }: Sum): void {
    const { observer, turns, clock } = this.#rooms
    const ledger = this.#ledger
    const aborted = failure?.kind === 'cancelled'
    const begun = this.#answer.own
    if (begun?.closing && id !== null && id !== begun.id && turns && this.#ask) {
      keepName(this.#ask, begun.closing, id, turns)
    }
    ledger.end(failure)
    if (failure === null && !this.#own) {
      // From the first content to now: what the output tokens took.
      observer.finished?.(this.#target, tokens.outputTokens, clock.monotonic() - this.#committedAt)
    }
    this.#claim.end(
      failure === null
        ? { is: 'answered', responseId: this.#surface === 'responses' ? id : null }
        : aborted
        ? { is: 'abandoned' }
        : { is: 'failed', failure },
    )
    if (failure && !aborted && !this.#own) observer.failed(this.#target, failure)
    ledger.close({
      outcome: failure === null ? 'ok' : aborted ? 'aborted' : 'truncated',
      status: this.#status,
      error: failure?.message ?? null,
      tokens,
      guessedTokens,
      losses: losses.length > 0 ? [...this.#losses, ...losses] : this.#losses,
      responseBytes: bytes,
      session: this.#session,
    })
  }

  reported(said: unknown): UpstreamFailure {
    return this.discreet(classifyFailure({
      status: this.#status,
      headers: this.#headers,
      body: { error: said ?? { message: 'the provider reported an error' } },
      now: this.#rooms.clock.now(),
      model: this.#target.model,
    }))
  }

  /** What failed, without the credential that the provider may have repeated in saying so. */
  discreet(failure: UpstreamFailure): UpstreamFailure {
    return { ...failure, message: cutCredential(failure.message, this.#secret) }
  }

  /** An upstream may echo what we sent in its error: our credential never reaches the caller. */
  clean(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const text = new TextDecoder().decode(bytes)
    const cut = cutCredential(text, this.#secret)
    return cut === text ? bytes : new TextEncoder().encode(cut)
  }
}

/** About what the tokens of a whole answer come to that counts none, by its length in bytes. */
const guessWhole = (bytes: number): number => Math.ceil(bytes / 4)
