/** A lease that one process holds for a time. Owner: storage. */
export interface LeasesTable {
  name: string
  holder: string
  /** Grows with each taking; a holder whose number is no longer the newest must not write. */
  fence: number
  until_ms: number
}

/** Small durable facts: one JSON text per key. Owner: whoever prefixes the key with its room's name. */
export interface FactsTable {
  key: string
  value: string
  updated_ms: number
}

/** Every table, with its owning room. Units are in the names: `_ms` epoch milliseconds, `_micros` micro-USD. */
export interface Database {
  /** storage */
  leases: LeasesTable
  /** storage */
  facts: FactsTable
}
