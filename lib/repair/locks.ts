import type { Storage } from '../storage/mod.ts'
import type { Clock } from '../base/mod.ts'

/** How long a lock outlives a process that died with it. */
const ttlMs = 60_000

/**
 * Runs work while no other process of this home mends the same account; `null` when another does.
 *
 * The lock is a lease with an end: one that a dead process left is over by itself, and its number says who came later.
 */
export async function whileMending<T>(
  { storage, clock }: { readonly storage: Storage; readonly clock: Clock },
  account: string,
  work: () => Promise<T>,
): Promise<T | null> {
  const lease = await storage.lease(`repair:${account}`, ttlMs)
  if (!lease) return null
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
    return await work()
  } finally {
    stop.abort()
    await renewal
    await storage.write((tx) => tx.deleteFrom('repair_running').where('account', '=', account).execute())
    await lease.release()
  }
}
