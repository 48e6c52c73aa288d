import { GwError } from '../base/mod.ts'
import { admit, repairConsent } from './admission.ts'
import { planNow, type RepairContext } from './context.ts'
import type { EventOutcome } from './events.ts'
import { type PlannedRoute, type RouteReport, type Selected, selectedOf } from './explain.ts'
import { childEnv } from './inject.ts'
import { policyFor } from './inventory/inventory.ts'
import type { Scope } from './inventory/scope.ts'
import { whileMending } from './locks.ts'
import { refreshAccount } from './refresh.ts'

/** The answer to a repair. */
export interface RepairRunReport {
  readonly version: string
  readonly action: 'repair-run'
  readonly ok: boolean
  readonly executed: boolean
  readonly confirmation_required: boolean
  readonly requires?: '--confirm-repair'
  readonly reason: string | null
  readonly error?: string
  /** A process that was at this had died in the middle; its lock was taken over. */
  readonly took_over?: true
  readonly selected: Selected | null
  readonly route: RouteReport | null
  /** What a command that did this ends with. */
  readonly exit_code: number
}

/** What to mend. */
export interface RepairRunRequest extends Scope {
  /** Whether the one who asks has said yes to a change of a credential. */
  readonly confirm: boolean
  /** A machine reads the answer: nothing interactive may mix with it. */
  readonly json: boolean
  /**
   * Runs a login with this terminal; resolves with its exit status. Absent where no person can take part.
   */
  readonly runInteractive?: (
    argv: readonly string[],
    env: Readonly<Record<string, string | undefined>>,
  ) => Promise<number>
}

/**
 * Mends the first route of a scope that can be mended, if it was confirmed.
 *
 * Every call is recorded. One account at a time is mended, across processes.
 *
 * @throws GwError `scope.invalid`
 */
export async function runRepair(context: RepairContext, request: RepairRunRequest): Promise<RepairRunReport> {
  const { confirm, json, runInteractive, ...scope } = request
  const plan = await planNow(context, scope)
  const note = (outcome: EventOutcome, reason: string, ok: boolean, executed: boolean, route: PlannedRoute | null) =>
    context.events.append({
      kind: 'repair_run',
      outcome,
      reason,
      ok,
      executed,
      profile: plan.scope.profile ?? null,
      capability: route?.report.capability ?? plan.scope.capability ?? null,
      ...(route
        ? {
          provider: route.report.provider,
          account: route.report.account,
          action: route.report.action.kind,
          command: route.report.action.command,
          writeback_capability: route.report.writeback.capability,
          automatic_refresh_admitted: route.report.writeback.automatic_refresh_admitted,
          interactive: route.report.action.interactive,
          mutating: route.report.action.mutating,
        }
        : { provider: plan.scope.provider ?? null, account: plan.scope.account ?? null }),
    })
  const base = {
    version: context.version,
    action: 'repair-run' as const,
    executed: false,
    confirmation_required: false,
    selected: null,
    route: null,
    exit_code: 0,
  }
  if (plan.selected && request.account === undefined) {
    await note('noop', 'route_selectable', true, false, plan.selected)
    return { ...base, ok: true, reason: 'route_selectable', selected: selectedOf(plan.selected) }
  }
  const route = plan.routes.find(({ report }) => report.action.mutating && report.action.command !== null) ?? null
  const busy = plan.routes.find(({ report }) => report.action.kind === 'wait_for_repair')
  if (!route && busy && confirm) {
    await note('repair_in_progress', 'repair_in_progress', false, false, busy)
    return { ...base, ok: false, reason: null, error: 'repair_in_progress', route: busy.report, exit_code: 1 }
  }
  if (!route) {
    await note('no_admitted_repair', 'no_admitted_repair', true, false, null)
    return { ...base, ok: true, reason: 'no_admitted_repair' }
  }
  const { action } = route.report
  const shown = { ...base, route: route.report, reason: null }
  if (!confirm) {
    await note('confirmation_required', 'confirmation_required', false, false, route)
    return {
      ...shown,
      ok: false,
      confirmation_required: true,
      requires: '--confirm-repair',
      error: 'confirmation_required',
      exit_code: 1,
    }
  }
  const admission = admit(
    { kind: 'repair', budget: action.budget, interactive: action.interactive, mutating: action.mutating },
    route.policy,
    repairConsent,
  )
  if (!admission.admitted) {
    await note('no_admitted_repair', admission.reason, false, false, route)
    return { ...shown, ok: false, reason: admission.reason, error: admission.reason, exit_code: 1 }
  }
  if (action.interactive && (json || !runInteractive)) {
    await note('interactive_json_unsupported', 'interactive_json_unsupported', false, false, route)
    return { ...shown, ok: false, error: 'interactive_json_unsupported', exit_code: 1 }
  }
  const done = await whileMending(context, route.route.account, async (tookOver) => {
    await note('started', action.kind, true, false, route)
    return { ...await mend(context, route, runInteractive), tookOver }
  })
  if (!done) {
    await note('repair_in_progress', 'repair_in_progress', false, false, route)
    return { ...shown, ok: false, error: 'repair_in_progress', exit_code: 1 }
  }
  await note(done.ok ? 'executed' : 'failed', done.reason, done.ok, true, route)
  return {
    ...shown,
    ok: done.ok,
    executed: true,
    reason: done.reason,
    ...(done.tookOver ? { took_over: true } : {}),
    ...(done.ok ? {} : { error: done.reason }),
    exit_code: done.ok ? 0 : done.exit,
  }
}

/** The repair itself: a refresh of ours, or the login of the provider's own program. */
export async function mend(
  context: RepairContext,
  { route, report }: PlannedRoute,
  runInteractive: RepairRunRequest['runInteractive'],
): Promise<{ readonly ok: boolean; readonly reason: string; readonly exit: number }> {
  const { account } = route
  if (report.action.kind === 'refresh') {
    const refreshed = await refreshAccount(context, account)
    return { ok: refreshed.ok, reason: refreshed.outcome, exit: 203 }
  }
  const login = account.definition.repair.login_command
  if (!login || !runInteractive) return { ok: false, reason: 'no_login_command', exit: 1 }
  const env = childEnv({
    account,
    capability: route.capability,
    profile: null,
    base: context.env,
    version: context.version,
    token: null,
  })
  let status: number
  try {
    status = await runInteractive(login, env)
  } catch (error) {
    throw new GwError('login.failed', `${login[0]} could not be run`, { cause: error })
  }
  if (status !== 0) return { ok: false, reason: 'command_failed', exit: 1 }
  // A new login clears what died of the old one; quotas stay as they were.
  context.board.refreshed(account.provider, account.account)
  return { ok: true, reason: 'command_success', exit: 0 }
}

/** Whether background work may mend a route by itself: admitted, and no person needed. */
export function mayMendAlone(context: RepairContext, route: PlannedRoute): boolean {
  const { action } = route.report
  if (action.command === null || !action.mutating || action.interactive) return false
  const policy = policyFor(context.inventory().policy, route.route.account.provider)
  return admit(
    { kind: 'repair', budget: action.budget, interactive: action.interactive, mutating: action.mutating },
    policy,
  ).admitted
}
