import { probeConsent } from './admission.ts'
import { knownFacts, planNow, type RepairContext } from './context.ts'
import { type Explanation, explanation } from './explain.ts'
import type { Scope } from './inventory/scope.ts'
import { scopeRoutes } from './inventory/scope.ts'
import { type ProbeReport, probeRoute } from './probe.ts'
import { childEnv } from './inject.ts'
import { createRuntimeCheck, type RuntimeState } from './runtime.ts'
import { onboardingKind } from './doctor.ts'

/** The answer of a paid check of every account and capability. */
export interface LiveQaReport {
  readonly version: string
  readonly ok: boolean
  readonly spends_provider_calls: true
  readonly accounts: readonly string[]
  readonly capabilities: readonly string[]
  readonly routes_total: number
  readonly routes_available: number
  readonly routes_unavailable: number
  readonly probe_errors: number
  readonly failures: number
  readonly capabilities_total: number
  readonly capabilities_covered: number
  readonly capabilities_uncovered: number
  /** Which those are. */
  readonly uncovered: readonly string[]
  readonly routes: readonly ProbeReport[]
}

/** Hints under which a route is only unavailable: the check itself worked. */
const unavailable = ['rate_limit', 'quota_exhausted', 'tier_insufficient', 'subscription_paused', 'provider_degraded']

/**
 * Probes each route of a scope once, whatever it costs: only for someone who has confirmed that.
 *
 * @throws GwError `scope.invalid`
 */
export async function liveQa(context: RepairContext, scope: Scope): Promise<LiveQaReport> {
  const routes = scopeRoutes(context.inventory(), { provider: onboardingKind, ...scope })
    .filter(({ capability }) => capability !== null)
  const reports: ProbeReport[] = []
  for (const { account, capability } of routes) {
    reports.push(
      await probeRoute(context, {
        provider: account.provider,
        account: account.account,
        capability: capability!,
        consent: probeConsent(true),
      }),
    )
  }
  const capabilities = [...new Set(routes.map(({ capability }) => capability!))]
  const available = reports.filter(({ ok }) => ok)
  const errors = reports.filter((report) =>
    !report.ok && !(report.probe_executed && unavailable.includes(report.last_probe?.hint_class ?? ''))
  )
  const uncovered = capabilities.filter((name) => !available.some(({ capability }) => capability === name))
  const failures = errors.length + uncovered.length
  return {
    version: context.version,
    ok: reports.length > 0 && failures === 0,
    spends_provider_calls: true,
    accounts: [...new Set(routes.map(({ account }) => account.account))],
    capabilities,
    routes_total: reports.length,
    routes_available: available.length,
    routes_unavailable: reports.length - available.length - errors.length,
    probe_errors: errors.length,
    failures,
    capabilities_total: capabilities.length,
    capabilities_covered: capabilities.length - uncovered.length,
    capabilities_uncovered: uncovered.length,
    uncovered,
    routes: reports,
  }
}

/** What one account's own program says about its login. */
export interface LoginStatus {
  readonly account: string
  readonly runtime: RuntimeState
  /** `null` when it could not be asked. */
  readonly logged_in: boolean | null
}

const statusMs = 20_000

/** Asks each account's own program whether it is logged in. Reads only. */
export async function loginStatus(context: RepairContext, scope: Scope): Promise<readonly LoginStatus[]> {
  const accounts = new Set(
    scopeRoutes(context.inventory(), { provider: onboardingKind, ...scope }).map(({ account }) => account),
  )
  const facts = knownFacts(context)
  const { check } = createRuntimeCheck({ env: context.env, repairs: facts.repairs, writing: 'ask' })
  const out: LoginStatus[] = []
  for (const account of accounts) {
    const runtime = await check(account, null)
    const argv = account.definition.repair.login_status_command
    const askable = argv !== undefined && (runtime.state === 'ready' || runtime.state === 'needs_reauth')
    const result = askable
      ? await context.runProgram(argv, {
        env: childEnv({
          account,
          capability: null,
          profile: null,
          base: context.env,
          version: context.version,
          token: null,
        }),
        timeoutMs: statusMs,
        maxOutputBytes: 64 * 1024,
      }).catch(() => null)
      : null
    out.push({ account: account.account, runtime, logged_in: result === null ? null : result.status === 0 })
  }
  return out
}

/** Everything that can be known about the onboarding set without spending: a check before a check. */
export interface CanaryReport {
  readonly version: string
  readonly ok: boolean
  readonly spends_provider_calls: boolean
  readonly login_status: readonly LoginStatus[]
  readonly routes: Explanation
  readonly repair_plan: Explanation
  readonly live: LiveQaReport | null
}

/** Runs the free checks, and with `live` the paid ones too. */
export async function canary(context: RepairContext, scope: Scope, live: boolean): Promise<CanaryReport> {
  const wide = { provider: onboardingKind, ...scope }
  const logins = await loginStatus(context, scope)
  const probed = live ? await liveQa(context, scope) : null
  const plan = await planNow(context, wide)
  const facts = { version: context.version, policy: context.inventory().policy.daemon }
  return {
    version: context.version,
    ok: (probed?.ok ?? true) && logins.every(({ runtime }) => runtime.state === 'ready'),
    spends_provider_calls: live,
    login_status: logins,
    routes: explanation(plan, 'explain', facts),
    repair_plan: explanation(plan, 'repair-plan', facts),
    live: probed,
  }
}
