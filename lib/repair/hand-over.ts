import { isLost } from './action.ts'
import type { RepairContext } from './context.ts'
import type { Budget } from './definition/budget.ts'
import type { PlannedRoute, RoutesPlan } from './explain.ts'
import type { HandoffKey } from './handoffs.ts'
import { accountKey } from './inventory/inventory.ts'

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

/** Queues what a person has to do; once, however many ticks see it. */
export async function handOver(context: RepairContext, plan: RoutesPlan, route: PlannedRoute): Promise<Execution> {
  const { report } = route
  const { action } = report
  const key = handedOver(plan, route)
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

/**
 * Under which key a route's step is handed over: a login is made once, whatever the account is used for and by whichever
 * profile, so a step that concerns the whole account is one.
 */
export function handedOver(plan: RoutesPlan, { route, report, evidence }: PlannedRoute): HandoffKey {
  const whole = report.runtime.state === 'needs_reauth' || isLost(route.account, evidence) ||
    evidence?.key === accountKey(route.account)
  return {
    profile: whole ? null : plan.scope.profile ?? null,
    provider: report.provider,
    account: report.account,
    capability: whole ? null : report.capability,
  }
}

/**
 * Queues the logins of gw's own that nothing but a new login brings back, although other routes carry on: whoever waits
 * for the last of them to fail waits too long.
 *
 * @returns how many were queued now
 */
export async function handOverLost(context: RepairContext, plan: RoutesPlan): Promise<number> {
  const seen = new Set<unknown>()
  let queued = 0
  for (const route of plan.routes) {
    const { account } = route.route
    if (seen.has(account) || !route.report.action.interactive || !isLost(account, route.evidence)) continue
    seen.add(account)
    if ((await handOver(context, plan, route)).handoff_queued) queued++
  }
  return queued
}

/** Handoffs of routes that can be used again are done, whoever did it. */
export async function settleHandoffs(context: RepairContext, plan: RoutesPlan): Promise<void> {
  const pending = await context.handoffs.list({ limit: 1000 })
  if (pending.length === 0) return
  const usable = new Set(
    plan.routes.filter(({ report }) => report.selectable).flatMap(({ report: { provider, account, capability } }) => [
      JSON.stringify([provider, account, capability]),
      JSON.stringify([provider, account, null]),
    ]),
  )
  for (const handoff of pending) {
    if (usable.has(JSON.stringify([handoff.provider, handoff.account, handoff.capability]))) {
      await settle(context, handoff, 'route_selectable')
    }
  }
}

/** What waited for a whole account is done: it has another credential. */
export async function settleAccount(
  context: RepairContext,
  { provider, account }: { readonly provider: string; readonly account: string },
): Promise<void> {
  for (const handoff of await context.handoffs.list({ limit: 1000 })) {
    if (handoff.provider === provider && handoff.account === account && handoff.capability === null) {
      await settle(context, handoff, 'credential_replaced')
    }
  }
}

async function settle(
  context: RepairContext,
  handoff: HandoffKey,
  reason: 'route_selectable' | 'credential_replaced',
): Promise<void> {
  if (!await context.handoffs.settle(handoff)) return
  const { profile, provider, account, capability } = handoff
  await context.events.append({
    kind: 'daemon_action',
    outcome: reason === 'route_selectable' ? reason : 'handoff_resolved',
    reason,
    ok: true,
    profile,
    provider,
    account,
    capability,
  })
}
