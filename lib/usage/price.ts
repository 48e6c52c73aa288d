import type { ModelPrice } from '../catalog/mod.ts'
import type { TokenCounts } from '../protocol/mod.ts'
import type { RequestRecord } from './record.ts'

/** One line of a receipt. */
export interface PriceLine {
  readonly item: 'input' | 'cached_input' | 'cache_write' | 'cache_write_1h' | 'output' | 'request'
  /** Tokens, or 1 for a request fee. */
  readonly count: number
  /** micro-USD per million tokens, or per request. */
  readonly unitMicros: number
  /** Whether the table has no price of its own for this, so that the next dearer known one was taken. */
  readonly assumed: boolean
}

/** What a call costs and how that came about. */
export interface PricedCall {
  /** Whole micro-USD, rounded once, up. */
  readonly micros: number
  readonly lines: readonly PriceLine[]
}

const perMillion = 1_000_000

/**
 * The price of a call; `null` when it cannot be known: no price table, or an upstream that said nothing about its
 * tokens. Never 0 for want of knowledge.
 *
 * Cached and cache-writing tokens are parts of the input, reasoning tokens of the output: each token is priced once.
 * Counts that contradict one another are bounded by their total, so a hostile upstream cannot make a call negative.
 */
export function priceCall(price: ModelPrice | null, tokens: TokenCounts): PricedCall | null {
  if (price === null) return null
  if (tokens.inputTokens === null && tokens.outputTokens === null && !price.requestMicros) return null
  const input = count(tokens.inputTokens)
  const cached = Math.min(count(tokens.cachedInputTokens), input)
  const hour = Math.min(count(tokens.cacheWrite1hTokens), input - cached)
  const written = Math.min(count(tokens.cacheWriteTokens), input - cached - hour)
  const rates = tierFor(price, input)
  const lines: PriceLine[] = []
  const add = (item: PriceLine['item'], tokens: number, own: number | null, otherwise: number): void => {
    if (tokens > 0) lines.push({ item, count: tokens, unitMicros: own ?? otherwise, assumed: own === null })
  }
  add('input', input - cached - written - hour, rates.inputMicros, 0)
  add('cached_input', cached, rates.cachedInputMicros, rates.inputMicros)
  add('cache_write', written, rates.cacheWriteMicros, rates.inputMicros)
  add('cache_write_1h', hour, rates.cacheWrite1hMicros, rates.cacheWriteMicros ?? rates.inputMicros)
  add('output', count(tokens.outputTokens), rates.outputMicros, 0)
  if (price.requestMicros) lines.push({ item: 'request', count: 1, unitMicros: price.requestMicros, assumed: false })
  return { micros: total(lines), lines }
}

/** The members of a record that a price list fills in. */
export type Cost = 'costMicros' | 'shadowCostMicros' | 'priceSource' | 'price'

/**
 * A record with what it cost.
 *
 * Through a plan login the real cost is 0 and the price by API key is its shadow. A request that no upstream took on, or
 * that an upstream refused before it counted any token, costs nothing; one that was served and cannot be priced costs
 * `null`.
 *
 * @param price of the model at the provider that served it
 * @param plan whether the account is a plan login
 */
export function withCost(record: Omit<RequestRecord, Cost>, price: ModelPrice | null, plan: boolean): RequestRecord {
  const { tokens } = record
  const uncounted = tokens.inputTokens === null && tokens.outputTokens === null
  if (record.account === null || (uncounted && (record.outcome === 'failed' || record.outcome === 'denied'))) {
    return { ...record, costMicros: 0, shadowCostMicros: null, priceSource: null, price: null }
  }
  const micros = priceCall(price, tokens)?.micros ?? null
  const priceSource = price?.source ?? null
  return plan
    ? { ...record, costMicros: 0, shadowCostMicros: micros, priceSource, price }
    : { ...record, costMicros: micros, shadowCostMicros: null, priceSource, price }
}

/**
 * The most a call can cost: what a budget holds back before the work. `null` when the price is unknown.
 *
 * @param inputTokens an estimate that must not be too low; none of it is taken to be cached
 * @param maxOutputTokens what the caller allows, else what the model can write
 */
export function worstCostMicros(
  price: ModelPrice | null,
  inputTokens: number,
  maxOutputTokens: number,
): number | null {
  if (price === null) return null
  const input = count(inputTokens)
  const rates = tierFor(price, input)
  const dearest = Math.max(rates.inputMicros, rates.cacheWriteMicros ?? 0, rates.cacheWrite1hMicros ?? 0)
  const lines: PriceLine[] = [
    { item: 'input', count: input, unitMicros: dearest, assumed: false },
    { item: 'output', count: count(maxOutputTokens), unitMicros: rates.outputMicros, assumed: false },
    { item: 'request', count: 1, unitMicros: price.requestMicros ?? 0, assumed: false },
  ]
  return total(lines)
}

function tierFor(price: ModelPrice, inputTokens: number): Omit<ModelPrice, 'source'> {
  let rates: Omit<ModelPrice, 'source'> = price
  for (const tier of price.tiers ?? []) if (inputTokens > tier.aboveTokens) rates = tier
  return rates
}

/** What an upstream claims, as a number that can be multiplied: whole, not negative, below a billion. */
function count(tokens: number | null): number {
  return tokens === null || !Number.isFinite(tokens) ? 0 : Math.min(Math.max(0, Math.floor(tokens)), 1e9)
}

/** Exact: products are added as integers and divided once. */
function total(lines: readonly PriceLine[]): number {
  let sum = 0n
  for (const line of lines) {
    const unit = BigInt(Math.round(line.unitMicros))
    sum += BigInt(line.count) * unit * (line.item === 'request' ? BigInt(perMillion) : 1n)
  }
  const million = BigInt(perMillion)
  return Number((sum + million - 1n) / million)
}
