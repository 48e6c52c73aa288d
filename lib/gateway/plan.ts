import type { RoutedPlan } from '../routing/mod.ts'
import { ownAccounts, shadowed } from './own-accounts.ts'
import type { Ask, Rooms } from './seams.ts'

/**
 * The plan for a request, with the accounts that its caller brought along standing in for gw's.
 *
 * @throws GwError `model.missing`, `model.not_found`, `request.invalid`, `access.denied`, `provider.not_found`
 */
export function planOf(ask: Ask, rooms: Rooms): RoutedPlan {
  const own = ask.planToken || ask.providerKeys.size > 0 ? ownAccounts(ask, rooms) : null
  const plan = rooms.router.plan({
    capability: ask.capability,
    protocol: ask.protocol,
    model: ask.model,
    headers: ask.headers,
    body: ask.body.json ? ask.body : null,
    principal: ask.principal,
    ...(own ? { extraAccounts: own } : {}),
  })
  if (!own) return plan
  return { ...plan, targets: plan.targets.filter(({ target }) => !shadowed(target, ask, rooms)) }
}
