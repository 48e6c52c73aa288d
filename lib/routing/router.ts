import { type Clock, GwError, isObject, type Logger } from '../base/mod.ts'
import type { Account, Target } from '../accounts/mod.ts'
import { type Capability, type Catalog, matchesPattern, type ResolvedModel, resolveModel } from '../catalog/mod.ts'
import { type Board, createOutlooks, judge, keysOf } from '../liveness/mod.ts'
import { estimateTokens, type ProtocolId, type UpstreamFailure } from '../protocol/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { type Candidate, candidatesFor, type ModelChoice } from './candidates.ts'
import type { RoutingSettings } from './config.ts'
import { type RouteBody, routeBody } from './body.ts'
import { type Controls, controlsOf } from './controls.ts'
import { createLoad, type Load } from './load.ts'
import { type Next, nextAttempt, wasSent } from './next.ts'
import type { PlannedSession, PlannedTarget, RoutePlan } from './plan.ts'
import { planRoute } from './planner.ts'
import type { PlanRequest, Snapshot } from './snapshot.ts'
import { carriesCiphertext, responseKey, sessionOf } from './session.ts'
import { openSessions, type Sessions } from './sessions.ts'
import { fallbackReferences } from './fallback.ts'
import { type StrategyName, strategyNames } from './strategies/mod.ts'

/** One request that wants a target. */
export interface RouteCall {
  readonly capability: Capability
  /** The protocol the caller speaks; `null` where there is none (raw proxy). */
  readonly protocol: ProtocolId | null
  /** Model reference as the caller wrote it. */
  readonly model: string | null
  readonly headers: Headers
  /** The JSON body, raw or with its fields found; read for controls, session and ciphertext only. */
  readonly body: RouteBody | Uint8Array | string | null
  readonly principal: {
    readonly id: string
    readonly models: readonly string[] | null
    readonly providers: readonly string[] | null
    readonly aliases: Readonly<Record<string, string>>
    readonly account: string | null
  }
  /** Controls that somebody read already; absent means they are read from the body. */
  readonly controls?: Controls | null
  readonly inputTokens?: number | null
  /** Accounts for this request alone, such as one made of a key that the caller brought. */
  readonly extraAccounts?: readonly Account[]
  /** Strategy for this request alone. */
  readonly strategy?: StrategyName
}

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
  /** Requests running on an account in this process. */
  inFlight(account: string): number
  /** Sessions an account holds. */
  sessionsOf(account: string): number
  /** What other processes of this home have bound. */
  sync(): Promise<void>
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

interface Pool {
  readonly resolved: ResolvedModel
  readonly candidates: readonly Candidate[]
  /** What its plans are made from. */
  readonly snapshot: PoolSnapshot
  /** Shortest context among the candidates, when there are several lengths or the caller wants it met. */
  readonly leastContext: number | null
  readonly contextsDiffer: boolean
}

/** A snapshot is read while a plan is made and never after it, so that one object serves all plans of a pool. */
type PoolSnapshot = Omit<Snapshot, 'cursor'> & { cursor: number }

const maxPools = 2_000

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
  const pools = new Map<string, Pool>()
  let seen: { accounts: unknown; catalog: unknown; settings: unknown } | null = null
  let active: ReadonlySet<string> = new Set()

  /** Prepared pools hold as long as accounts, catalogue and settings are the very same. */
  function refresh(): { catalog: Catalog; accounts: readonly Account[]; rules: RoutingSettings } {
    const catalog = options.catalog()
    const accounts = options.accounts()
    const rules = settings()
    if (seen === null || seen.accounts !== accounts || seen.catalog !== catalog || seen.settings !== rules) {
      seen = { accounts, catalog, settings: rules }
      pools.clear()
      active = new Set(
        accounts.filter(({ enabled }) => enabled).map(({ provider }) => catalog.provider(provider)?.id ?? provider),
      )
    }
    return { catalog, accounts, rules }
  }

  function resolveOne(reference: string | null, call: RouteCall, catalog: Catalog): ResolvedModel {
    return resolveModel(reference, { catalog, active, aliases: call.principal.aliases, now: clock.now() })
  }

  function poolFor(call: RouteCall, controls: Controls | null): Pool {
    const { catalog, accounts, rules } = refresh()
    const profile = call.headers.get('x-auth-profile')
    const named = controls === null || (controls.order ?? controls.only) === null
      ? noNames
      : [...controls.order ?? [], ...controls.only ?? []]
    const cacheable = call.extraAccounts === undefined && isEmpty(call.principal.aliases)
    const kind = `${call.model}\n${call.capability}\n${call.protocol}`
    const isPlain = controls === null ||
      (named.length === 0 && controls.fallbackModels.length === 0 && controls.allowFallbacks)
    const key = profile === null && call.strategy === undefined && isPlain
      ? kind
      : [kind, profile, call.strategy, named, controls?.fallbackModels, controls?.allowFallbacks].join('\n')
    const known = cacheable ? pools.get(key) : undefined
    if (known) return known
    const pool = build(call, controls, named, profile, { catalog, accounts, rules })
    if (cacheable) {
      if (pools.size >= maxPools) pools.delete(pools.keys().next().value!)
      pools.set(key, pool)
    }
    return pool
  }

  function build(
    call: RouteCall,
    controls: Controls | null,
    named: readonly string[],
    profile: string | null,
    { catalog, accounts, rules }: { catalog: Catalog; accounts: readonly Account[]; rules: RoutingSettings },
  ): Pool {
    const now = clock.now()
    const choices: ModelChoice[] = []
    const choose = (resolved: ResolvedModel, tier: number, fallback = false): void => {
      const { provider, account, model, free } = resolved
      choices.push({ provider, account: account ?? profileName(profile, provider.id), model, free, tier, fallback })
    }
    const expand = (reference: string | null, tier: number): ResolvedModel => {
      const wanted = reference?.trim() ?? catalog.defaultModel ?? null
      const pool = wanted === null ? undefined : poolNamed(rules, wanted)
      if (pool) {
        const members = pool.members.map((member) => resolveOne(member, call, catalog))
        for (const member of members) choose(member, tier)
        return { ...members[0]!, requested: wanted!, alias: wanted }
      }
      const resolved = resolveNamed(reference, call, catalog, named)
      choose(resolved, tier)
      for (const name of named) {
        const other = catalog.provider(name)
        if (
          other && other.id !== resolved.provider.id && active.has(other.id) &&
          catalog.has(other.id, resolved.model, now)
        ) {
          choices.push({ provider: other, account: null, model: resolved.model, free: resolved.free, tier })
        }
      }
      return resolved
    }
    const resolved = expand(call.model, 0)
    for (const [i, reference] of (controls?.fallbackModels ?? []).entries()) expand(reference, i + 1)
    let tier = controls?.fallbackModels.length ?? 0
    if (controls?.allowFallbacks !== false) {
      for (const reference of fallbackReferences(resolved, call.capability, rules, active)) {
        try {
          choose(resolveOne(reference, call, catalog), ++tier, true)
        } catch (error) {
          // A fallback that names nothing must not take the request down that did not need it.
          logger.log('warn', 'routing.fallback_unknown', { reference, error })
        }
      }
    }
    const all = call.extraAccounts ? [...call.extraAccounts, ...accounts] : accounts
    const pool = poolNamed(rules, call.model ?? '')
    const { candidates, unfit } = candidatesFor(choices, {
      catalog,
      accounts: all,
      capability: call.capability,
      protocol: call.protocol,
      now,
    })
    const strategy = call.strategy ?? pool?.strategy ?? rules.provider_strategies[resolved.provider.id] ??
      rules.strategy
    const contexts = new Set(candidates.map(({ model }) => model.contextTokens))
    const known = [...contexts].filter((tokens) => tokens !== null)
    return {
      resolved,
      candidates,
      snapshot: snapshotOf(rules, { candidates, unfit, strategy }),
      leastContext: known.length > 0 ? Math.min(...known) : null,
      contextsDiffer: contexts.size > 1,
    }
  }

  /** {@link resolveModel}; where several providers have the name, the ones that the controls name decide. */
  function resolveNamed(
    reference: string | null,
    call: RouteCall,
    catalog: Catalog,
    named: readonly string[],
  ): ResolvedModel {
    try {
      return resolveOne(reference, call, catalog)
    } catch (error) {
      for (const name of named) {
        const provider = catalog.provider(name)
        if (reference !== null && provider && catalog.has(provider.id, reference, clock.now())) {
          return resolveOne(`${provider.id}/${reference}`, call, catalog)
        }
      }
      throw error
    }
  }

  function snapshotOf(rules: RoutingSettings, of: Pick<Snapshot, 'candidates' | 'unfit' | 'strategy'>): PoolSnapshot {
    return {
      ...of,
      reserve: rules.reserve,
      cursor: Math.floor(random() * 1_000),
      sticky: {
        enabled: rules.sticky.enabled,
        minGain: rules.sticky.min_gain_points,
        expectedTurns: rules.sticky.expected_turns,
        stripForeign: rules.strip_foreign_reasoning,
      },
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
    }
  }

  return {
    plan(given) {
      const call = withStrategy(given)
      const body = typeof call.body === 'string' || call.body instanceof Uint8Array ? routeBody(call.body) : call.body
      const controls = call.controls !== undefined ? call.controls : body === null ? null : controlsOf(body)
      board.refresh()
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
    inFlight: load.inFlight,
    sessionsOf: sessions.count,
    sync: sessions.sync,
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
const noNames: readonly string[] = []

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

/** Fewest bytes that a token of a prompt takes: below it a prompt cannot be too long, and nobody counts. */
const leastBytesPerToken = 2.5

/** A body's prompt in tokens, estimated only when a candidate's context could be too short for it and that matters. */
function promptTokens(body: RouteBody, pool: Pool, controls: Controls | null): number | null {
  const { leastContext, contextsDiffer } = pool
  if (leastContext === null || body.bytes.length < leastContext * leastBytesPerToken) return null
  if (!contextsDiffer && controls?.middleOut !== true) return null
  try {
    return estimateTokens(JSON.parse(new TextDecoder().decode(body.bytes))).inputTokens
  } catch {
    return null
  }
}

/** Tokens that the answer may take, as the caller says. */
function wantedOutput(body: RouteBody): number | null {
  for (const name of ['max_completion_tokens', 'max_tokens', 'max_output_tokens']) {
    const value = body.field(name)
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value
  }
  const config = body.field('generationConfig')
  const most = isObject(config) ? config.maxOutputTokens : null
  return typeof most === 'number' && most > 0 && Number.isFinite(most) ? most : null
}

/** The key under which a use of the target would be a proof, or `null` when nothing needs proving. */
function provingKey(board: Board, target: Target, now: number): string | null {
  const keys = keysOf(target)
  for (const key of [keys.account, keys.capability, keys.model]) {
    const standing = board.get(key)
    if (standing !== null && judge(standing, now).is === 'trial') return key
  }
  return null
}

function isEmpty(record: Readonly<Record<string, string>>): boolean {
  for (const _ in record) return false
  return true
}

function poolNamed(rules: RoutingSettings, reference: string): RoutingSettings['pools'][string] | undefined {
  return Object.hasOwn(rules.pools, reference) ? rules.pools[reference] : undefined
}

/** The account part of an auth profile (`provider:name`, or a bare name) when it speaks about this provider. */
function profileName(profile: string | null, provider: string): string | null {
  if (profile === null || profile === '') return null
  const colon = profile.indexOf(':')
  if (colon < 0) return profile
  return matchesPattern(profile.slice(0, colon), provider) ? profile.slice(colon + 1) : null
}
