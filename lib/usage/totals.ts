import type { UsageSums } from '../storage/mod.ts'
import { sumColumns } from './rows.ts'

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

/** Sums of one key: a name, or a time. */
export type Keyed = UsageSums & { readonly key: string | number }

/** Most requests first. */
export const largestFirst = (a: UsageRow, b: UsageRow): number => b.requests - a.requests || (a.key < b.key ? -1 : 1)

/** The sums of times as lines, a calendar hour or day of a zone each; oldest first. */
export function perTime(found: readonly Keyed[], by: 'hour' | 'day', timeZone: string): UsageRow[] {
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

/** The sums of a name as a line. */
export const toRow = (row: Keyed): UsageRow => ({ key: String(row.key), ...totalsOf(row) })

/** Adds the sums of a key to those there are of it. */
export function addTo(found: Map<string | number, Keyed>, more: Keyed): void {
  const sum = found.get(more.key)
  if (sum === undefined) found.set(more.key, more)
  else for (const name of sumColumns) (sum as UsageSums)[name] += more[name]
}

/** All of it together. */
export function addAll(rows: readonly UsageSums[]): UsageSums {
  const out = Object.fromEntries(sumColumns.map((name) => [name, 0])) as unknown as UsageSums
  for (const row of rows) for (const name of sumColumns) out[name] += row[name]
  return out
}

/** Sums in domain words. */
export function totalsOf(row: UsageSums): UsageTotals {
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
