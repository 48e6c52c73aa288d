import { isGwError } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import type { Credential } from '../credentials/mod.ts'
import type { UpstreamFailure } from '../protocol/mod.ts'
import { failureOf, forwardHeaders, type UpstreamRefusal, type UpstreamReply } from '../upstream/mod.ts'
import type { Answer } from './answer.ts'
import type { Call } from './call.ts'
import { pass } from './pass.ts'
import { type Claim, controlKeys, type RoutedPlan } from '../routing/mod.ts'
import { ownCredential } from './own-accounts.ts'
import type { Ask, Rooms } from './seams.ts'
import type { Ledger } from './settle.ts'
import type { SurfaceRow } from './surfaces.ts'

/** One request on its way through its targets. */
export interface Line {
  readonly call: Call
  readonly row: SurfaceRow
  readonly ask: Ask
  readonly plan: RoutedPlan
  readonly answer: Answer
  readonly ledger: Ledger
  readonly rooms: Rooms
}

/** A try that did not serve. */
export interface Failed {
  readonly target: Target
  readonly failure: UpstreamFailure
  readonly answer: UpstreamRefusal['answer']
}

/**
 * Tries one target: lease, rewrite, send, and pass on until the commit point.
 *
 * @returns `null` when the caller is being served, else why not. After `null` the rest happens by itself
 */
export async function attempt(target: Target, claim: Claim, line: Line): Promise<Failed | null> {
  const { rooms, ledger } = line
  ledger.begin(target)
  let failed: Failed | null
  try {
    failed = await send(target, claim, line)
  } catch (error) {
    if (!isGwError(error)) rooms.log.log('error', 'gateway.attempt_failed', { request: line.call.id, error })
    failed = { target, failure: localFailure(error), answer: null }
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
    failure: failureOf('concurrency', `${target.key} is being tried by another request`, 'account'),
    answer: null,
    target,
  }
}

function localFailure(error: unknown): UpstreamFailure {
  const code = isGwError(error) ? error.code : 'internal'
  const message = isGwError(error) ? error.message : 'something went wrong inside gw'
  return { ...failureOf('local', message, 'local'), code }
}

async function send(target: Target, claim: Claim, line: Line): Promise<Failed | null> {
  const { ask, rooms, answer, row } = line
  if (target.deployment.protocol !== row.protocol) {
    const message = `${target.key} speaks ${target.deployment.protocol}, and this request cannot be translated to it`
    return { failure: { ...failureOf('local', message, 'request'), code: 'request.unsupported' }, answer: null, target }
  }
  const without = line.plan.controls && !keepsControls(target, rooms) ? controlKeys : []
  const body = ask.body.rewrite(target.model, without)
  const own = ownCredential(target, ask, rooms)
  let credential = own ?? await rooms.leaser.lease(target)
  let reply = await call(target, credential, body, line)
  if (!reply.ok && reply.failure.kind === 'unauthorized' && !answer.left && own === null) {
    // A token may have been replaced a moment ago, by us or by another program: one look, one more try.
    const renewed = await rooms.leaser.lease(target, credential)
    if (renewed.secret.reveal() !== credential.secret.reveal()) {
      credential = renewed
      reply = await call(target, credential, body, line)
    }
  }
  if (!reply.ok) return { target, failure: reply.failure, answer: reply.answer }
  line.ledger.head(reply.status)
  const failure = await pass({ target, claim, credential, own: own !== null, reply }, line)
  return failure && { target, failure, answer: null }
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

/** Whether a provider knows the router's controls itself and gets them. */
function keepsControls(target: Target, rooms: Rooms): boolean {
  return rooms.directory.provider(target.provider)?.quirks?.includes('routing-controls') === true
}
