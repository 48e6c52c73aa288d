import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type Clock, GwError } from '../base/mod.ts'
import type { Database } from '../storage/mod.ts'
import { sumColumns } from './rows.ts'
import { addAll, addTo, type Keyed, largestFirst, toRow, totalsOf } from './totals.ts'
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

const hourMs = 3_600_000
const dayMs = 24 * hourMs

const selectSums = sql.join(sumColumns.map((name) => sql`sum(${sql.ref(name)}) as ${sql.ref(name)}`))

/** By which names a question is narrowed. */
export const filtersOf = (query: UsageFilter) =>
  (['model', 'provider', 'account', 'surface'] as const).filter((name) => query[name] !== undefined)

/**
 * The names of a dimension with most requests, one more than asked for, and the totals of all. There may be many
 * thousands: they are counted span by span, others getting their turn in between, and only the largest are added up.
 */
export async function largest(
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
export async function sums(
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

/** Lets everything that waits for the thread go first. */
export const yieldTurn = (): Promise<void> => new Promise((done) => setTimeout(done, 0))
