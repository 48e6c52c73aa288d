/**
 * Routing: which target serves a request, and why.
 *
 * Owns the controls a caller may send, the candidates, the strategies, the sessions and the plan. Planning is pure: the
 * same request, snapshot, seed and time give the same plan, so every choice can be replayed and explained. Start at
 * {@link createRouter}: it feeds the planner with what is true now.
 * @module
 */
export { controlKeys } from './controls.ts'
export { entitlementOf, entitlementRemedy, isNativeClient } from './entitlement.ts'
export { allFailed, nothingToTry, worthTelling } from './outcome.ts'
export type { PlannedTarget, TargetEdit } from './plan.ts'
export { createReceipts, planReceipt, type Receipts } from './receipts.ts'
export { type Claim, createRouter, type RoutedPlan, type Router } from './router.ts'
export { type DayReport, simulateDay } from './simulate.ts'
export { type StrategyName, strategyNames } from './strategies/mod.ts'
