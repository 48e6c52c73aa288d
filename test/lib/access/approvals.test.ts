import { beforeEach, describe, expect, test } from 'bun:test'
import type { PrincipalId } from '../../../lib/base/mod.ts'
import { type ManualClock, manualClock } from '../../support/manual-clock.ts'
import { type Approvals, createApprovals, type Principal } from '../../../lib/access/mod.ts'
import type { ApprovalCall } from '../../../lib/access/approvals.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openStorage } from '../../../lib/storage/mod.ts'

const platform = await detectPlatform()
const person = (id: string, admin = true): Principal => ({
  id: id as PrincipalId,
  kind: 'client',
  token: null,
  label: id,
  scopes: new Set(admin ? ['admin' as const] : ['write' as const]),
  models: null,
  providers: null,
  aliases: {},
  account: null,
  tools: [],
  expiresAt: null,
})
const owner = person('owner')
const call: ApprovalCall = {
  principal: 'agent' as PrincipalId,
  subject: 'mcp__db__drop',
  arguments: { table: 'users' },
  policy: 'v1',
}

describe('approvals', () => {
  let clock: ManualClock
  let approvals: Approvals
  beforeEach(async () => {
    clock = manualClock(1_000_000)
    approvals = createApprovals({
      storage: await openStorage({ platform, clock, path: ':memory:' }),
      clock,
      lifeMs: 60_000,
    })
  })

  async function asked(of: ApprovalCall = call): Promise<string> {
    const answer = await approvals.claim(of)
    if (answer.granted) throw new Error('granted unasked')
    return answer.approval.id
  }

  test('an approved call goes through once', async () => {
    await approvals.decide(await asked(), 'approved', owner)
    expect(await approvals.claim(call)).toEqual({ granted: true })
    expect((await approvals.claim(call)).granted).toBe(false)
  })

  test('the same open question is not asked twice', async () => {
    expect(await asked()).toBe(await asked())
    expect((await approvals.list({ pendingOnly: true })).length).toBe(1)
  })

  for (
    const [what, change] of [
      ['another argument', { arguments: { table: 'orders' } }],
      ['one more argument', { arguments: { table: 'users', cascade: true } }],
      ['another tool', { subject: 'mcp__db__truncate' }],
      ['another caller', { principal: 'other' as PrincipalId }],
      ['a changed policy', { policy: 'v2' }],
    ] as const
  ) {
    test(`an approval is not valid for ${what}`, async () => {
      await approvals.decide(await asked(), 'approved', owner)
      expect((await approvals.claim({ ...call, ...change })).granted).toBe(false)
    })
  }

  test('key order of the arguments does not matter', async () => {
    await approvals.decide(await asked({ ...call, arguments: { a: 1, b: 2 } }), 'approved', owner)
    expect((await approvals.claim({ ...call, arguments: { b: 2, a: 1 } })).granted).toBe(true)
  })

  test('an approval dies with its time', async () => {
    await approvals.decide(await asked(), 'approved', owner)
    await clock.advance(60_000)
    expect((await approvals.claim(call)).granted).toBe(false)
  })

  test('the one who asked cannot answer, nor can a stranger to admin', async () => {
    const id = await asked()
    await expect(approvals.decide(id, 'approved', person('agent'))).rejects.toMatchObject({ code: 'access.denied' })
    await expect(approvals.decide(id, 'approved', person('x', false))).rejects.toMatchObject({ code: 'access.denied' })
  })

  test('a question is answered once', async () => {
    const id = await asked()
    await approvals.decide(id, 'denied', owner)
    await expect(approvals.decide(id, 'approved', owner)).rejects.toMatchObject({ code: 'request.conflict' })
    await expect(approvals.decide('apr_none', 'denied', owner)).rejects.toMatchObject({ code: 'request.not_found' })
  })

  test('settled() resolves with the answer, or with the end of its time', async () => {
    const id = await asked()
    const settled = approvals.settled(id)
    await approvals.decide(id, 'approved', owner)
    for (let i = 0; i < 5; i++) await clock.advance(1_000)
    expect((await settled).state).toBe('approved')
  })
})
