import { hash } from 'node:crypto'
import type { AccountId, PrincipalId, RequestId } from '../base/mod.ts'
import type { ModelPrice } from '../catalog/mod.ts'
import type { Loss, ProtocolId } from '../protocol/mod.ts'
import type { RequestsTable, UsageSums } from '../storage/mod.ts'
import type { Attempt, Outcome, RequestRecord } from './record.ts'

/** The columns of `requests`, in the order of {@link rowOf}. */
export const requestColumns = [
  'at_ms',
  'id',
  'principal',
  'surface',
  'client_protocol',
  'requested_model',
  'model',
  'provider',
  'account',
  'stream',
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'reasoning_tokens',
  'estimated',
  'cost_micros',
  'shadow_micros',
  'price_source',
  'price',
  'status',
  'outcome',
  'error',
  'first_byte_ms',
  'duration_ms',
  'request_bytes',
  'response_bytes',
  'session',
  'client',
  'attempts',
  'losses',
] as const satisfies readonly (keyof RequestsTable)[]

/** What is added up per hour, in the order of {@link sumsOf}. */
export const sumColumns = [
  'requests',
  'errors',
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'cache_write_tokens',
  'reasoning_tokens',
  'cost_micros',
  'shadow_micros',
  'unpriced',
  'estimated',
  'duration_ms',
  'first_byte_ms',
  'first_bytes',
  'request_bytes',
  'response_bytes',
] as const satisfies readonly (keyof UsageSums)[]

/** An upstream may claim any number of tokens; a column holds whole numbers that can be added for years. */
function whole(value: number | null): number | null {
  if (value === null || !Number.isFinite(value)) return null
  return Math.min(Math.max(0, Math.round(value)), 1e12)
}

/** The values of a row; `price` is the key of its price table. */
export function rowOf(record: RequestRecord, price: string | null): (string | number | null)[] {
  const { tokens } = record
  return [
    Math.floor(record.at),
    record.id,
    record.principal,
    record.surface,
    record.clientProtocol,
    cut(record.requestedModel, 256),
    cut(record.model, 256),
    record.provider,
    record.account,
    record.stream ? 1 : 0,
    whole(tokens.inputTokens),
    whole(tokens.outputTokens),
    whole(tokens.cachedInputTokens),
    whole(tokens.cacheWriteTokens),
    whole(tokens.cacheWrite1hTokens),
    whole(tokens.reasoningTokens),
    record.estimated ? 1 : 0,
    whole(record.costMicros),
    whole(record.shadowCostMicros),
    record.priceSource,
    price,
    record.status,
    record.outcome,
    cut(record.error, 500),
    whole(record.firstByteMs),
    whole(record.durationMs) ?? 0,
    whole(record.requestBytes) ?? 0,
    whole(record.responseBytes) ?? 0,
    record.session,
    cut(record.client, 128),
    record.attempts.length === 0 ? '[]' : JSON.stringify(record.attempts.slice(0, 32)),
    record.losses.length === 0 ? '[]' : JSON.stringify(record.losses.slice(0, 100)),
  ]
}

/** The record of a row. */
export function recordOf(row: RequestsTable, price: ModelPrice | null): RequestRecord {
  return {
    id: row.id as RequestId,
    at: row.at_ms,
    principal: row.principal as PrincipalId,
    surface: row.surface,
    clientProtocol: row.client_protocol as ProtocolId | null,
    requestedModel: row.requested_model,
    model: row.model,
    provider: row.provider,
    account: row.account as AccountId | null,
    attempts: JSON.parse(row.attempts) as Attempt[],
    stream: row.stream !== 0,
    tokens: {
      inputTokens: row.input_tokens,
      outputTokens: row.output_tokens,
      cachedInputTokens: row.cached_tokens,
      cacheWriteTokens: row.cache_write_tokens,
      cacheWrite1hTokens: row.cache_write_1h_tokens,
      reasoningTokens: row.reasoning_tokens,
    },
    estimated: row.estimated !== 0,
    costMicros: row.cost_micros,
    shadowCostMicros: row.shadow_micros,
    priceSource: row.price_source,
    price,
    status: row.status,
    outcome: row.outcome as Outcome,
    error: row.error,
    firstByteMs: row.first_byte_ms,
    durationMs: row.duration_ms,
    requestBytes: row.request_bytes,
    responseBytes: row.response_bytes,
    losses: JSON.parse(row.losses) as Loss[],
    session: row.session,
    client: row.client,
  }
}

/** What one record adds to each sum. */
export function sumsOf(record: RequestRecord): number[] {
  const { tokens } = record
  return [
    1,
    record.status >= 400 || record.outcome === 'failed' || record.outcome === 'truncated' ? 1 : 0,
    whole(tokens.inputTokens) ?? 0,
    whole(tokens.outputTokens) ?? 0,
    whole(tokens.cachedInputTokens) ?? 0,
    (whole(tokens.cacheWriteTokens) ?? 0) + (whole(tokens.cacheWrite1hTokens) ?? 0),
    whole(tokens.reasoningTokens) ?? 0,
    whole(record.costMicros) ?? 0,
    whole(record.shadowCostMicros) ?? 0,
    // A request that no upstream served costs nothing; one that was served without a known price is unpriced.
    record.costMicros === null && record.account !== null ? 1 : 0,
    record.estimated ? 1 : 0,
    whole(record.durationMs) ?? 0,
    whole(record.firstByteMs) ?? 0,
    record.firstByteMs === null ? 0 : 1,
    whole(record.requestBytes) ?? 0,
    whole(record.responseBytes) ?? 0,
  ]
}

/** The key a price table is kept under. */
export function priceKey(json: string): string {
  return hash('sha256', json, 'base64url').slice(0, 16)
}

function cut(text: string | null, length: number): string | null {
  return text === null || text.length <= length ? text : text.slice(0, length)
}
