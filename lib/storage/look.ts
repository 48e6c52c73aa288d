import type { Platform } from '../platform/mod.ts'
import { isAbandoned } from './lease.ts'
import { isCurrent } from './migrate.ts'
import { migrations } from './migrations/mod.ts'
import { readingCopy } from './reading.ts'

/** Rows by a query as it is written: for what is read at a start that cannot wait for more. */
export interface Rows {
  /** The rows of a query, at once. `T` is what the query selects. */
  rows<T>(sql: string, parameters?: readonly unknown[]): readonly T[]
}

export { isAbandoned }

/** A database that is only looked at. */
export interface StorageLook extends Rows {
  close(): void
}

/**
 * Opens a database to look at it: nothing is made, migrated or written, and one that cannot be written is read from a
 * private copy. Where there is no file there are no rows.
 *
 * @returns `null` where its schema is another one than this gw's: {@link openStorage} says what that means
 */
export async function lookAtStorage(
  { openSqlite, path }: { readonly openSqlite: Platform['openSqlite']; readonly path: string },
): Promise<StorageLook | null> {
  const copy = readingCopy(path)
  if (copy?.path === ':memory:') return { rows: () => [], close: () => {} }
  const connection = await openSqlite(copy?.path ?? path)
  const close = () => {
    connection.close()
    copy?.remove()
  }
  try {
    connection.exec('pragma busy_timeout = 250')
    if (isCurrent(connection, migrations)) {
      return { rows: (sql, parameters = []) => connection.prepare(sql).all(parameters) as never, close }
    }
  } catch (error) {
    close()
    throw error
  }
  close()
  return null
}
