import { sql } from 'kysely'
import { type Clock, GwError } from '../base/mod.ts'
import type { ModelPrice } from '../catalog/mod.ts'
import type { Database, Storage } from '../storage/mod.ts'
import { priceCall, type PriceLine } from './price.ts'
import type { RequestRecord } from './record.ts'
import { recordOf } from './rows.ts'
import { filtersOf, type Grouping, largest, sums, type UsageFilter, yieldTurn } from './sums.ts'
import { addAll, largestFirst, perTime, toRow, totalsOf, type UsageRow, type UsageTotals } from './totals.ts'
import type { Dimension } from './writer.ts'

/** A summary. */
export interface UsageSummary {
  readonly from: number
  readonly to: number
  readonly by: Grouping
  readonly totals: UsageTotals
  /** By time: oldest first. Else: most requests first, as many as were asked for. */
  readonly rows: readonly UsageRow[]
  /** Whether rows beyond the limit were left out; the totals have them. */
  readonly truncated: boolean
}

/** Which requests to list, newest first. */
export interface RequestQuery extends UsageFilter {
  readonly outcome?: string | undefined
  readonly limit?: number | undefined
  /** The `next` of the page before. */
  readonly cursor?: string | undefined
}

/** One page of requests. It may be short, even empty, while `next` says there is more to look through. */
export interface RequestPage {
  readonly requests: readonly RequestRecord[]
  readonly next: string | null
}

/** One request with everything kept about it. */
export interface Receipt {
  readonly request: RequestRecord
  /** Priced again with the table it was priced with then; `null` when no price was known. */
  readonly lines: readonly PriceLine[] | null
  readonly bodies: readonly { readonly part: string; readonly content: string; readonly wholeBytes: number }[]
  readonly audio: { readonly file: string; readonly mediaType: string; readonly bytes: number } | null
}

/** What can be asked about the past. Every answer is bounded in time and rows. */
export interface UsageQueries {
  /** @throws GwError `request.invalid` for a span that is backwards or too long */
  summary(query: UsageFilter & { readonly by: Grouping; readonly limit?: number | undefined }): Promise<UsageSummary>
  requests(query: RequestQuery): Promise<RequestPage>
  /** @throws GwError `request.not_found`, also for a request of somebody else than `principal` */
  request(id: string, principal?: string): Promise<Receipt>
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const defaultDays = 30
const longestDays = 3_700
/** Rows looked through for one page, so that a filter nothing matches still answers at once. */
const mostScanned = 20_000
/** Rows looked through before other work gets its turn. */
const stepScanned = 1_000

/** {@link UsageQueries} over the tables of a home. */
export function usageQueries(storage: Storage, clock: Clock, timeZone: string): UsageQueries {
  const { db } = storage

  function span(filter: UsageFilter): { from: number; to: number } {
    const to = filter.to ?? clock.now() + 1
    const from = filter.from ?? to - defaultDays * dayMs
    if (!(from < to)) throw new GwError('request.invalid', 'from is not before to', { param: 'from' })
    if (to - from > longestDays * dayMs) {
      throw new GwError('request.invalid', `a span has at most ${longestDays} days`, { param: 'from' })
    }
    return { from, to }
  }

  return {
    async summary(query) {
      const { from, to } = span(query)
      const limit = Math.min(Math.max(1, query.limit ?? 1_000), 10_000)
      const byTime = query.by === 'hour' || query.by === 'day'
      if (!byTime && query.principal === undefined && filtersOf(query).length === 0) {
        const { rows, totals } = await largest(db, query.by as Dimension, hourOf(from), to, limit, clock)
        return { from, to, by: query.by, totals, rows: rows.slice(0, limit), truncated: rows.length > limit }
      }
      const found = await sums(db, query, hourOf(from), to, timeZone === 'UTC', clock)
      const rows = byTime ? perTime(found, query.by as 'hour' | 'day', timeZone) : found.map(toRow)
      if (!byTime) rows.sort(largestFirst)
      // The newest times, the largest names: what is cut is what matters least.
      const kept = byTime ? rows.slice(-limit) : rows.slice(0, limit)
      const totals = totalsOf(addAll(found))
      return { from, to, by: query.by, totals, rows: kept, truncated: kept.length < rows.length }
    },
    async requests(query) {
      const { from, to } = span(query)
      const limit = Math.min(Math.max(1, query.limit ?? 50), 500)
      const cursor = /^(\d{1,15})\.([\w-]{1,128})$/.exec(query.cursor ?? '')
      if (query.cursor !== undefined && !cursor) {
        throw new GwError('request.invalid', 'cursor is not one of ours', { param: 'cursor' })
      }
      const own = query.principal === undefined ? sql<boolean>`true` : sql<boolean>`principal = ${query.principal}`
      const filters = (['model', 'provider', 'account', 'surface', 'outcome'] as const).flatMap((name) =>
        query[name] === undefined ? [] : [sql<boolean>`${sql.ref(name)} = ${query[name]}`]
      )
      const wanted = filters.length === 0 ? sql`true` : sql.join(filters, sql` and `)
      const found: Database['requests'][] = []
      let at = cursor ? { at_ms: Number(cursor[1]), id: cursor[2]! } : null
      let more = true
      // The database answers on the thread that relays: a long search goes in short steps, and lets others in between.
      for (let seen = 0; more && found.length <= limit && seen < mostScanned; seen += stepScanned) {
        if (seen > 0) await yieldTurn()
        const step = filters.length === 0 ? limit + 1 : stepScanned
        const upper = at ? sql<boolean>`(at_ms, id) < (${at.at_ms}, ${at.id})` : sql<boolean>`true`
        // Where the page begins is also where the search begins.
        const below = at ? Math.min(to, at.at_ms + 1) : to
        const stretch = sql`from requests where at_ms >= ${from} and at_ms < ${below} and ${upper} and ${own}
          order by at_ms desc, id desc`
        const { rows } = await sql<Database['requests']>`
          select * from (select * ${stretch} limit ${step}) where ${wanted}
          order by at_ms desc, id desc limit ${limit + 1 - found.length}`.execute(db)
        found.push(...rows)
        if (filters.length === 0) break
        const { rows: [edge] } = await sql<{ at_ms: number; id: string }>`
          select at_ms, id ${stretch} limit 1 offset ${step - 1}`.execute(db)
        more = edge !== undefined
        if (edge) at = edge
      }
      const page = found.slice(0, limit)
      const next = found.length > limit
        ? cursorOf(page.at(-1)!)
        : filters.length > 0 && more && at
        ? cursorOf(at)
        : null
      return { requests: page.map((row) => recordOf(row, null)), next }
    },
    async request(id, principal) {
      const row = await db.selectFrom('requests').selectAll().where('id', '=', id).executeTakeFirst()
      if (!row || (principal !== undefined && row.principal !== principal)) {
        throw new GwError('request.not_found', `request ${id.slice(0, 64)} not found`, {
          hint: 'requests are kept for usage.retention_days days',
        })
      }
      const [price, bodies, audio] = await Promise.all([
        row.price === null
          ? undefined
          : db.selectFrom('usage_prices').select('price_json').where('id', '=', row.price).executeTakeFirst(),
        db.selectFrom('request_bodies').selectAll().where('request', '=', id).where('expires_ms', '>', clock.now())
          .orderBy('part').execute(),
        db.selectFrom('request_audio').selectAll().where('request', '=', id).executeTakeFirst(),
      ])
      const table = price ? JSON.parse(price.price_json) as ModelPrice : null
      const request = recordOf(row, table)
      return {
        request,
        lines: priceCall(table, request.tokens)?.lines ?? null,
        bodies: bodies.map((body) => ({ part: body.part, content: body.content, wholeBytes: body.whole_bytes })),
        audio: audio ? { file: audio.file, mediaType: audio.media_type, bytes: audio.bytes } : null,
      }
    },
  }
}

const hourOf = (at: number): number => Math.floor(at / hourMs) * hourMs

const cursorOf = (row: { at_ms: number; id: string }): string => `${row.at_ms}.${row.id}`
