import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { partIsWithin, percentile, type Samples, type Standing } from '../../../lib/liveness/mod.ts'
import { freshStanding } from '../../../lib/liveness/state.ts'
import { observe } from '../../../lib/liveness/observe.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openStorage } from '../../../lib/storage/mod.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manualClock } from '../../support/manual-clock.ts'
import { account, bench, call, ids, noon } from './support.ts'

const model = 'anthropic/claude-sonnet-4-5'
const ask = (provider: unknown) =>
  call(model, { body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], provider }) })
const priority = { strategy: 'priority' }
const two = [account('spiky', 'anthropic', { priority: 1 }), account('steady', 'anthropic')]

/** `spiky` answers nine times of ten at once and then late; `steady` always takes a second. */
async function measured() {
  const world = await bench(two, { settings: priority })
  const [spiky, steady] = world.router.plan(call(model)).targets
  for (let i = 0; i < 20; i++) {
    const late = i % 10 === 9
    world.board.observe(spiky!.target, {
      is: 'success',
      firstByteMs: late ? 8_000 : 200,
      tokensPerSecond: late ? 4 : 90,
    })
    world.board.observe(steady!.target, { is: 'success', firstByteMs: 1_000, tokensPerSecond: 40 })
  }
  return world
}

for (
  const [wish, first] of [
    [{ preferred_max_latency: 2 }, 'spiky'],
    [{ preferred_max_latency: { p50: 2 } }, 'spiky'],
    [{ preferred_max_latency: { p75: 2 } }, 'spiky'],
    [{ preferred_max_latency: { p90: 2 } }, 'spiky'],
    [{ preferred_max_latency: { p99: 2 } }, 'steady'],
    [{ preferred_max_latency: { p50: 2, p99: 2 } }, 'steady'],
    [{ preferred_max_latency: { p50: 0.5 } }, 'spiky'],
    [{ preferred_max_latency: { p99: 10 } }, 'spiky'],
    [{ preferred_min_throughput: 60 }, 'spiky'],
    [{ preferred_min_throughput: { p90: 60 } }, 'spiky'],
    [{ preferred_min_throughput: { p99: 20 } }, 'steady'],
    [{ preferred_min_throughput: { p50: 20, p99: 2 } }, 'spiky'],
    [{ preferred_min_throughput: { p99: 20 }, preferred_max_latency: { p50: 0.5 } }, 'spiky'],
  ] as const
) {
  test(`plan() compares the percentile asked for: ${JSON.stringify(wish)}`, async () => {
    const { router } = await measured()
    const plan = router.plan(ask(wish))
    expect(plan.targets[0]!.target.account as string).toBe(first)
    expect(plan.targets).toHaveLength(2)
    expect(plan.dropped).toEqual([])
  })
}

test('a target put behind says by which percentile, and gets another look after an hour', async () => {
  const { router, clock } = await measured()
  const wish = ask({ preferred_max_latency: { p99: 2 } })
  expect(router.plan(wish).targets[1]!.because).toBe(
    'behind the others: p99 of its latency is 8 s and 2 s is preferred',
  )
  const slow = ask({ preferred_min_throughput: { p99: 20 } })
  expect(router.plan(slow).targets[1]!.because).toContain('p99 of its throughput is 4 tokens/s and 20 is preferred')
  await clock.advance(3_600_001)
  expect(ids(router.plan(wish))).toEqual(['spiky', 'steady'])
})

test('what was measured survives a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-preference-'))
  const platform = await detectPlatform()
  const clock = manualClock(noon)
  const path = join(folder, 'gw.sqlite')
  const open = async () => {
    const storage = await openStorage({ platform, clock, path })
    return { ...await bench(two, { settings: priority, storage, clock }), storage }
  }
  try {
    const first = await open()
    const { target } = first.router.plan(call(model)).targets[0]!
    for (const firstByteMs of [100, 100, 9_000]) first.board.observe(target, { is: 'success', firstByteMs })
    first.board.close()
    await first.storage.close()
    const again = await open()
    expect(ids(again.router.plan(ask({ preferred_max_latency: 2 })))).toEqual(['spiky', 'steady'])
    expect(ids(again.router.plan(ask({ preferred_max_latency: { p90: 2 } })))).toEqual(['steady', 'spiky'])
    again.board.close()
    await again.storage.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

const after = (values: readonly number[], from: Standing, now: number): Standing =>
  values.reduce((standing, ms) => observe(standing, { is: 'success', source: 'serving', firstByteMs: ms }, now), from)
const fresh = freshStanding('anthropic:a' as Standing['key'], noon)

test('percentile() is a measured number, partIsWithin() agrees with it, and memory is bounded', () => {
  fc.assert(fc.property(
    fc.array(fc.nat(20_000), { minLength: 1, maxLength: 200 }),
    fc.constantFrom(0.5, 0.75, 0.9, 0.99),
    fc.nat(20_000),
    (values, part, limit) => {
      const { latencies } = after(values, fresh, noon)
      expect(latencies.length).toBe(Math.min(64, values.length))
      const found = percentile(latencies, part, noon)!
      expect(values.slice(-64)).toContain(found)
      expect(partIsWithin(latencies, part, 0, limit, noon)).toBe(found <= limit)
    },
  ))
})

test('nothing measured, or nothing fresh, is not known rather than good or bad', () => {
  const none: Samples = []
  expect(partIsWithin(none, 0.5, 0, 0, noon)).toBeNull()
  expect(percentile(none, 0.5, noon)).toBeNull()
  const { latencies } = after([5], fresh, noon)
  expect(partIsWithin(latencies, 0.5, 0, 0, noon + 3_600_000)).toBeNull()
  for (const bad of [NaN, Infinity, -1]) expect(after([bad], fresh, noon).latencies).toEqual([])
})
