/**
 * Routing: which target serves a request, and why.
 *
 * Owns the controls a caller may send, the candidates, the strategies and the plan. Planning is pure: the same request,
 * snapshot, seed and time give the same plan, so every choice can be replayed and explained. Start at {@link RoutePlan}.
 * @module
 */
export type { Dropped, DropReason, PlannedTarget, RoutePlan } from './plan.ts'
