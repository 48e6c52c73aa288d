import { type Budget, probeBudget } from './definition/budget.ts'
import type { Evidence } from './evidence.ts'
import type { RouteAccount } from './inventory/inventory.ts'
import type { ScopedRoute } from './inventory/scope.ts'
import { toolServerKind } from './inventory/tool-servers.ts'
import type { Writeback } from './admission.ts'
import { quoteLine } from './quote.ts'
import type { RuntimeState } from './runtime.ts'

/** What would mend a route. */
export type ActionKind =
  | 'none'
  | 'fix_runtime'
  | 'wait_for_repair'
  | 'probe_needed'
  | 'revalidation_needed'
  | 'wait_and_retry'
  | 'wait_for_quota'
  | 'wait_for_cooldown'
  | 'scope_or_permission'
  | 'resource_or_audience'
  | 'provider_plan'
  | 'try_next_provider'
  | 'inspect_provider_schema'
  | 'reauth'
  | 'refresh'
  | 'external_secret_rotation'
  | 'manual_repair'

/** The next step for a route, as data. Field names are those of every report; times are epoch seconds. */
export interface RouteAction {
  readonly kind: ActionKind
  readonly severity: 'ok' | 'info' | 'warning' | 'error'
  readonly message: string
  readonly interactive: boolean
  readonly mutating: boolean
  readonly budget: Budget | null
  readonly retry_after_s: number | null
  readonly wait_until: number | null
  /** A line a person can run as it stands; `null` when there is none. */
  readonly command: string | null
  readonly diagnostic_command: string | null
  /** Who has to move: nobody, gw itself, or a person. */
  readonly mediation: 'none' | 'gateway' | 'person'
  readonly owner: string
  /** Whether an agent may run `command` without asking anybody. */
  readonly agent_safe: boolean
  readonly spends_provider_calls: boolean
}

/** Everything an action is derived from. */
export interface ActionFacts {
  readonly route: ScopedRoute
  readonly runtime: RuntimeState
  /** What blocks the route: evidence of the account or of the route; `null` when it was never looked at. */
  readonly evidence: Evidence | null
  readonly writeback: Writeback
  readonly now: number
  /** Whether its owner's own monthly limit is used up. */
  readonly spent: boolean
  /** A warning that little of that limit is left. */
  readonly left: string | null
}

/** The command line that names a route. */
function routeFlags({ account, capability }: ScopedRoute): string[] {
  return [
    '--provider',
    account.provider,
    '--account',
    account.account,
    ...(capability === null ? [] : ['--capability', capability]),
  ]
}

/** The budget of the route's probe, or `null` when it has none. */
export function routeProbeBudget({ probe }: ScopedRoute): Budget | null {
  return probe && probeBudget(probe)
}

/** The next step for a route: first what this machine lacks, then what the evidence asks for. */
export function planAction(facts: ActionFacts): RouteAction {
  const { route, runtime, evidence } = facts
  if (runtime.state === 'repair_in_progress') {
    return actionOf(route, 'wait_for_repair', 'info', 'a repair of this account is running')
  }
  if (runtime.state === 'needs_reauth') return relogin(facts, 'its session file is missing')
  if (runtime.state !== 'ready') {
    return actionOf(route, 'fix_runtime', 'error', runtimeMessage(runtime), {
      diagnostic_command: quoteLine(['gw', 'doctor', 'runtime', ...routeFlags(route), '--json']),
      mediation: 'person',
    })
  }
  if (facts.spent) {
    const month = new Date(facts.now)
    return actionOf(route, 'wait_for_quota', 'warning', 'its monthly limit is used up', {
      wait_until: Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 1) / 1000,
    })
  }
  if (evidence === null) return probeAction(facts, 'probe_needed', 'nothing is known about this route yet')
  return fromEvidence(facts, evidence)
}

const epoch = (ms: number | null): number | null => ms === null ? null : Math.floor(ms / 1000)

function fromEvidence(facts: ActionFacts, evidence: Evidence): RouteAction {
  const { route, now } = facts
  const { liveness } = evidence
  const seconds = (until: number) => Math.max(0, Math.ceil((until - now) / 1000))
  if (liveness.state === 'dead') return relogin(facts, `the credential is dead: ${liveness.reason}`)
  if (liveness.state === 'degraded' && evidence.revalidationNeeded) {
    return probeAction(facts, 'revalidation_needed', `it was ${liveness.reason}; its time has come to be asked again`)
  }
  if (liveness.state === 'degraded') return fromDegraded(facts, liveness)
  const { availability } = liveness
  if (evidence.revalidationNeeded) {
    const why = evidence.resetWindowState === 'expired'
      ? 'its quota window has passed: one probe confirms it'
      : 'nobody knows when its quota returns: one probe finds out'
    return probeAction(facts, 'revalidation_needed', why)
  }
  switch (availability.is) {
    case 'rate_limited':
      return actionOf(route, 'wait_and_retry', 'info', 'it is rate limited', {
        retry_after_s: seconds(availability.until),
        wait_until: epoch(availability.until),
      })
    case 'quota_exhausted':
      return actionOf(route, 'wait_for_quota', 'warning', 'its quota is spent', {
        wait_until: epoch(availability.resetsAt),
      })
    case 'cooldown':
      return actionOf(route, 'wait_for_cooldown', 'info', `it cools down: ${availability.reason}`, {
        wait_until: epoch(availability.until),
      })
    case 'available':
      return evidence.circuit === 'open'
        ? actionOf(route, 'wait_and_retry', 'info', 'it failed several times in a row', {
          retry_after_s: evidence.circuitRetryAt === null ? null : seconds(evidence.circuitRetryAt),
          wait_until: epoch(evidence.circuitRetryAt),
        })
        : actionOf(route, 'none', 'ok', facts.left === null ? 'it can be used' : `it can be used; ${facts.left}`)
  }
}

function fromDegraded(facts: ActionFacts, liveness: Extract<Evidence['liveness'], { state: 'degraded' }>): RouteAction {
  const { route } = facts
  const until = { wait_until: epoch(liveness.retryAt) }
  switch (liveness.reason) {
    case 'scope_insufficient':
      return actionOf(route, 'scope_or_permission', 'error', 'the credential lacks a scope or permission', {
        mediation: 'person',
      })
    case 'audience_mismatch':
      return actionOf(route, 'resource_or_audience', 'error', 'the credential was issued for another resource', {
        mediation: 'person',
      })
    case 'tier_insufficient':
    case 'subscription_paused':
      return actionOf(route, 'provider_plan', 'error', `the plan does not cover this: ${liveness.reason}`, {
        mediation: 'person',
      })
    case 'provider_degraded':
      return actionOf(route, 'try_next_provider', 'warning', 'the provider has trouble of its own', until)
    case 'schema_invalid':
    case 'unknown_4xx':
      return actionOf(
        route,
        'inspect_provider_schema',
        'warning',
        `the provider calls the probe wrong: ${liveness.reason}`,
        {
          ...until,
          diagnostic_command: probeCommand(facts),
        },
      )
    case 'step_up_required':
    case 'pending_verification':
    case 'terms_required':
      return relogin(facts, `a person has to go through it: ${liveness.reason}`)
  }
}

/** The line that probes a route. Where that spends, the line says so: whoever runs it agrees to it. */
function probeCommand({ route }: ActionFacts): string | null {
  const budget = routeProbeBudget(route)
  if (budget === null) return null
  const consent = budget === 'spend_provider' ? ['--confirm-spend'] : []
  return quoteLine(['gw', 'probe', ...routeFlags(route), ...consent, '--json'])
}

function probeAction(facts: ActionFacts, kind: 'probe_needed' | 'revalidation_needed', message: string): RouteAction {
  const budget = routeProbeBudget(facts.route)
  const spends = budget === 'spend_provider' || budget === 'cheap_provider'
  return actionOf(
    facts.route,
    kind,
    'warning',
    budget === null ? `${message}, and this capability has no probe: it is learned from use` : message,
    {
      budget,
      command: probeCommand(facts),
      mediation: budget === null ? 'none' : 'gateway',
      agent_safe: budget === 'free_command' || budget === 'free_local',
      spends_provider_calls: spends,
    },
  )
}

/** A new login, a refresh, a rotation elsewhere or words: whoever owns the repair. */
function relogin(facts: ActionFacts, why: string): RouteAction {
  const { route, writeback } = facts
  const { repair } = route.account.definition
  const confirmed = quoteLine(['gw', 'repair', 'run', ...routeFlags(route), '--confirm-repair'])
  const lost = isLost(route.account, facts.evidence)
  if (repair.owner === 'oauth_mux_refresh' && writeback.automatic_refresh_admitted && !lost) {
    return actionOf(route, 'refresh', 'error', `${why}; it can be refreshed`, {
      mutating: true,
      budget: 'mutating',
      command: quoteLine(['gw', 'stay-afloat', 'refresh', ...routeFlags(route)]),
      mediation: 'gateway',
    })
  }
  if (repair.owner === 'external_secret_owner') {
    return actionOf(route, 'external_secret_rotation', 'error', `${why}; whoever issued the secret must replace it`, {
      mediation: 'person',
    })
  }
  if (repair.owner === 'manual_only' && !repair.login_command) {
    return actionOf(route, 'manual_repair', 'error', `${why}; it has to be mended by hand`, { mediation: 'person' })
  }
  const shortcut = repair.login_shortcut
  return actionOf(route, 'reauth', 'error', `${why}; it needs a new login`, {
    interactive: true,
    mutating: true,
    budget: 'interactive',
    command: shortcut
      ? quoteLine([...shortcut, route.account.account])
      : repair.login_command || (repair.owner === 'oauth_mux_refresh' && !lost)
      ? confirmed
      : null,
    mediation: 'person',
  })
}

/**
 * Whether only a new login brings an account back: another refresh would only be refused again. A login with a provider
 * that gw renews itself was renewed when it was refused, and the new token was refused too; one with a tool server was not.
 */
export function isLost(account: RouteAccount, evidence: Evidence | null): boolean {
  if (evidence?.liveness.state !== 'dead') return false
  if (account.relay && account.kind !== toolServerKind) return account.backend === 'store'
  return evidence.liveness.reason === 'auth_permanently_failed' && account.definition.repair.login_command !== undefined
}

type Optional = Partial<Omit<RouteAction, 'kind' | 'severity' | 'message' | 'owner'>>

/** An action with what is not said of it filled in. Member by member: a plan makes thousands, at the start of a process. */
function actionOf(
  route: ScopedRoute,
  kind: ActionKind,
  severity: RouteAction['severity'],
  message: string,
  more: Optional = {},
): RouteAction {
  return {
    kind,
    severity,
    message,
    interactive: more.interactive ?? false,
    mutating: more.mutating ?? false,
    budget: more.budget ?? null,
    retry_after_s: more.retry_after_s ?? null,
    wait_until: more.wait_until ?? null,
    command: more.command ?? null,
    diagnostic_command: more.diagnostic_command ?? null,
    mediation: more.mediation ?? 'none',
    owner: route.account.definition.repair.owner,
    agent_safe: more.agent_safe ?? false,
    spends_provider_calls: more.spends_provider_calls ?? false,
  }
}

/** What the details of a session that is not available mean, in words. */
const sessionProblems: Readonly<Record<string, string>> = {
  account_config_dir_missing: 'its account names no config_dir',
  config_dir_missing: 'its config_dir does not exist: its own program makes it at the first login',
  config_dir_not_directory: 'its config_dir is not a directory',
  config_dir_unavailable: 'its config_dir cannot be looked at',
}

function runtimeMessage(runtime: RuntimeState): string {
  switch (runtime.state) {
    case 'missing_binary':
      return `the program ${runtime.binary} is not on the PATH: install it, or add its folder to the PATH`
    case 'permission_denied':
      return `permission denied: ${runtime.operation} ${runtime.path}`
    case 'unwritable_store':
      return `its store cannot be written: ${runtime.detail}`
    case 'session_unavailable':
      return sessionProblems[runtime.detail] ?? `its session is not available: ${runtime.detail}`
    case 'sandbox_blocked':
      return 'a sandbox forbids this process to reach its store'
    default:
      return runtime.state
  }
}
