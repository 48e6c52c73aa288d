import { expect, test } from 'bun:test'
import { systemClock } from '../../../lib/base/mod.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { type DayReport, simulateDay, type StrategyName } from '../../../lib/routing/mod.ts'
import { openStorage } from '../../../lib/storage/mod.ts'

async function live(strategy: StrategyName, sticky: boolean, sessions = 1_000, seed = 7): Promise<DayReport> {
  const storage = await openStorage({ platform: await detectPlatform(), clock: systemClock, path: ':memory:' })
  try {
    return await simulateDay({ sessions, seed, strategy, sticky }, storage)
  } finally {
    await storage.close()
  }
}

test(
  'a simulated day keeps sessions at home, drains the soonest reset, and re-bills a fraction of round-robin',
  async () => {
    const ours = await live('drain-soonest-reset', true)
    const turns = await live('round-robin', false)
    expect(ours.refused).toBe(0)
    expect(ours.movesPerSession).toBeLessThanOrEqual(1.1)
    expect(ours.displacedInMinute).toBeGreaterThan(0)
    expect(ours.displacedShare).toBeLessThanOrEqual(0.25)
    expect(ours.newToSoonest).toBeGreaterThanOrEqual(0.95)
    expect(ours.rebilledTokens).toBeLessThan(turns.rebilledTokens / 10)
  },
  30_000,
)

test('a simulated day is the same each time', async () => {
  const once = await live('openrouter', true, 100)
  expect(await live('openrouter', true, 100)).toEqual(once)
}, 30_000)

test('the bars hold over a range of days, not for one that was picked', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const day = await live('drain-soonest-reset', true, 1_000, seed)
    const { refused, movesPerSession, displacedShare, newToSoonest } = day
    const held = [refused === 0, movesPerSession <= 1.1, displacedShare <= 0.25, newToSoonest >= 0.95]
    expect([seed, ...held, day]).toEqual([seed, true, true, true, true, day])
  }
}, 120_000)
