import { GwError, openDownstream, type Watcher } from '../base/mod.ts'
import type { Principal, Revocable } from '../access/mod.ts'
import type { UpstreamFailure } from '../protocol/mod.ts'
import { nothingToTry } from '../routing/mod.ts'
import { Answer, type AnswerField } from './answer.ts'
import { readAsk } from './ask.ts'
import { attempt, busy, type Failed, type Line } from './attempt.ts'
import type { Call } from './call.ts'
import { keepCompany } from './early.ts'
import { errorResponse, shown } from './errors.ts'
import { handedOver, handoffFields } from './handoff.ts'
import { planOf } from './plan.ts'
import { refuse } from './refuse.ts'
import type { Authenticator, Rooms } from './seams.ts'
import { type Closer, Ledger } from './settle.ts'
import type { SurfaceRow } from './surfaces.ts'
import { continued } from './turns.ts'
import type { UnderWay } from './under-way.ts'

/**
 * The straight line of one request: who asks, what for, may they, where to; then one target after the other until one
 * serves, and a record at the end of it.
 *
 * Another target is tried only until the commit point: the first content that goes to the caller. Whoever leaves takes
 * its upstream call with it. The ledger is closed exactly once, however the request ends.
 */
export async function serve(call: Call, row: SurfaceRow, rooms: Rooms, underWay: UnderWay): Promise<Response> {
  const ledger = new Ledger(call, rooms)
  let notices: readonly AnswerField[] = []
  try {
    const known = rooms.access.authenticate(call.headers, call.peer)
    const principal = known instanceof Promise ? await known : known
    const asked = await readAsk(call, row, principal, rooms)
    const ask = row.surface === 'responses' ? await continued(asked, rooms) : asked
    ledger.asked(ask)
    const plan = planOf(ask, rooms)
    ledger.planned(plan)
    notices = handoffFields(plan, rooms)
    if (plan.targets.length === 0) {
      throw nothingToTry(plan, ask.model ?? plan.resolved.model, plan.resolved.provider.id, rooms.clock.now())
    }
    const held = rooms.admitter.admit(ask, plan)
    ledger.admitted(held instanceof Promise ? await held : held)
    const answer = new Answer(
      (because) => errorResponse(because, call.dialect),
      // A cloud's envelope goes round the stream, which has to be read for that.
      row.envelope ? openDownstream : call.peer.openDownstream,
    )
    const line: Line = { call, row, ask, plan, answer, ledger, rooms, notices }
    underWay.add(answer, ledger)
    watchCaller(line)
    keepCompany(line)
    pursue(line).catch((error) => refuse(line, [], error))
    return await answer.response
  } catch (error) {
    const denial = shown(error)
    if (denial.code === 'internal') rooms.log.log('error', 'gateway.failed', { request: call.id, error })
    const outcome = denial.code === 'cancelled' ? 'aborted' : 'denied'
    ledger.close({ outcome, status: denial.status, error: denial.message })
    return errorResponse(denial, call.dialect, [
      ['x-gw-request-id', call.id],
      ['x-gw-attempts', '0'],
      ['x-gw-cache', 'none'],
      ...notices,
    ])
  }
}

const noFailures: readonly UpstreamFailure[] = []

/** Tries the targets of the plan until one serves or nobody is left. */
async function pursue(line: Line): Promise<void> {
  const { plan, answer, rooms } = line
  const { router } = rooms
  const failures: Failed[] = []
  const tried: number[] = []
  router.countRequest()
  while (!answer.left) {
    const next = router.next(plan, tried, failures.length === 0 ? noFailures : failures.map(({ failure }) => failure))
    if (next.is === 'over') break
    tried.push(next.index)
    const planned = plan.targets[next.index]!
    const claim = router.claim(plan, next.index)
    const failed = claim ? await attempt(planned, claim, line) : busy(planned.target)
    if (failed === null) return
    failures.push(failed)
    const handing = handedOver(rooms)
    if (handing === null) continue
    await handing
    line.notices = handoffFields(plan, rooms, failures.map(({ target }) => target))
  }
  refuse(line, failures, null)
}

/** Ends the work when the whole of it has taken longer than its owner allows. */
function watchTime({ answer, ledger, rooms: { ticker, limits: { totalMs } } }: Line): void {
  const since = ticker.now
  const watcher: Watcher = {
    beat(now) {
      if (now - since < totalMs) return
      const hint = 'the limit is limits.total_secs'
      answer.leave(new GwError('upstream.timeout', `the request took longer than ${totalMs / 1000} s`, { hint }))
    },
  }
  ticker.watch(watcher)
  ledger.onClose({ closed: () => ticker.unwatch(watcher) })
}

/** Ends the work when the caller goes, or loses its right to it. */
function watchCaller(line: Line): void {
  const { call, ask, answer, ledger, rooms } = line
  answer.follow(call.request.signal)
  if (ask.stream && ask.principal.token !== null && rooms.access.watch) {
    const right = new Right(rooms.access, ask.principal, answer)
    rooms.access.watch(ask.principal, right)
    ledger.onClose(right)
  }
  if (rooms.limits.totalMs > 0) watchTime(line)
}

/** The right to a stream, for as long as it lasts. */
class Right implements Closer, Revocable {
  readonly #access: Authenticator
  readonly #principal: Principal
  readonly #answer: Answer

  constructor(access: Authenticator, principal: Principal, answer: Answer) {
    this.#access = access
    this.#principal = principal
    this.#answer = answer
  }

  revoked(): void {
    this.#answer.leave()
  }

  closed(): void {
    this.#access.unwatch?.(this.#principal, this)
  }
}
