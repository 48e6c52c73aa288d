import { expect, test } from 'bun:test'
import { account, bench, call, failure, ids, noon, quotaWindow } from './support.ts'

const model = 'openai/gpt-5'

test('createRouter() takes accounts in turn and keeps a session at home', async () => {
  const { router } = await bench([account('a', 'openai'), account('b', 'openai')])
  const first = ids(router.plan(call(model)))
  const second = ids(router.plan(call(model)))
  expect(first).toHaveLength(2)
  expect(second[0]).not.toBe(first[0])
  const headers = new Headers({ 'x-claude-code-session-id': 's1' })
  const plan = router.plan(call(model, { headers }))
  router.claim(plan, 1)!.end({ is: 'answered' })
  for (let i = 0; i < 5; i++) {
    expect(router.plan(call(model, { headers })).targets[0]!.target.account).toBe(plan.targets[1]!.target.account)
  }
})

test('plan() drops a target that named its reset, and says when it returns', async () => {
  const { router, board } = await bench([account('a', 'openai'), account('b', 'openai')])
  const [planned] = router.plan(call(model)).targets
  board.observe(planned!.target, { is: 'failure', failure: failure('rate_limited', { retryAfterMs: 20_000 }) })
  const plan = router.plan(call(model))
  expect(ids(plan)).not.toContain(planned!.target.account)
  expect(plan.dropped).toHaveLength(1)
  expect(plan.dropped[0]).toMatchObject({ because: 'rate_limited', until: noon + 20_000 })
  expect(plan.dropped[0]!.detail).toContain('rate limited 0 s ago, until 2026-11-01T12:00:20Z')
  expect(plan.earliestAt).toBe(noon + 20_000)
})

test('plan() parks only the model whose window is spent', async () => {
  const { router, board } = await bench([account('a', 'openai')])
  const [planned] = router.plan(call(model)).targets
  board.observe(planned!.target, {
    is: 'failure',
    failure: failure('quota_exhausted', {
      scope: 'model',
      windows: [quotaWindow({ status: 'rejected', resetsAt: noon + 3_600_000, model: 'gpt-5', used: 1 })],
    }),
  })
  expect(router.plan(call(model)).targets).toHaveLength(0)
  expect(ids(router.plan(call('openai/gpt-4o')))).toEqual(['a'])
})
