import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { longestWaitMs } from '../../../lib/base/mod.ts'
import { classifyFailure, readWindows } from '../../../lib/liveness/mod.ts'
import type { FailureKind, FailureScope } from '../../../lib/protocol/mod.ts'

interface Case {
  readonly name: string
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: unknown
  readonly expect: {
    readonly kind: FailureKind
    readonly scope?: FailureScope
    readonly retryAfterMs?: number | null
    readonly mayTryOther?: boolean
    readonly code?: string
    readonly windows?: number
    readonly windowIds?: string[]
    readonly resetsInMs?: number
    readonly noReset?: boolean
    readonly message?: string
    readonly hides?: string
  }
}

const now = Date.UTC(2026, 10, 1, 12)
const file = join(import.meta.dir, '../../fixtures/upstream-failures/cases.json')
const cases = JSON.parse(readFileSync(file, 'utf8')) as Case[]

for (const { name, status, headers, body, expect: wanted } of cases) {
  test(`classifyFailure() reads ${name} as ${wanted.kind}`, () => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const failure = classifyFailure({
      status,
      headers: new Headers(headers),
      body: new TextEncoder().encode(text),
      now,
      model: 'model-asked-for',
    })
    expect(failure.kind).toBe(wanted.kind)
    if (wanted.scope) expect(failure.scope).toBe(wanted.scope)
    if (wanted.retryAfterMs !== undefined) expect(failure.retryAfterMs).toBe(wanted.retryAfterMs)
    if (wanted.mayTryOther !== undefined) expect(failure.mayTryOther).toBe(wanted.mayTryOther)
    if (wanted.code) expect(failure.code).toBe(wanted.code)
    if (wanted.windows !== undefined) expect(failure.windows).toHaveLength(wanted.windows)
    if (wanted.windowIds) expect(failure.windows.map(({ id }) => id).slice(0, 2)).toEqual(wanted.windowIds)
    const rejected = failure.windows.filter((window) => window.status === 'rejected').map(({ resetsAt }) => resetsAt)
    if (wanted.resetsInMs !== undefined) {
      expect(Math.max(...rejected.map((at) => at ?? 0))).toBe(now + wanted.resetsInMs)
    }
    if (wanted.noReset) expect(rejected).toEqual([null])
    if (wanted.message) expect(failure.message).toBe(wanted.message)
    if (wanted.hides) expect(JSON.stringify(failure)).not.toContain(wanted.hides)
  })
}

test('the table has at least forty cases and every kind that an answer can show', () => {
  expect(cases.length).toBeGreaterThanOrEqual(40)
  const kinds = new Set(cases.map((row) => row.expect.kind))
  for (
    const kind of [
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
    ] as const
  ) expect([kind, kinds.has(kind)]).toEqual([kind, true])
})

test('no header and no body makes classifyFailure() throw, or a wait or reset leave its bounds', () => {
  const names = fc.constantFrom(
    'retry-after',
    'retry-after-ms',
    'anthropic-ratelimit-unified-5h-reset',
    'anthropic-ratelimit-unified-7d_opus-status',
    'anthropic-ratelimit-unified-7d-utilization',
    'anthropic-ratelimit-input-tokens-reset',
    'x-ratelimit-reset-requests',
    'x-ratelimit-limit-tokens-day',
    'x-codex-primary-used-percent',
    'x-codex-primary-window-minutes',
    'x-codex-secondary-reset-at',
    'x-quota-snapshot-chat',
  )
  const values = fc.oneof(
    fc.double().map(String),
    fc.integer().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.stringMatching(/^[\x21-\x7e]{1,40}$/),
    fc.constantFrom('rejected', 'allowed', '1h99d', '99999999999999999999', 'ent=-1&rem=NaN', '1e308'),
  )
  fc.assert(fc.property(
    fc.array(fc.tuple(names, values)),
    fc.oneof(fc.json(), fc.string()),
    fc.integer({ min: 200, max: 599 }),
    (headers, body, status) => {
      const failure = classifyFailure({ status, headers: new Headers(headers as [string, string][]), body, now })
      expect(failure.message.length).toBeLessThanOrEqual(501)
      expect(failure.message).not.toMatch(/[\n\r]/)
      if (failure.retryAfterMs !== null) {
        expect(failure.retryAfterMs).toBeGreaterThanOrEqual(0)
        expect(failure.retryAfterMs).toBeLessThanOrEqual(longestWaitMs)
      }
      for (const window of failure.windows) {
        if (window.resetsAt !== null) expect(window.resetsAt).toBeLessThanOrEqual(now + longestWaitMs)
        if (window.used !== null) {
          expect(window.used).toBeGreaterThanOrEqual(0)
          expect(window.used).toBeLessThanOrEqual(1)
        }
      }
    },
  ))
})

test('readWindows() knows a family window by its name, and keeps one it does not know', () => {
  const windows = readWindows(
    new Headers({
      'anthropic-ratelimit-unified-7d_opus-status': 'allowed_warning',
      'anthropic-ratelimit-unified-7d_opus-utilization': '0.91',
      'anthropic-ratelimit-unified-30d-status': 'allowed',
    }),
    now,
  )
  expect(windows.find(({ id }) => id === '7d_opus')).toMatchObject({ model: 'opus', used: 0.91, status: 'warning' })
  expect(windows.find(({ id }) => id === '30d')).toMatchObject({ lengthMs: 30 * 86_400_000, model: null })
})
