import type { Budget } from './definition/budget.ts'
import type { RouteReport } from './explain.ts'
import type { Execution } from './hand-over.ts'

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

const repairPollS = 30
const handoffRecheckS = 300
const runtimeRecheckS = 60
const quotaPollS = 900
const providerRecheckS = 60
/** What a tick makes of a route: the step it would take, whether it may, and when to look again. */
export function tickOf(report: RouteReport, done: Execution | null, now: number): RouteTick {
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

/** The route that is due first; `null` where none is ever. */
export function earliest(ticks: readonly RouteTick[]): RouteTick | null {
  return ticks.filter(({ next_tick_after }) => next_tick_after !== null)
    .toSorted((a, b) => a.next_tick_after! - b.next_tick_after!)[0] ?? null
}
