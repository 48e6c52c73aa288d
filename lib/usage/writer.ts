import type { ModelPrice } from '../catalog/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { RequestRecord } from './record.ts'
import { priceKey, requestColumns, rowOf, sumColumns, sumsOf } from './rows.ts'

/** What sums are kept by. The hourly total is under `total`. */
export const dimensions = ['total', 'provider', 'account', 'model', 'token', 'surface', 'client', 'outcome'] as const

/** One way to cut the sums. */
export type Dimension = typeof dimensions[number]

/** Turns records into rows and sums, many at a time. */
export interface RecordWriter {
  /** Queues the rows of these records and adds them up. Without a principal there is no row. */
  write(records: readonly RequestRecord[]): void
  /** Queues what has been added up since the last time. */
  writeSums(): void
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** The name under which a dimension's sums of whole days (UTC) are kept beside those of hours. */
export const perDay = (dimension: Dimension): string => `${dimension}/day`

/** How many days (UTC, counted from 1970) a stretch has. */
const stretchDays = 8
/** The length of the longest spans that sums are kept of. */
export const stretchMs = stretchDays * dayMs
/**
 * The name under which a dimension's sums of stretches are kept; `null` where there are none. A home may have many
 * thousands of tokens: the sums of their days would take long to add up.
 */
export const perStretch = (dimension: Dimension): string | null => dimension === 'token' ? 'token/stretch' : null

/** The principal under which the sums of everybody are kept, per day (UTC) only. */
export const everybody = ''

/** Different values per dimension that one process writes down; what comes after them is `other`. */
const mostKeys = 5_000
/** A client names itself: it must not be able to fill the table. */
const mostClients = 500

const marks = (n: number): string => Array.from({ length: n }, () => '?').join(', ')
const addSums = sumColumns.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')
const insertRequest = `insert or ignore into requests (${requestColumns.join(', ')}) values (${
  marks(requestColumns.length)
})`
const addHour = `insert into usage_hours (dimension, hour_ms, key, ${sumColumns.join(', ')})
  values (${marks(3 + sumColumns.length)}) on conflict do update set ${addSums}`
const addPrincipal = `insert into usage_by_principal (principal, hour_ms, provider, account, model, surface, ${
  sumColumns.join(', ')
})
  values (${marks(6 + sumColumns.length)}) on conflict do update set ${addSums}`
const insertPrice = 'insert or ignore into usage_prices (id, price_json, first_ms) values (?, ?, ?)'

/** A {@link RecordWriter} over the batch of a storage. */
export function recordWriter(storage: Storage): RecordWriter {
  const keys = new Map<Dimension, Set<string>>(dimensions.map((name) => [name, new Set()]))
  /** Keys of price tables, by the object: a catalog hands out the same one for each call. */
  const priced = new WeakMap<ModelPrice, string>()
  const written = new Set<string>()

  function bounded(dimension: Dimension, key: string | null): string {
    if (key === null) return ''
    // NUL parts the members of a key below.
    if (key.includes('\0')) return 'other'
    const text = key.length > 256 ? key.slice(0, 256) : key
    const seen = keys.get(dimension)!
    if (seen.has(text)) return text
    if (seen.size >= (dimension === 'client' ? mostClients : mostKeys)) return 'other'
    seen.add(text)
    return text
  }

  function priceOf(price: ModelPrice | null | undefined, at: number): string | null {
    if (!price) return null
    let id = priced.get(price)
    if (id === undefined) {
      const json = JSON.stringify(price)
      priced.set(price, id = priceKey(json))
      if (!written.has(id)) {
        storage.batch.queue(insertPrice, [id, json, at])
        written.add(id)
      }
    }
    return id
  }

  // Many requests of a second are alike: they are added up first, and cut every way once for all of them.
  let alike = new Map<string, Alike>()

  function addUp(record: RequestRecord): void {
    const hour = Math.floor(record.at / hourMs) * hourMs
    const provider = bounded('provider', record.provider)
    const account = bounded('account', record.account)
    const model = bounded('model', record.model)
    const token = bounded('token', record.principal)
    const surface = bounded('surface', record.surface)
    const client = bounded('client', record.client)
    const { outcome } = record
    const name = `${hour}\0${token}\0${provider}\0${account}\0${model}\0${surface}\0${client}\0${outcome}`
    const sums = sumsOf(record)
    const known = alike.get(name)
    if (known) addTo(known.sums, sums)
    else alike.set(name, { hour, sums, own: { total: '', provider, account, model, token, surface, client, outcome } })
  }

  return {
    write(records) {
      for (const record of records) {
        // Strangers are counted and not listed: they must not push the requests of others out of the log.
        if (record.principal !== '') {
          storage.batch.queue(insertRequest, rowOf(record, priceOf(record.price, record.at)))
        }
        addUp(record)
      }
    },
    writeSums() {
      if (alike.size === 0) return
      const groups = alike
      alike = new Map()
      const rows = new Map<
        string,
        { readonly sql: string; readonly key: (string | number)[]; readonly sums: number[] }
      >()
      const add = (sql: string, key: (string | number)[], sums: readonly number[]): void => {
        const name = key.join('\0')
        const row = rows.get(name)
        if (row) addTo(row.sums, sums)
        else rows.set(name, { sql, key, sums: [...sums] })
      }
      for (const { hour, own, sums } of groups.values()) {
        const day = Math.floor(hour / dayMs) * dayMs
        for (const dimension of dimensions) {
          add(addHour, [dimension, hour, own[dimension]], sums)
          add(addHour, [perDay(dimension), day, own[dimension]], sums)
          const stretch = perStretch(dimension)
          if (stretch) add(addHour, [stretch, Math.floor(hour / stretchMs) * stretchMs, own[dimension]], sums)
        }
        const { provider, account, model, surface } = own
        add(addPrincipal, [everybody, day, provider, account, model, surface], sums)
        if (own.token !== '') add(addPrincipal, [own.token, hour, provider, account, model, surface], sums)
      }
      for (const { sql, key, sums } of rows.values()) storage.batch.queue(sql, [...key, ...sums])
    },
  }
}

/** Requests of one hour that differ in nothing that sums are kept by. */
interface Alike {
  readonly hour: number
  readonly own: Readonly<Record<Dimension, string>>
  readonly sums: number[]
}

function addTo(sums: number[], more: readonly number[]): void {
  for (let i = 0; i < more.length; i++) sums[i]! += more[i]!
}
