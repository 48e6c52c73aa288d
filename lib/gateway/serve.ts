import { GwError } from '../base/mod.ts'
import type { UpstreamFailure } from '../protocol/mod.ts'
import { createAnswer } from './answer.ts'
import { readAsk } from './ask.ts'
import { attempt, type Failed, type Line } from './attempt.ts'
import type { Call } from './call.ts'
import { errorResponse, shown } from './errors.ts'
import { refuse } from './refuse.ts'
import type { Rooms } from './seams.ts'
import { openLedger } from './settle.ts'
import type { SurfaceRow } from './surfaces.ts'

/**
 * The straight line of one request: who asks, what for, may they, where to; then one target after the other until one
 * serves, and a record at the end of it.
 *
 * Another target is tried only until the commit point: the first content that goes to the caller. Whoever leaves takes
 * its upstream call with it. The ledger is closed exactly once, however the request ends.
 */
export async function serve(call: Call, row: SurfaceRow, rooms: Rooms): Promise<Response> {
  let ledger = openLedger(call, rooms, null, null)
  try {
    const principal = await rooms.access.authenticate(call.headers, call.peer)
    const ask = await readAsk(call, row, principal, rooms)
    const admission = await rooms.admitter.admit(ask)
    ledger = openLedger(call, rooms, ask, admission)
    const route = await rooms.router.plan(ask)
    const answer = createAnswer(() => errorResponse(new GwError('cancelled', 'the caller left'), call.dialect))
    const line: Line = { call, row, ask, route, answer, ledger, rooms }
    watchCaller(line)
    pursue(line).catch((error) => refuse(line, [], error))
    return await answer.response
  } catch (error) {
    const denial = shown(error)
    if (denial.code === 'internal') rooms.log.log('error', 'gateway.failed', { request: call.id, error })
    ledger.close({
      outcome: denial.code === 'cancelled' ? 'aborted' : 'denied',
      status: denial.status,
      error: denial.message,
    })
    return errorResponse(denial, call.dialect, [['x-gw-request-id', call.id]])
  }
}

/** Tries the targets in their order. */
async function pursue(line: Line): Promise<void> {
  const failures: Failed[] = []
  for (const { target } of line.route.plan.targets) {
    const failed = await attempt(target, line)
    if (failed === null) return
    failures.push(failed)
    if (line.answer.left || !mayGoOn(failed.failure)) break
  }
  refuse(line, failures, null)
}

const mayGoOn = (failure: UpstreamFailure): boolean => failure.mayTryOther && failure.kind !== 'cancelled'

/** Ends the work when the caller goes, or loses its right to it. */
function watchCaller({ call, ask, answer, ledger, rooms }: Line): void {
  const { signal } = call.request
  const leave = (): void => answer.leave()
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  const release = rooms.access.onEnd?.(ask.principal, leave)
  ledger.onClose(() => {
    signal.removeEventListener('abort', leave)
    release?.()
  })
}
