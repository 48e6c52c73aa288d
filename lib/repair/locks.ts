import { type RepairContext, repairLease } from './context.ts'
import { accountKey, type RouteAccount } from './inventory/inventory.ts'

/** How long a lock outlives a process that died with it. */
const ttlMs = 60_000

/**
 * Runs work while no other process of this home mends the same account; `null` when another does.
 *
 * The lock is a lease with an end. One that a dead process left is taken over at once where that process was of this
 * machine, which is put on record, and is over by itself elsewhere; its number says who came later.
 */
export async function whileMending<T>(
  { storage, clock, events }: Pick<RepairContext, 'storage' | 'clock' | 'events'>,
  { provider, account: name }: Pick<RouteAccount, 'provider' | 'account'>,
  work: (tookOver: boolean) => Promise<T>,
): Promise<T | null> {
  const account = accountKey({ provider, account: name })
  const lease = await storage.lease(repairLease + account, ttlMs)
  if (!lease) return null
  if (lease.abandoned) {
    await events.append({
      kind: 'repair_run',
      outcome: 'lock_taken_over',
      reason: 'holder_died',
      ok: true,
      provider,
      account: name,
    })
  }
  const stop = new AbortController()
  const mark = (until: number) =>
    storage.write((tx) =>
      tx.insertInto('repair_running').values({ account, started_ms: clock.now(), until_ms: until })
        .onConflict((at) => at.column('account').doUpdateSet({ until_ms: until })).execute()
    )
  // A login may wait for a person for minutes: the lease is prolonged while the work runs.
  const renewal = (async () => {
    for (;;) {
      await clock.sleep(ttlMs / 3, stop.signal)
      if (!await lease.renew(ttlMs)) return
      await mark(clock.now() + ttlMs)
    }
  })().catch(() => {})
  try {
    await storage.write((tx) => tx.deleteFrom('repair_running').where('account', '=', account).execute())
    await mark(clock.now() + ttlMs)
    return await work(lease.abandoned)
  } finally {
    stop.abort()
    await renewal
    await storage.write((tx) => tx.deleteFrom('repair_running').where('account', '=', account).execute())
    await lease.release()
  }
}
