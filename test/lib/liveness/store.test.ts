import { describe, expect, test } from 'bun:test'
import type { TargetKey } from '../../../lib/accounts/mod.ts'
import type { Observation, Standing } from '../../../lib/liveness/mod.ts'
import { observe } from '../../../lib/liveness/observe.ts'
import { freshStanding } from '../../../lib/liveness/state.ts'
import { readStandings, toRow, toStanding } from '../../../lib/liveness/store.ts'
import type { FailureKind } from '../../../lib/protocol/mod.ts'

const t0 = Date.UTC(2026, 10, 1, 12)
const key = 'claude:max-1#chat' as TargetKey

const failed = (kind: FailureKind): Observation => ({
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
    retryAfterMs: 600_000,
    windows: [{
      id: '5h',
      lengthMs: 18_000_000,
      used: 1,
      limit: null,
      remaining: null,
      resetsAt: t0 + 9_000_000,
      status: 'rejected',
      model: null,
    }],
  },
})
const success: Observation = { is: 'success', source: 'serving', firstByteMs: 120, tokensPerSecond: 40 }

const histories: Readonly<Record<string, readonly Observation[]>> = {
  'never observed': [],
  'well': [success, success],
  'rate limited': [failed('rate_limited')],
  'out of quota': [success, failed('quota_exhausted')],
  'cooling down': [failed('concurrency')],
  'degraded': [failed('overloaded')],
  'dead': [{ is: 'lost', reason: 'token_revoked' }],
  'with an open circuit': [failed('server_error'), failed('server_error'), failed('server_error')],
}

const after = (observations: readonly Observation[]): Standing =>
  observations.reduce((standing, observation) => observe(standing, observation, t0), freshStanding(key, t0))

/** Every place in a value, outermost first. */
function places(value: unknown, at: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [at]
  return [...at.length > 0 ? [at] : [], ...Object.entries(value).flatMap(([name, part]) => places(part, [...at, name]))]
}

/** The JSON text with another value in a place; `undefined` takes the place away. */
function changed(text: string, at: readonly string[], to: unknown): string {
  const value = JSON.parse(text)
  const holder = at.slice(0, -1).reduce((part, name) => part[name], value)
  if (to === undefined && !Array.isArray(holder)) delete holder[at.at(-1)!]
  else holder[at.at(-1)!] = to
  return JSON.stringify(value)
}

/** Rows written before samples were kept have none. */
const mayBeMissing = ['latencies', 'speeds']

describe('a stored standing', () => {
  for (const [name, observations] of Object.entries(histories)) {
    const standing = after(observations)

    test(`${name}: is read as it was written, and what a later gw added to it changes nothing`, () => {
      const row = toRow(standing)
      expect(toStanding(row, t0)).toEqual(standing)
      expect(toStanding({ ...row, value: changed(row.value, ['added'], 1) }, t0)).toMatchObject({ ...standing })
      const older = mayBeMissing.reduce((value, member) => changed(value, [member], undefined), row.value)
      expect(toStanding({ ...row, value: older }, t0)).toEqual({ ...standing, latencies: [], speeds: [] })
    })

    test(`${name}: with anything missing or of another kind it is forgotten, not believed`, () => {
      const row = toRow(standing)
      for (const at of places(JSON.parse(row.value))) {
        for (const to of [undefined, { never: 'written' }]) {
          if (to === undefined && mayBeMissing.includes(at.join())) continue
          expect({ at, to, read: toStanding({ ...row, value: changed(row.value, at, to) }, t0) })
            .toEqual({ at, to, read: null })
        }
      }
    })
  }
})

test('who only looks is told of the keys that he asks about, damaged and expired rows apart', () => {
  const row = toRow(after([success]))
  const read = readStandings([row, { ...row, key: 'torn', value: row.value.slice(0, 40) }], t0)
  expect(read(key)).toEqual(after([success]))
  expect(read('torn')).toBeNull()
  expect(read('stranger')).toBeNull()
  expect(readStandings([row], t0 + 31 * 86_400_000)(key)).toBeNull()
})
