import type { Clock, JsonObject } from '../base/mod.ts'
import type { ResponseStore, StoredTurn } from '../protocol/mod.ts'
import type { Storage } from '../storage/mod.ts'

/** How much is kept, and for how long. */
export interface TurnBounds {
  /** 0 keeps nothing. */
  readonly keepMs: number
  /** Of all turns of one principal; beyond it the oldest go. */
  readonly maxBytes: number
}

/** What is in the `turn` column. */
interface TurnText {
  readonly items: readonly JsonObject[]
  readonly response: JsonObject
  readonly upstreamId?: string
}

const save = `insert into response_turns (principal, id, created_ms, expires_ms, bytes, turn) values (?, ?, ?, ?, ?, ?)
  on conflict (principal, id) do nothing`
const forgetOld = 'delete from response_turns where expires_ms <= ?'
const forgetMost = `delete from response_turns where principal = ?1 and id in (
  select id from (
    select id, sum(bytes) over (order by created_ms desc, id desc) as total from response_turns where principal = ?1
  ) where total > ?2)`

/**
 * A {@link ResponseStore} in the database of this home. A turn belongs to the principal that made it: under any other's
 * name it is not there. Saving queues a row and waits for nothing.
 */
export function createTurnStore(
  { storage, clock, bounds }: { storage: Storage; clock: Clock; bounds: () => TurnBounds },
): ResponseStore {
  async function find(id: string, principal: string): Promise<StoredTurn | null> {
    const row = await storage.db.selectFrom('response_turns').selectAll()
      .where('principal', '=', principal).where('id', '=', id).executeTakeFirst()
    if (!row || row.expires_ms <= clock.now()) return null
    return { ...JSON.parse(row.turn) as TurnText, id, principal, createdAt: row.created_ms }
  }

  return {
    async load(id, principal) {
      const found = await find(id, principal)
      if (found !== null || storage.batch.waiting === 0) return found
      // The turn before may have ended a moment ago.
      await storage.batch.flush()
      return await find(id, principal)
    },
    save({ id, principal, createdAt, ...text }) {
      const { keepMs, maxBytes } = bounds()
      const turn = JSON.stringify(text satisfies TurnText)
      if (keepMs === 0 || id === '' || turn.length > maxBytes) return
      const now = clock.now()
      storage.batch.queue(save, [principal, id, createdAt, now + keepMs, turn.length, turn])
      storage.batch.queue(forgetOld, [now])
      storage.batch.queue(forgetMost, [principal, maxBytes])
    },
    async remove(id, principal) {
      await storage.batch.flush()
      const { numDeletedRows } = await storage.write((tx) =>
        tx.deleteFrom('response_turns').where('principal', '=', principal).where('id', '=', id)
          .executeTakeFirstOrThrow()
      )
      return numDeletedRows > 0n
    },
  }
}
