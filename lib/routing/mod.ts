/**
 * Routing: which target serves a request, and why.
 *
 * Owns the controls a caller may send, the candidates, the strategies, the sessions and the plan. Planning is pure: the
 * same request, snapshot, seed and time give the same plan, so every choice can be replayed and explained. Start at
 * {@link planRoute}; {@link createRouter} feeds it with what is true now.
 * @module
 */
export type { RoutingSettings } from './config.ts'
export { type RouteBody, routeBody } from './body.ts'
export type { RouteCall } from './call.ts'
export { controlKeys, type Controls } from './controls.ts'
export { entitlementOf, entitlementRemedy, isNativeClient } from './entitlement.ts'
export { type Next, nextAttempt, type NextInput } from './next.ts'
export { allFailed, nothingToTry, type TargetReason, worthTelling } from './outcome.ts'
export type { Dropped, DropReason, PlannedSession, PlannedTarget, RoutePlan, TargetEdit } from './plan.ts'
export { planRoute } from './planner.ts'
export { createReceipts, type PlanReceipt, planReceipt, type Receipts } from './receipts.ts'
export {
  type AttemptEnd,
  type Claim,
  createRouter,
  type RoutedPlan,
  type Router,
  type RouterOptions,
} from './router.ts'
export { carriesCiphertext, type SessionKey, sessionOf, type SessionSource } from './session.ts'
export { type DayReport, simulateDay, type SimulatedDay } from './simulate.ts'
export { type Strategy, type StrategyName, strategyNames, type StrategyView } from './strategies/mod.ts'
export type { PlanMoment, PlanRequest, Snapshot } from './snapshot.ts'
