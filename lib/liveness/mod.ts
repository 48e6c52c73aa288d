/**
 * Liveness: what we currently believe about each target.
 *
 * Owns the live/degraded/dead states, the quota windows seen, the circuit and score, the reading of an upstream's
 * evidence, and the rule that moves between states. Does not choose targets (routing) and does not act on dead ones
 * (repair). Start at {@link observe}: it is pure; {@link createBoard} keeps its results.
 * @module
 */
export { type Board, type BoardOptions, createBoard, keysOf, type TargetEvidence, type TargetKeys } from './board.ts'
export { classifyFailure, type FailedAnswer } from './classify.ts'
export { type HeaderSource, readWindows } from './headers.ts'
export { type Observation, observe, scoreAt } from './observe.ts'
export { createOutlooks, type Outlook, type OutlookReader, readOutlook } from './outlook.ts'
export { type QuotaRow, quotaRows } from './quota.ts'
export { partIsWithin, percentile, type Samples } from './samples.ts'
export type {
  Availability,
  Circuit,
  DeadReason,
  Decision,
  DegradedReason,
  Evidence,
  EvidenceSource,
  HintClass,
  Liveness,
  SeenWindow,
  Standing,
} from './state.ts'
export { freshStanding } from './state.ts'
export {
  type BlockReason,
  decide,
  explainStanding,
  headroom,
  judge,
  nextReset,
  summarize,
  usedNow,
  type Verdict,
} from './view.ts'
