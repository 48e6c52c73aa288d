/**
 * Liveness: what we currently believe about each target.
 *
 * Owns the live/degraded/dead states, the quota windows seen, and the rule that moves between them. Does not choose
 * targets (routing) and does not act on dead ones (repair). Start at {@link Liveness}.
 * @module
 */
export type { Availability, DeadReason, DegradedReason, Liveness } from './state.ts'
