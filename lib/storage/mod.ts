/**
 * Storage: the one database of a home.
 *
 * Owns opening it, its migrations, the retry of busy writes, and leases across processes. It does not know what the
 * tables mean: each has one owning room, named in {@link Database}. Start at {@link openStorage}.
 * @module
 */
export type { Rows } from './look.ts'
export { newsOf } from './news.ts'
export type { Database, RequestsTable, UsageSums } from './schema.ts'
export { explainStorage, openStorage, type Storage, type Writing } from './storage.ts'
