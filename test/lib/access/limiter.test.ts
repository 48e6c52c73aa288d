import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Access, type IssueRequest, operator, type Principal } from '../../../lib/access/mod.ts'
import type { AccessEvent } from '../../../lib/access/access.ts'
import { bearer, inHome } from './home.ts'

const dollar = 1_000_000

async function limited(access: Access, request: IssueRequest, by: Principal = operator) {
  const { token, info } = await access.issue({ scopes: ['write', 'tokens'], ...request }, by)
  return { id: info.id, token: token.reveal(), principal: await access.authenticate(bearer(token.reveal())) }
}

/** Whether a request was let in. */
async function tries(access: Access, principal: Principal, costMicros: number | null, tokens = 0) {
  try {
    return await access.admit(principal, { costMicros, tokens })
  } catch (error) {
    return error as { code: string; retryAfterMs?: number; details?: Record<string, unknown> }
  }
}

const isHeld = (value: object): value is Awaited<ReturnType<Access['admit']>> => 'settle' in value

test('a token without limits is admitted with the same nothing each time', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal } = await limited(access, {})
    const one = await access.admit(principal, { costMicros: null, tokens: 1 })
    expect(await access.admit(principal, { costMicros: 5, tokens: 1 })).toBe(one)
    one.settle({ costMicros: 5, tokens: 1 })
    one.settle({ costMicros: 5, tokens: 1 })
  }))

test('500 concurrent requests on a $1 budget exceed it by at most one of them', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal, id } = await limited(access, { limits: { maxBudgetMicros: dollar } })
    const cost = 7_000
    let served = 0
    await Promise.all(Array.from({ length: 500 }, async (_, i) => {
      const held = await tries(access, principal, cost)
      if (!isHeld(held)) return expect(held.code).toBe('access.budget_spent')
      served++
      await new Promise((resolve) => setImmediate(resolve))
      // Every tenth is dearer than estimated, every tenth is cheaper.
      held.settle({ costMicros: i % 10 === 0 ? cost : cost - 100, tokens: null })
    }))
    const state = await access.budget(id, operator)
    expect(served).toBeGreaterThan(140)
    expect(state.spentMicros).toBeLessThanOrEqual(dollar + cost)
    expect(state.reservedMicros).toBe(0)
    expect(state.requests).toBe(served)
  }))

test('a reservation counts once, whichever way it is closed first', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal, id } = await limited(access, { limits: { maxBudgetMicros: dollar, maxRequests: 10 } })
    const one = await access.admit(principal, { costMicros: 500, tokens: 0 })
    one.settle({ costMicros: 300, tokens: null })
    one.settle({ costMicros: 300, tokens: null })
    one.release()
    const two = await access.admit(principal, { costMicros: 500, tokens: 0 })
    two.release()
    two.settle({ costMicros: 300, tokens: null })
    expect(await access.budget(id, operator)).toEqual({
      spentMicros: 300,
      reservedMicros: 0,
      maxMicros: dollar,
      resetsAt: null,
      requests: 1,
    })
  }))

test('an unknown real cost counts as what was held back; absurd ones as nothing below zero', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal, id } = await limited(access, { limits: { maxBudgetMicros: dollar } })
    for (
      const [held, used, spent] of [[500, null, 500], [500, -9, 500], [500, Number.NaN, 500], [-5, 10, 510]] as const
    ) {
      const reservation = await access.admit(principal, { costMicros: held, tokens: 0 })
      reservation.settle({ costMicros: used, tokens: null })
      expect((await access.budget(id, operator)).spentMicros).toBe(spent)
    }
  }))

test('a request of unknown price has no place under a budget, unless the config says so', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal, token } = await limited(access, { limits: { maxBudgetMicros: dollar } })
    expect(await tries(access, principal, null)).toMatchObject({ code: 'access.denied' })
    const lenient = await open({ unpriced: 'allow' })
    const same = await lenient.access.authenticate(bearer(token))
    expect(isHeld(await tries(lenient.access, same, null))).toBe(true)
  }))

test('every ancestor must have room, and spending counts for all of them', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const parent = await limited(access, { limits: { maxBudgetMicros: 1_000 } })
    const first = await limited(access, { limits: { maxBudgetMicros: 900 } }, parent.principal)
    const second = await limited(access, {}, parent.principal)
    expect(second.principal.limitedBy).toEqual([parent.id])
    ;(await access.admit(first.principal, { costMicros: 800, tokens: 0 })).settle({ costMicros: 800, tokens: null })
    ;(await access.admit(second.principal, { costMicros: 300, tokens: 0 })).settle({ costMicros: 300, tokens: null })
    expect(await tries(access, second.principal, 1)).toMatchObject({
      code: 'access.budget_spent',
      details: { token: parent.id, kind: 'budget', limit: 1_000, remaining: 0 },
    })
    expect(await tries(access, first.principal, 1)).toMatchObject({ details: { token: parent.id } })
    expect((await access.budget(first.id, operator)).spentMicros).toBe(800)
    expect((await access.budget(parent.id, operator)).spentMicros).toBe(1_100)
  }))

test('what was spent survives a restart and is seen by other processes of the home', () =>
  inHome(async ({ open, clock }) => {
    const [one, two] = [await open(), await open()]
    const { principal, token, id } = await limited(one.access, { limits: { maxBudgetMicros: 1_000, maxRequests: 9 } })
    const there = await two.access.authenticate(bearer(token))
    ;(await one.access.admit(principal, { costMicros: 600, tokens: 0 })).settle({ costMicros: 600, tokens: null })
    await one.storage.batch.flush()
    await clock.advance(10)
    await two.access.sync()
    expect((await two.access.budget(id, operator)).spentMicros).toBe(600)
    ;(await two.access.admit(there, { costMicros: 500, tokens: 0 })).settle({ costMicros: 500, tokens: null })
    await two.storage.batch.flush()
    const three = await open()
    expect(await three.access.budget(id, operator)).toMatchObject({ spentMicros: 1_100, requests: 2 })
    const again = await three.access.authenticate(bearer(token))
    expect(await tries(three.access, again, 1)).toMatchObject({ code: 'access.budget_spent' })
    await one.access.sync()
    expect(await tries(one.access, principal, 1)).toMatchObject({ code: 'access.budget_spent' })
  }))

test('a daily budget starts over at midnight of its time zone and says when', () =>
  inHome(async ({ open, clock }) => {
    const { access } = await open({ time_zone: 'America/New_York' })
    const { principal, id } = await limited(access, {
      ttlMs: null,
      limits: { maxBudgetMicros: 100, budgetPeriod: '1d' },
    })
    ;(await access.admit(principal, { costMicros: 100, tokens: 0 })).settle({ costMicros: 100, tokens: null })
    // It is 19:00 in New York.
    expect(await tries(access, principal, 1)).toMatchObject({ retryAfterMs: 5 * 3_600_000 })
    const late = clock.advance(5 * 3_600_000 - 1)
    await late
    expect(isHeld(await tries(access, principal, 1))).toBe(false)
    await clock.advance(1)
    const held = await tries(access, principal, 60)
    expect(isHeld(held)).toBe(true)
    expect(await access.budget(id, operator)).toMatchObject({ spentMicros: 0, reservedMicros: 60, requests: 2 })
  }))

test('max_requests counts requests in all and gives back those that reached nobody', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal } = await limited(access, { limits: { maxRequests: 2 } })
    ;(await access.admit(principal, { costMicros: null, tokens: 0 })).release()
    for (let i = 0; i < 2; i++) {
      ;(await access.admit(principal, { costMicros: null, tokens: 0 })).settle({ costMicros: 1, tokens: 1 })
    }
    expect(await tries(access, principal, 0)).toMatchObject({
      code: 'access.budget_spent',
      details: { kind: 'requests' },
    })
  }))

test('max_parallel_requests counts what is under way', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal } = await limited(access, { limits: { maxParallelRequests: 2 } })
    const held = [await tries(access, principal, 0), await tries(access, principal, 0)]
    expect(await tries(access, principal, 0)).toMatchObject({
      code: 'access.rate_limited',
      details: { kind: 'parallel', limit: 2, remaining: 0 },
    })
    if (isHeld(held[0]!)) held[0].release()
    expect(isHeld(await tries(access, principal, 0))).toBe(true)
  }))

test('rpm_limit refuses the request that is too many, with the wait, and holds nothing for it', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal, id } = await limited(access, { limits: { requestsPerMinute: 3, maxBudgetMicros: dollar } })
    const tried = await Promise.all(Array.from({ length: 5 }, () => tries(access, principal, 10)))
    expect(tried.filter(isHeld).length).toBe(3)
    const refused = tried.filter((one) => !isHeld(one))
    for (const one of refused) {
      expect(one).toMatchObject({ code: 'access.rate_limited', details: { kind: 'requests', limit: 3 } })
      expect((one as { retryAfterMs: number }).retryAfterMs).toBeWithin(1, 60_001)
    }
    expect((await access.budget(id, operator)).reservedMicros).toBe(30)
  }))

test('tpm_limit holds the estimate and settles the real number', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal } = await limited(access, { limits: { tokensPerMinute: 1_000 } })
    const big = await access.admit(principal, { costMicros: null, tokens: 900 })
    expect(await tries(access, principal, 0, 200)).toMatchObject({ details: { kind: 'tokens' } })
    big.settle({ costMicros: 0, tokens: 100 })
    const second = await tries(access, principal, 0, 850)
    expect(isHeld(second)).toBe(true)
    // It used more than it said: the next one has to wait.
    if (isHeld(second)) second.settle({ costMicros: 0, tokens: 950 })
    expect(await tries(access, principal, 0, 1)).toMatchObject({ code: 'access.rate_limited' })
  }))

test('a soft budget is reported once and refuses nothing', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal, id } = await limited(access, { limits: { softBudgetMicros: 100 } })
    const events: AccessEvent[] = []
    access.subscribe((event) => events.push(event))
    for (let i = 0; i < 3; i++) {
      ;(await access.admit(principal, { costMicros: 60, tokens: 0 })).settle({ costMicros: 60, tokens: null })
    }
    expect(events).toEqual([{ type: 'soft_budget', token: id, spentMicros: 120, limitMicros: 100 }])
  }))

test('a budget never goes below zero and never loses what was spent, in any order of events', async () => {
  await inHome(async ({ open }) => {
    const { access } = await open()
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            held: fc.integer({ min: 0, max: 400 }),
            used: fc.option(fc.integer({ min: -50, max: 500 })),
            end: fc.constantFrom('settle', 'release', 'both', 'never'),
            now: fc.boolean(),
          }),
          { maxLength: 40 },
        ),
        fc.integer({ min: 1, max: 2_000 }),
        async (steps, max) => {
          const { principal, id } = await limited(access, { limits: { maxBudgetMicros: max } })
          let spent = 0
          let reserved = 0
          const later: (() => void)[] = []
          for (const step of steps) {
            const room = spent + reserved < max
            const held = await tries(access, principal, step.held)
            expect(isHeld(held)).toBe(room)
            if (!isHeld(held)) continue
            reserved += step.held
            const end = () => {
              if (step.end === 'never') return
              reserved -= step.held
              if (step.end !== 'release') spent += Math.max(0, step.used ?? step.held)
              if (step.end !== 'release') held.settle({ costMicros: step.used, tokens: null })
              if (step.end !== 'settle') held.release()
            }
            if (step.now) end()
            else later.push(end)
          }
          for (const end of later) end()
          expect(await access.budget(id, operator)).toMatchObject({ spentMicros: spent, reservedMicros: reserved })
        },
      ),
      { numRuns: 60 },
    )
  })
}, 30_000)

test('a token that is revoked between the door and the budget is refused', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { principal, id } = await limited(access, { limits: { maxBudgetMicros: 100 } })
    await access.revoke(id, operator)
    expect(await tries(access, principal, 1)).toMatchObject({ code: 'access.revoked' })
  }))
