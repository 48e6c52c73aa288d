import { type Admission, type AdmissionPolicy, admit, type Writeback, writebackFor } from './admission.ts'
import { planAction, type RouteAction, routeProbeBudget } from './action.ts'
import type { Budget } from './definition/budget.ts'
import { type LastProbeReport, lastProbeReport, type LivenessReport, livenessReport } from './describe.ts'
import type { Evidence, EvidenceView } from './evidence.ts'
import { accountKey, type Inventory, policyFor, type RouteAccount, routeKey } from './inventory/inventory.ts'
import { type Scope, type ScopedRoute, scopeRoutes } from './inventory/scope.ts'
import type { RuntimeState } from './runtime.ts'

/** One route of an explanation. Field names are stable. */
export interface RouteReport {
  readonly provider: string
  readonly account: string
  readonly capability: string | null
  readonly selected: boolean
  readonly selectable: boolean
  /** One word: why it is or is not selectable. */
  readonly skip_reason: string
  readonly extension_mode: string
  readonly repair_owner: string
  readonly writeback: Writeback
  readonly probe_budget: Budget | null
  readonly admission: { readonly daemon_probe: Admission; readonly daemon_repair: Admission }
  readonly runtime: RuntimeState
  readonly liveness: LivenessReport | null
  readonly last_probe: LastProbeReport | null
  /** Another account that is the same person or organisation there: it is no spare. */
  readonly same_identity_as: string | null
  readonly action: RouteAction
}

/** A route that can be used now. */
export interface Selected {
  readonly provider: string
  readonly account: string
  readonly capability: string | null
  readonly health_key: string
}

/** The answer of explain, select and repair plan. */
export interface Explanation {
  readonly version: string
  readonly action: 'explain' | 'select' | 'repair-plan'
  readonly policy: { readonly daemon: AdmissionPolicy }
  readonly profile: string | null
  readonly capability: string | null
  readonly ok: boolean
  readonly selected: Selected | null
  readonly routes: readonly RouteReport[]
}

/** A route together with everything its report was made from. */
export interface PlannedRoute {
  readonly route: ScopedRoute
  readonly report: RouteReport
  /** Recorded evidence that decides: the account's when it blocks, else the route's. */
  readonly evidence: Evidence | null
  readonly policy: AdmissionPolicy
}

/** What planning reads. All of it is already in memory. */
export interface PlanInput {
  readonly inventory: Inventory
  readonly evidence: EvidenceView
  /** The runtime state of each route, found out before planning. */
  readonly runtime: (route: ScopedRoute) => RuntimeState
  /** A hash of who an account is, once seen; `null` when unknown. */
  readonly identity: (accountKey: string) => string | null
  /** Probes and runs of an account this month. */
  readonly uses: (accountKey: string) => number
  /** The route a profile was last served by. */
  readonly affinity: (profile: string) => { readonly key: string; readonly at: number } | null
  readonly now: number
}

/** Routes in the order they are tried, each with its report. Pure: nothing is probed, written or connected to. */
export interface RoutesPlan {
  readonly scope: Scope
  readonly routes: readonly PlannedRoute[]
  readonly selected: PlannedRoute | null
}

/**
 * Plans the routes of a scope.
 *
 * @throws GwError `scope.invalid`
 */
export function planRoutes(given: PlanInput, scope: Scope): RoutesPlan {
  const input = { ...given, evidence: readOnce(given.evidence) }
  const { inventory } = input
  const profile = scope.profile ?? (noScope(scope) ? inventory.defaults.profile : undefined)
  const capability = scope.capability ?? (noScope(scope) ? inventory.defaults.capability : undefined)
  const effective: Scope = { ...scope, profile, capability }
  const scoped = order(scopeRoutes(inventory, effective), input, profile)
  const owners = new Map<string, string>()
  const shared = new Map<RouteAccount, Shared>()
  const planned = scoped.map((route) => {
    let common = shared.get(route.account)
    if (!common) shared.set(route.account, common = sharedBy(route.account, input, owners))
    return planRoute(route, input, common)
  })
  const first = planned.findIndex(({ report }) => report.selectable)
  if (first < 0) return { scope: effective, routes: planned, selected: null }
  const found = planned[first]!
  const selected = { ...found, report: { ...found.report, selected: true } }
  return { scope: effective, routes: planned.with(first, selected), selected }
}

/** The same evidence, each key read once: all routes of an account ask for the account's own. */
function readOnce(view: EvidenceView): EvidenceView {
  const read = new Map<string, Evidence | null>()
  return (key) => {
    let evidence = read.get(key)
    if (evidence === undefined) read.set(key, evidence = view(key))
    return evidence
  }
}

const noScope = ({ profile, provider, account }: Scope): boolean =>
  profile === undefined && provider === undefined && account === undefined

/** What all routes of one account have in common. */
interface Shared {
  /** The evidence of the account itself. */
  readonly evidence: Evidence | null
  readonly writeback: Writeback
  readonly policy: AdmissionPolicy
  readonly spent: boolean
  readonly left: string | null
  readonly sameIdentityAs: string | null
}

function sharedBy(account: RouteAccount, input: PlanInput, owners: Map<string, string>): Shared {
  const key = accountKey(account)
  const uses = account.quota?.monthly_limit === undefined ? 0 : input.uses(key)
  const identity = input.identity(key)
  const first = identity === null ? key : owners.get(identity) ?? key
  if (identity !== null && first === key) owners.set(identity, key)
  return {
    evidence: input.evidence(key),
    writeback: writebackFor(account.definition.repair.owner, account.backend),
    policy: policyFor(input.inventory.policy, account.provider),
    spent: account.quota?.monthly_limit !== undefined && uses >= account.quota.monthly_limit,
    left: quotaLeft(account, uses),
    sameIdentityAs: first === key ? null : first,
  }
}

function planRoute(route: ScopedRoute, input: PlanInput, common: Shared): PlannedRoute {
  const { now } = input
  const { account, capability } = route
  const { definition } = account
  const { writeback, policy, spent } = common
  const runtime = input.runtime(route)
  const evidence = decisive(input.evidence, account, capability, common.evidence)
  const action = planAction({ route, runtime, evidence, writeback, now, spent, left: common.left })
  const probe = routeProbeBudget(route)
  const selectable = runtime.state === 'ready' && evidence !== null && action.kind === 'none'
  return {
    route,
    evidence,
    policy,
    report: {
      provider: account.provider,
      account: account.account,
      capability,
      selected: false,
      selectable,
      skip_reason: skipReason(runtime, evidence, spent),
      extension_mode: definition.extension_mode,
      repair_owner: definition.repair.owner,
      writeback,
      probe_budget: probe,
      admission: {
        daemon_probe: admit({ kind: 'probe', budget: probe, interactive: false, mutating: false }, policy),
        daemon_repair: admit({
          kind: 'repair',
          budget: action.mutating && action.command !== null ? action.budget : null,
          interactive: action.interactive,
          mutating: action.mutating,
        }, policy),
      },
      runtime,
      liveness: evidence && livenessReport(evidence, now),
      last_probe: evidence && lastProbeReport(evidence),
      same_identity_as: common.sameIdentityAs,
      action,
    },
  }
}

/** A warning about the monthly limit, or `null` while enough is left. */
function quotaLeft({ quota }: RouteAccount, uses: number): string | null {
  if (quota?.monthly_limit === undefined) return null
  const left = Math.max(0, quota.monthly_limit - uses)
  return left <= (quota.monthly_limit * quota.warn_at_pct) / 100
    ? `${left} of ${quota.monthly_limit} uses left this month`
    : null
}

/** Whether what is recorded under a key lets its routes be used. */
function blocks(evidence: Evidence): boolean {
  const { liveness } = evidence
  return liveness.state !== 'live' || liveness.availability.is !== 'available' || evidence.circuit === 'open' ||
    evidence.revalidationNeeded
}

/**
 * The evidence that decides about a route: the account's where it blocks, else the route's own.
 *
 * An account that is fine says nothing about a capability nobody has tried.
 *
 * @param whole the evidence of the account, where it is known already
 */
export function decisive(
  view: EvidenceView,
  { provider, account }: Pick<RouteAccount, 'provider' | 'account'>,
  capability: string | null,
  whole = view(routeKey(provider, account, null)),
): Evidence | null {
  if (capability === null || (whole && blocks(whole))) return whole
  return view(routeKey(provider, account, capability))
}

function skipReason(runtime: RuntimeState, evidence: Evidence | null, spent: boolean): string {
  if (runtime.state !== 'ready') return runtime.state
  if (spent) return 'monthly_limit'
  if (evidence === null) return 'unrecorded'
  const { liveness } = evidence
  if (liveness.state !== 'live') return liveness.reason
  if (evidence.revalidationNeeded) return 'revalidation_needed'
  if (liveness.availability.is !== 'available') return liveness.availability.is
  return evidence.circuit === 'open' ? 'circuit_open' : 'available'
}

/** Strategies change the order of a profile's routes; without one, the profile's order and priorities stand. */
function order(routes: ScopedRoute[], input: PlanInput, profileName: string | undefined): ScopedRoute[] {
  const profile = profileName === undefined ? undefined : input.inventory.profiles.get(profileName)
  const { defaults, strategies } = input.inventory
  const strategy = profile?.strategy ??
    (defaults.strategy === undefined ? null : strategies.get(defaults.strategy) ?? null)
  const kept = profile ? keepTogether(routes, input, profile) : routes
  if (kept !== routes || !strategy || strategy.kind === 'priority-failover') return kept
  const evidenceOf = ({ account, capability }: ScopedRoute) => decisive(input.evidence, account, capability)
  if (strategy.kind === 'health-weighted') {
    const score = (route: ScopedRoute) => evidenceOf(route)?.score ?? 50
    return routes.toSorted((a, b) => score(b) - score(a))
  }
  // Round-robin without a counter of its own: the one used longest ago comes first, so that reading changes nothing.
  const used = (route: ScopedRoute) => evidenceOf(route)?.lastProbe?.observedAt ?? 0
  return routes.toSorted((a, b) => used(a) - used(b))
}

/** The route a profile was served by a moment ago goes first: changing accounts costs caches and sessions. */
function keepTogether(
  routes: ScopedRoute[],
  input: PlanInput,
  profile: { readonly name: string; readonly affinityMs: number },
): ScopedRoute[] {
  const last = input.affinity(profile.name)
  if (!last || last.at + profile.affinityMs <= input.now) return routes
  const is = ({ account, capability }: ScopedRoute) =>
    routeKey(account.provider, account.account, capability) === last.key
  const bound = routes.find(is)
  return bound ? [bound, ...routes.filter((route) => route !== bound)] : routes
}

/** A plan as every surface shows it. */
export function explanation(
  plan: RoutesPlan,
  action: Explanation['action'],
  facts: { readonly version: string; readonly policy: AdmissionPolicy },
): Explanation {
  const { selected } = plan
  return {
    version: facts.version,
    action,
    policy: { daemon: facts.policy },
    profile: plan.scope.profile ?? null,
    capability: plan.scope.capability ?? null,
    ok: selected !== null,
    selected: selected && selectedOf(selected),
    routes: plan.routes.map(({ report }) => report),
  }
}

/** The identity of a planned route. */
export function selectedOf({ report }: PlannedRoute): Selected {
  const { provider, account, capability } = report
  return { provider, account, capability, health_key: routeKey(provider, account, capability) }
}
