import type { Target } from '../accounts/mod.ts'
import { cutCredential, type JsonObject, type Secret } from '../base/mod.ts'
import type { Credential } from '../credentials/mod.ts'
import {
  type Loss,
  noTokens,
  responseId,
  type TokenCounts,
  type Translator,
  type UpstreamFailure,
} from '../protocol/mod.ts'
import type { Claim } from '../routing/mod.ts'
import { lossFields, type Translation } from './translated.ts'
import { streamSource, wholeAsStream, wholeSource } from './translated-answer.ts'
import { unframed } from './unframed.ts'
import { classifyFailure } from '../liveness/mod.ts'
import { failureOf, replyFields, type UpstreamReply } from '../upstream/mod.ts'
import type { AnswerField } from './answer.ts'
import type { Line } from './attempt.ts'
import { stemOf } from './call.ts'
import { relayStream } from './relay-stream.ts'
import { relayWhole } from './relay-whole.ts'
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

  let committedAt = rooms.clock.monotonic()
  const committed = (): void => {
    ledger.firstByte()
    committedAt = rooms.clock.monotonic()
    if (own) return
    rooms.observer.served(target, {
      status: reply.status,
      headers: reply.headers,
      firstByteMs: ledger.attemptMs ?? 0,
    })
  }
  /** Milliseconds from the first content to now: what the output tokens took. */
  const writingMs = (): number => rooms.clock.monotonic() - committedAt
  const ended = (
    failure: UpstreamFailure | null,
    tokens: TokenCounts,
    bytes: number,
    id: string | null,
    guessedTokens: number | null,
    answered: readonly Loss[] = [],
  ): void => {
    const aborted = failure?.kind === 'cancelled'
    const { own: begun } = answer
    if (begun?.closing && id !== null && id !== begun.id && rooms.turns) {
      keepName(line.ask, begun.closing, id, rooms.turns)
    }
    ledger.end(failure)
    if (failure === null && !own) rooms.observer.finished?.(target, tokens.outputTokens, writingMs())
    claim.end(
      failure === null
        ? { is: 'answered', responseId: row.surface === 'responses' ? id : null }
        : aborted
        ? { is: 'abandoned' }
        : { is: 'failed', failure },
    )
    if (failure && !aborted && !own) rooms.observer.failed(target, failure)
    ledger.close({
      outcome: failure === null ? 'ok' : aborted ? 'aborted' : 'truncated',
      status: reply.status,
      error: failure?.message ?? null,
      tokens,
      guessedTokens,
      losses: answered.length > 0 ? [...asked, ...answered] : asked,
      responseBytes: bytes,
      session: plan.session?.key ?? null,
    })
  }

  /** What failed, without the credential that the provider may have repeated in saying so. */
  const discreet = (failure: UpstreamFailure): UpstreamFailure => ({
    ...failure,
    message: cutCredential(failure.message, credential.secret),
  })
  const shared = {
    source: body,
    answer,
    status: reply.status,
    fields,
    limits: rooms.limits,
    ticker: rooms.ticker,
    reported: (said: unknown) =>
      discreet(classifyFailure({
        status: reply.status,
        headers: reply.headers,
        body: { error: said ?? { message: 'the provider reported an error' } },
        now: rooms.clock.now(),
        model: target.model,
      })),
    committed,
  }
  if (translation?.exchange && wire) return passTranslated(translation.exchange)
  if (wire && eventStream.test(type)) {
    const tracker = wire.tracker()
    return relayStream({
      ...shared,
      tracker,
      clean: (bytes) => withoutSecret(bytes, credential.secret),
      ended: ({ failure, guessedTokens }) =>
        ended(failure, tracker.tokens, answer.down?.bytes ?? 0, tracker.id, guessedTokens),
    })
  }
  if (row.json && webPage.test(type)) {
    reply.body.cancel()
    return Promise.resolve(failureOf('malformed', 'the provider answered with a web page', 'provider'))
  }
  return relayWhole({
    ...shared,
    length: reply.length,
    wire,
    json: row.json,
    asStream: line.ask.stream && wire?.own ? (bytes) => wholeAsStream(target, line, bytes) : null,
    ended: ({ failure, tokens, bytes, id }) => ended(failure, tokens, bytes, id, guessWhole(bytes)),
  })

  /** The same, through the translator: what is relayed is the caller's protocol already. */
  async function passTranslated(exchange: Translator): Promise<UpstreamFailure | null> {
    const named = (value: string): AnswerField[] => [
      ...fields.filter(([name]) => name !== 'content-type'),
      ['content-type', value],
    ]
    const keeps = translation?.keeps === true
    const id = responseId(stemOf(call))
    const keep = (failure: UpstreamFailure | null, answer: JsonObject | null): void => {
      if (keeps && failure === null && answer !== null && rooms.turns) keepTurn(line.ask, answer, rooms.turns)
    }
    const clean = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => withoutSecret(bytes, credential.secret)
    if (line.ask.stream) {
      const through = streamSource(body, exchange, id, rooms.limits.replyBytes, keeps)
      const failure = await relayStream({
        ...shared,
        source: through.source,
        whole: true,
        fields: named('text/event-stream; charset=utf-8'),
        tracker: through.tracker,
        clean,
        ended({ failure, guessedTokens }) {
          keep(failure, through.answer)
          ended(
            failure && discreet(through.failure ?? failure),
            through.usage ?? noTokens,
            answer.down?.bytes ?? 0,
            through.tracker.id,
            guessedTokens,
            through.losses,
          )
        },
      })
      return failure && discreet(through.failure ?? failure)
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
      ended({ failure, bytes }) {
        keep(failure, through.answer)
        ended(failure && discreet(failure), through.usage ?? noTokens, bytes, id, guessWhole(bytes), through.losses)
      },
    })
    return failure && discreet(through.failure ?? failure)
  }
}

/** About what the tokens of a whole answer come to that counts none, by its length in bytes. */
const guessWhole = (bytes: number): number => Math.ceil(bytes / 4)

/** An upstream may echo what we sent in its error: our credential never reaches the caller. */
function withoutSecret(bytes: Uint8Array<ArrayBuffer>, secret: Secret): Uint8Array<ArrayBuffer> {
  const text = new TextDecoder().decode(bytes)
  const cut = cutCredential(text, secret)
  return cut === text ? bytes : new TextEncoder().encode(cut)
}
