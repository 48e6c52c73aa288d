import type { AdmissionPolicy } from './admission.ts'
import { noConsent } from './admission.ts'
import { planNow, type RepairContext } from './context.ts'
import { type PlannedRoute, type RouteReport, type RoutesPlan, type Selected, selectedOf } from './explain.ts'
import { type Execution, handedOver, handOver, settleHandoffs } from './hand-over.ts'
import type { Scope } from './inventory/scope.ts'
import { whileMending } from './locks.ts'
import { probeRoute } from './probe.ts'
import { mayMendAlone, mend } from './run.ts'
import { earliest, type RouteTick, type ScheduleReason, tickOf } from './schedule.ts'

/** The answer of one tick. Field names are stable; times are epoch seconds. */
export interface TickReport {
  readonly version: string
  readonly tick_index: number
  readonly observed_at: number
  readonly mode: 'once' | 'loop'
  readonly execution_mode: 'plan' | 'execute'
  readonly executed: boolean
  readonly handoff_queued: boolean
  readonly handoff_pending: boolean
  readonly message: string
  readonly policy: AdmissionPolicy
  readonly profile: string | null
  readonly capability: string | null
  readonly afloat: boolean
  readonly selected: Selected | null
  readonly summary: {
    readonly routes: number
    readonly selectable: number
    readonly admitted_probes: number
    readonly blocked_probes: number
    readonly admitted_repairs: number
    readonly blocked_repairs: number
    readonly no_action: number
    readonly next_tick_after: number | null
    readonly next_tick_reason: ScheduleReason
  }
  readonly executions: readonly Execution[]
  readonly routes: readonly { readonly route: RouteReport; readonly tick: RouteTick }[]
}

/** How to tick. */
export interface TickRequest extends Scope {
  readonly execute: boolean
  readonly mode?: 'once' | 'loop'
  readonly index?: number
}

/** Where the last tick is kept. */
export const lastTickKey = 'repair.last_tick'

/**
 * One bounded step of stay-afloat.
 *
 * Plans; with `execute`, and while nothing in scope is selectable, takes the first step that is admitted: a probe, or a
 * repair that needs no person. Steps that need one are queued as handoffs along the way and never stop the search.
 * One action per tick, whatever the number of routes.
 *
 * @throws GwError `scope.invalid`
 */
export async function tick(context: RepairContext, request: TickRequest): Promise<TickReport> {
  const { execute, mode = 'once', index = 0, ...scope } = request
  let plan = await planNow(context, scope)
  const executions: Execution[] = []
  if (execute) {
    if (plan.selected) await settleHandoffs(context, plan)
    else {
      await act(context, plan, executions)
      if (executions.some(({ executed }) => executed)) {
        plan = await planNow(context, scope)
        if (plan.selected) await settleHandoffs(context, plan)
      }
    }
  }
  const report = await describe(context, plan, { execute, mode, index, executions })
  await snapshot(context, report)
  return report
}

/** Walks the routes in order until one step has been taken. */
async function act(context: RepairContext, plan: RoutesPlan, executions: Execution[]): Promise<void> {
  const handed = new Set<string>()
  for (const route of plan.routes) {
    const { action, admission } = route.report
    if (action.interactive) {
      const key = JSON.stringify(handedOver(plan, route))
      if (handed.has(key)) continue
      handed.add(key)
      executions.push(await handOver(context, plan, route))
      continue
    }
    const asks = action.kind === 'probe_needed' || action.kind === 'revalidation_needed'
    const step = asks && admission.daemon_probe.admitted
      ? await probeStep(context, plan, route)
      : mayMendAlone(route)
      ? await mendStep(context, plan, route)
      : null
    if (step === null) continue
    executions.push(step)
    // What another process is at already is no step of ours.
    if (step.executed || (step.phase === 'probe' && step.reason !== 'probe_in_progress')) return
  }
}

async function probeStep(context: RepairContext, plan: RoutesPlan, { report }: PlannedRoute): Promise<Execution> {
  const probed = await probeRoute(context, {
    provider: report.provider,
    account: report.account,
    capability: report.capability ?? undefined,
    consent: noConsent,
  })
  const reason = probed.ok ? 'probe_succeeded' : probed.error ?? 'probe_failed'
  await context.events.append({
    ...stepOn(report),
    kind: 'daemon_action',
    outcome: probed.ok ? 'executed' : 'failed',
    reason,
    ok: probed.ok,
    executed: probed.probe_executed,
    profile: plan.scope.profile ?? null,
  })
  return {
    ...stepOn(report),
    phase: 'probe',
    admitted: true,
    executed: probed.probe_executed,
    ok: probed.ok,
    handoff: false,
    handoff_queued: false,
    reason,
    budget: report.probe_budget,
  }
}

async function mendStep(context: RepairContext, plan: RoutesPlan, planned: PlannedRoute): Promise<Execution> {
  const { route, report } = planned
  const done = await whileMending(context, route.account, () => mend(context, planned, undefined))
  const reason = done?.reason ?? 'repair_in_progress'
  await context.events.append({
    ...stepOn(report),
    kind: 'daemon_action',
    outcome: done === null ? 'repair_in_progress' : done.ok ? 'executed' : 'failed',
    reason,
    ok: done?.ok ?? false,
    executed: done !== null,
    mutating: true,
    profile: plan.scope.profile ?? null,
  })
  return {
    ...stepOn(report),
    phase: 'repair',
    admitted: true,
    executed: done !== null,
    ok: done?.ok ?? false,
    handoff: false,
    handoff_queued: false,
    reason,
    budget: report.action.budget,
  }
}

/** Which route a step is on, and what it does there. */
const stepOn = ({ provider, account, capability, action }: RouteReport) => ({
  provider,
  account,
  capability,
  action: action.kind,
  command: action.command,
})

async function describe(
  context: RepairContext,
  plan: RoutesPlan,
  { execute, mode, index, executions }: {
    readonly execute: boolean
    readonly mode: 'once' | 'loop'
    readonly index: number
    readonly executions: readonly Execution[]
  },
): Promise<TickReport> {
  const now = Math.floor(context.clock.now() / 1000)
  const pending = await context.handoffs.list({ limit: 1000 })
  const done = new Map(executions.map((step) => [routeText(step), step]))
  const routes = plan.routes.map(({ report }) => ({
    route: report,
    tick: tickOf(report, done.get(routeText(report)) ?? null, now),
  }))
  const count = (test: (tick: RouteTick) => boolean) => routes.filter(({ tick }) => test(tick)).length
  const selectable = plan.routes.filter(({ report }) => report.selectable).length
  const next = selectable > 0 ? null : earliest(routes.map(({ tick }) => tick))
  const keys = new Set(
    plan.routes.flatMap(({ report }) => [routeText(report), routeText({ ...report, capability: null })]),
  )
  return {
    version: context.version,
    tick_index: index,
    observed_at: now,
    mode,
    execution_mode: execute ? 'execute' : 'plan',
    executed: executions.some(({ executed }) => executed),
    handoff_queued: executions.some(({ handoff_queued }) => handoff_queued),
    handoff_pending: pending.some((handoff) => keys.has(routeText(handoff))),
    message: messageOf(plan, executions),
    policy: context.inventory().policy.daemon,
    profile: plan.scope.profile ?? null,
    capability: plan.scope.capability ?? null,
    afloat: plan.selected !== null,
    selected: plan.selected && selectedOf(plan.selected),
    summary: {
      routes: routes.length,
      selectable,
      admitted_probes: count(({ phase, admitted }) => phase === 'probe' && admitted),
      blocked_probes: count(({ phase, admitted }) => phase === 'probe' && !admitted),
      admitted_repairs: count(({ phase, admitted }) => phase === 'repair' && admitted),
      blocked_repairs: count(({ phase, admitted }) => phase === 'repair' && !admitted),
      no_action: count(({ phase }) => phase === 'none'),
      next_tick_after: next?.next_tick_after ?? null,
      next_tick_reason: next?.schedule_reason ?? (selectable > 0 ? 'route_selectable' : 'no_action'),
    },
    executions,
    routes,
  }
}

const routeText = ({ provider, account, capability }: {
  readonly provider: string
  readonly account: string
  readonly capability: string | null
}): string => JSON.stringify([provider, account, capability])

function messageOf(plan: RoutesPlan, executions: readonly Execution[]): string {
  const did = executions.find(({ executed }) => executed)
  if (did) return `${did.phase} of ${did.provider}:${did.account}: ${did.reason}`
  if (plan.selected) return 'afloat: a route is selectable'
  const waiting = executions.find(({ handoff }) => handoff)
  if (waiting) {
    return `a person is needed for ${waiting.provider}:${waiting.account}: ${waiting.command ?? waiting.reason}`
  }
  return plan.routes.length === 0 ? 'no route is configured' : 'no route is selectable'
}

/** The last tick, for `status`; one row, replaced each time. */
async function snapshot({ storage, clock }: RepairContext, report: TickReport): Promise<void> {
  const { routes: _, ...rest } = report
  const row = { value: JSON.stringify(rest), updated_ms: clock.now() }
  await storage.write((tx) =>
    tx.insertInto('facts').values({ key: lastTickKey, ...row })
      .onConflict((at) => at.column('key').doUpdateSet(row)).execute()
  )
}
