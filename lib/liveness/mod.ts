/**
 * Liveness: what we currently believe about each target.
 *
 * Owns the live/degraded/dead states, the quota windows seen, the circuit and score, the reading of an upstream's
 * evidence, and the rule that moves between states. Does not choose targets (routing) and does not act on dead ones
 * (repair). Start at {@link createBoard}; the rule it keeps the results of is pure, in `observe.ts`.
 * @module
 */
export { type Board, createBoard, keysOf, type TargetEvidence, type TargetKeys } from './board.ts'
export { classifyFailure } from './classify.ts'
export { readWindows } from './headers.ts'
export type { Observation } from './observe.ts'
export { createOutlooks, type Outlook, type OutlookReader } from './outlook.ts'
export { quotaRows } from './quota.ts'
export { partIsWithin, percentile, type Samples } from './samples.ts'
export type { DeadReason, DegradedReason, EvidenceSource, Liveness, Standing } from './state.ts'
export {
  type BlockReason,
  explainStanding,
  headroom,
  judge,
  nextReset,
  summarize,
  usedNow,
  type Verdict,
} from './view.ts'
