import type { AdmissionPolicy } from './admission.ts'
import { noConsent } from './admission.ts'
import { planNow, type RepairContext } from './context.ts'
import type { Budget } from './definition/budget.ts'
import { type PlannedRoute, type RouteReport, type RoutesPlan, type Selected, selectedOf } from './explain.ts'
import { accountKey } from './inventory/inventory.ts'
import type { Scope } from './inventory/scope.ts'
import { whileMending } from './locks.ts'
import { probeRoute } from './probe.ts'
import { mayMendAlone, mend } from './run.ts'

/** Why the next tick is due when it is. */
export type ScheduleReason =
  | 'retry_after'
  | 'wait_until'
  | 'repair_poll'
  | 'probe_due'
  | 'handoff_recheck'
  | 'runtime_recheck'
  | 'quota_poll'
  | 'provider_recheck'
  | 'no_action'
  | 'route_selectable'

/** What a tick would do, or did, about one route. */
export interface RouteTick {
  readonly phase: 'none' | 'probe' | 'repair' | 'observe'
  readonly action: string
  readonly admitted: boolean
  readonly reason: string
  readonly budget: Budget | null
  readonly executed: boolean
  readonly handoff: boolean
  /** Epoch seconds. */
  readonly next_tick_after: number | null
  readonly schedule_reason: ScheduleReason
}

/** One step taken by a tick. */
export interface Execution {
  readonly provider: string
  readonly account: string
  readonly capability: string | null
  readonly phase: 'probe' | 'repair' | 'handoff'
  readonly action: string
  readonly admitted: boolean
  readonly executed: boolean
  readonly ok: boolean
  readonly handoff: boolean
  readonly handoff_queued: boolean
  readonly reason: string
  readonly budget: Budget | null
  readonly command: string | null
}

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

const repairPollS = 30
const handoffRecheckS = 300
const runtimeRecheckS = 60
const quotaPollS = 900
const providerRecheckS = 60
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
  for (const route of plan.routes) {
    const { report } = route
    const { action } = report
    const wants = {
      provider: report.provider,
      account: report.account,
      capability: report.capability,
      action: action.kind,
    }
    if (action.interactive) {
      executions.push(await handOver(context, plan, route))
      continue
    }
    if (
      (action.kind === 'probe_needed' || action.kind === 'revalidation_needed') &&
      report.admission.daemon_probe.admitted
    ) {
      const probed = await probeRoute(context, {
        provider: report.provider,
        account: report.account,
        capability: report.capability ?? undefined,
        consent: noConsent,
      })
      const reason = probed.ok ? 'probe_succeeded' : probed.error ?? 'probe_failed'
      executions.push({
        ...wants,
        phase: 'probe',
        admitted: true,
        executed: probed.probe_executed,
        ok: probed.ok,
        handoff: false,
        handoff_queued: false,
        reason,
        budget: report.probe_budget,
        command: action.command,
      })
      await context.events.append({
        kind: 'daemon_action',
        outcome: probed.ok ? 'executed' : 'failed',
        reason,
        ok: probed.ok,
        executed: probed.probe_executed,
        ...wants,
        profile: plan.scope.profile ?? null,
        command: action.command,
      })
      // A probe that another process is running already is no step of ours.
      if (probed.probe_executed || probed.error !== 'probe_in_progress') return
      continue
    }
    if (mayMendAlone(context, route)) {
      const done = await whileMending(context, accountKey(route.route.account), () => mend(context, route, undefined))
      executions.push({
        ...wants,
        phase: 'repair',
        admitted: true,
        executed: done !== null,
        ok: done?.ok ?? false,
        handoff: false,
        handoff_queued: false,
        reason: done?.reason ?? 'repair_in_progress',
        budget: action.budget,
        command: action.command,
      })
      await context.events.append({
        kind: 'daemon_action',
        outcome: done === null ? 'repair_in_progress' : done.ok ? 'executed' : 'failed',
        reason: done?.reason ?? 'repair_in_progress',
        ok: done?.ok ?? false,
        executed: done !== null,
        mutating: true,
        ...wants,
        profile: plan.scope.profile ?? null,
        command: action.command,
      })
      if (done !== null) return
    }
  }
}

/** Queues what a person has to do; once, however many ticks see it. */
async function handOver(context: RepairContext, plan: RoutesPlan, { report }: PlannedRoute): Promise<Execution> {
  const { action } = report
  const key = {
    profile: plan.scope.profile ?? null,
    provider: report.provider,
    account: report.account,
    capability: report.capability,
  }
  const queued = await context.handoffs.queue(key, {
    action: action.kind,
    reason: action.message,
    command: action.command,
  })
  if (queued) {
    await context.events.append({
      kind: 'daemon_handoff',
      outcome: 'handoff_queued',
      reason: report.skip_reason,
      ok: true,
      ...key,
      action: action.kind,
      command: action.command,
      interactive: true,
      mutating: action.mutating,
    })
  }
  return {
    provider: report.provider,
    account: report.account,
    capability: report.capability,
    phase: 'handoff',
    action: action.kind,
    admitted: false,
    executed: false,
    ok: true,
    handoff: true,
    handoff_queued: queued,
    reason: queued ? 'handoff_queued' : 'handoff_pending',
    budget: action.budget,
    command: action.command,
  }
}

/** Handoffs of routes that can be used again are done, whoever did it. */
async function settleHandoffs(context: RepairContext, plan: RoutesPlan): Promise<void> {
  const pending = await context.handoffs.list({ limit: 1000 })
  if (pending.length === 0) return
  const usable = new Set(
    plan.routes.filter(({ report }) => report.selectable).map(({ report }) =>
      JSON.stringify([report.provider, report.account, report.capability])
    ),
  )
  for (const handoff of pending) {
    if (!usable.has(JSON.stringify([handoff.provider, handoff.account, handoff.capability]))) continue
    if (!await context.handoffs.settle(handoff)) continue
    await context.events.append({
      kind: 'daemon_action',
      outcome: 'route_selectable',
      reason: 'route_selectable',
      ok: true,
      profile: handoff.profile,
      provider: handoff.provider,
      account: handoff.account,
      capability: handoff.capability,
    })
  }
}

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
  const keys = new Set(plan.routes.map(({ report }) => routeText(report)))
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

function tickOf(report: RouteReport, done: Execution | null, now: number): RouteTick {
  const { action, admission } = report
  const [at, schedule_reason] = scheduleOf(report, now)
  const base = {
    action: action.kind,
    budget: action.budget,
    executed: done?.executed ?? false,
    handoff: action.interactive,
    next_tick_after: at,
    schedule_reason,
  }
  if (action.kind === 'none') return { ...base, phase: 'none', admitted: false, reason: 'route_selectable' }
  if (action.kind === 'probe_needed' || action.kind === 'revalidation_needed') {
    const { admitted, reason } = admission.daemon_probe
    return { ...base, phase: 'probe', admitted, reason, budget: report.probe_budget }
  }
  if (action.mutating) {
    const { admitted, reason } = admission.daemon_repair
    // What a person has to do is never run here, whatever the policy allows.
    return { ...base, phase: 'repair', admitted: admitted && !action.interactive, reason }
  }
  return { ...base, phase: 'observe', admitted: false, reason: report.skip_reason }
}

/** When a route is worth looking at again, epoch seconds, and why. */
function scheduleOf(
  { action, runtime, admission }: RouteReport,
  now: number,
): readonly [number | null, ScheduleReason] {
  switch (action.kind) {
    case 'none':
      return [null, 'route_selectable']
    case 'wait_and_retry':
      return [now + (action.retry_after_s ?? providerRecheckS), 'retry_after']
    case 'wait_for_cooldown':
      return [action.wait_until ?? now + providerRecheckS, 'wait_until']
    case 'wait_for_quota':
      return action.wait_until === null ? [now + quotaPollS, 'quota_poll'] : [action.wait_until, 'wait_until']
    case 'wait_for_repair':
      return [now + repairPollS, 'repair_poll']
    case 'probe_needed':
    case 'revalidation_needed':
      return admission.daemon_probe.admitted ? [now, 'probe_due'] : [null, 'no_action']
    case 'reauth':
      return [now + handoffRecheckS, 'handoff_recheck']
    case 'refresh':
      return [now + repairPollS, 'repair_poll']
    case 'fix_runtime':
      return [now + runtimeRecheckS, 'runtime_recheck']
    case 'try_next_provider':
      return [action.wait_until ?? now + providerRecheckS, 'provider_recheck']
    case 'inspect_provider_schema':
      return action.wait_until === null ? [null, 'no_action'] : [action.wait_until, 'wait_until']
    default:
      return runtime.state === 'ready' ? [null, 'no_action'] : [now + runtimeRecheckS, 'runtime_recheck']
  }
}

function earliest(ticks: readonly RouteTick[]): RouteTick | null {
  return ticks.filter(({ next_tick_after }) => next_tick_after !== null)
    .toSorted((a, b) => a.next_tick_after! - b.next_tick_after!)[0] ?? null
}

function messageOf(plan: RoutesPlan, executions: readonly Execution[]): string {
  const did = executions.find(({ executed }) => executed)
  if (did) return `${did.phase} of ${did.provider}:${did.account}: ${did.reason}`
  if (plan.selected) return 'afloat: a route is selectable'
  const waiting = executions.find(({ handoff }) => handoff)
  if (waiting) return `a person is needed for ${waiting.provider}:${waiting.account}: ${waiting.reason}`
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

/** The answer of a loop. */
export interface LoopReport {
  readonly version: string
  readonly mode: 'loop'
  readonly execution_mode: 'plan' | 'execute'
  readonly executed: boolean
  readonly message: string
  readonly iterations_requested: number | null
  readonly interval_ms: number
  /** The newest ticks. */
  readonly ticks: readonly TickReport[]
}

/** Ticks that a loop keeps for its answer. */
const keptTicks = 100

/**
 * Ticks until the number of iterations is done or the signal fires, sleeping the interval or less when something is due
 * sooner. An interval of 0 does not sleep.
 */
export async function loop(
  context: RepairContext,
  request: TickRequest & {
    readonly iterations: number | null
    readonly intervalMs: number
    readonly signal?: AbortSignal
    readonly onTick?: (report: TickReport) => void
  },
): Promise<LoopReport> {
  const { iterations, intervalMs, signal, onTick, ...rest } = request
  const ticks: TickReport[] = []
  let executed = false
  for (let index = 0; iterations === null || index < iterations; index++) {
    if (signal?.aborted) break
    const report = await tick(context, { ...rest, mode: 'loop', index })
    executed ||= report.executed
    ticks.push(report)
    if (ticks.length > keptTicks) ticks.shift()
    onTick?.(report)
    if (iterations !== null && index + 1 >= iterations) break
    const wait = sleepOf(report, intervalMs, context.clock.now())
    if (wait > 0) {
      try {
        await context.clock.sleep(wait, signal)
      } catch {
        break
      }
    }
  }
  return {
    version: context.version,
    mode: 'loop',
    execution_mode: rest.execute ? 'execute' : 'plan',
    executed,
    message: ticks.at(-1)?.message ?? 'no tick was run',
    iterations_requested: iterations,
    interval_ms: intervalMs,
    ticks,
  }
}

/** Milliseconds until the next tick: the interval, or sooner when something is due; never a busy loop. */
function sleepOf({ summary, executions }: TickReport, intervalMs: number, now: number): number {
  if (intervalMs === 0) return 0
  if (summary.next_tick_after === null) return intervalMs
  const due = summary.next_tick_after * 1000 - now
  // Something due now that a tick could not do is not done by asking at once.
  if (due <= 0) return executions.some(({ executed }) => executed) ? Math.min(intervalMs, 1000) : intervalMs
  return Math.min(intervalMs, due)
}
