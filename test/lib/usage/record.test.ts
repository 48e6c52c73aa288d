import { expect, test } from 'bun:test'
import { type AccountId, type PrincipalId, silentLogger } from '../../../lib/base/mod.ts'
import type { ModelPrice } from '../../../lib/catalog/mod.ts'
import { usageConfig } from '../../../lib/usage/config.ts'
import { createUsage, groupings } from '../../../lib/usage/mod.ts'
import { priceCall } from '../../../lib/usage/price.ts'
import { sql } from 'kysely'
import { usageStretches0021 } from '../../../lib/storage/migrations/0021-usage-stretches.ts'
import { aRecord, inUsage, start } from './home.ts'

const hour = 3_600_000
const price: ModelPrice = {
  inputMicros: 3_000_000,
  outputMicros: 15_000_000,
  cachedInputMicros: 300_000,
  cacheWriteMicros: null,
  cacheWrite1hMicros: null,
  source: 'test 2026-03-01',
}

test('a record comes back as it went in, and prices the same with its own table', () =>
  inUsage({}, async ({ usage }) => {
    const { micros } = priceCall(price, aRecord().tokens)!
    const record = aRecord({
      price,
      costMicros: micros,
      losses: [{ path: 'messages[0].cache_control', reason: 'no equivalent' }],
    })
    usage.record(record)
    const receipt = await usage.request(record.id)
    expect(receipt.request).toEqual(record)
    expect(receipt.lines).toEqual([
      { item: 'input', count: 600, unitMicros: 3_000_000, assumed: false },
      { item: 'cached_input', count: 400, unitMicros: 300_000, assumed: false },
      { item: 'output', count: 100, unitMicros: 15_000_000, assumed: false },
    ])
    expect(receipt.request.costMicros).toBe(3_420)
  }))

test('a request of somebody else is not there', () =>
  inUsage({}, async ({ usage }) => {
    const record = aRecord()
    usage.record(record)
    await expect(usage.request(record.id, 'token-2')).rejects.toMatchObject({ code: 'request.not_found' })
    expect((await usage.request(record.id, 'token-1')).request.id).toBe(record.id)
    expect((await usage.requests({ principal: 'token-2', from: start - 1, to: start + 1 })).requests).toEqual([])
  }))

test('the same record twice is one row', () =>
  inUsage({}, async ({ usage }) => {
    const record = aRecord()
    usage.record(record)
    usage.record(record)
    expect((await usage.requests({ from: start, to: start + 1 })).requests.length).toBe(1)
  }))

test('summary() adds up by every grouping, and all agree on the totals', () =>
  inUsage({}, async ({ usage }) => {
    for (let i = 0; i < 240; i++) {
      usage.record(aRecord({
        at: start + i * hour / 4,
        principal: `token-${i % 3}` as PrincipalId,
        provider: i % 2 === 0 ? 'acme' : 'other',
        account: (i % 2 === 0 ? 'acme-work' : 'other-1') as AccountId,
        model: `model-${i % 5}`,
        surface: i % 4 === 0 ? 'messages' : 'chat',
        status: i % 10 === 0 ? 502 : 200,
        outcome: i % 10 === 0 ? 'failed' : 'ok',
        costMicros: i % 6 === 0 ? null : 10,
        shadowCostMicros: 5,
      }))
    }
    const span = { from: start, to: start + 60 * hour }
    for (const by of groupings) {
      const { totals, rows } = await usage.summary({ ...span, by })
      expect([by, totals.requests, totals.errors, totals.costMicros, totals.shadowCostMicros, totals.unpriced])
        .toEqual([by, 240, 24, 2_000, 1_200, 40])
      expect(rows.reduce((sum, row) => sum + row.requests, 0)).toBe(240)
      expect(totals.meanDurationMs).toBe(130)
    }
    const days = await usage.summary({ ...span, by: 'day' })
    expect(days.rows.map((row) => [row.key, row.requests])).toEqual([
      ['2026-03-01', 96],
      ['2026-03-02', 96],
      ['2026-03-03', 48],
    ])
    const mine = await usage.summary({ ...span, by: 'model', principal: 'token-1', provider: 'acme' })
    expect(mine.totals.requests).toBe(40)
    const one = await usage.summary({ ...span, by: 'day', model: 'model-3' })
    expect(one.totals.requests).toBe(48)
    const [whole, two] = [
      await usage.summary({ ...span, by: 'model' }),
      await usage.summary({
        ...span,
        by: 'model',
        limit: 2,
      }),
    ]
    expect([two.rows, two.totals, two.truncated]).toEqual([whole.rows.slice(0, 2), whole.totals, true])
    expect(whole.truncated).toBe(false)
    const both = await usage.summary({ ...span, by: 'account', model: 'model-3', provider: 'other' })
    expect(both.rows.map((row) => [row.key, row.requests])).toEqual([['other-1', 24]])
  }))

test('summary() by token is exact for any span, over hours, days and stretches, also those of an older home', () =>
  inUsage({}, async ({ usage, storage }) => {
    const seen: { at: number; token: string }[] = []
    for (let i = 0; i < 1_500; i++) {
      const at = start + (i * 7919 % (40 * 24)) * hour + i
      const token = `token-${i * 31 % 17}`
      seen.push({ at, token })
      usage.record(aRecord({ at, principal: token as PrincipalId, costMicros: 10 }))
    }
    await usage.flush()
    const check = async (from: number, to: number, limit: number) => {
      const counts = new Map<string, number>()
      const first = Math.floor(from / hour) * hour
      const last = Math.ceil(to / hour) * hour
      for (const { at, token } of seen) if (at >= first && at < last) counts.set(token, (counts.get(token) ?? 0) + 1)
      const wanted = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
      const { rows, totals, truncated } = await usage.summary({ by: 'token', from, to, limit })
      expect(rows.map((row) => [row.key, row.requests, row.costMicros])).toEqual(
        wanted.slice(0, limit).map(([key, n]) => [key, n, n * 10]),
      )
      expect([totals.requests, truncated]).toEqual([wanted.reduce((sum, [, n]) => sum + n, 0), wanted.length > limit])
    }
    const spans = async () => {
      for (
        const [from, to] of [[0, 40 * 24], [5, 6], [5, 30], [23, 49], [24, 48], [30, 900.5], [0.5, 700], [190, 400]]
      ) {
        for (const limit of [3, 100]) await check(start + from! * hour, start + to! * hour, limit)
      }
    }
    await spans()
    const stretches = storage.db.selectFrom('usage_hours').selectAll().where('dimension', '=', 'token/stretch')
      .orderBy('hour_ms').orderBy('key')
    const kept = await stretches.execute()
    expect(kept.length).toBeGreaterThan(5 * 17)
    await storage.write((tx) => tx.deleteFrom('usage_hours').where('dimension', '=', 'token/stretch').execute())
    for (const step of usageStretches0021.up) await storage.write((tx) => sql.raw(step).execute(tx))
    expect(await stretches.execute()).toEqual(kept)
  }))

test('a day begins where its time zone says, summer time included', () =>
  inUsage({ time_zone: 'Europe/Berlin' }, async ({ usage }) => {
    // Clocks go forward on 2026-03-29: that day has 23 hours.
    for (let i = 0; i < 72; i++) usage.record(aRecord({ at: Date.UTC(2026, 2, 27, 23) + i * hour }))
    const { rows } = await usage.summary({
      by: 'day',
      from: Date.UTC(2026, 2, 27, 23),
      to: Date.UTC(2026, 2, 30, 23),
    })
    expect(rows.map((row) => [row.key, row.requests])).toEqual([
      ['2026-03-28', 24],
      ['2026-03-29', 23],
      ['2026-03-30', 24],
      ['2026-03-31', 1],
    ])
  }))

test('requests() pages through everything once, newest first, whatever the filter', () =>
  inUsage({}, async ({ usage }) => {
    const all = Array.from({ length: 57 }, (_, i) => aRecord({ at: start + Math.floor(i / 3), surface: `s${i % 2}` }))
    for (const record of all) usage.record(record)
    for (const filter of [{}, { surface: 's1' }, { principal: 'token-1' }]) {
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await usage.requests({ from: start, to: start + 100, limit: 10, cursor, ...filter })
        seen.push(...page.requests.map((record) => record.id))
        cursor = page.next ?? undefined
      } while (cursor !== undefined)
      const expected = all.filter((record) => !('surface' in filter) || record.surface === 's1')
        .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1)).map((record) => record.id)
      expect(seen).toEqual(expected)
    }
  }))

for (
  const [name, query] of [
    ['a backwards span', { from: 10, to: 5 }],
    ['an endless span', { from: 0, to: start * 10 }],
    ['a foreign cursor', { cursor: "1' or 1=1" }],
  ] as const
) {
  test(`requests() refuses ${name}`, () =>
    inUsage({}, async ({ usage }) => {
      await expect(usage.requests(query)).rejects.toMatchObject({ code: 'request.invalid' })
    }))
}

test('absurd numbers of an upstream stay in bounds', () =>
  inUsage({}, async ({ usage }) => {
    const record = aRecord({
      tokens: {
        inputTokens: -5,
        outputTokens: Number.POSITIVE_INFINITY,
        cachedInputTokens: Number.NaN,
        cacheWriteTokens: 1e300,
        cacheWrite1hTokens: 0.4,
        reasoningTokens: null,
      },
    })
    usage.record(record)
    const { request } = await usage.request(record.id)
    expect(request.tokens).toEqual({
      inputTokens: 0,
      outputTokens: null,
      cachedInputTokens: null,
      cacheWriteTokens: 1e12,
      cacheWrite1hTokens: 0,
      reasoningTokens: null,
    })
  }))

test('records are on disk after close() and survive it', () =>
  inUsage({}, async ({ usage, storage }) => {
    for (let i = 0; i < 350; i++) usage.record(aRecord({ at: start + i }))
    await usage.close()
    const row = await storage.db.selectFrom('requests').select((at) => at.fn.countAll().as('n')).executeTakeFirst()
    expect(Number(row!.n)).toBe(350)
  }))

test('a client that names itself differently each time cannot fill the sums', () =>
  inUsage({}, async ({ usage }) => {
    for (let i = 0; i < 700; i++) usage.record(aRecord({ client: `client-${i}` }))
    const { rows, totals } = await usage.summary({ by: 'client', from: start, to: start + hour })
    expect(totals.requests).toBe(700)
    expect(rows.length).toBe(501)
    expect(rows[0]).toMatchObject({ key: 'other', requests: 200 })
  }))

test('what an account spent today is known at once, survives a restart, and begins anew at midnight', () =>
  inUsage({}, async ({ usage, clock, storage }) => {
    usage.record(aRecord({ account: 'a' as AccountId, costMicros: 700 }))
    usage.record(aRecord({ account: 'b' as AccountId, costMicros: null }))
    expect([usage.spentToday('a'), usage.spentToday('b'), usage.spentToday('c')]).toEqual([700, 0, 0])
    await usage.loadSpending()
    usage.record(aRecord({ account: 'a' as AccountId, costMicros: 50 }))
    expect(usage.spentToday('a')).toBe(750)
    await usage.flush()
    const other = createUsage({ storage, clock, config: usageConfig.parse({}), logger: silentLogger })
    await other.loadSpending()
    expect(other.spentToday('a')).toBe(750)
    clock.advance(24 * hour)
    expect([usage.spentToday('a'), other.spentToday('a')]).toEqual([0, 0])
    await other.close()
  }))
