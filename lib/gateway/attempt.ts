import { type GwError, isGwError, type Watcher } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import type { Credential } from '../credentials/mod.ts'
import { type Loss, type UpstreamFailure, upstreamFailure } from '../protocol/mod.ts'
import { type Field, forwardHeaders, type Sending, type UpstreamRefusal, type UpstreamReply } from '../upstream/mod.ts'
import type { Answer, AnswerField, Serving } from './answer.ts'
import { type Call, upstreamSearch } from './call.ts'
import { pass } from './pass.ts'
import { type Claim, controlKeys, type PlannedTarget, type RoutedPlan } from '../routing/mod.ts'
import { sentence } from './errors.ts'
import { ownCredential } from './own-accounts.ts'
import type { Ask, Rooms } from './seams.ts'
import type { Ledger } from './settle.ts'
import type { SurfaceRow } from './surfaces.ts'
import { canCount, cannotCount } from './counting.ts'
import { editedLine } from './edit.ts'
import { estimatedCount, plainHeaders, translateFor, type Translation } from './translated.ts'

/** One request on its way through its targets. */
export interface Line {
  readonly call: Call
  readonly row: SurfaceRow
  readonly ask: Ask
  readonly plan: RoutedPlan
  readonly answer: Answer
  readonly ledger: Ledger
  readonly rooms: Rooms
  /** What the caller is told beside its answer, see {@link handoffFields}; more once an account was lost on the way. */
  notices: readonly AnswerField[]
}

const none: readonly Loss[] = []

/** A try that did not serve. */
export interface Failed {
  readonly target: Target
  readonly failure: UpstreamFailure
  readonly answer: UpstreamRefusal['answer']
  /** What about the request this target cannot take. Nothing was sent. */
  readonly refused?: GwError
}

/**
 * Tries one target: lease, rewrite, send, and pass on until the commit point.
 *
 * @returns `null` when the caller is being served, else why not. After `null` the rest happens by itself
 */
export async function attempt(planned: PlannedTarget, claim: Claim, line: Line): Promise<Failed | null> {
  const { rooms, ledger } = line
  const { target } = planned
  ledger.begin(target)
  let failed: Failed | null
  try {
    failed = await send(planned, claim, line)
  } catch (error) {
    const refused = isGwError(error) && isAboutRequest(error) ? error : null
    if (refused && !mayHeal(refused, target, line)) {
      claim.end({ is: 'abandoned' })
      ledger.end(null)
      throw refused
    }
    if (!isGwError(error)) rooms.log.log('error', 'gateway.attempt_failed', { request: line.call.id, error })
    failed = { target, failure: localFailure(error), answer: null, ...(refused ? { refused } : {}) }
  }
  if (failed === null) return null
  ledger.end(failed.failure)
  claim.end(failed.failure.kind === 'cancelled' ? { is: 'abandoned' } : { is: 'failed', failure: failed.failure })
  if (ownCredential(target, line.ask, rooms) === null) rooms.observer.failed(target, failed.failure)
  return failed
}

/** The failure of a target that somebody else is proving right now. */
export function busy(target: Target): Failed {
  return {
    failure: upstreamFailure('concurrency', `${target.key} is being tried by another request`),
    answer: null,
    target,
  }
}

/** Whether an error is about the request and says where: wrong by its own protocol, or more than a target can take. */
function isAboutRequest({ code, param }: GwError): boolean {
  return code === 'request.invalid' || (param !== undefined && code.startsWith('request.'))
}

/** Whether another target of the plan may take what this one cannot: one that is asked in other words. */
function mayHeal({ code }: GwError, { provider, deployment }: Target, { plan }: Line): boolean {
  if (code === 'request.invalid') return false
  return plan.targets.some(({ target }) =>
    target.provider !== provider || target.deployment.protocol !== deployment.protocol
  )
}

function localFailure(error: unknown): UpstreamFailure {
  const code = isGwError(error) ? error.code : 'internal'
  const message = isGwError(error) ? sentence(error) : 'something went wrong inside gw'
  return { ...upstreamFailure('local', message), code }
}

async function send({ target, edit }: PlannedTarget, claim: Claim, given: Line): Promise<Failed | null> {
  const { line, losses } = edit ? editedLine(given, edit) : { line: given, losses: none }
  const { ask, rooms, answer, row } = line
  const { deployment } = target
  if (row.surface === 'count_tokens' && !canCount(row.protocol, deployment)) {
    return countHere(claim, line, estimatedCount(line))
  }
  const translation = translateFor(target, line)
  const without = line.plan.controls && !keepsControls(target, rooms) ? controlKeys : []
  const body = translation?.body ?? ask.body.rewrite(target.model, without)
  const own = ownCredential(target, ask, rooms)
  const use = { headers: line.call.headers, protocol: row.protocol }
  const leased = own ?? rooms.leaser.lease(target, use)
  let credential = leased instanceof Promise ? await leased : leased
  let reply = await call({ target, credential, body, translation }, line)
  if (!reply.ok && reply.failure.kind === 'unauthorized' && !answer.left && own === null) {
    // A token may have been replaced a moment ago, by us or by another program: one look, one more try.
    const renewed = await rooms.leaser.lease(target, { ...use, refused: credential })
    if (renewed.secret.reveal() !== credential.secret.reveal()) {
      credential = renewed
      reply = await call({ target, credential, body, translation }, line)
    }
  }
  if (!reply.ok && row.surface === 'count_tokens' && cannotCount(deployment, reply.failure)) {
    return countHere(claim, line, estimatedCount(line))
  }
  // The words of a provider of another protocol are not in the caller's.
  const foreign = target.deployment.protocol !== row.protocol
  if (!reply.ok) return { target, failure: reply.failure, answer: foreign ? null : reply.answer }
  line.ledger.head(reply.status)
  const failure = await pass({ target, claim, credential, own: own !== null, reply, translation, losses }, line)
  return failure && { target, failure, answer: null }
}

/** Answers a count of tokens that the target cannot make. */
function countHere(claim: Claim, { answer, ledger }: Line, response: Response): null {
  ledger.end(null)
  claim.end({ is: 'abandoned' })
  ledger.firstByte()
  ledger.close({ outcome: 'ok', status: 200, error: null })
  answer.whole(response)
  return null
}

const eventsOnly: Field = ['accept', 'text/event-stream']

/** One sending of a try. */
interface Sent {
  readonly target: Target
  readonly credential: Credential
  readonly body: Uint8Array<ArrayBuffer>
  readonly translation: Translation | null
}

/** Sends, under the deadline for an answer's head. */
async function call(
  { target, credential, body, translation }: Sent,
  { call, row, ask, rooms, answer }: Line,
): Promise<UpstreamReply | UpstreamRefusal> {
  const foreign = target.deployment.protocol !== row.protocol
  const headers = foreign
    ? plainHeaders(forwardHeaders(call.headers))
    : withBetas(forwardHeaders(call.headers), ask.wrapped?.betas ?? [])
  const sending = rooms.upstream.send({
    target,
    credential,
    surface: translation?.surface ?? row.surface,
    method: call.method,
    // A query belongs to its own protocol.
    search: foreign || typeof translation?.surface === 'object' ? '' : upstreamSearch(call),
    headers: translation?.streams ? [...headers.filter(([name]) => name !== 'accept'), eventsOnly] : headers,
    body,
  })
  const { ticker, limits: { headMs } } = rooms
  const wait = new HeadWait(sending, ticker.now + headMs)
  answer.serve(wait)
  ticker.watch(wait)
  const reply = await sending.reply
  ticker.unwatch(wait)
  if (!wait.late || reply.ok) return reply
  const message = `${target.provider} did not answer in ${Math.round(headMs / 1000)} s`
  return { ok: false, failure: upstreamFailure('timeout', message), answer: null }
}

/** The wait for the head of an answer, which ends the call when it takes too long. */
class HeadWait implements Watcher, Serving {
  late = false
  readonly #sending: Sending
  readonly #until: number

  constructor(sending: Sending, until: number) {
    this.#sending = sending
    this.#until = until
  }

  beat(now: number): void {
    if (now < this.#until) return
    this.late = true
    this.#sending.cancel()
  }

  left(): void {
    this.#sending.cancel()
  }

  drained(): void {}
}

/** The header fields with beta flags that a client wrote into its body. */
function withBetas(fields: Field[], betas: readonly string[]): Field[] {
  if (betas.length === 0) return fields
  const before = fields.find(([name]) => name === 'anthropic-beta')?.[1]
  const flags = [...new Set([...before?.split(',').map((flag) => flag.trim()) ?? [], ...betas])].join(',')
  return [...fields.filter(([name]) => name !== 'anthropic-beta'), ['anthropic-beta', flags]]
}

/** Whether a provider knows the router's controls itself and gets them. */
function keepsControls(target: Target, rooms: Rooms): boolean {
  return rooms.directory.provider(target.provider)?.quirks?.includes('routing-controls') === true
}
