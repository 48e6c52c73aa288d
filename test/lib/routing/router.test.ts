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

test('the retry budget: ten always, then a part of the requests of the last minutes, and nothing that stayed here', async () => {
  const accounts = ['a', 'b', 'c'].map((id) => account(id, 'anthropic'))
  const { router, clock } = await bench(accounts, { settings: { retry_budget: 0.5 } })
  const plan = router.plan(call('anthropic/claude-sonnet-4-5'))
  const again = (kind: 'server_error' | 'local' = 'server_error') =>
    router.next(plan, [0], [failure(kind, { status: kind === 'local' ? null : 500 })])
  for (let i = 0; i < 10; i++) expect([i, again().is]).toEqual([i, 'target'])
  expect(again()).toEqual({ is: 'over', because: 'retry_budget' })
  // A source that could not be read loaded nobody.
  expect(again('local').is).toBe('target')
  for (let i = 0; i < 4; i++) router.countRequest()
  expect([again().is, again().is, again().is]).toEqual(['target', 'target', 'over'])
  await clock.advance(121_000)
  expect(again().is).toBe('target')
})

test('the most attempts are calls of upstreams', async () => {
  const accounts = Array.from({ length: 6 }, (_, i) => account(`a${i}`, 'anthropic'))
  const { router } = await bench(accounts, { settings: { fallback: { max_attempts: 2 }, retry_budget: 1 } })
  const plan = router.plan(call('anthropic/claude-sonnet-4-5'))
  const unread = failure('local', { status: null, scope: 'local' })
  const failed = failure('unauthorized', { status: 401, scope: 'account' })
  expect(router.next(plan, [0, 1, 2], [unread, unread, unread])).toEqual({ is: 'target', index: 3 })
  expect(router.next(plan, [0, 1, 2], [unread, failed, unread])).toEqual({ is: 'target', index: 3 })
  expect(router.next(plan, [0, 1, 2], [failed, unread, failed])).toEqual({ is: 'over', because: 'max_attempts' })
})
