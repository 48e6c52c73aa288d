import type { Clock, Logger } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'

/** Which account holds which session. In memory for planning, on disk for restarts and the home's other processes. */
export interface Sessions {
  /** Account that holds a session, `null` when none does or its time is over. */
  boundTo(key: string): string | null
  /** Makes an account the session's home. */
  bind(key: string, account: string, displaced: boolean): void
  /** Prolongs a binding that was used. */
  touch(key: string): void
  /** Sessions that lost their home in this minute: all, or those that one account took. */
  displaced(account: string | null): number
}

interface Binding {
  readonly account: string
  readonly boundAt: number
  usedAt: number
  writtenAt: number
}

const maxSessions = 100_000
const touchEveryMs = 60_000
const syncEveryMs = 1_000

/** Loads the bindings that have not expired. */
export async function openSessions(
  { storage, clock, logger, ttlMs }: {
    readonly storage: Storage
    readonly clock: Clock
    readonly logger: Logger
    /** Silence after which a session is free; read at each use, so a changed config counts. */
    readonly ttlMs: () => number
  },
): Promise<Sessions> {
  const bindings = new Map<string, Binding>()
  let displacedMinute = -1
  let displacedTotal = 0
  const displacedTo = new Map<string, number>()
  let seenMs = 0
  let nextSyncAt = clock.monotonic() + syncEveryMs
  let syncing = false

  function put(key: string, binding: Binding): void {
    // Set anew, so that the oldest stands first.
    bindings.delete(key)
    bindings.set(key, binding)
    if (bindings.size > maxSessions) bindings.delete(bindings.keys().next().value!)
  }

  function write(key: string, binding: Binding): void {
    binding.writtenAt = clock.now()
    storage.batch.queue(
      `insert into route_sessions (key, account, bound_ms, used_ms) values (?, ?, ?, ?)
       on conflict (key) do update set account = excluded.account, bound_ms = excluded.bound_ms, used_ms = excluded.used_ms
       where excluded.used_ms >= route_sessions.used_ms`,
      [key, binding.account, binding.boundAt, binding.usedAt],
    )
  }

  async function read(since: number): Promise<void> {
    const rows = await storage.db.selectFrom('route_sessions').selectAll().where('used_ms', '>', since)
      .orderBy('used_ms').limit(maxSessions).execute()
    for (const row of rows) {
      seenMs = Math.max(seenMs, row.used_ms)
      const known = bindings.get(row.key)
      if (known && known.usedAt >= row.used_ms) continue
      put(row.key, { account: row.account, boundAt: row.bound_ms, usedAt: row.used_ms, writtenAt: row.used_ms })
    }
  }

  await storage.write((tx) =>
    tx.deleteFrom('route_sessions').where('used_ms', '<=', clock.now() - ttlMs()).execute().then(() => {})
  )
  await read(clock.now() - ttlMs())

  const sync = () => read(seenMs - syncEveryMs)

  function syncIfDue(): void {
    if (syncing || clock.monotonic() < nextSyncAt) return
    nextSyncAt = clock.monotonic() + syncEveryMs
    syncing = true
    sync().catch((error) => logger.log('warn', 'sessions.sync_failed', { error })).finally(() => syncing = false)
  }

  function minute(): void {
    const now = Math.floor(clock.now() / 60_000)
    if (now === displacedMinute) return
    displacedMinute = now
    displacedTotal = 0
    displacedTo.clear()
  }

  return {
    boundTo(key) {
      syncIfDue()
      const binding = bindings.get(key)
      if (!binding) return null
      if (clock.now() - binding.usedAt > ttlMs()) {
        bindings.delete(key)
        return null
      }
      return binding.account
    },
    bind(key, account, displaced) {
      const now = clock.now()
      const binding = { account, boundAt: now, usedAt: now, writtenAt: now }
      put(key, binding)
      write(key, binding)
      if (!displaced) return
      minute()
      displacedTotal++
      displacedTo.set(account, (displacedTo.get(account) ?? 0) + 1)
    },
    touch(key) {
      const binding = bindings.get(key)
      if (!binding) return
      binding.usedAt = clock.now()
      if (binding.usedAt - binding.writtenAt >= touchEveryMs) write(key, binding)
    },
    displaced(account) {
      minute()
      return account === null ? displacedTotal : displacedTo.get(account) ?? 0
    },
  }
}
