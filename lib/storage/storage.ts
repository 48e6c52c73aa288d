import { dirname } from 'node:path'
import { stat } from 'node:fs/promises'
import { Kysely, SqliteDialect, type Transaction } from 'kysely'
import { type Clock, GwError, isGwError, once } from '../base/mod.ts'
import { ensurePrivateDir, type Platform, type SqliteConnection, tighten } from '../platform/mod.ts'
import { type BatchWriter, batchWriter } from './batch.ts'
import { type Lease, takeLease } from './lease.ts'
import { migrate } from './migrate.ts'
import { migrations } from './migrations/mod.ts'
import { readingCopy } from './reading.ts'
import type { Rows } from './look.ts'
import type { Database } from './schema.ts'

/** A transaction that writes; whatever it did is undone when it fails. */
export type Writing = Transaction<Database>

/** An open database. */
export interface Storage {
  /** For reads, and for writes inside {@link write}. */
  readonly db: Kysely<Database>
  readonly rows: Rows['rows']
  /**
   * Runs a transaction that writes, asking again for up to 10 s while another process holds the write lock. Resolves
   * after the commit.
   *
   * @throws GwError `storage.busy` when the lock does not come free, `storage.failed` when the disk refuses
   */
  write<T>(work: (tx: Writing) => Promise<T>): Promise<T>
  /** Another number after each commit by anybody but {@link write}: {@link batch} and other processes. */
  version(): number
  /** Rows that may wait up to 200 ms: kept in memory, committed together. */
  readonly batch: BatchWriter
  /** Takes a named lease across all processes of this home, or `null` when another holds it. */
  lease(name: string, ttlMs: number): Promise<Lease | null>
  /** Set where nothing of what is written stays, see {@link StorageOptions.reading}. */
  readonly standIn?: true
  /** Writes what waits and closes the file. */
  close(): Promise<void>
}

/** How to open a database. */
export interface StorageOptions {
  readonly platform: Platform
  readonly clock: Clock
  /** A file, or `:memory:`. */
  readonly path: string
  /**
   * Nothing is to be changed: where there is no file none is made, and where it or its folder cannot be written a private
   * copy is opened, which is gone afterwards. Absent: the file is made and brought up to date.
   */
  readonly reading?: boolean | undefined
}

/** How long a write waits for the lock that another process holds. */
const busyLimitMs = 10_000

/**
 * Opens (or creates, 0600) the database and brings its schema up to date.
 *
 * @throws GwError `storage.corrupt` when the file is no database or fails its check, `storage.newer`, `storage.failed`
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  if (!options.reading || options.path === ':memory:') return await openFile(options)
  const copy = readingCopy(options.path)
  if (copy === null) return await openFile(options)
  try {
    const storage = await openFile({ ...options, path: copy.path })
    return {
      ...storage,
      standIn: true,
      async close() {
        await storage.close()
        copy.remove()
      },
    }
  } catch (error) {
    copy.remove()
    throw error
  }
}

async function openFile({ platform, clock, path }: StorageOptions): Promise<Storage> {
  if (path !== ':memory:') {
    await ensurePrivateDir(dirname(path)).catch((error: unknown) => {
      if (!isGwError(error)) throw error
      const { message, hint = 'see what stands there' } = error
      throw new GwError('storage.failed', message, { hint: `${hint}: GW_HOME=/path/to/folder`, cause: error })
    })
  }
  const connection = await open(platform, path)
  try {
    // Waiting for a lock inside SQLite would stop the event loop: it answers at once, and we ask again.
    connection.exec('pragma busy_timeout = 0')
    await retryBusy(clock, () => {
      connection.exec('pragma journal_mode = wal')
      connection.exec('pragma synchronous = normal')
      connection.exec('pragma foreign_keys = on')
      migrate(connection, migrations, clock.now())
    })
    if (path !== ':memory:' && (((await stat(path)).mode & 0o077) !== 0)) await tighten(path, 0o600)
  } catch (error) {
    connection.close()
    throw explain(error, path)
  }
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: connection }) })
  // Its own connection: a batch must not land inside a transaction that is waiting on this one.
  const second = path === ':memory:' ? null : await open(platform, path)
  second?.exec('pragma busy_timeout = 0')
  second?.exec('pragma synchronous = normal')
  const batch = batchWriter(second ?? connection, clock)
  const write: Storage['write'] = (work) =>
    retryBusy(clock, () => db.transaction().setAccessMode('read write').execute(work)).catch((error) => {
      throw explain(error, path)
    })
  const version = once(() => connection.prepare('pragma data_version'))
  return {
    db,
    version: () => (version().all([])[0] as { data_version: number }).data_version,
    rows: (sql, parameters = []) => connection.prepare(sql).all(parameters) as never,
    write,
    batch,
    lease: (name, ttlMs) => takeLease(write, clock, name, ttlMs),
    async close() {
      await batch.close()
      second?.close()
      await db.destroy()
      // Kysely closes what it opened; a database that no query ever touched is still ours to close.
      try {
        connection.close()
      } catch {
        // already closed
      }
    },
  }
}

async function open(platform: Platform, path: string): Promise<SqliteConnection> {
  const before = process.umask?.(0o077)
  try {
    return await platform.openSqlite(path)
  } catch (error) {
    if (await stat(path).then((there) => there.isDirectory(), () => false)) {
      throw new GwError('storage.failed', `${path} cannot be opened: a folder stands there`, {
        hint: 'move the folder away',
        cause: error,
      })
    }
    throw explain(error, path)
  } finally {
    if (before !== undefined) process.umask(before)
  }
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

async function retryBusy<T>(clock: Clock, work: () => T | Promise<T>): Promise<T> {
  const until = clock.monotonic() + busyLimitMs
  for (let waitMs = 5;; waitMs = Math.min(waitMs * 2, 250)) {
    try {
      return await work()
    } catch (error) {
      if (!/database is locked|SQLITE_BUSY/i.test(messageOf(error)) || clock.monotonic() > until) throw error
      await clock.sleep(waitMs)
    }
  }
}

/** An error of the database as one that says what to do about it; any other as it is. */
export function explainStorage(error: unknown, path: string): unknown {
  const own = error instanceof Error &&
    (/SQLite/i.test(error.name) || /SQLITE/.test(String(Reflect.get(error, 'code'))))
  return own ? explain(error, path) : error
}

function explain(error: unknown, path: string): unknown {
  if (isGwError(error)) return error
  const message = messageOf(error)
  if (/not a database|malformed|corrupt/i.test(message)) {
    return new GwError('storage.corrupt', `${path} is not a healthy SQLite database: ${message}`, {
      hint: `nothing was changed; restore a backup, or move the file aside and start again with an empty one`,
      cause: error,
    })
  }
  if (/database is locked|SQLITE_BUSY/i.test(message)) {
    return new GwError('storage.busy', `${path} is locked by another process`, {
      hint: 'see which process holds it, end it, and try again',
      cause: error,
    })
  }
  if (/readonly|unable to open|disk|I\/O|full|permission/i.test(message)) {
    return new GwError('storage.failed', `${path} cannot be written: ${message}`, {
      hint: 'check the folder, its permissions and the free space',
      cause: error,
    })
  }
  return error
}
