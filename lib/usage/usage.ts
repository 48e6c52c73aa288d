import type { Clock, Logger } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { type Capture, capture } from './capture.ts'
import type { UsageConfig } from './config.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { type UsageQueries, usageQueries } from './queries.ts'
import type { RequestRecord } from './record.ts'
import { type Retained, retainer } from './retention.ts'
import { createSpending } from './spending.ts'
import { recordWriter } from './writer.ts'

/** What it cost. */
export interface Usage extends UsageQueries {
  /**
   * Takes in one ended request: a push on a list. Its row is on disk within 200 ms or 500 records, its part of the sums
   * within a second; a crash loses at most that much.
   */
  record(record: RequestRecord): void
  /** Calls `listener` with each record, after the fact; returns the function that stops it. */
  subscribe(listener: (record: RequestRecord) => void): () => void
  readonly metrics: Metrics
  readonly capture: Capture
  /** micro-USD that an account has cost since midnight, UTC; from memory. */
  spentToday(account: string): number
  /** Reads from disk what was spent today before this process began. */
  loadSpending(): Promise<void>
  /** Commits what waits. */
  flush(): Promise<void>
  /** One bounded step of forgetting what is past its time. */
  retain(): Promise<Retained>
  /** Forgets by itself from now on, until {@link Usage.close}. */
  start(): void
  close(): Promise<void>
}

/** What {@link createUsage} needs. */
export interface UsageOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly config: UsageConfig
  readonly logger: Logger
}

const flushAfterMs = 200
const flushAtRecords = 500
const sumsEveryMs = 1_000
const retainEveryMs = 600_000
const restBetweenStepsMs = 100

/** Opens the usage room of a home. */
export function createUsage({ storage, clock, config, logger }: UsageOptions): Usage {
  const writer = recordWriter(storage)
  const listeners = new Set<(record: RequestRecord) => void>()
  const stop = new AbortController()
  let waiting: RequestRecord[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let retaining: Promise<void> | null = null
  const retain = retainer(storage, clock, config)
  const metrics = createMetrics(drain)
  metrics.gauge('gw_usage_rows_waiting', 'Rows not yet on disk.', () => storage.batch.waiting)
  metrics.gauge('gw_usage_rows_dropped', 'Rows given up because the disk refused for too long.', () => {
    return storage.batch.dropped
  })

  let closed = false
  let summedAt = clock.monotonic()

  /** Hands what waits to the database's queue and to the counters. */
  function drain(): void {
    if (timer !== undefined) clearTimeout(timer)
    timer = undefined
    if (waiting.length === 0) return
    const records = waiting
    waiting = []
    for (const record of records) metrics.observe(record)
    try {
      writer.write(records)
    } catch (error) {
      logger.log('error', 'usage.not_written', { records: records.length, error })
    }
    for (const listener of listeners) for (const record of records) listener(record)
    schedule(sumsEveryMs)
  }

  async function flush(): Promise<void> {
    drain()
    writer.writeSums()
    summedAt = clock.monotonic()
    await storage.batch.flush()
  }

  /** What the timer does: rows now, sums when it is their time. */
  function beat(): void {
    if (clock.monotonic() - summedAt >= sumsEveryMs) return void flush()
    drain()
    void storage.batch.flush()
    schedule(sumsEveryMs)
  }

  function schedule(ms: number): void {
    if (timer !== undefined || closed) return
    timer = setTimeout(beat, ms)
    ;(timer as { unref?: () => void }).unref?.()
  }

  async function keepRetaining(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await clock.sleep(retainEveryMs, stop.signal)
        while ((await retain()).more) await clock.sleep(restBetweenStepsMs, stop.signal)
      } catch (error) {
        if (!stop.signal.aborted) logger.log('warn', 'usage.retention_failed', { error })
      }
    }
  }

  const spending = createSpending({ storage, clock, logger, flush })
  const queries = usageQueries(storage, clock, config.time_zone)
  return {
    summary: async (query) => (await flush(), await queries.summary(query)),
    requests: async (query) => (await flush(), await queries.requests(query)),
    request: async (id, principal) => (await flush(), await queries.request(id, principal)),
    record(record) {
      spending.add(record)
      waiting.push(record)
      if (waiting.length === flushAtRecords) {
        // After the current work: the last request of a batch does not pay for all the others.
        if (timer !== undefined) clearTimeout(timer)
        timer = undefined
        schedule(0)
      } else if (waiting.length === 1) {
        // A timer that only waits for the sums is too slow for a row.
        if (timer !== undefined) clearTimeout(timer)
        timer = undefined
        schedule(flushAfterMs)
      }
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    spentToday: spending.spentToday,
    loadSpending: spending.load,
    metrics,
    capture: capture(storage, clock, config, logger),
    flush,
    retain,
    start() {
      retaining ??= keepRetaining()
    },
    async close() {
      stop.abort()
      await retaining
      closed = true
      await flush()
    },
  }
}
