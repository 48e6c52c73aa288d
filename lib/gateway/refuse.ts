import { GwError, isObject } from '../base/mod.ts'
import type { UpstreamFailure } from '../protocol/mod.ts'
import { allFailed, worthTelling } from '../routing/mod.ts'
import { replyFields } from '../upstream/mod.ts'
import type { AnswerField } from './answer.ts'
import type { Failed, Line } from './attempt.ts'
import { errorOf, errorResponse, shown, streamFailure } from './errors.ts'
import { wireOf } from './surfaces.ts'

/** Refusals whose cause is the account gw used: the provider's words about it are not the caller's to read. */
const ours = new Set([401, 402, 403, 407])

/**
 * Tells the caller that nobody served it: in the provider's own words where they are about the request and in the
 * caller's protocol, else in gw's; and when asking again can help.
 */
export function refuse(line: Line, failures: readonly Failed[], thrown: unknown): void {
  const { call, row, answer, ledger, rooms, plan } = line
  const error = thrown ? shown(thrown) : verdict(line, failures)
  if (thrown && error.code === 'internal') rooms.log.log('error', 'gateway.failed', { request: call.id, error: thrown })
  const told = worthTelling(failures.map(({ failure }) => failure))
  const own = told === null || speaksForOthers(line, failures, told)
    ? undefined
    : failures.findLast(({ failure, answer }) =>
      failure === told && answer && mayPass(line, answer.status) && isError(answer.body)
    )?.answer
  const { attempts } = ledger
  const fields: AnswerField[] = [['x-gw-request-id', call.id], ['x-gw-attempts', String(attempts.length)]]
  const last = attempts.at(-1)
  if (last) fields.push(['x-gw-target', last.target])
  fields.push(['x-gw-cache', 'none'], ...line.notices)
  if (answer.down) {
    const voice = answer.own ?? wireOf(row)?.tracker()
    if (voice) answer.down.write(voice.failureEvent(streamFailure(error, call.dialect)))
    answer.down.end()
  } else if (own && !thrown) {
    const passed = replyFields(own.headers, null).filter(([name]) => name !== 'retry-after')
    passed.push(...fields as [string, string][])
    if (error.retryAfterMs !== undefined) passed.push(['retry-after', String(Math.ceil(error.retryAfterMs / 1000))])
    answer.whole(new Response(own.body, { status: own.status, headers: passed }))
  } else answer.whole(errorResponse(error, call.dialect, fields))
  const aborted = answer.left || error.code === 'cancelled'
  ledger.close({
    outcome: aborted ? 'aborted' : failures.some((failed) => !failed.refused) ? 'failed' : 'denied',
    status: answer.down ? 200 : own && !thrown ? own.status : error.status,
    error: error.message,
    session: plan.session?.key ?? null,
  })
}

/** What is wrong with the request itself, whoever is asked. */
const aboutRequest: ReadonlySet<string> = new Set(['invalid_request', 'context_length', 'moderation'])

/**
 * Whether one provider's words would stand for several targets: then gw says what became of each, and when the first of
 * them returns. About the request itself the provider's own words are the best there are.
 */
function speaksForOthers({ plan }: Line, failures: readonly Failed[], told: UpstreamFailure): boolean {
  return failures.length + plan.dropped.length > 1 && !aboutRequest.has(told.kind)
}

/** A caller that brought its own credential hears what the provider says of it; of ours it does not. */
function mayPass({ ask }: Line, status: number): boolean {
  return ask.planToken !== null || ask.providerKeys.size > 0 || !ours.has(status)
}

/** Whether a body is an error in a shape that a client can read: a front end's web page or nothing at all is none. */
function isError(body: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    return isObject(value) && Object.keys(value).length > 0
  } catch {
    return false
  }
}

/** What became of the request, as one error. */
function verdict({ plan, ask, answer, rooms }: Line, failures: readonly Failed[]): GwError {
  if (answer.because) return answer.because
  // Where nobody takes the request as it is, the first of them says what would have to change.
  const refused = failures.every((failed) => failed.refused) ? failures[0]?.refused : undefined
  if (refused) return refused
  const last = failures.at(-1)
  // What stopped gw itself has a code of its own, and needs no table of one target.
  if (failures.length === 1 && plan.dropped.length === 0 && last?.failure.kind === 'local') {
    return errorOf(last.failure, plan.targets[0]?.target.provider ?? '')
  }
  const attempts = failures.map(({ failure, target }) => ({ target: target.key, model: target.model, failure }))
  return allFailed(plan, attempts, ask.model ?? plan.resolved.model, rooms.clock.now())
}
