import { GwError } from '../base/mod.ts'
import type { SqliteConnection } from '../platform/mod.ts'
import type { Migration } from './migrations/mod.ts'

/**
 * Brings a database to the newest schema.
 *
 * All steps run in one `BEGIN IMMEDIATE` transaction: a second process waits, a kill leaves the old schema whole.
 *
 * @throws GwError `storage.newer` when the file was written by a newer gw
 */
export function migrate(connection: SqliteConnection, migrations: readonly Migration[], now: number): void {
  if (isCurrent(connection, migrations)) return
  connection.exec('begin immediate')
  try {
    connection.exec(
      'create table if not exists migrations (name text primary key, applied_ms integer not null) strict',
    )
    const applied = appliedNames(connection)
    for (const migration of migrations) {
      if (applied.has(migration.name)) continue
      for (const statement of migration.up) connection.exec(statement)
      connection.prepare('insert into migrations (name, applied_ms) values (?, ?)').run([migration.name, now])
    }
    connection.exec('commit')
  } catch (error) {
    connection.exec('rollback')
    throw error
  }
}

/**
 * Whether nothing is left to do, found out without taking the write lock.
 *
 * @throws GwError `storage.newer`
 */
export function isCurrent(connection: SqliteConnection, migrations: readonly Migration[]): boolean {
  const known = connection.prepare(`select 1 from sqlite_master where type = 'table' and name = 'migrations'`).all([])
  if (known.length === 0) return false
  const applied = appliedNames(connection)
  const ours = new Set(migrations.map((migration) => migration.name))
  const unknown = [...applied].filter((name) => !ours.has(name))
  if (unknown.length > 0) {
    throw new GwError('storage.newer', `the database has steps this gw does not know: ${unknown.join(', ')}`, {
      hint: 'start the newer gw that wrote it, or point GW_HOME at another folder',
    })
  }
  return migrations.every((migration) => applied.has(migration.name))
}

function appliedNames(connection: SqliteConnection): Set<string> {
  const rows = connection.prepare('select name from migrations').all([]) as { name: string }[]
  return new Set(rows.map((row) => row.name))
}
