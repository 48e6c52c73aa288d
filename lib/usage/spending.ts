import type { Clock, Logger } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { RequestRecord } from './record.ts'
import { perDay } from './writer.ts'

/** What accounts have cost since midnight, UTC. */
export interface Spending {
  /** micro-USD that an account spent today, in every process of this home; those of the others up to 10 s late. */
  spentToday(account: string): number
  /** Takes in one record. */
  add(record: Pick<RequestRecord, 'account' | 'costMicros' | 'at'>): void
  /** Reads what is on disk. */
  load(): Promise<void>
}

/** What a {@link Spending} needs. */
export interface SpendingOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  /** Hands every record so far to the disk's queue before it returns, and commits it. */
  readonly flush: () => Promise<void>
}

const dayMs = 86_400_000
/** How old the knowledge of other processes' spending may be. */
const rereadMs = 10_000

/** Sums in memory, so that a plan can ask without waiting; the day's sums on disk bring in what others spent. */
export function createSpending({ storage, clock, logger, flush }: SpendingOptions): Spending {
  let day = Math.floor(clock.now() / dayMs)
  let onDisk = new Map<string, number>()
  /** Recorded here, and not surely among what was read. */
  let before = new Map<string, number>()
  let since = new Map<string, number>()
  let reading: Promise<void> | null = null
  let readAt = clock.monotonic()

  function turnDay(): void {
    const today = Math.floor(clock.now() / dayMs)
    if (today === day) return
    day = today
    onDisk = new Map()
    before = new Map()
    since = new Map()
  }

  async function read(): Promise<void> {
    const of = day
    readAt = clock.monotonic()
    // What was recorded up to here is committed by the flush and so part of what is read after it.
    const committed = flush()
    for (const [account, micros] of since) before.set(account, (before.get(account) ?? 0) + micros)
    since = new Map()
    await committed
    const rows = await storage.db.selectFrom('usage_hours').select(['key', 'cost_micros'])
      .where('dimension', '=', perDay('account')).where('hour_ms', '=', of * dayMs).execute()
    if (of !== day) return
    onDisk = new Map(rows.map((row) => [row.key, Number(row.cost_micros)]))
    before = new Map()
  }

  function load(): Promise<void> {
    return reading ??= read().catch((error) => logger.log('warn', 'usage.spending_unread', { error })).finally(() => {
      reading = null
    })
  }

  return {
    spentToday(account) {
      turnDay()
      if (clock.monotonic() - readAt >= rereadMs) void load()
      return (onDisk.get(account) ?? 0) + (before.get(account) ?? 0) + (since.get(account) ?? 0)
    },
    add({ account, costMicros, at }) {
      turnDay()
      if (account === null || costMicros === null || costMicros <= 0) return
      if (Math.floor(at / dayMs) === day) since.set(account, (since.get(account) ?? 0) + costMicros)
    },
    load,
  }
}
