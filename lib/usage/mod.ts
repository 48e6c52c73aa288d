/**
 * Usage: what it cost.
 *
 * Owns the record of each request, its price, the counters and metrics, and how long any of it is kept. Records are
 * written by one batched writer, never on a request's path. Start at {@link RequestRecord}.
 * @module
 */
export type { Attempt, Outcome, RequestRecord } from './record.ts'
