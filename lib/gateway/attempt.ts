import { GwError, isGwError, Secret } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import type { Credential } from '../credentials/mod.ts'
import { type UpstreamFailure, wires } from '../protocol/mod.ts'
import { failureOf, forwardHeaders, replyFields, type UpstreamRefusal, type UpstreamReply } from '../upstream/mod.ts'
import { type Answer, type AnswerField } from './answer.ts'
import type { Call } from './call.ts'
import { relayStream } from './relay-stream.ts'
import { relayWhole } from './relay-whole.ts'
import type { Ask, Rooms, Route } from './seams.ts'
import type { Ledger } from './settle.ts'
import type { SurfaceRow } from './surfaces.ts'

/** One request on its way through its targets. */
export interface Line {
  readonly call: Call
  readonly row: SurfaceRow
  readonly ask: Ask
  readonly route: Route
  readonly answer: Answer
  readonly ledger: Ledger
  readonly rooms: Rooms
}

/** A try that did not serve. */
export interface Failed {
  readonly failure: UpstreamFailure
  readonly answer: UpstreamRefusal['answer']
}

/**
 * Tries one target: lease, rewrite, send, and pass on until the commit point.
 *
 * @returns `null` when the caller is being served, else why not. After `null` the rest happens by itself
 */
export async function attempt(target: Target, line: Line): Promise<Failed | null> {
  const { rooms, ledger } = line
  ledger.begin(target)
  rooms.observer.began(target)
  let failed: Failed | null
  try {
    failed = await send(target, line)
  } catch (error) {
    if (!isGwError(error)) rooms.log.log('error', 'gateway.attempt_failed', { request: line.call.id, error })
    failed = { failure: localFailure(error), answer: null }
  }
  if (failed === null) return null
  ledger.end(failed.failure)
  rooms.observer.ended(target)
  rooms.observer.failed(target, failed.failure, failed.answer?.headers ?? null)
  return failed
}

function localFailure(error: unknown): UpstreamFailure {
  const code = isGwError(error) ? error.code : 'internal'
  const message = isGwError(error) ? error.message : 'something went wrong inside gw'
  return { ...failureOf('local', message, 'local'), code }
}

async function send(target: Target, line: Line): Promise<Failed | null> {
  const { ask, rooms, answer, row } = line
  if (target.deployment.protocol !== row.protocol) {
    const message = `${target.key} speaks ${target.deployment.protocol}, and this request cannot be translated to it`
    return { failure: { ...failureOf('local', message, 'request'), code: 'request.unsupported' }, answer: null }
  }
  const body = ask.body.rewrite(target.model, line.route.without)
  let credential = await credentialFor(target, ask, rooms)
  let reply = await call(target, credential, body, line)
  if (!reply.ok && reply.failure.kind === 'unauthorized' && !answer.left && ownCredential(target, ask) === null) {
    // A token may have been replaced a moment ago, by us or by another program: one look, one more try.
    const renewed = await rooms.leaser.lease(target, credential)
    if (renewed.secret.reveal() !== credential.secret.reveal()) {
      credential = renewed
      reply = await call(target, credential, body, line)
    }
  }
  if (!reply.ok) return reply
  line.ledger.head(reply.status)
  const failure = await pass(target, credential, reply, line)
  return failure && { failure, answer: null }
}

/** The caller's own credential for a target, where it brought one. */
function ownCredential(target: Target, ask: Ask): Credential | null {
  const key = ask.providerKeys.get(target.provider.toLowerCase())
  if (key) return { kind: 'api-key', secret: key, accountId: null, expiresAt: null, audience: [], identity: null }
  if (target.account !== passthroughAccount || ask.planToken === null) return null
  return {
    kind: 'auth-token',
    secret: ask.planToken,
    accountId: ask.headers.get('chatgpt-account-id'),
    expiresAt: null,
    audience: [],
    identity: null,
  }
}

/** The account of a target that is served with the caller's own plan token. */
export const passthroughAccount = 'passthrough'

function credentialFor(target: Target, ask: Ask, rooms: Rooms): Credential | Promise<Credential> {
  const own = ownCredential(target, ask)
  if (own) return own
  if (target.account === passthroughAccount) {
    throw new GwError('access.denied', "this use needs the caller's own plan token")
  }
  return rooms.leaser.lease(target)
}

/** Sends, under the deadline for an answer's head. */
async function call(
  target: Target,
  credential: Credential,
  body: Uint8Array<ArrayBuffer>,
  { call, row, rooms, answer }: Line,
): Promise<UpstreamReply | UpstreamRefusal> {
  const sending = rooms.upstream.send({
    target,
    credential,
    surface: row.surface,
    method: call.method,
    search: call.search,
    headers: forwardHeaders(call.headers),
    body,
  })
  answer.onLeave(() => sending.cancel())
  const since = rooms.ticker.now
  let late = false
  const unwatch = rooms.ticker.watch((now) => {
    if (now - since < rooms.limits.headMs) return
    late = true
    sending.cancel()
  })
  try {
    const reply = await sending.reply
    if (!late || reply.ok) return reply
    const seconds = Math.round(rooms.limits.headMs / 1000)
    return {
      ok: false,
      failure: failureOf('timeout', `${target.provider} did not answer in ${seconds} s`, 'provider'),
      answer: null,
    }
  } finally {
    unwatch()
  }
}

const eventStream = /^text\/event-stream\b/i

/** Passes the answer on; `null` at the commit point. */
function pass(
  target: Target,
  credential: Credential,
  reply: UpstreamReply,
  line: Line,
): Promise<UpstreamFailure | null> {
  const { call, row, answer, ledger, rooms } = line
  const wire = wires[row.protocol] ?? null
  const fields: AnswerField[] = [...replyFields(reply.headers), ['x-gw-request-id', call.id]]
  const type = reply.headers.get('content-type') ?? ''
  const committed = (): void => {
    ledger.firstByte()
    const firstByteMs = ledger.firstByteMs ?? 0
    rooms.observer.served(target, { status: reply.status, headers: reply.headers, firstByteMs })
  }
  const end = (
    failure: UpstreamFailure | null,
    tokens: Parameters<Ledger['close']>[0]['tokens'] & object,
    bytes: number,
  ): void => {
    ledger.end(failure)
    rooms.observer.ended(target)
    if (failure && failure.kind !== 'cancelled') rooms.observer.failed(target, failure, null)
    ledger.close({
      outcome: failure === null ? 'ok' : failure.kind === 'cancelled' ? 'aborted' : 'truncated',
      status: reply.status,
      error: failure?.message ?? null,
      tokens,
      responseBytes: bytes,
      session: line.route.plan.session?.key ?? null,
    })
  }
  const shared = {
    source: reply.body,
    answer,
    status: reply.status,
    fields,
    limits: rooms.limits,
    ticker: rooms.ticker,
    committed,
  }
  if (!wire || !eventStream.test(type)) {
    if (row.json && /^text\/html\b/i.test(type)) {
      reply.body.cancel()
      return Promise.resolve(failureOf('malformed', 'the provider answered with a web page', 'provider'))
    }
    return relayWhole({
      ...shared,
      length: reply.length,
      wire,
      json: row.json,
      ended: ({ failure, tokens, bytes }) => end(failure, tokens, bytes),
    })
  }
  const tracker = wire.tracker()
  return relayStream({
    ...shared,
    tracker,
    clean: (bytes) => withoutSecret(bytes, credential.secret),
    ended: ({ failure }) => end(failure, tracker.tokens, answer.down?.bytes ?? 0),
  })
}

/** An upstream may echo what we sent in its error: our credential never reaches the caller. */
function withoutSecret(bytes: Uint8Array<ArrayBuffer>, secret: Secret): Uint8Array<ArrayBuffer> {
  const value = secret.reveal()
  if (value.length < 8) return bytes
  const text = new TextDecoder().decode(bytes)
  return text.includes(value) ? new TextEncoder().encode(text.replaceAll(value, '[secret]')) : bytes
}
