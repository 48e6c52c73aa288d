import { GwError } from '../base/mod.ts'
import { wires } from '../protocol/mod.ts'
import { replyFields } from '../upstream/mod.ts'
import type { Failed, Line } from './attempt.ts'
import { errorOf, errorResponse, shown } from './errors.ts'

/** Refusals whose cause is the account gw used: the provider's words about it are not the caller's to read. */
const ours = new Set([401, 402, 403, 407])

/**
 * Tells the caller that nobody served it: in the provider's own words where they are about the request and in the
 * caller's protocol, else in gw's; and when asking again can help.
 */
export function refuse(line: Line, failures: readonly Failed[], thrown: unknown): void {
  const { call, row, answer, ledger, rooms, route } = line
  const last = failures.at(-1)
  const error = thrown
    ? shown(thrown)
    : last
    ? errorOf(last.failure, route.plan.targets[failures.length - 1]!.target.provider)
    : new GwError('route.none', 'no target can serve this request now')
  if (thrown && error.code === 'internal') rooms.log.log('error', 'gateway.failed', { request: call.id, error: thrown })
  const retryAfterMs = earliest(line, failures)
  const told = retryAfterMs === null ? error : withRetryAfter(error, retryAfterMs)
  const aborted = answer.left || error.code === 'cancelled'
  const own = !thrown && last?.answer && !ours.has(last.answer.status) ? last.answer : null
  if (answer.down) {
    const tracker = wires[row.protocol]?.tracker()
    if (tracker) answer.down.write(tracker.failureEvent({ type: null, code: told.code, message: told.message }))
    answer.down.end()
  } else if (own) {
    const fields = replyFields(own.headers).filter(([name]) => name !== 'retry-after')
    fields.push(['x-gw-request-id', call.id])
    if (told.retryAfterMs !== undefined) {
      fields.push(['retry-after', String(Math.max(1, Math.ceil(told.retryAfterMs / 1000)))])
    }
    answer.whole(new Response(own.body, { status: own.status, headers: fields }))
  } else answer.whole(errorResponse(told, call.dialect, [['x-gw-request-id', call.id]]))
  ledger.close({
    outcome: aborted ? 'aborted' : last ? 'failed' : 'denied',
    status: answer.down ? 200 : own?.status ?? told.status,
    error: told.message,
    session: route.plan.session?.key ?? null,
  })
}

/** Milliseconds until the first of all routes may serve again, as far as anybody knows. */
function earliest({ route, rooms }: Line, failures: readonly Failed[]): number | null {
  const waits = failures.flatMap(({ failure }) => failure.retryAfterMs === null ? [] : [failure.retryAfterMs])
  if (route.plan.earliestAt !== null) waits.push(Math.max(0, route.plan.earliestAt - rooms.clock.now()))
  return waits.length === 0 ? null : Math.min(...waits)
}

function withRetryAfter(error: GwError, retryAfterMs: number): GwError {
  return new GwError(error.code, error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.param === undefined ? {} : { param: error.param }),
    ...(error.details === undefined ? {} : { details: error.details }),
    retryAfterMs,
  })
}
