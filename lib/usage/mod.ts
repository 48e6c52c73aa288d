/**
 * Usage: what it cost.
 *
 * Owns the record of each request, its price, the counters and metrics, and how long any of it is kept. Records are
 * written by one batched writer, never on a request's path. Start at {@link createUsage}; what is kept of a request is
 * its {@link RequestRecord}.
 * @module
 */
export { metricsContentType } from './metrics.ts'
export { withCost, worstCostMicros } from './price.ts'
export { groupings, type UsageFilter } from './sums.ts'
export type { Attempt, Outcome, RequestRecord } from './record.ts'
export { createUsage, type Usage } from './usage.ts'
