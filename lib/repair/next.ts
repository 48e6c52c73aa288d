import { planNow, type RepairContext } from './context.ts'
import type { RouteAction } from './action.ts'
import { type RoutesPlan, type Selected, selectedOf } from './explain.ts'
import type { Scope } from './inventory/scope.ts'

/** What can be promised about the next run. Field names are stable. */
export interface NextReport {
  readonly version: string
  readonly ready_for_exec: boolean
  readonly selected: Selected | null
  readonly exec_argv: readonly string[] | null
  readonly claim: {
    readonly claim_version: 1
    readonly level: 'prepared_fallback' | 'mediation_required'
    readonly max_supported_level: 'prepared_fallback'
    readonly requires_mediation: boolean
    readonly mediation_point: string | null
    readonly target_boundary: 'process_start'
    readonly current_process_hotswap: false
    readonly supervised_restart: false
    readonly per_request_muxing: false
    readonly launch_argv: readonly string[] | null
  }
  /** The step that brings a route back; `null` while one is selected, and where none is configured. */
  readonly in_the_way: InTheWay | null
  readonly resilience: {
    readonly selectable: number
    /** Selectable routes of other identities than the selected one. */
    readonly spare_fallback_ready: boolean
    readonly single_route_at_risk: boolean
  }
}

/** Why a route is not selectable, and what to do about it. */
export interface InTheWay {
  readonly health_key: string
  readonly skip_reason: string
  readonly kind: RouteAction['kind']
  readonly message: string
  readonly interactive: boolean
  /** A line to run; `null` where there is none. */
  readonly command: string | null
}

/** What stands in the way of the route that is easiest to have: what asks for no person comes first. */
export function inTheWay({ selected, routes }: RoutesPlan): InTheWay | null {
  if (selected !== null) return null
  const [easiest] = routes.toSorted((a, b) => effortOf(a.report.action) - effortOf(b.report.action))
  if (!easiest) return null
  const { skip_reason, action } = easiest.report
  const { kind, message, interactive, command, diagnostic_command } = action
  return {
    health_key: selectedOf(easiest).health_key,
    skip_reason,
    kind,
    message,
    interactive,
    command: command ?? diagnostic_command,
  }
}

function effortOf({ kind, mediation, interactive }: RouteAction): number {
  if (mediation === 'gateway' || kind === 'probe_needed') return 0
  if (kind.startsWith('wait_')) return 1
  return interactive ? 2 : 3
}

/** Which route the next `gw exec` would use, whether another stands behind it, and what a person must do if not. */
export async function planNext(
  context: RepairContext,
  scope: Scope,
  argv: readonly string[],
): Promise<NextReport> {
  const plan = await planNow(context, scope)
  const selected = plan.selected
  const flags = selected === null ? [] : [
    ...(plan.scope.profile === undefined ? [] : ['--profile', plan.scope.profile]),
    '--provider',
    selected.report.provider,
    ...(selected.report.capability === null ? [] : ['--capability', selected.report.capability]),
  ]
  const usable = plan.routes.filter(({ report }) => report.selectable)
  const account = ({ provider, account, same_identity_as }: typeof usable[number]['report']) =>
    same_identity_as ?? `${provider}:${account}`
  // Two accounts that are one person share one quota: they are no spare for each other.
  const identities = new Set(usable.map(({ report }) => account(report)))
  const blocked = plan.routes.find(({ report }) => report.action.interactive)
  return {
    version: context.version,
    ready_for_exec: selected !== null,
    selected: selected && selectedOf(selected),
    exec_argv: selected && argv.length > 0 ? ['gw', 'exec', ...flags, '--', ...argv] : null,
    claim: {
      claim_version: 1,
      level: selected ? 'prepared_fallback' : 'mediation_required',
      max_supported_level: 'prepared_fallback',
      requires_mediation: selected === null,
      mediation_point: selected ? null : blocked?.report.action.command ?? null,
      target_boundary: 'process_start',
      current_process_hotswap: false,
      supervised_restart: false,
      per_request_muxing: false,
      launch_argv: selected && argv.length > 0 ? ['gw', 'stay-afloat', 'launch', ...flags, '--', ...argv] : null,
    },
    in_the_way: inTheWay(plan),
    resilience: {
      selectable: usable.length,
      spare_fallback_ready: identities.size > 1,
      single_route_at_risk: identities.size === 1,
    },
  }
}
