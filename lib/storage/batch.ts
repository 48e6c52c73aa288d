import type { Clock } from '../base/mod.ts'
import type { SqliteConnection, SqliteStatement } from '../platform/mod.ts'

/**
 * Writes rows together, off the path of any request.
 *
 * What is queued is committed within 200 ms or 500 rows; a crash loses at most that window. Rows that the database
 * refuses for now (busy, full) stay queued up to a bound and are counted when they must be dropped.
 */
export interface BatchWriter {
  /** Queues one execution of a statement. Never throws, never waits. */
  queue(sql: string, parameters: readonly unknown[]): void
  /** Commits what is queued now; resolves when it is on disk or has been put back. */
  flush(): Promise<void>
  /** Rows given up because the queue was full. */
  readonly dropped: number
  /** Rows not yet committed. */
  readonly waiting: number
  close(): Promise<void>
}

const flushAfterMs = 200
const flushAtRows = 500
const maxWaitingRows = 100_000
const firstWaitMs = 10

/** A {@link BatchWriter} over one connection. */
export function batchWriter(connection: SqliteConnection, clock: Clock): BatchWriter {
  let rows: { sql: string; parameters: readonly unknown[] }[] = []
  const statements = new Map<string, SqliteStatement>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let waitMs = firstWaitMs
  let dropped = 0
  let closed = false

  function prepared(sql: string): SqliteStatement {
    let statement = statements.get(sql)
    if (!statement) statements.set(sql, statement = connection.prepare(sql))
    return statement
  }

  function commit(): boolean {
    if (timer !== undefined) clearTimeout(timer)
    timer = undefined
    if (rows.length === 0) return true
    const batch = rows
    rows = []
    try {
      prepared('begin immediate').run([])
      try {
        for (const row of batch) prepared(row.sql).run(row.parameters)
        prepared('commit').run([])
        waitMs = firstWaitMs
        return true
      } catch (error) {
        connection.exec('rollback')
        throw error
      }
    } catch {
      rows = batch.concat(rows)
      if (rows.length > maxWaitingRows) dropped += rows.splice(0, rows.length - maxWaitingRows).length
      schedule(waitMs = Math.min(waitMs * 2, 1_000))
      return false
    }
  }

  function schedule(ms: number): void {
    if (timer !== undefined || closed) return
    timer = setTimeout(commit, ms)
    ;(timer as { unref?: () => void }).unref?.()
  }

  return {
    queue(sql, parameters) {
      rows.push({ sql, parameters })
      if (rows.length === flushAtRows) {
        // After the current work, not inside it: the request that queued the last row does not pay for it.
        if (timer !== undefined) clearTimeout(timer)
        timer = undefined
        schedule(0)
      } else schedule(flushAfterMs)
    },
    flush() {
      commit()
      return Promise.resolve()
    },
    get dropped() {
      return dropped
    },
    get waiting() {
      return rows.length
    },
    async close() {
      for (let attempt = 0; attempt < 10 && !commit(); attempt++) await clock.sleep(100)
      closed = true
      if (timer !== undefined) clearTimeout(timer)
    },
  }
}
