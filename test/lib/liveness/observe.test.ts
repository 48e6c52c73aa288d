import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { TargetKey } from '../../../lib/accounts/mod.ts'
import { longestWaitMs } from '../../../lib/base/mod.ts'
import { explainStanding, judge, type Observation, type Standing, summarize } from '../../../lib/liveness/mod.ts'
import { freshStanding } from '../../../lib/liveness/state.ts'
import { observe, scoreAt } from '../../../lib/liveness/observe.ts'
import type { FailureKind, QuotaWindow, UpstreamFailure } from '../../../lib/protocol/mod.ts'

const t0 = Date.UTC(2026, 10, 1, 12)
const key = 'claude:max-1#chat' as TargetKey
const fresh = freshStanding(key, t0)

function failure(kind: FailureKind, more: Partial<UpstreamFailure> = {}): Observation {
  return {
    is: 'failure',
    source: 'serving',
    jitterMs: 0,
    failure: {
      kind,
      scope: 'model',
      status: null,
      message: kind,
      code: null,
      mayTryOther: true,
      retryAfterMs: null,
      windows: [],
      ...more,
    },
  }
}

const success: Observation = { is: 'success', source: 'serving' }
const window = (more: Partial<QuotaWindow>): QuotaWindow => ({
  id: '5h',
  lengthMs: 18_000_000,
  used: null,
  limit: null,
  remaining: null,
  resetsAt: null,
  status: 'rejected',
  model: null,
  ...more,
})

for (
  const [name, observation, summary] of [
    [
      'a 429 with a wait of 30 s',
      failure('rate_limited', { retryAfterMs: 30_000 }),
      'rate_limited:per_minute:30s',
    ],
    ['a 429 without a wait', failure('rate_limited'), 'rate_limited:per_minute:30s'],
    [
      'a 429 with a wait of 10 min',
      failure('rate_limited', { retryAfterMs: 600_000 }),
      'rate_limited:per_hour:600s',
    ],
    [
      'a 429 with a wait of 2 h',
      failure('rate_limited', { retryAfterMs: 7_200_000 }),
      `quota_exhausted:reset@${t0 / 1000 + 7200}`,
    ],
    [
      'a spent quota with no wait',
      failure('quota_exhausted'),
      `quota_exhausted:reset@${t0 / 1000 + 3600}`,
    ],
    [
      'a spent window',
      failure('quota_exhausted', { windows: [window({ resetsAt: t0 + 1_000_000 })] }),
      `quota_exhausted:reset@${t0 / 1000 + 1000}`,
    ],
    [
      'two spent windows, the later counts',
      failure('quota_exhausted', {
        windows: [window({ resetsAt: t0 + 1_000_000 }), window({ lengthMs: 1, resetsAt: t0 + 9_000_000 })],
      }),
      `quota_exhausted:reset@${t0 / 1000 + 9000}`,
    ],
    ['a 5xx', failure('server_error', { status: 500 }), 'degraded:provider_degraded'],
    ['an overload', failure('overloaded', { status: 529 }), 'degraded:provider_degraded'],
    ['a refused credential', failure('unauthorized', { status: 401 }), 'dead:token_revoked'],
    ['a missing scope', failure('forbidden', { code: 'scope' }), 'degraded:scope_insufficient'],
    ['a step-up', failure('forbidden', { code: 'step_up' }), 'degraded:step_up_required'],
    [
      'pending verification',
      failure('forbidden', { code: 'pending' }),
      'degraded:pending_verification',
    ],
    ['terms to accept', failure('forbidden', { code: 'terms' }), 'degraded:terms_required'],
    ['another 403', failure('forbidden'), 'degraded:tier_insufficient'],
    ['no money', failure('billing'), 'degraded:subscription_paused'],
    ['a plan without the model', failure('entitlement'), 'degraded:tier_insufficient'],
    ['an unknown model', failure('model_unavailable'), 'degraded:unknown_4xx'],
    ['too many at once', failure('concurrency'), `cooldown:until@${t0 / 1000 + 5}`],
    ['a local cause', failure('local'), 'available'],
    ['a prompt too long', failure('context_length'), 'available'],
    ['a refused prompt', failure('moderation'), 'available'],
    ['a bad request', failure('invalid_request'), 'available'],
    ['the caller leaving', failure('cancelled'), 'available'],
    ['an unreachable host', failure('unreachable'), 'available'],
    ['a timeout', failure('timeout'), 'available'],
    ['a success', success, 'available'],
  ] as const
) {
  test(`observe() after ${name} is ${summary}`, () => {
    const after = observe(fresh, observation, t0)
    expect(summarize(after.liveness, t0)).toBe(summary)
    if (summary !== 'available') expect(explainStanding(after, t0 + 12_000)).not.toBe('available')
  })
}

test('one failure never keeps a target out; three within a minute do, and two successes let it back', () => {
  const one = observe(fresh, failure('server_error'), t0)
  expect(judge(one, t0).is).toBe('last')
  const two = observe(one, failure('server_error'), t0 + 1_000)
  const three = observe(two, failure('timeout'), t0 + 2_000)
  expect(judge(three, t0 + 2_000)).toEqual({ is: 'blocked', because: 'circuit_open', until: t0 + 32_000, guess: true })
  expect(judge(three, t0 + 62_000).is).toBe('trial')
  const proved = observe(three, success, t0 + 62_000)
  expect(judge(proved, t0 + 62_000).is).toBe('trial')
  expect(judge(observe(proved, success, t0 + 63_000), t0 + 63_000).is).toBe('usable')
  expect(judge(observe(proved, failure('server_error'), t0 + 63_000), t0 + 63_000).is).toBe('blocked')
})

test('an open circuit is closed by answers to requests that left after it opened, and by no others', () => {
  let open = fresh
  for (const at of [0, 1, 2]) open = observe(open, failure('timeout'), t0 + at)
  const answered = (firstByteMs: number) => ({ is: 'success', source: 'serving', firstByteMs }) as const
  expect(observe(open, answered(6_000), t0 + 5_000).circuit.is).toBe('open')
  const once = observe(open, answered(1_000), t0 + 5_000)
  expect(once.circuit.is).toBe('half_open')
  expect(observe(once, answered(1_000), t0 + 6_000).circuit.is).toBe('closed')
})

test('failures spread over more than a minute leave the circuit closed', () => {
  let standing = fresh
  for (let i = 0; i < 10; i++) standing = observe(standing, failure('timeout'), t0 + i * 31_000)
  expect(standing.circuit.is).toBe('closed')
})

test('a rate limit and a degraded provider heal by the clock, a spent quota needs one proving request', () => {
  const limited = observe(fresh, failure('rate_limited', { retryAfterMs: 5_000 }), t0)
  expect(judge(limited, t0 + 5_000).is).toBe('usable')
  const degraded = observe(fresh, failure('overloaded'), t0)
  expect(judge(degraded, t0 + 60_000).is).toBe('usable')
  const spent = observe(fresh, failure('quota_exhausted', { windows: [window({ resetsAt: t0 + 60_000 })] }), t0)
  expect(judge(spent, t0 + 60_001)).toEqual({ is: 'trial', because: 'quota_exhausted' })
})

test('an unknown reset is not a passed one', () => {
  const unknown: Standing = {
    ...fresh,
    liveness: {
      state: 'live',
      since: t0,
      availability: { is: 'quota_exhausted', exhaustedAt: t0, resetsAt: null, usedPct: null, told: false },
    },
  }
  expect(judge(unknown, t0 + 400 * 86_400_000)).toMatchObject({ is: 'blocked', because: 'quota_exhausted' })
})

test('a refresh raises the dead and keeps a spent quota', () => {
  const dead = observe(fresh, failure('unauthorized'), t0)
  expect(summarize(observe(dead, { is: 'refreshed' }, t0 + 1).liveness, t0)).toBe('available')
  const spent = observe(fresh, failure('quota_exhausted', { retryAfterMs: 9_000_000 }), t0)
  expect(observe(spent, { is: 'refreshed' }, t0 + 1)).toBe(spent)
})

test('a window is the same one by its length, not by its name or place', () => {
  const seen = observe(fresh, { is: 'windows', source: 'serving', windows: [window({ id: 'primary', used: 0.5 })] }, t0)
  const again = observe(
    seen,
    { is: 'windows', source: 'serving', windows: [window({ id: 'secondary', used: 0.7 })] },
    t0,
  )
  expect(again.windows).toHaveLength(1)
  expect(again.windows[0]).toMatchObject({ used: 0.7, seenAt: t0 })
  const minute = { lengthMs: 60_000, used: 0.1, status: 'allowed' } as const
  const both = observe(again, {
    is: 'windows',
    source: 'serving',
    windows: [window({ id: 'requests', ...minute }), window({ id: 'tokens', ...minute })],
  }, t0)
  expect(both.windows).toHaveLength(3)
})

test('a window whose length one report leaves out is the same one, unless several could be meant', () => {
  const allowed = { used: 0.1, status: 'allowed', id: 'requests' } as const
  const seen = (before: Standing, ...windows: QuotaWindow[]) =>
    observe(before, { is: 'windows', source: 'serving', windows }, t0)
  for (const [first, second] of [[null, 60_000], [60_000, null]]) {
    const known = seen(fresh, window({ ...allowed, lengthMs: first! }))
    const { windows } = seen(known, window({ ...allowed, lengthMs: second!, used: 0.4 }))
    expect(windows.map(({ id, lengthMs, used }) => [id, lengthMs, used])).toEqual([['requests', 60_000, 0.4]])
  }
  const twice = seen(fresh, window({ ...allowed, lengthMs: null, model: 'm' }))
  const both = { ...twice, windows: [...twice.windows, { ...twice.windows[0]!, lengthMs: 60_000 }] }
  expect(seen(both, window({ ...allowed, lengthMs: null, model: 'm' })).windows).toHaveLength(1)
  const two = seen(fresh, window({ ...allowed, lengthMs: 60_000 }), window({ ...allowed, lengthMs: 86_400_000 }))
  expect(seen(two, window({ ...allowed, lengthMs: null })).windows).toHaveLength(3)
  const other = seen(fresh, window({ ...allowed, lengthMs: null, model: 'm' }))
  expect(seen(other, window({ ...allowed, lengthMs: 60_000 })).windows).toHaveLength(2)
})

test('the score falls by 20 for a failure and 10 for a limit, rises by 1, and heals 2 an hour', () => {
  expect(observe(fresh, success, t0).score).toBe(51)
  expect(observe(fresh, failure('timeout'), t0).score).toBe(30)
  expect(observe(fresh, failure('rate_limited'), t0).score).toBe(40)
  expect(observe(fresh, failure('unauthorized'), t0).score).toBe(-100)
  expect(scoreAt(fresh, t0 + 3 * 3_600_000)).toBe(56)
})

test('fifty failures without a rest empty the bucket, ten seconds bring one back', () => {
  let standing = fresh
  for (let i = 0; i < 50; i++) {
    standing = observe(standing, failure('timeout'), t0)
    standing = { ...standing, circuit: { is: 'closed', failedAt: [] } }
  }
  expect(judge(standing, t0)).toMatchObject({ is: 'blocked', because: 'cooldown', until: t0 + 10_000 })
  expect(judge(standing, t0 + 10_000).is).toBe('usable')
})

const kinds: FailureKind[] = [
  'rate_limited',
  'quota_exhausted',
  'overloaded',
  'concurrency',
  'billing',
  'entitlement',
  'unauthorized',
  'forbidden',
  'model_unavailable',
  'context_length',
  'moderation',
  'invalid_request',
  'server_error',
  'timeout',
  'unreachable',
  'truncated',
  'empty',
  'malformed',
  'local',
  'cancelled',
]
const failures: fc.Arbitrary<Observation> = fc.record({
  kind: fc.constantFrom(...kinds),
  retryAfterMs: fc.option(fc.integer({ min: -10, max: 4 * longestWaitMs })),
  resetsAt: fc.option(fc.integer({ min: t0 - 1e9, max: t0 + 1e13 })),
  jitterMs: fc.integer({ min: -1_000, max: 30_000 }),
}).map(({ kind, retryAfterMs, resetsAt, jitterMs }) => {
  const observation = failure(kind, { retryAfterMs, windows: resetsAt === null ? [] : [window({ resetsAt })] })
  return { ...observation, jitterMs } as Observation
})
const steps = fc.array(fc.record({ after: fc.integer({ min: 0, max: 7_200_000 }), observation: failures }), {
  maxLength: 30,
})

test('observe() never leaves dead without a success, a refresh or a reset', () => {
  fc.assert(fc.property(steps, (rest) => {
    let now = t0
    let standing = observe(fresh, failure('unauthorized'), now)
    for (const { after, observation } of rest) {
      now += after
      standing = observe(standing, observation, now)
      expect(standing.liveness.state).toBe('dead')
      expect(judge(standing, now)).toMatchObject({ is: 'blocked', because: 'dead', until: null })
    }
    expect(observe(standing, success, now).liveness.state).toBe('live')
  }))
})

test('nothing of ours brings a reset closer that the provider named', () => {
  const local = steps.map((list) =>
    list.filter(({ observation }) =>
      observation.is === 'failure' && observation.failure.windows.length === 0 &&
      observation.failure.retryAfterMs === null &&
      [
        'rate_limited',
        'quota_exhausted',
        'concurrency',
        'server_error',
        'overloaded',
        'timeout',
        'unreachable',
        'local',
        'cancelled',
        'empty',
      ]
        .includes(observation.failure.kind)
    )
  )
  fc.assert(fc.property(local, fc.integer({ min: 3_600_001, max: longestWaitMs }), (rest, wait) => {
    let now = t0
    let standing = observe(fresh, failure('quota_exhausted', { retryAfterMs: wait }), now)
    for (const { after, observation } of rest) {
      now += after
      if (now >= t0 + wait) return
      standing = observe(standing, observation, now)
      const verdict = judge(standing, now)
      expect(verdict.is).toBe('blocked')
      if (verdict.is === 'blocked') expect(verdict.until ?? Infinity).toBeGreaterThanOrEqual(t0 + wait)
    }
  }))
})

test('observe() never waits past 31 days, keeps its score in bounds, and changes nothing it was given', () => {
  fc.assert(fc.property(steps, (rest) => {
    let now = t0
    let standing: Standing = fresh
    for (const { after, observation } of rest) {
      now += after
      const before = structuredClone(standing)
      const next = observe(standing, observation, now)
      expect(standing).toEqual(before)
      standing = next
      const verdict = judge(standing, now)
      if (verdict.is === 'blocked' && verdict.until !== null) {
        expect(verdict.until - now).toBeLessThanOrEqual(longestWaitMs + 30_000)
      }
      expect(scoreAt(standing, now)).toBeGreaterThanOrEqual(-100)
      expect(scoreAt(standing, now)).toBeLessThanOrEqual(100)
      expect(standing.bucket).toBeGreaterThanOrEqual(0)
      expect(standing.windows.length).toBeLessThanOrEqual(16)
    }
  }))
})
