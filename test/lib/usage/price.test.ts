import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ModelPrice } from '../../../lib/catalog/mod.ts'
import { noTokens, type TokenCounts } from '../../../lib/protocol/mod.ts'
import { withCost, worstCostMicros } from '../../../lib/usage/mod.ts'
import { priceCall } from '../../../lib/usage/price.ts'
import { aRecord } from './home.ts'

const price: ModelPrice = {
  inputMicros: 3_000_000,
  outputMicros: 15_000_000,
  cachedInputMicros: 300_000,
  cacheWriteMicros: 3_750_000,
  cacheWrite1hMicros: 6_000_000,
  tiers: [{
    aboveTokens: 200_000,
    inputMicros: 6_000_000,
    outputMicros: 22_500_000,
    cachedInputMicros: 600_000,
    cacheWriteMicros: 7_500_000,
    cacheWrite1hMicros: 12_000_000,
  }],
  source: 'test 2026-03-01',
}
const bare: ModelPrice = {
  inputMicros: 1_000_000,
  outputMicros: 2_000_000,
  cachedInputMicros: null,
  cacheWriteMicros: null,
  cacheWrite1hMicros: null,
  source: 'config',
}

const counts = (some: Partial<TokenCounts>): TokenCounts => ({ ...noTokens, ...some })

for (
  const [name, table, tokens, micros] of [
    ['input and output', price, { inputTokens: 1_000, outputTokens: 100 }, 4_500],
    ['a cached part', price, { inputTokens: 1_000, cachedInputTokens: 900, outputTokens: 0 }, 570],
    ['a part written to a cache', price, { inputTokens: 1_000, cacheWriteTokens: 1_000, outputTokens: 0 }, 3_750],
    ['a part written for an hour', price, { inputTokens: 1_000, cacheWrite1hTokens: 1_000, outputTokens: 0 }, 6_000],
    ['reasoning, which is output already', price, { inputTokens: 0, outputTokens: 100, reasoningTokens: 90 }, 1_500],
    ['one token, rounded up', price, { inputTokens: 1, outputTokens: 0, cachedInputTokens: 1 }, 1],
    ['parts that round up once, together', bare, { inputTokens: 1, outputTokens: 1 }, 3],
    ['the last token of a tier', price, { inputTokens: 200_000, outputTokens: 0 }, 600_000],
    ['one token above it', price, { inputTokens: 200_001, outputTokens: 0 }, 1_200_006],
    ['a cache without a price of its own', bare, { inputTokens: 100, cachedInputTokens: 100, outputTokens: 0 }, 100],
    ['a fee per request', { ...bare, requestMicros: 5_000 }, { inputTokens: 10, outputTokens: 0 }, 5_010],
    ['nothing but a fee', { ...bare, requestMicros: 5_000 }, {}, 5_000],
    ['more cached than there is', price, { inputTokens: 10, cachedInputTokens: 1_000, outputTokens: 0 }, 3],
    ['less than nothing', price, { inputTokens: -10, outputTokens: -5, cachedInputTokens: -3 }, 0],
    ['an unbelievable count', bare, { inputTokens: 1e300, outputTokens: 0 }, 1_000_000_000],
    ['no output said', price, { inputTokens: 1_000 }, 3_000],
    ['nothing said', price, {}, null],
    ['no price', null, { inputTokens: 1_000, outputTokens: 100 }, null],
  ] as readonly [string, ModelPrice | null, Partial<TokenCounts>, number | null][]
) {
  test(`priceCall() of ${name} is ${micros}`, () => {
    expect(priceCall(table, counts(tokens))?.micros ?? null).toBe(micros)
  })
}

const some = fc.option(fc.integer({ min: -5, max: 400_000 }))
const anyCounts = fc.record({
  inputTokens: some,
  outputTokens: some,
  cachedInputTokens: some,
  cacheWriteTokens: some,
  cacheWrite1hTokens: some,
  reasoningTokens: some,
})

test('a price is a whole number, never negative, and its lines count each token once', () => {
  fc.assert(fc.property(anyCounts, fc.constantFrom(price, bare), (tokens, table) => {
    const priced = priceCall(table, tokens)
    if (!priced) return expect([tokens.inputTokens, tokens.outputTokens]).toEqual([null, null])
    expect(Number.isSafeInteger(priced.micros)).toBe(true)
    expect(priced.micros).toBeGreaterThanOrEqual(0)
    const of = (...items: string[]) =>
      priced.lines.filter((line) => items.includes(line.item)).reduce((sum, line) => sum + line.count, 0)
    expect(of('input', 'cached_input', 'cache_write', 'cache_write_1h')).toBe(Math.max(0, tokens.inputTokens ?? 0))
    expect(of('output')).toBe(Math.max(0, tokens.outputTokens ?? 0))
    const exact = priced.lines.reduce((sum, line) => sum + line.count * line.unitMicros, 0) / 1_000_000
    expect(priced.micros - exact).toBeWithin(-1e-6, 1)
  }))
})

test('worstCostMicros() is never below the real price of a call within its bounds', () => {
  fc.assert(fc.property(anyCounts, fc.constantFrom(price, bare), (tokens, table) => {
    const worst = worstCostMicros(table, Math.max(0, tokens.inputTokens ?? 0), Math.max(0, tokens.outputTokens ?? 0))!
    expect(worst).toBeGreaterThanOrEqual(priceCall(table, tokens)?.micros ?? 0)
  }))
  expect(worstCostMicros(null, 10, 10)).toBeNull()
})

test('withCost() tells real money from what a plan would have cost', () => {
  const { costMicros: _1, shadowCostMicros: _2, priceSource: _3, ...record } = aRecord()
  expect(withCost(record, price, false)).toMatchObject({
    costMicros: 3_420,
    shadowCostMicros: null,
    priceSource: 'test 2026-03-01',
    price,
  })
  expect(withCost(record, price, true)).toMatchObject({ costMicros: 0, shadowCostMicros: 3_420 })
  expect(withCost(record, null, false)).toMatchObject({ costMicros: null, shadowCostMicros: null, priceSource: null })
  expect(withCost(record, null, true)).toMatchObject({ costMicros: 0, shadowCostMicros: null })
  const nothing = { ...record, tokens: noTokens }
  expect(withCost({ ...nothing, outcome: 'failed' }, price, false).costMicros).toBe(0)
  expect(withCost({ ...nothing, account: null, outcome: 'denied' }, null, false).costMicros).toBe(0)
  expect(withCost({ ...nothing, outcome: 'aborted' }, price, false).costMicros).toBeNull()
})
