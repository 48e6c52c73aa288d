import { expect, test } from 'bun:test'
import type { TargetKey } from '../../../lib/accounts/mod.ts'
import type { Observation } from '../../../lib/liveness/mod.ts'
import { observe } from '../../../lib/liveness/observe.ts'
import { freshStanding } from '../../../lib/liveness/state.ts'
import type { FailureKind } from '../../../lib/protocol/mod.ts'
import { decisionFor, livenessReport } from '../../../lib/repair/describe.ts'
import { boardView } from '../../../lib/repair/standing.ts'

const t0 = Date.UTC(2026, 10, 1, 12)
const key = 'toy:mine#chat' as TargetKey

const failed = (kind: FailureKind, retryAfterMs: number | null = null): Observation => ({
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
    retryAfterMs,
    windows: [],
  },
})

/** What is recorded after these observations, read some time later. */
function evidence(observations: readonly Observation[], afterMs = 0) {
  const standing = observations.reduce((before, seen) => observe(before, seen, t0), freshStanding(key, t0))
  return boardView({ get: () => standing }, t0 + afterMs)(key)!
}

for (
  const [name, observations, afterMs, decision] of [
    ['a success', [{ is: 'success', source: 'serving' }], 0, 'use_this'],
    ['a 429', [failed('rate_limited', 30_000)], 0, 'wait_and_retry'],
    ['a 429 whose wait is over', [failed('rate_limited', 30_000)], 31_000, 'use_this'],
    ['too many at once', [failed('concurrency')], 0, 'wait_and_retry'],
    ['a spent quota', [failed('quota_exhausted')], 0, 'try_next_account'],
    ['a spent quota whose window has passed', [failed('quota_exhausted', 60_000)], 61_000, 'try_next_account'],
    ['a 5xx', [failed('server_error')], 0, 'try_next_provider'],
    ['a 5xx a while ago', [failed('server_error')], 61_000, 'use_this'],
    ['three failures in a row', [failed('timeout'), failed('timeout'), failed('timeout')], 0, 'try_next_account'],
    ['a missing permission', [failed('forbidden')], 0, 'try_next_account'],
    ['an unknown model', [failed('model_unavailable')], 0, 'try_next_account'],
    ['a refused credential', [failed('unauthorized')], 0, 'try_next_account'],
  ] as const
) {
  test(`after ${name} a caller is told: ${decision}`, () => {
    expect(decisionFor(evidence(observations, afterMs))).toBe(decision)
  })
}

test('a rate limit is summed up by what is left of it', () => {
  const report = (afterMs: number) => livenessReport(evidence([failed('rate_limited', 30_000)], afterMs), t0 + afterMs)
  expect([report(0).summary, report(12_000).summary, report(30_000).summary]).toEqual([
    'rate_limited:per_minute:30s',
    'rate_limited:per_minute:18s',
    'available',
  ])
})
