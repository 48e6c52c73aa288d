import type { SqliteConnection } from './port.ts'

/** SQLite through `node:sqlite`, which Node ≥ 22.16 and Deno share. */
export async function openNodeSqlite(path: string): Promise<SqliteConnection> {
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(path)
  type Parameters = (string | number | bigint | Uint8Array | null)[]
  // node:sqlite rows have no prototype; spreading them gives rows that compare and print like any other object.
  const plain = (row: unknown) => ({ ...(row as object) })
  return {
    prepare(sql) {
      const statement = database.prepare(sql)
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...(parameters as Parameters)).map(plain),
        run: (parameters) => statement.run(...(parameters as Parameters)),
        *iterate(parameters) {
          for (const row of statement.iterate(...(parameters as Parameters))) yield plain(row)
        },
      }
    },
    exec: (sql) => database.exec(sql),
    close: () => database.close(),
  }
}
