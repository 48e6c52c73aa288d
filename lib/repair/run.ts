import { GwError } from '../base/mod.ts'
import { admit, repairConsent } from './admission.ts'
import { planNow, type RepairContext } from './context.ts'
import type { EventInput, EventOutcome } from './events.ts'
import { type PlannedRoute, type RouteReport, type RoutesPlan, type Selected, selectedOf } from './explain.ts'
import { childEnv } from './inject.ts'
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
  const { profile, provider, account, capability, runInteractive } = request
  const plan = await planNow(context, { profile, provider, account, capability })
  const decided = decideRepair(plan, request)
  if (decided.is === 'answer') {
    const { outcome, route, report } = decided
    await context.events.append({
      ...onRecord(plan, route),
      outcome,
      reason: report.reason ?? outcome,
      ok: report.ok,
      executed: false,
    })
    return { ...blankReport(context), ...report }
  }
  const { route } = decided
  const shown = { ...blankReport(context), route: route.report }
  const note = (outcome: EventOutcome, reason: string, done: { readonly ok: boolean; readonly executed: boolean }) =>
    context.events.append({ ...onRecord(plan, route), outcome, reason, ...done })
  const done = await whileMending(context, route.route.account, async (tookOver) => {
    await note('started', route.report.action.kind, { ok: true, executed: false })
    return { ...await mend(context, route, runInteractive), tookOver }
  })
  if (!done) {
    await note('repair_in_progress', 'repair_in_progress', { ok: false, executed: false })
    return { ...shown, ok: false, error: 'repair_in_progress', exit_code: 1 }
  }
  await note(done.ok ? 'executed' : 'failed', done.reason, { ok: done.ok, executed: true })
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

/** What an answer says that is not said of it. */
const blankReport = ({ version }: Pick<RepairContext, 'version'>) => ({
  version,
  action: 'repair-run' as const,
  executed: false,
  confirmation_required: false,
  reason: null,
  selected: null,
  route: null,
  exit_code: 0,
})

/** What a call comes to: a route to mend, or an answer without mending, and which route it is on record for. */
type RepairDecision =
  | { readonly is: 'mend'; readonly route: PlannedRoute }
  | {
    readonly is: 'answer'
    readonly outcome: EventOutcome
    readonly route: PlannedRoute | null
    readonly report: Partial<RepairRunReport> & Pick<RepairRunReport, 'ok'>
  }

function decideRepair(plan: RoutesPlan, { account, confirm, json, runInteractive }: RepairRunRequest): RepairDecision {
  if (plan.selected && account === undefined) {
    const report = { ok: true, reason: 'route_selectable', selected: selectedOf(plan.selected) }
    return { is: 'answer', outcome: 'noop', route: plan.selected, report }
  }
  const refuse = (outcome: EventOutcome, route: PlannedRoute, more: Partial<RepairRunReport>): RepairDecision => ({
    is: 'answer',
    outcome,
    route,
    report: { ok: false, error: outcome, route: route.report, exit_code: 1, ...more },
  })
  const route = plan.routes.find(({ report }) => report.action.mutating && report.action.command !== null)
  if (!route) {
    const busy = plan.routes.find(({ report }) => report.action.kind === 'wait_for_repair')
    if (busy && confirm) return refuse('repair_in_progress', busy, {})
    const outcome = 'no_admitted_repair'
    return { is: 'answer', outcome, route: null, report: { ok: true, reason: outcome } }
  }
  if (!confirm) {
    return refuse('confirmation_required', route, { confirmation_required: true, requires: '--confirm-repair' })
  }
  const { action } = route.report
  const { budget, interactive, mutating } = action
  const { admitted, reason } = admit({ kind: 'repair', budget, interactive, mutating }, route.policy, repairConsent)
  if (!admitted) return refuse('no_admitted_repair', route, { reason, error: reason })
  if (interactive && (json || !runInteractive)) return refuse('interactive_json_unsupported', route, {})
  return { is: 'mend', route }
}

/** What a record of this call says of the scope, or of the route it is about. */
function onRecord({ scope }: RoutesPlan, route: PlannedRoute | null): Omit<EventInput, 'outcome' | 'ok'> {
  const common = {
    kind: 'repair_run' as const,
    profile: scope.profile ?? null,
    capability: route?.report.capability ?? scope.capability ?? null,
  }
  if (route === null) return { ...common, provider: scope.provider ?? null, account: scope.account ?? null }
  const { provider, account, action, writeback } = route.report
  return {
    ...common,
    provider,
    account,
    action: action.kind,
    command: action.command,
    writeback_capability: writeback.capability,
    automatic_refresh_admitted: writeback.automatic_refresh_admitted,
    interactive: action.interactive,
    mutating: action.mutating,
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
export function mayMendAlone({ report: { action, admission } }: PlannedRoute): boolean {
  return action.command !== null && action.mutating && !action.interactive && admission.daemon_repair.admitted
}
