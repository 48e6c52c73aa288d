import { type Clock, GwError, type Logger } from '../base/mod.ts'
import type { Account, Target } from '../accounts/mod.ts'
import type { Catalog, ResolvedModel } from '../catalog/mod.ts'
import { type Board, createOutlooks, judge, keysOf } from '../liveness/mod.ts'
import type { UpstreamFailure } from '../protocol/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { routeBody } from './body.ts'
import type { RouteCall } from './call.ts'
import type { RoutingSettings } from './config.ts'
import { type Controls, controlsOf } from './controls.ts'
import { createLoad, type Load } from './load.ts'
import { type Next, nextAttempt, wasSent } from './next.ts'
import type { PlannedSession, PlannedTarget, RoutePlan } from './plan.ts'
import { planRoute } from './planner.ts'
import { createPools } from './pools.ts'
import { promptTokens, wantedOutput } from './prompt.ts'
import { carriesCiphertext, responseKey, sessionOf } from './session.ts'
import { openSessions, type Sessions } from './sessions.ts'
import type { PlanRequest } from './snapshot.ts'
import { strategyNames } from './strategies/mod.ts'

/** A plan with what it was made of, for receipts. */
export interface RoutedPlan extends RoutePlan {
  /** What the model reference meant. */
  readonly resolved: ResolvedModel
  /** Controls found in the body. Their keys are ours: they go upstream only to providers that know them. */
  readonly controls: Controls | null
  readonly plannedAt: number
}

/** How one attempt of a plan ended. */
export type AttemptEnd =
  | { readonly is: 'answered'; readonly responseId?: string | null }
  | { readonly is: 'failed'; readonly failure: UpstreamFailure }
  /** The caller left: says nothing about the target. */
  | { readonly is: 'abandoned' }

/** An attempt that is running. */
export interface Claim {
  /** Ends it; further calls do nothing. */
  end(end: AttemptEnd): void
}

/** Chooses targets and remembers what was chosen. */
export interface Router {
  /**
   * The targets of a request, in order, and why the others are out. Changes nothing but the turn of round-robin.
   *
   * @throws GwError `model.missing`, `model.not_found`, `request.invalid` for wrong or contradictory controls
   */
  plan(call: RouteCall): RoutedPlan
  /** Takes a planned target into use, or `null` when it may not be used now (somebody else is proving it). */
  claim(plan: RoutedPlan, index: number): Claim | null
  /** What to try after these failures: a target of the plan, or the end with the reason. */
  next(plan: RoutePlan, tried: readonly number[], failures: readonly UpstreamFailure[]): Next
  /** Counts a request, once, for the retry budget. */
  countRequest(): void
}

/** What a router needs. Functions are asked at each use, so that a changed config counts at once. */
export interface RouterOptions {
  readonly storage: Storage
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly logger: Logger
  readonly board: Board
  readonly catalog: () => Catalog
  readonly accounts: () => readonly Account[]
  readonly settings: () => RoutingSettings
  /** The identity behind an account, when it is known. */
  readonly identityOf?: (account: string) => string | null
  /** micro-USD an account spent today. */
  readonly spentToday?: (account: string) => number | null
}

/** Opens the router: loads the sessions of earlier runs. */
export async function createRouter(options: RouterOptions): Promise<Router> {
  const { storage, clock, random, logger, board, settings } = options
  const sessions: Sessions = await openSessions({
    storage,
    clock,
    logger,
    ttlMs: () => settings().sticky.ttl_minutes * 60_000,
  })
  const load = createLoad(clock)
  const outlook = createOutlooks()
  const standing = (key: string) => board.get(key as Parameters<Board['get']>[0])
  const poolFor = createPools(options, {
    standing,
    outlook,
    troubled: board.troubled,
    inFlight: load.inFlight,
    used: load.used,
    recent: load.recent,
    proving: load.proving,
    spentToday: options.spentToday ?? unknown,
    identity: options.identityOf ?? unknown,
    boundTo: sessions.boundTo,
    displaced: sessions.displaced,
  })

  return {
    plan(given) {
      const call = withStrategy(given)
      const body = typeof call.body === 'string' || call.body instanceof Uint8Array ? routeBody(call.body) : call.body
      const controls = call.controls !== undefined ? call.controls : body === null ? null : controlsOf(body)
      const pool = poolFor(call, controls)
      const now = clock.now()
      const rules = settings()
      const session = rules.sticky.enabled && pool.candidates.length > 1
        ? sessionOf({ headers: call.headers, body, principal: call.principal.id })
        : null
      const bound = session !== null && sessions.boundTo(session.key) !== null
      // Ciphertext of a session that nobody holds was issued elsewhere: no account here is better than another.
      const ciphertext = bound && body !== null && carriesCiphertext(body)
      const strippable = body?.span('previous_response_id') === undefined
      const stripAll = ciphertext && strippable && rules.strip_foreign_reasoning &&
        sessions.boundTo(strippedKey(session.key)) !== null
      const request: PlanRequest = {
        headers: call.headers,
        controls,
        models: call.principal.models,
        providers: call.principal.providers,
        account: call.principal.account,
        session,
        ciphertext: ciphertext && !stripAll,
        strippable,
        stripAll,
        inputTokens: call.inputTokens ?? (body === null ? null : promptTokens(body, pool, controls)),
        outputTokens: controls?.middleOut === true && body !== null ? wantedOutput(body) : null,
        parameters: controls?.requireParameters === true && body !== null ? [...body.names()] : [],
        sort: pool.resolved.sort,
        protocol: call.protocol,
      }
      const seed = Math.floor(random() * 4_294_967_296)
      const plan = planRoute(request, pool.snapshot, { seed, now })
      pool.snapshot.cursor++
      return Object.assign(plan, { resolved: pool.resolved, controls, plannedAt: now })
    },
    claim(plan, index) {
      const planned = plan.targets[index]
      if (!planned) throw new GwError('internal', `the plan has no target ${index}`)
      const { target } = planned
      const proving = board.troubled.size === 0
        ? null
        : provingKey(board, target, clock.now()) ?? (planned.trial ? keysOf(target).model : null)
      if (proving !== null && load.proving(proving)) return null
      return new RunningAttempt(plan, planned, proving, load, sessions)
    },
    next(plan, tried, failures) {
      const { fallback, retry_budget: part } = settings()
      const next = nextAttempt(plan, {
        tried,
        failures,
        maxAttempts: fallback.max_attempts,
        retryStatuses: fallback.retry_statuses,
        now: clock.now(),
      })
      const last = failures.at(-1)
      if (next.is !== 'target' || last === undefined || !wasSent(last)) return next
      if (!load.mayRetry(part)) return { is: 'over', because: 'retry_budget' }
      load.countRetry()
      return next
    },
    countRequest: load.countRequest,
  }
}

/** The {@link Claim} on a planned target. */
class RunningAttempt implements Claim {
  // Not the plan they are from: a stream holds them for as long as it lasts.
  readonly #session: PlannedSession | null
  readonly #account: string
  readonly #stripped: boolean
  readonly #proving: string | null
  readonly #load: Load
  readonly #sessions: Sessions
  readonly #startedAt: number
  #open = true

  constructor(plan: RoutedPlan, planned: PlannedTarget, proving: string | null, load: Load, sessions: Sessions) {
    this.#session = plan.session
    this.#account = planned.target.account
    this.#stripped = planned.edit?.stripReasoning === true
    this.#proving = proving
    this.#load = load
    this.#sessions = sessions
    this.#startedAt = load.begin(this.#account, proving)
  }

  end(end: AttemptEnd): void {
    if (!this.#open) return
    this.#open = false
    const account = this.#account
    const session = this.#session
    const sessions = this.#sessions
    this.#load.end(account, this.#proving, this.#startedAt)
    if (end.is !== 'answered') return
    if (end.responseId) sessions.bind(responseKey(end.responseId), account, false)
    if (session === null) return
    if (this.#stripped) sessions.bind(strippedKey(session.key), account, false)
    if (session.boundTo === account) sessions.touch(session.key)
    else if (session.boundTo === null || session.rebind) sessions.bind(session.key, account, session.displaced)
  }
}

const unknown = () => null

/** Header in which a caller names the strategy for one request. */
const strategyHeader = 'x-gw-strategy'

/** The call with the strategy that its headers ask for. */
function withStrategy(call: RouteCall): RouteCall {
  const wanted = call.headers.get(strategyHeader)?.trim()
  if (!wanted || call.strategy !== undefined) return call
  const strategy = strategyNames.find((name) => name === wanted)
  if (strategy === undefined) {
    throw new GwError('request.invalid', `there is no strategy "${wanted.slice(0, 64)}"`, {
      param: strategyHeader,
      hint: `known: ${strategyNames.join(', ')}`,
    })
  }
  return { ...call, strategy }
}

/** Where it is kept that a session was served without its reasoning. */
const strippedKey = (session: string): string => `x.${session}`

/** The key under which a use of the target would be a proof, or `null` when nothing needs proving. */
function provingKey(board: Board, target: Target, now: number): string | null {
  const keys = keysOf(target)
  for (const key of [keys.account, keys.capability, keys.model]) {
    const standing = board.get(key)
    if (standing !== null && judge(standing, now).is === 'trial') return key
  }
  return null
}
