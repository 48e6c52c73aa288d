/**
 * Usage: what it cost.
 *
 * Owns the record of each request, its price, the counters and metrics, and how long any of it is kept. Records are
 * written by one batched writer, never on a request's path. Start at {@link createUsage}; what is kept of a request is
 * its {@link RequestRecord}.
 * @module
 */
export type { Capture } from './capture.ts'
export type { UsageConfig } from './config.ts'
export { type Labels, type Metrics, metricsContentType, type UsageCounters } from './metrics.ts'
export { type Cost, priceCall, type PricedCall, type PriceLine, withCost, worstCostMicros } from './price.ts'
export {
  type Grouping,
  groupings,
  type Receipt,
  type RequestPage,
  type RequestQuery,
  type UsageFilter,
  type UsageQueries,
  type UsageRow,
  type UsageSummary,
  type UsageTotals,
} from './queries.ts'
export type { Attempt, Outcome, RequestRecord } from './record.ts'
export type { Retained } from './retention.ts'
export { createUsage, type Usage, type UsageOptions } from './usage.ts'
