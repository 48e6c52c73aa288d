import { z } from 'zod'
import { type Clock, type Logger, once } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { RoutedPlan } from './router.ts'

/** The plan of one request as it was, in plain values. */
export const planReceipt = once(() => {
  const place = z.object({
    target: z.string(),
    model: z.string(),
    because: z.string(),
    /** Whether it was to prove that it works again. */
    trial: z.boolean(),
  })
  const out = z.object({
    target: z.string(),
    model: z.string(),
    because: z.string(),
    detail: z.string(),
    until: z.number().nullable(),
  })
  return z.object({
    plannedAt: z.number(),
    requested: z.string(),
    provider: z.string(),
    model: z.string(),
    alias: z.string().nullable(),
    strategy: z.string(),
    /** Whether only the issuer of the request's ciphertext could serve it. */
    pinned: z.boolean(),
    session: z.object({
      key: z.string(),
      boundTo: z.string().nullable(),
      rebind: z.boolean(),
      displaced: z.boolean(),
    }).nullable(),
    candidates: z.array(place),
    dropped: z.array(out),
  })
})

/** {@link planReceipt} as a value. */
export type PlanReceipt = z.infer<ReturnType<typeof planReceipt>>

/** Plans of past requests, for `gw why`. */
export interface Receipts {
  /** Keeps the plan of a request; never throws, never waits. */
  keep(request: string, plan: RoutedPlan): void
  /** The plan of a request, or `null` when it is unknown or forgotten. */
  find(request: string): Promise<PlanReceipt | null>
}

const keepMs = 7 * 86_400_000
const maxRows = 50_000
/** How many plans pass between two looks at what is too old. */
const pruneEvery = 1_000
/** Entries of one list that are kept: people read the first ones. */
const maxEntries = 30

/** The plan in plain values: sentences are made now, with what was known now. */
function receiptOf(plan: RoutedPlan): PlanReceipt {
  const { resolved, session } = plan
  return {
    plannedAt: plan.plannedAt,
    requested: resolved.requested,
    provider: resolved.provider.id,
    model: resolved.model,
    alias: resolved.alias,
    strategy: plan.strategy,
    pinned: plan.pinned,
    session,
    candidates: plan.targets.slice(0, maxEntries).map(({ target, because, trial }) => ({
      target: target.key,
      model: target.model,
      because,
      trial,
    })),
    dropped: plan.dropped.slice(0, maxEntries).map(({ target, because, detail, until }) => ({
      target: target.key,
      model: target.model,
      because,
      detail,
      until,
    })),
  }
}

/** Opens the store and forgets what is older than a week. */
export function createReceipts(
  { storage, clock, logger }: { readonly storage: Storage; readonly clock: Clock; readonly logger: Logger },
): Receipts {
  let kept = 0

  function prune(): void {
    storage.batch.queue('delete from route_receipts where at_ms < ?', [clock.now() - keepMs])
    storage.batch.queue(
      `delete from route_receipts where at_ms <
         (select at_ms from route_receipts order by at_ms desc limit 1 offset ?)`,
      [maxRows],
    )
  }

  return {
    keep(request, plan) {
      // One target and nothing to choose: the record of the request says all there is to say.
      if (plan.targets.length + plan.dropped.length < 2) return
      storage.batch.queue('insert or replace into route_receipts (request, at_ms, value) values (?, ?, ?)', [
        request,
        plan.plannedAt,
        JSON.stringify(receiptOf(plan)),
      ])
      if (kept++ % pruneEvery === 0) prune()
    },
    async find(request) {
      await storage.batch.flush()
      const row = await storage.db.selectFrom('route_receipts').select('value').where('request', '=', request)
        .executeTakeFirst()
      if (!row) return null
      try {
        return planReceipt().parse(JSON.parse(row.value))
      } catch (error) {
        logger.log('warn', 'receipts.unreadable', { request, error })
        return null
      }
    },
  }
}
