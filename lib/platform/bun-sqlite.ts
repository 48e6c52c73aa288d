import type { SqliteConnection } from './port.ts'

/** SQLite as Bun has it. */
export async function openBunSqlite(path: string): Promise<SqliteConnection> {
  const { Database } = await import('bun:sqlite')
  const database = new Database(path, { create: true, readwrite: true, strict: false })
  return {
    prepare(sql) {
      const statement = database.query(sql)
      return {
        reader: statement.columnNames.length > 0,
        all: (parameters) => statement.all(...(parameters as never[])),
        run: (parameters) => statement.run(...(parameters as never[])),
        iterate: (parameters) => statement.iterate(...(parameters as never[])),
      }
    },
    exec: (sql) => void database.run(sql),
    close: () => database.close(),
  }
}
