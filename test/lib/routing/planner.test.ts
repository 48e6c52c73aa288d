import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { isGwError } from '../../../lib/base/mod.ts'
import { createOutlooks, keysOf } from '../../../lib/liveness/mod.ts'
import { freshStanding } from '../../../lib/liveness/state.ts'
import { observe } from '../../../lib/liveness/observe.ts'
import { nothingToTry, strategyNames } from '../../../lib/routing/mod.ts'
import { nextAttempt } from '../../../lib/routing/next.ts'
import type { PlanRequest, Snapshot } from '../../../lib/routing/snapshot.ts'
import { planRoute } from '../../../lib/routing/planner.ts'
import { account, bench, call, failure, ids, noon, quotaWindow } from './support.ts'

const model = 'anthropic/claude-sonnet-4-5'
const json = (value: unknown) => JSON.stringify(value)
const messages = [{ role: 'user', content: 'hi' }]

const lines = {
  cheap: { base_url: 'https://cheap.test/v1', models: { m: { price: { input: 1, output: 2 } } }, trains: false },
  dear: { base_url: 'https://dear.test/v1', models: { m: { price: { input: 5, output: 9 } } }, quantization: 'fp8' },
  free: { base_url: 'https://free.test/v1', models: { m: { price: { input: 0, output: 0 } } }, trains: true },
  odd: { base_url: 'https://odd.test/v1', models: { m: {} }, zero_retention: true },
} as const
const pool = { pools: { m: { members: ['cheap/m', 'dear/m', 'free/m', 'odd/m'], strategy: 'priority' } } }
const four = [account('cheap', 'cheap'), account('dear', 'dear'), account('free', 'free'), account('odd', 'odd')]

for (
  const [name, provider, targets, reason] of [
    ['nothing', {}, ['cheap', 'dear', 'free', 'odd'], null],
    ['order', { order: ['odd', 'dear'] }, ['odd', 'dear', 'cheap', 'free'], null],
    ['order without fallbacks', { order: ['odd', 'dear'], allow_fallbacks: false }, ['odd', 'dear'], 'filtered_order'],
    ['allow_fallbacks false', { allow_fallbacks: false }, ['cheap'], 'filtered_order'],
    ['only', { only: ['dear', 'free'] }, ['dear', 'free'], 'filtered_only'],
    ['ignore', { ignore: ['cheap', 'odd'] }, ['dear', 'free'], 'filtered_ignore'],
    ['data_collection deny', { data_collection: 'deny' }, ['cheap'], 'data_policy'],
    ['zdr', { zdr: true }, ['odd'], 'zdr'],
    ['quantizations', { quantizations: ['fp8'] }, ['dear'], 'quantization'],
    ['quantizations unknown', { quantizations: ['unknown'] }, ['cheap', 'free', 'odd'], 'quantization'],
    ['sort by price', { sort: 'price' }, ['free', 'cheap', 'dear', 'odd'], null],
    ['sort by price, long form', { sort: { by: 'price', partition: 'none' } }, ['free', 'cheap', 'dear', 'odd'], null],
    ['max_price', { max_price: { prompt: 2, completion: '2' } }, ['cheap', 'free'], 'price'],
    ['order, then only', { order: ['free'], only: ['cheap', 'free'] }, ['free', 'cheap'], 'filtered_only'],
    ['an account by name', { only: ['dear:dear'] }, ['dear'], 'filtered_only'],
  ] as const
) {
  test(`plan() obeys provider routing: ${name}`, async () => {
    const { router } = await bench(four, { overlays: lines, settings: pool })
    const plan = router.plan(call('m', { body: json({ model: 'm', messages, provider }) }))
    expect(ids(plan)).toEqual([...targets])
    if (reason) expect(new Set(plan.dropped.map(({ because }) => because))).toEqual(new Set([reason]))
    for (const drop of plan.dropped) expect(drop.detail.length).toBeGreaterThan(5)
  })
}

test('plan() prefers what was measured fast enough, and keeps the rest as fallbacks', async () => {
  const { router, board } = await bench(four, { overlays: lines, settings: pool })
  for (const { target } of router.plan(call('m')).targets) {
    const slow = target.account === 'cheap'
    board.observe(target, { is: 'success', firstByteMs: slow ? 9_000 : 500, tokensPerSecond: slow ? 5 : 80 })
  }
  const asks = (provider: unknown) => ids(router.plan(call('m', { body: json({ model: 'm', messages, provider }) })))
  expect(asks({ preferred_max_latency: 2 }).at(-1)).toBe('cheap')
  expect(asks({ preferred_min_throughput: { p50: 40, p99: 20 } }).at(-1)).toBe('cheap')
  expect(asks({ sort: 'throughput' }).at(-1)).toBe('cheap')
  expect(asks({ sort: 'latency' }).at(-1)).toBe('cheap')
})

test('suffixes :nitro, :floor and :free do what the controls do', async () => {
  const { router } = await bench([account('cheap', 'cheap'), account('free', 'free')], {
    overlays: lines,
    settings: { strategy: 'priority', fallback: { order: { 'cheap/m': ['free/m'] } } },
  })
  expect(router.plan(call('cheap/m:nitro')).strategy).toBe('highest-throughput')
  expect(router.plan(call('cheap/m:floor')).strategy).toBe('lowest-price')
  expect(router.plan(call('cheap/m:free')).dropped[0]).toMatchObject({ because: 'not_free' })
  expect(ids(router.plan(call('free/m:free')))).toEqual(['free'])
})

for (
  const [name, body, param] of [
    ['order is no list', { provider: { order: 'openai' } }, 'provider.order'],
    ['an unknown control', { provider: { ordr: [] } }, 'provider.ordr'],
    ['only and ignore contradict', { provider: { only: ['a'], ignore: ['a'] } }, 'provider.ignore'],
    ['order and ignore contradict', { provider: { order: ['a'], ignore: ['a'] } }, 'provider.ignore'],
    [
      'order and only have nothing in common',
      { provider: { order: ['a'], only: ['b'], allow_fallbacks: false } },
      'provider.order',
    ],
    ['only is empty', { provider: { only: [] } }, 'provider.only'],
    ['an unknown quantization', { provider: { quantizations: ['fp5'] } }, 'provider.quantizations'],
    ['an unknown sort', { provider: { sort: 'luck' } }, 'provider.sort'],
    ['a bad partition', { provider: { sort: { by: 'price', partition: 'all' } } }, 'provider.sort.partition'],
    ['a negative price', { provider: { max_price: { prompt: -1 } } }, 'provider.max_price.prompt'],
    ['a word for a flag', { provider: { zdr: 'yes' } }, 'provider.zdr'],
    ['a bad data policy', { provider: { data_collection: 'maybe' } }, 'provider.data_collection'],
    [
      'a percentile that is none',
      { provider: { preferred_max_latency: { p42: 1 } } },
      'provider.preferred_max_latency.p42',
    ],
    ['route without models', { route: 'fallback' }, 'models'],
    ['an unknown route', { route: 'random' }, 'route'],
    ['models and fallbacks', { models: ['a'], fallbacks: [{ model: 'b' }] }, 'fallbacks'],
    ['an unknown transform', { transforms: ['squeeze'] }, 'transforms'],
  ] as const
) {
  test(`plan() refuses controls: ${name}`, async () => {
    const { router } = await bench([account('a', 'anthropic')])
    try {
      router.plan(call(model, { body: json({ model, messages, ...body }) }))
      expect.unreachable()
    } catch (error) {
      expect(isGwError(error) && [error.code, error.param]).toEqual(['request.invalid', param])
    }
  })
}

test('a variant is a model of its own where variants are sold, and elsewhere there is none', async () => {
  const { router } = await bench([account('a', 'openrouter'), account('b', 'anthropic')])
  const plan = router.plan(call('openrouter/openai/gpt-4o:online'))
  expect(plan.targets[0]!.target.model).toBe('openai/gpt-4o:online')
  expect(() => router.plan(call('anthropic/claude-sonnet-4-5:thinking'))).toThrow('no :thinking variants')
})

test('models and Anthropic fallbacks are tried in order after the model asked for', async () => {
  const { router } = await bench(four, { overlays: lines, settings: { strategy: 'priority' } })
  const plan = router.plan(
    call('dear/m', { body: json({ model: 'dear/m', models: ['free/m', 'cheap/m'], route: 'fallback' }) }),
  )
  expect(ids(plan)).toEqual(['dear', 'free', 'cheap'])
  const claude = router.plan(call('dear/m', { body: json({ model: 'dear/m', fallbacks: [{ model: 'odd/m' }] }) }))
  expect(ids(claude)).toEqual(['dear', 'odd'])
  const long = failure('context_length', { scope: 'request', mayTryOther: false })
  const two = router.plan(call('m', { body: json({ model: 'dear/m', models: ['free/m'] }), model: 'dear/m' }))
  expect(nextAttempt(two, { tried: [0], failures: [long], maxAttempts: 6, now: noon }).is).toBe('over')
})

test('cross-provider fallback follows the most specific key', async () => {
  const order = { 'chat:dear/m': ['free/m'], 'dear': ['cheap/m'] }
  const { router } = await bench(four, { overlays: lines, settings: { strategy: 'priority', fallback: { order } } })
  expect(ids(router.plan(call('dear/m')))).toEqual(['dear', 'free'])
  expect(ids(router.plan(call('dear/other')))).toEqual(['dear', 'cheap'])
  const off = await bench(four, { overlays: lines, settings: { fallback: { enabled: false, order } } })
  expect(ids(off.router.plan(call('dear/m')))).toEqual(['dear'])
})

test("a plan login serves its own client, and others only with its owner's word", async () => {
  const login = { plan: true, source: { type: 'login', vendor: 'claude', binding: null } } as const
  const { router } = await bench([account('max', 'anthropic', login)])
  const foreign = router.plan(call(model, { protocol: 'anthropic-messages' }))
  expect(foreign.targets).toHaveLength(0)
  expect(foreign.dropped[0]).toMatchObject({ because: 'undocumented_use' })
  expect(foreign.dropped[0]!.detail).toContain('allow_undocumented_use = true on account max')
  const headers = new Headers({ 'user-agent': 'claude-cli/2.1.0 (external, cli)' })
  expect(ids(router.plan(call(model, { protocol: 'anthropic-messages', headers })))).toEqual(['max'])
  // Its bytes would be rewritten: then it is not the vendor's client any more.
  expect(ids(router.plan(call(model, { protocol: 'openai-chat', headers })))).toEqual([])
  const allowed = await bench([account('max', 'anthropic', { ...login, allowUndocumentedUse: true })])
  expect(ids(allowed.router.plan(call(model)))).toEqual(['max'])
})

test('two accounts of one identity are one, also while the first is spent', async () => {
  const { router, board } = await bench([account('a', 'anthropic'), account('b', 'anthropic')], {
    identityOf: () => 'same',
    settings: { strategy: 'priority' },
  })
  const plan = router.plan(call(model))
  expect(ids(plan)).toEqual(['a'])
  expect(plan.dropped[0]).toMatchObject({ because: 'same_identity' })
  board.observe(plan.targets[0]!.target, {
    is: 'failure',
    failure: failure('quota_exhausted', { scope: 'account', retryAfterMs: 9_000_000 }),
  })
  const spent = router.plan(call(model))
  expect(spent.targets).toHaveLength(0)
  expect(spent.dropped.map(({ because }) => because).sort()).toEqual(['quota_exhausted', 'same_identity'])
})

test('ciphertext goes to its issuer or nowhere', async () => {
  const { router, board } = await bench([account('a', 'anthropic'), account('b', 'anthropic')])
  const headers = new Headers({ 'x-claude-code-session-id': 'one' })
  const first = router.plan(call(model, { headers }))
  const home = first.targets[0]!.target
  router.claim(first, 0)!.end({ is: 'answered' })
  const body = json({
    model,
    messages: [...messages, { role: 'assistant', content: [{ type: 'thinking', thinking: 't', signature: 'c2ln' }] }],
  })
  const pinned = router.plan(call(model, { headers, body }))
  expect(ids(pinned)).toEqual([home.account])
  expect(pinned.dropped[0]).toMatchObject({ because: 'pinned_elsewhere' })
  board.observe(home, {
    is: 'failure',
    failure: failure('quota_exhausted', { scope: 'account', retryAfterMs: 7_200_000 }),
  })
  const spent = router.plan(call(model, { headers, body }))
  expect(spent.targets).toHaveLength(0)
  const error = nothingToTry(spent, model, 'anthropic', noon)
  expect([error.code, error.status]).toEqual(['route.exhausted', 429])
  expect(error.retryAfterMs).toBeGreaterThanOrEqual(7_200_000)
})

test("with its owner's word, ciphertext is left out where its issuer cannot serve, and from then on", async () => {
  const { router, board } = await bench([account('a', 'anthropic'), account('b', 'anthropic')], {
    settings: { strip_foreign_reasoning: true },
  })
  const headers = new Headers({ 'x-claude-code-session-id': 'one' })
  const first = router.plan(call(model, { headers }))
  const home = first.targets[0]!.target
  router.claim(first, 0)!.end({ is: 'answered' })
  const body = json({
    model,
    messages: [...messages, { role: 'assistant', content: [{ type: 'thinking', thinking: 't', signature: 'c2ln' }] }],
  })
  const healthy = router.plan(call(model, { headers, body }))
  expect(healthy.targets.map(({ target, edit }) => [target.account === home.account, edit?.stripReasoning])).toEqual([
    [true, undefined],
    [false, true],
  ])
  board.observe(home, {
    is: 'failure',
    failure: failure('quota_exhausted', { scope: 'account', retryAfterMs: 7_200_000 }),
  })
  const moved = router.plan(call(model, { headers, body }))
  expect(moved.targets.map(({ edit }) => edit?.stripReasoning)).toEqual([true])
  router.claim(moved, 0)!.end({ is: 'answered' })
  // Its history now holds reasoning of two accounts, and nobody can read both.
  expect(router.plan(call(model, { headers, body })).targets.every(({ edit }) => edit?.stripReasoning)).toBe(true)
})

test('a prompt too long for one model goes to another, and is compressed only when asked', async () => {
  const overlays = {
    up: {
      protocol: 'openai-chat',
      base_url: 'https://up.example/v1',
      models: { small: { context_tokens: 1_000 }, large: { context_tokens: 100_000 } },
    },
  } as const
  const { router } = await bench([account('one', 'up')], { overlays })
  const long = [{ role: 'user', content: 'word '.repeat(4_000) }]
  const both = { model: 'up/small', models: ['up/large'], messages: long }
  const plan = router.plan(call('up/small', { body: json(both) }))
  expect(plan.targets.map(({ target }) => target.model)).toEqual(['large'])
  expect(plan.dropped[0]).toMatchObject({ because: 'context', until: null })
  expect(plan.dropped[0]!.detail).toContain('the model takes 1000')
  const squeezed = router.plan(
    call('up/small', { body: json({ ...both, transforms: ['middle-out'], max_tokens: 100 }) }),
  )
  expect(squeezed.targets.map(({ target, edit }) => [target.model, edit?.promptTokens])).toEqual([
    ['small', 810],
    ['large', undefined],
  ])
  // Alone, the provider's own words about its limit are worth more than gw's guess.
  const alone = router.plan(call('up/small', { body: json({ model: 'up/small', messages: long }) }))
  expect(alone.targets.map(({ target, edit }) => [target.model, edit])).toEqual([['small', undefined]])
})

test('a status that is not listed ends the configured fallback, and not what the caller named', async () => {
  const order = { dear: ['cheap/m'] }
  const fallback = { order, retry_statuses: [503] }
  const { router } = await bench(four, { overlays: lines, settings: { strategy: 'priority', fallback } })
  const plan = router.plan(call('dear/m'))
  const failed = (status: number | null) => [failure('server_error', { scope: 'provider', status })]
  expect(router.next(plan, [0], failed(500))).toEqual({ is: 'over', because: 'nothing_left' })
  expect(router.next(plan, [0], failed(503))).toEqual({ is: 'target', index: 1 })
  expect(router.next(plan, [0], failed(null))).toEqual({ is: 'target', index: 1 })
  const named = router.plan(call('dear/m', { body: json({ model: 'dear/m', models: ['free/m'] }) }))
  expect(router.next(named, [0], failed(500))).toEqual({ is: 'target', index: 1 })
})

test('previous_response_id goes to the account that issued the response', async () => {
  const { router } = await bench([account('a', 'openai'), account('b', 'openai')])
  const first = router.plan(call('openai/gpt-5'))
  router.claim(first, 1)!.end({ is: 'answered', responseId: 'resp_1' })
  const body = json({ model: 'openai/gpt-5', input: 'go on', previous_response_id: 'resp_1' })
  const next = router.plan(call('openai/gpt-5', { body }))
  expect(ids(next)).toEqual([first.targets[1]!.target.account])
  expect(next.pinned).toBe(true)
})

test('a session spills over for a moment and comes home; it moves only when its home is gone for longer', async () => {
  const { router, board, clock } = await bench(
    [
      account('a', 'anthropic', { limits: { concurrency: 1, requestsPerMinute: null, spendMicrosPerDay: null } }),
      account('b', 'anthropic'),
    ],
    { settings: { strategy: 'priority' } },
  )
  const headers = new Headers({ 'x-gw-session': 's' })
  const ask = () => router.plan(call(model, { headers }))
  const first = ask()
  const running = router.claim(first, 0)!
  running.end({ is: 'answered' })
  const busy = router.claim(router.plan(call(model)), 0)!
  const spilled = ask()
  expect(ids(spilled)).toEqual(['b'])
  expect(spilled.session).toMatchObject({ boundTo: 'a', rebind: false })
  router.claim(spilled, 0)!.end({ is: 'answered' })
  busy.end({ is: 'answered' })
  expect(ids(ask())[0]).toBe('a')
  board.observe(ask().targets[0]!.target, { is: 'failure', failure: failure('unauthorized', { scope: 'account' }) })
  const moved = ask()
  expect(moved.session).toMatchObject({ boundTo: 'a', rebind: true, displaced: true })
  router.claim(moved, 0)!.end({ is: 'answered' })
  board.refreshed('anthropic', 'a')
  await clock.advance(1_000)
  expect(ids(ask())[0]).toBe('b')
})

test('a session stays where it is unless another place has clearly more room and its own is at the reserve', async () => {
  const { router, board } = await bench([account('a', 'anthropic'), account('b', 'anthropic')], {
    settings: { strategy: 'priority' },
  })
  const headers = new Headers({ 'x-gw-session': 's' })
  const ask = () => router.plan(call(model, { headers }))
  const plan = ask()
  const [a, b] = plan.targets.map(({ target }) => target)
  router.claim(plan, 0)!.end({ is: 'answered' })
  const used = (part: number) =>
    ({ is: 'success', windows: [quotaWindow({ used: part, resetsAt: noon + 86_400_000 })] }) as const
  board.observe(b!, used(0.1))
  board.observe(a!, used(0.9))
  expect(ids(ask())[0]).toBe('a')
  board.observe(a!, used(0.99))
  expect(ids(ask())[0]).toBe('b')
})

test('the displaced of a dead account spread by room, none takes more than a quarter in a minute', async () => {
  const accounts = Array.from({ length: 7 }, (_, i) => account(`a${i}`, 'anthropic'))
  const { router, board } = await bench(accounts, { settings: { strategy: 'priority' } })
  const sessions = Array.from({ length: 200 }, (_, i) => new Headers({ 'x-gw-session': `s${i}` }))
  /** Serves every session once; how many each account served. */
  const serve = (): number[] => {
    const served = sessions.map((headers) => {
      const plan = router.plan(call(model, { headers }))
      router.claim(plan, 0)!.end({ is: 'answered' })
      return plan.targets[0]!.target.account as string
    })
    return accounts.map(({ id }) => served.filter((one) => one === id).length)
  }
  expect(serve()[0]).toBe(200)
  const [dead, roomy] = router.plan(call(model)).targets
  board.observe(roomy!.target, { is: 'success', windows: [quotaWindow({ used: 0.05 })] })
  board.observe(dead!.target, { is: 'failure', failure: failure('unauthorized', { scope: 'account' }) })
  const taken = serve().slice(1)
  expect(taken.reduce((a, b) => a + b, 0)).toBe(200)
  expect(Math.max(...taken)).toBeLessThanOrEqual(50)
  expect(Math.min(...taken)).toBeGreaterThan(20)
})

test('new sessions drain the account that resets soonest, down to the reserve', async () => {
  const { router, board } = await bench([account('late', 'anthropic'), account('soon', 'anthropic')])
  const [x, y] = router.plan(call(model)).targets.map(({ target }) => target)
  const at = (target: typeof x, hours: number, used: number) =>
    board.observe(target!, { is: 'success', windows: [quotaWindow({ used, resetsAt: noon + hours * 3_600_000 })] })
  for (const target of [x, y]) at(target, target!.account === 'soon' ? 1 : 96, 0.5)
  const firsts = Array.from({ length: 100 }, () => ids(router.plan(call(model)))[0])
  expect(firsts.filter((id) => id === 'soon').length).toBeGreaterThanOrEqual(95)
  at([x, y].find((target) => target!.account === 'soon'), 1, 0.985)
  expect(ids(router.plan(call(model)))[0]).toBe('late')
})

test('a reset quota is proved by one request at a time', async () => {
  const { router, board, clock } = await bench([account('a', 'anthropic')])
  const { target } = router.plan(call(model)).targets[0]!
  board.observe(target, {
    is: 'failure',
    failure: failure('quota_exhausted', { scope: 'account', retryAfterMs: 60_000 }),
  })
  await clock.advance(100_000)
  const trial = router.plan(call(model))
  expect(trial.targets[0]).toMatchObject({ trial: true })
  const claim = router.claim(trial, 0)
  expect(claim).not.toBeNull()
  expect(router.claim(trial, 0)).toBeNull()
  expect(router.plan(call(model)).targets).toHaveLength(0)
  board.observe(target, { is: 'success' })
  claim!.end({ is: 'answered' })
  expect(router.plan(call(model)).targets[0]).toMatchObject({ trial: false })
})

test('a wait that only gw guessed is tried when nothing else is left, one request at a time', async () => {
  const { router, board } = await bench([account('a', 'anthropic')])
  const { target } = router.plan(call(model)).targets[0]!
  board.observe(target, { is: 'failure', failure: failure('rate_limited') })
  const plan = router.plan(call(model))
  expect(plan.targets).toHaveLength(1)
  expect(plan.targets[0]!.because).toContain('our guess')
  router.claim(plan, 0)
  expect(router.plan(call(model)).targets).toHaveLength(0)
  board.observe(target, { is: 'failure', failure: failure('rate_limited', { retryAfterMs: 20_000 }) })
  const told = router.plan(call(model))
  expect(told.targets).toHaveLength(0)
  expect(told.earliestAt).toBe(noon + 20_000)
})

for (
  const [name, accounts, setUp, code, status] of [
    ['no account', [], null, 'route.no_account', 404],
    [
      'all spent',
      ['a', 'b'],
      failure('quota_exhausted', { scope: 'account', retryAfterMs: 7_200_000 }),
      'route.exhausted',
      429,
    ],
    ['all dead', ['a'], failure('unauthorized', { scope: 'account' }), 'route.none', 503],
    ['no money', ['a'], failure('billing', { scope: 'account' }), 'route.none', 503],
  ] as const
) {
  test(`nothingToTry() with ${name} is ${code}`, async () => {
    const { router, board } = await bench(accounts.map((id) => account(id, 'anthropic')))
    for (const { target } of router.plan(call(model)).targets) {
      if (setUp) board.observe(target, { is: 'failure', failure: setUp })
    }
    const plan = router.plan(call(model))
    expect(plan.targets).toHaveLength(0)
    const error = nothingToTry(plan, model, 'anthropic', noon)
    expect([error.code, error.status]).toEqual([code, status])
    const targets = (error.details as { targets: unknown[] }).targets
    expect(targets).toHaveLength(accounts.length)
  })
}

test('a filter that empties the list is named', async () => {
  const { router } = await bench(four, { overlays: lines, settings: pool })
  const plan = router.plan(call('m', { body: json({ model: 'm', provider: { only: ['nobody'] } }) }))
  const error = nothingToTry(plan, 'm', 'cheap', noon)
  expect([error.code, error.status, error.param]).toEqual(['route.filtered', 503, 'provider.only'])
})

test('limits of an account: concurrency, requests a minute and spend', async () => {
  const limits = { concurrency: null, requestsPerMinute: 2, spendMicrosPerDay: 5 }
  let spent = 0
  const { router, clock } = await bench([account('a', 'anthropic', { limits })], { spentToday: () => spent })
  for (let i = 0; i < 2; i++) router.claim(router.plan(call(model)), 0)!.end({ is: 'answered' })
  expect(router.plan(call(model)).dropped[0]).toMatchObject({ because: 'rate_limited' })
  await clock.advance(60_001)
  spent = 5
  expect(router.plan(call(model)).dropped[0]).toMatchObject({ because: 'spend_limit' })
})

test("a token's own limits drop targets", async () => {
  const { router } = await bench([account('a', 'anthropic'), account('b', 'anthropic')])
  const of = (more: object) =>
    call(model, { principal: { id: 'p', models: null, providers: null, aliases: {}, account: null, ...more } })
  expect(ids(router.plan(of({ account: 'b' })))).toEqual(['b'])
  expect(router.plan(of({ providers: ['openai'] })).targets).toHaveLength(0)
  const denied = router.plan(of({ models: ['gpt-*'] }))
  expect(nothingToTry(denied, model, 'anthropic', noon).code).toBe('access.denied')
  expect(router.plan(of({ models: ['anthropic/*'] })).targets).toHaveLength(2)
  expect(router.plan(of({ aliases: { fast: 'anthropic/claude-haiku-4-5' } })).targets).toHaveLength(2)
})

test('planRoute() is deterministic given snapshot, seed and clock, and loses no target', async () => {
  const accounts = Array.from({ length: 12 }, (_, i) => account(`a${i}`, 'cheap', { weight: 1 + i, priority: i % 3 }))
  const { router } = await bench(accounts, { overlays: lines })
  const { targets } = router.plan(call('cheap/m'))
  const kinds = [
    'rate_limited',
    'quota_exhausted',
    'server_error',
    'timeout',
    'unauthorized',
    'billing',
    'concurrency',
  ] as const
  const { catalog } = await bench(accounts, { overlays: lines })
  const candidates: Snapshot['candidates'] = targets.map(({ target }, place) => ({
    target,
    account: accounts.find(({ id }) => id === target.account)!,
    provider: catalog.provider('cheap')!,
    model: catalog.model('cheap', 'm', noon),
    keys: keysOf(target),
    tier: place % 2,
    place,
    native: true,
    names: [],
    mustBeFree: false,
    fallback: false,
  }))
  const history = fc.array(fc.tuple(fc.nat(11), fc.constantFrom(...kinds), fc.nat(100_000)), { maxLength: 30 })
  fc.assert(
    fc.property(
      history,
      fc.constantFrom(...strategyNames),
      fc.integer(),
      fc.nat(7_200_000),
      (events, strategy, seed, later) => {
        const standings = new Map<string, ReturnType<typeof freshStanding>>()
        for (const [i, kind, at] of events) {
          const key = candidates[i]!.keys.model
          const before = standings.get(key) ?? freshStanding(key, noon)
          standings.set(
            key,
            observe(before, { is: 'failure', source: 'serving', jitterMs: 0, failure: failure(kind) }, noon + at),
          )
        }
        const snapshot: Snapshot = {
          candidates,
          unfit: [],
          strategy,
          reserve: 0.02,
          cursor: Math.abs(seed) % 100,
          sticky: { enabled: true, minGain: 10, stripForeign: false, expectedTurns: 8 },
          standing: (key) => standings.get(key) ?? null,
          outlook: createOutlooks(),
          troubled: new Set(standings.keys()),
          inFlight: () => 0,
          used: () => 0,
          recent: () => 0,
          proving: () => false,
          spentToday: () => null,
          identity: () => null,
          boundTo: () => 'a3',
          displaced: () => 0,
        }
        const request: PlanRequest = {
          headers: new Headers(),
          controls: null,
          models: null,
          providers: null,
          account: null,
          session: { key: 's', from: 'harness' },
          ciphertext: false,
          inputTokens: null,
          outputTokens: null,
          strippable: true,
          stripAll: false,
          parameters: [],
          sort: null,
          protocol: 'openai-chat',
        }
        const plan = () => planRoute(request, snapshot, { seed, now: noon + later })
        const once = plan()
        expect(JSON.stringify(plan())).toBe(JSON.stringify(once))
        const seen = [
          ...once.targets.map(({ target }) => target.account as string),
          ...once.dropped.map(({ target }) => target.account),
        ]
        expect(seen.sort()).toEqual(accounts.map(({ id }) => id as string).sort())
        for (const drop of once.dropped) if (drop.until !== null) expect(drop.until).toBeGreaterThan(noon + later)
        for (const target of once.targets) expect(target.because.length).toBeGreaterThan(3)
      },
    ),
  )
})
