import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type Clock, GwError } from '../base/mod.ts'
import type { ModelPrice } from '../catalog/mod.ts'
import type { Database, Storage, UsageSums } from '../storage/mod.ts'
import { priceCall, type PriceLine } from './price.ts'
import type { RequestRecord } from './record.ts'
import { recordOf, sumColumns } from './rows.ts'
import { type Dimension, everybody, perDay, perStretch, stretchMs } from './writer.ts'

/** How a summary is cut: by time, or by one of the {@link dimensions}. */
export const groupings = [
  'hour',
  'day',
  'provider',
  'account',
  'model',
  'token',
  'surface',
  'client',
  'outcome',
] as const

/** One way to cut a summary. */
export type Grouping = typeof groupings[number]

/**
 * Which usage. Times are epoch ms; a summary counts whole hours, and whole days (UTC) when it is cut by a name and
 * filtered by another one for everybody.
 */
export interface UsageFilter {
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Only what this principal used: what anybody but an admin is given. */
  readonly principal?: string | undefined
  readonly model?: string | undefined
  readonly provider?: string | undefined
  readonly account?: string | undefined
  readonly surface?: string | undefined
}

/** Sums in domain words. Money is micro-USD; real and shadow cost are never added together. */
export interface UsageTotals {
  readonly requests: number
  readonly errors: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedInputTokens: number
  readonly cacheWriteTokens: number
  readonly reasoningTokens: number
  /** `null` when no request of the row had a known price: unknown is never 0. */
  readonly costMicros: number | null
  readonly shadowCostMicros: number
  /** Requests served at a price nobody knows; their cost is missing above. */
  readonly unpriced: number
  readonly estimated: number
  /** `null` when there was no request. */
  readonly meanDurationMs: number | null
  readonly meanFirstByteMs: number | null
  readonly requestBytes: number
  readonly responseBytes: number
}

/** One line of a summary. */
export interface UsageRow extends UsageTotals {
  /** A day as `2026-03-01`, an hour as `2026-03-01T13:00`, else the name; empty when there was none. */
  readonly key: string
}

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

/** Lets everything that waits for the thread go first. */
const yieldTurn = (): Promise<void> => new Promise((done) => setTimeout(done, 0))

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

type Keyed = UsageSums & { readonly key: string | number }

const selectSums = sql.join(sumColumns.map((name) => sql`sum(${sql.ref(name)}) as ${sql.ref(name)}`))

const filtersOf = (query: UsageFilter) =>
  (['model', 'provider', 'account', 'surface'] as const).filter((name) => query[name] !== undefined)

const largestFirst = (a: UsageRow, b: UsageRow): number => b.requests - a.requests || (a.key < b.key ? -1 : 1)

/**
 * The names of a dimension with most requests, one more than asked for, and the totals of all. There may be many
 * thousands: they are counted span by span, others getting their turn in between, and only the largest are added up.
 */
async function largest(
  db: Kysely<Database>,
  dimension: Dimension,
  from: number,
  to: number,
  limit: number,
  clock: Clock,
) {
  const spans = spansOf(dimension, from, to)
  const most = new Map<string, number>()
  const rest = restful(clock)
  for (const [name, starts] of spans) {
    for (const start of starts) {
      for (let after: string | null = null, more = true; more;) {
        const { rows }: { rows: { key: string; requests: number }[] } = await sql<{ key: string; requests: number }>`
          select key, requests from usage_hours where dimension = ${name} and hour_ms = ${start}
          and ${after === null ? sql`true` : sql`key > ${after}`} order by key limit ${rowsPerStep}`.execute(db)
        for (const { key, requests } of rows) most.set(key, (most.get(key) ?? 0) + requests)
        more = rows.length === rowsPerStep
        after = rows.at(-1)?.key ?? null
        await rest()
      }
    }
  }
  const named = highest(most, limit + 1)
  await rest()
  const sums = new Map<string | number, Keyed>()
  for (const [name, starts] of spans) {
    for (let at = 0; at < named.length; at += keysPerStep) {
      const { rows } = await sql<Keyed>`
        select key, ${selectSums} from usage_hours where dimension = ${name}
        and hour_ms in (${each(starts)}) and key in (${each(named.slice(at, at + keysPerStep))})
        group by key`.execute(db)
      for (const row of rows) addTo(sums, row)
      await rest()
    }
  }
  const { rows: all } = await sql<Keyed>`
    select key, ${selectSums} from ${kept('total', from, to, false)} group by key`.execute(db)
  return { rows: [...sums.values()].map(toRow).sort(largestFirst), totals: totalsOf(addAll(all)) }
}

/** The keys of the highest numbers, the highest first. */
function highest(numbers: ReadonlyMap<string, number>, count: number): string[] {
  // Numbers sort much faster than entries: the last one that counts tells which entries to look at.
  const least = Float64Array.from(numbers.values()).sort().at(-count) ?? -Infinity
  return [...numbers].filter(([, n]) => n >= least).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .slice(0, count).map(([key]) => key)
}

/** Rows that are counted in one step. */
const rowsPerStep = 5_000
/** Names whose sums are read in one step. */
const keysPerStep = 100

/** The values of a list, one a row. */
const each = (list: readonly (string | number)[]) => sql`select value from json_each(${JSON.stringify(list)})`

/** Lets others go first whenever this work has gone on for some milliseconds. */
function restful(clock: Clock): () => Promise<void> {
  let began = clock.monotonic()
  return async () => {
    if (clock.monotonic() - began < stepMs) return
    await yieldTurn()
    began = clock.monotonic()
  }
}

const stepMs = 5

/** The fewest spans that sums are kept of and that make up a time, by the name they are kept under and their starts. */
function spansOf(
  dimension: Dimension,
  from: number,
  to: number,
): readonly (readonly [name: string, starts: number[]])[] {
  const levels = [[perStretch(dimension), stretchMs], [perDay(dimension), dayMs], [dimension, hourMs]] as const
  const out = new Map<string, number[]>()
  const fill = (level: number, from: number, to: number): void => {
    if (from >= to) return
    const [name, ms] = levels[level]!
    if (name === null) return fill(level + 1, from, to)
    const [first, last] = [Math.ceil(from / ms) * ms, Math.floor(to / ms) * ms]
    const finest = level === levels.length - 1
    if (!finest && first >= last) return fill(level + 1, from, to)
    const starts = out.get(name) ?? []
    out.set(name, starts)
    for (let at = first; at < (finest ? to : last); at += ms) starts.push(at)
    if (finest) return
    fill(level + 1, from, first)
    fill(level + 1, last, to)
  }
  fill(0, from, to)
  return [...out]
}

/** The sums asked for, from the smallest table that has them. */
async function sums(
  db: Kysely<Database>,
  query: UsageFilter & { readonly by: Grouping },
  from: number,
  to: number,
  utc: boolean,
  clock: Clock,
): Promise<Keyed[]> {
  const byTime = query.by === 'hour' || query.by === 'day'
  const filters = filtersOf(query)
  const dimension: Dimension = byTime ? 'total' : query.by as Dimension
  if (query.principal === undefined && filters.length <= 1) {
    const only = filters[0]
    const compatible = only === undefined || byTime || only === query.by
    if (compatible) {
      const wanted = only === undefined ? sql`true` : sql`key = ${query[only]}`
      const key = byTime ? sql.ref('hour_ms') : sql.ref('key')
      const { rows } = await sql<Keyed>`
        select ${key} as key, ${selectSums} from ${kept(only ?? dimension, from, to, byTime)} where ${wanted}
        group by 1`.execute(db)
      return rows
    }
  }
  if (query.by === 'client' || query.by === 'outcome') {
    throw new GwError('request.invalid', `a summary by ${query.by} takes no other filter than time`, { param: 'by' })
  }
  const column = byTime ? 'hour_ms' : query.by === 'token' ? 'principal' : query.by
  // Everybody's sums are kept per day of UTC; by other times, or by token, they are added up from each one's own.
  const own = query.principal !== undefined || query.by === 'token' || query.by === 'hour' ||
    (query.by === 'day' && !utc)
  const first = own ? from : Math.floor(from / dayMs) * dayMs
  const wanted = [
    query.principal !== undefined
      ? sql`principal = ${query.principal}`
      : own
      ? sql`principal > ${everybody}`
      : sql`principal = ${everybody}`,
    ...filters.map((name) => sql`${sql.ref(name)} = ${query[name]}`),
  ]
  // What many principals used is read day by day, others getting their turn in between.
  const step = query.principal === undefined && own ? dayMs : to - first
  const found = new Map<string | number, Keyed>()
  const rest = restful(clock)
  for (let start = first; start < to; start += step) {
    const { rows } = await sql<Keyed>`
      select ${sql.ref(column)} as key, ${selectSums} from usage_by_principal
      where hour_ms >= ${start} and hour_ms < ${Math.min(to, start + step)} and ${sql.join(wanted, sql` and `)}
      group by 1`.execute(db)
    for (const row of rows) addTo(found, row)
    await rest()
  }
  return [...found.values()]
}

/**
 * The sums of a span: whole days from those of days, what is left of the first and the last one from those of hours. One
 * after the other: to SQLite an `or` of ranges is a list of rows to look through for doubles.
 */
function kept(dimension: Dimension, from: number, to: number, byTime: boolean): RawBuilder<unknown> {
  const within = (name: string, from: number, to: number) =>
    sql`select * from usage_hours where dimension = ${name} and hour_ms >= ${from} and hour_ms < ${to}`
  const [firstDay, lastDay] = [Math.ceil(from / dayMs) * dayMs, Math.floor(to / dayMs) * dayMs]
  if (byTime || firstDay >= lastDay) return sql`(${within(dimension, from, to)})`
  const days = within(perDay(dimension), firstDay, lastDay)
  return sql`(${days} union all ${within(dimension, from, firstDay)} union all ${within(dimension, lastDay, to)})`
}

function perTime(found: readonly Keyed[], by: 'hour' | 'day', timeZone: string): UsageRow[] {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    ...(by === 'hour' ? { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' as const } : {}),
  })
  const groups = new Map<string, Keyed[]>()
  for (const row of [...found].sort((a, b) => Number(a.key) - Number(b.key))) {
    const key = format.format(Number(row.key)).replace(' ', 'T')
    const group = groups.get(key)
    if (group) group.push(row)
    else groups.set(key, [row])
  }
  return [...groups].map(([key, rows]) => ({ key, ...totalsOf(addAll(rows)) }))
}

const toRow = (row: Keyed): UsageRow => ({ key: String(row.key), ...totalsOf(row) })

/** Adds the sums of a key to those there are of it. */
function addTo(found: Map<string | number, Keyed>, more: Keyed): void {
  const sum = found.get(more.key)
  if (sum === undefined) found.set(more.key, more)
  else for (const name of sumColumns) (sum as UsageSums)[name] += more[name]
}

function addAll(rows: readonly UsageSums[]): UsageSums {
  const out = Object.fromEntries(sumColumns.map((name) => [name, 0])) as unknown as UsageSums
  for (const row of rows) for (const name of sumColumns) out[name] += row[name]
  return out
}

function totalsOf(row: UsageSums): UsageTotals {
  return {
    requests: row.requests,
    errors: row.errors,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    cachedInputTokens: row.cached_tokens,
    cacheWriteTokens: row.cache_write_tokens,
    reasoningTokens: row.reasoning_tokens,
    costMicros: row.unpriced > 0 && row.cost_micros === 0 ? null : row.cost_micros,
    shadowCostMicros: row.shadow_micros,
    unpriced: row.unpriced,
    estimated: row.estimated,
    meanDurationMs: row.requests === 0 ? null : Math.round(row.duration_ms / row.requests),
    meanFirstByteMs: row.first_bytes === 0 ? null : Math.round(row.first_byte_ms / row.first_bytes),
    requestBytes: row.request_bytes,
    responseBytes: row.response_bytes,
  }
}
