import type { Clock } from '../base/mod.ts'
import { hasEnded, processMark } from '../platform/look.ts'
import type { Storage } from './storage.ts'

/** Exclusive use of a name for a time. */
export interface Lease {
  readonly name: string
  /** Larger than that of every earlier holder. */
  readonly fence: number
  /** Whether the one before was a process of this machine that ended without giving it back. */
  readonly abandoned: boolean
  /** Prolongs it by `ttlMs` from now; false when it has been lost. */
  renew(ttlMs: number): Promise<boolean>
  release(): Promise<void>
}

/**
 * Takes a lease whose time is over or that nobody holds: one that was left by a process of this machine that has ended is
 * nobody's, however long it had to run.
 */
export async function takeLease(
  write: Storage['write'],
  clock: Clock,
  name: string,
  ttlMs: number,
): Promise<Lease | null> {
  const holder = `${processMark()} ${crypto.randomUUID()}`
  const taken = await write(async (tx) => {
    const now = clock.now()
    const row = await tx.selectFrom('leases').selectAll().where('name', '=', name).executeTakeFirst()
    const running = row !== undefined && row.until_ms > now
    const abandoned = running && isAbandoned(row.holder)
    if (running && !abandoned) return null
    const next = (row?.fence ?? 0) + 1
    const values = { name, holder, fence: next, until_ms: now + ttlMs }
    await tx.insertInto('leases').values(values).onConflict((at) => at.column('name').doUpdateSet(values)).execute()
    return { fence: next, abandoned }
  })
  if (taken === null) return null
  return {
    name,
    ...taken,
    renew: (ms) =>
      write(async (tx) => {
        const result = await tx.updateTable('leases').set({ until_ms: clock.now() + ms })
          .where('name', '=', name).where('holder', '=', holder).where('until_ms', '>', clock.now()).executeTakeFirst()
        return result.numUpdatedRows > 0n
      }),
    release: () =>
      write(async (tx) => {
        await tx.updateTable('leases').set({ until_ms: 0 }).where('name', '=', name).where('holder', '=', holder)
          .execute()
      }),
  }
}

/** Whether the holder of a lease, as its row names it, is a process of this machine that has ended. */
export const isAbandoned = (holder: string): boolean => hasEnded(holder.split(' ')[0]!)
