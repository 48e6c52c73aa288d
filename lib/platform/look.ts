/** The door of platform for those who only look: files and databases, and no network. */
import type { Platform } from './port.ts'

export { hasEnded, processMark } from './alive.ts'
export { readBounded } from './files.ts'
export { paths } from './paths.ts'

/** The SQLite binding of this runtime. */
export async function sqliteHere(): Promise<Platform['openSqlite']> {
  const runtime = globalThis as { Bun?: unknown }
  return runtime.Bun
    ? (await import('./bun-sqlite.ts')).openBunSqlite
    : (await import('./node-sqlite.ts')).openNodeSqlite
}
