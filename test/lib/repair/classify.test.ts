import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { classify, headerWait, hintClass, parseReset, type ProbeOutcome } from '../../../lib/repair/classify.ts'
import { commandVerdict } from '../../../lib/repair/command-outcome.ts'
import { builtinDefinitions, genericDefinition } from '../../../lib/repair/definition/builtin.ts'

const now = 1_760_000_000_000
const generic = genericDefinition('toy')
const seen = (status: number, hint = '', waitS: number | null = null): ProbeOutcome => ({
  status,
  hint,
  waitMs: waitS === null ? null : waitS * 1000,
})

describe('classify() by status alone', () => {
  for (
    const [outcome, expected] of [
      [seen(200), { is: 'success' }],
      [seen(204), { is: 'success' }],
      [seen(401), { is: 'dead', reason: 'token_revoked' }],
      [seen(403, 'insufficient SCOPE'), { is: 'degraded', reason: 'scope_insufficient', waitMs: null }],
      [seen(403, 'step-up needed'), { is: 'degraded', reason: 'step_up_required', waitMs: null }],
      [seen(403, 'account pending'), { is: 'degraded', reason: 'pending_verification', waitMs: null }],
      [seen(403, 'needs verification'), { is: 'degraded', reason: 'pending_verification', waitMs: null }],
      [seen(403, 'accept the Terms'), { is: 'degraded', reason: 'terms_required', waitMs: null }],
      [seen(403), { is: 'degraded', reason: 'tier_insufficient', waitMs: null }],
      [seen(429, '', 30), { is: 'rate_limited', waitMs: 30_000 }],
      [seen(429), { is: 'rate_limited', waitMs: null }],
      [seen(429, '', 3600), { is: 'rate_limited', waitMs: 3_600_000 }],
      [seen(429, '', 7200), { is: 'quota_exhausted', resetsAt: now + 7_200_000 }],
      [seen(500), { is: 'degraded', reason: 'provider_degraded', waitMs: null }],
      [seen(503, '', 5), { is: 'degraded', reason: 'provider_degraded', waitMs: 5000 }],
      [seen(404), { is: 'degraded', reason: 'unknown_4xx', waitMs: null }],
      [seen(302), { is: 'failure' }],
      [seen(100), { is: 'failure' }],
    ] as const
  ) {
    test(`${outcome.status} ${outcome.hint} ${outcome.waitMs ?? ''} → ${JSON.stringify(expected)}`, () => {
      expect(classify(outcome, { definition: generic, now })).toEqual(expected)
    })
  }

  test('a status inside the success range of the probe is a success', () => {
    const success = { success_status_min: 400, success_status_max: 404 }
    expect(classify(seen(404), { definition: generic, success, now })).toEqual({ is: 'success' })
    expect(classify(seen(200), { definition: generic, success, now })).toEqual({ is: 'failure' })
  })

  test('a threshold of its own tells a rate limit from a quota', () => {
    const definition = { failure_rules: [], rate_limits: { ...generic.rate_limits, quota_threshold_seconds: 10 } }
    expect(classify(seen(429, '', 11), { definition, now }).is).toBe('quota_exhausted')
  })
})

describe('classify() by failure rules', () => {
  const rule = (matchers: object, named: object, outcome: ProbeOutcome) =>
    classify(outcome, { definition: { ...generic, failure_rules: [{ ...matchers, class: named } as never] }, now })
  for (
    const [matchers, named, outcome, expected] of [
      [{ status: 418 }, { dead: 'account_deleted' }, seen(418), { is: 'dead', reason: 'account_deleted' }],
      [{ status: 418 }, { dead: 'account_deleted' }, seen(419), {
        is: 'degraded',
        reason: 'unknown_4xx',
        waitMs: null,
      }],
      [
        { status_min: 200, status_max: 299, hint_contains: 'Errors' },
        { degraded: 'schema_invalid' },
        seen(200, '{"errors":[]}'),
        {
          is: 'degraded',
          reason: 'schema_invalid',
          waitMs: null,
        },
      ],
      [{ retry_after_gte: 60 }, { quota_exhausted: {} }, seen(429, '', 60), {
        is: 'quota_exhausted',
        resetsAt: now + 60_000,
      }],
      [{ retry_after_gte: 60 }, { quota_exhausted: {} }, seen(429), { is: 'rate_limited', waitMs: null }],
      [{ retry_after_lt: 60 }, { rate_limited: {} }, seen(503, '', 59), { is: 'rate_limited', waitMs: 59_000 }],
      [{ hint_equals: '0' }, { rate_limited: {} }, seen(403, ' 0 '), { is: 'rate_limited', waitMs: null }],
      [{ hint_equals: '0' }, { rate_limited: {} }, seen(403, '10'), {
        is: 'degraded',
        reason: 'tier_insufficient',
        waitMs: null,
      }],
      [{ status: 402 }, { quota_exhausted: {} }, seen(402), { is: 'quota_exhausted', resetsAt: null }],
      [{ status: 500 }, { failure: {} }, seen(500), { is: 'failure' }],
      [{ status: 500 }, { success: {} }, seen(500), { is: 'success' }],
      [{ status: 400 }, { provider_degraded: {} }, seen(400), {
        is: 'degraded',
        reason: 'provider_degraded',
        waitMs: null,
      }],
    ] as const
  ) {
    test(`${JSON.stringify(matchers)} on ${outcome.status} → ${expected.is}`, () => {
      expect(rule(matchers, named, outcome)).toEqual(expected)
    })
  }

  test('the first rule that matches wins', () => {
    const failure_rules = [{ status: 400, class: { failure: {} } }, { status: 400, class: { success: {} } }] as const
    expect(classify(seen(400), { definition: { ...generic, failure_rules: [...failure_rules] }, now }).is).toBe(
      'failure',
    )
  })

  const builtin = builtinDefinitions()
  for (
    const [kind, outcome, expected] of [
      ['claude', seen(200, '{"loggedIn":false}'), 'auth_dead'],
      ['claude', seen(200, '{"loggedIn":true}'), 'none'],
      ['codex', seen(400, 'The model is not supported when using a plan'), 'tier_insufficient'],
      ['github', seen(403, '0'), 'rate_limit'],
      ['github', seen(403, '58'), 'scope_insufficient'],
      ['linear', seen(200, '{"errors":[{}]}'), 'unknown_4xx'],
      ['flakehub', seen(200, 'Logged in: false'), 'auth_dead'],
      ['mcp', seen(401, 'Bearer error="invalid_target"'), 'audience_mismatch'],
      ['mcp', seen(403, 'error="insufficient_scope"'), 'scope_insufficient'],
      ['mcp', seen(422), 'schema_invalid'],
      ['mcp', seen(401), 'auth_dead'],
    ] as const
  ) {
    test(`${kind} ${outcome.status} ${outcome.hint} → ${expected}`, () => {
      expect(hintClass(classify(outcome, { definition: builtin.get(kind)!, now }))).toBe(expected)
    })
  }
})

describe('11: headerWait() reads seconds, dates and the vendor’s own reset', () => {
  const limits = { ...generic.rate_limits, remaining_header: 'x-left', reset_header: 'x-reset' }
  for (
    const [headers, status, expected] of [
      [{ 'retry-after': '30' }, 429, 30_000],
      [{ 'retry-after': new Date(now + 90_000).toUTCString() }, 429, 90_000],
      [{ 'x-reset': String(now / 1000 + 60) }, 429, 60_000],
      [{ 'x-reset': String(now / 1000 + 60), 'x-left': '0' }, 403, 60_000],
      [{ 'x-reset': String(now / 1000 + 60), 'x-left': '12' }, 403, null],
      [{ 'retry-after': 'soon', 'x-reset': '15' }, 429, 15_000],
      [{}, 429, null],
    ] as const
  ) {
    test(`${JSON.stringify(headers)} → ${expected}`, () => {
      expect(headerWait(new Headers(headers), status, limits, now)).toBe(expected)
    })
  }
})

describe('parseReset()', () => {
  for (
    const [text, expected] of [
      ['1760000060', now + 60_000],
      ['1760000060000', now + 60_000],
      ['60', now + 60_000],
      ['6m30s', now + 390_000],
      ['1h', now + 3_600_000],
      ['250ms', now + 250],
      ['2025-10-09T08:54:20Z', Date.parse('2025-10-09T08:54:20Z')],
      ['later', null],
      ['', null],
    ] as const
  ) test(`${text} → ${expected}`, () => expect(parseReset(text, now)).toBe(expected))
})

describe('commandVerdict()', () => {
  const end = (status: number | null, stdout = '', more = {}) => ({
    status,
    stdout,
    stderr: '',
    timedOut: false,
    ...more,
  })
  for (
    const [ended, status] of [
      [end(0, 'fine'), 200],
      [end(3, 'no'), 400],
      [end(null), 500],
      [end(null, '', { timedOut: true }), 408],
      [end(0, '{"type":"turn.completed"}\n'), 200],
      [end(1, '{"type":"thread.started"}\n{"type":"turn.completed"}\n'), 200],
      [end(0, '{"type":"turn.failed","error":{"message":"boom"}}\n'), 400],
    ] as const
  ) {
    test(`${JSON.stringify(ended)} is ${status}`, () => {
      const verdict = commandVerdict(ended, now)
      expect(verdict.is === 'outcome' && verdict.outcome.status).toBe(status)
    })
  }
  const failed = (message: string) =>
    end(1, `{"type":"thread.started"}\n${JSON.stringify({ type: 'error', message })}\n`)
  const local = (text: string) => Date.parse(text)
  for (
    const [message, resetsAt] of [
      ["You've hit your usage limit.", null],
      ['Please buy more credits to go on', null],
      ["You've hit your usage limit. Try again at Nov 22nd, 2031 3:04 PM.", local('Nov 22, 2031 15:04')],
      ['Usage limit: try again at January 2, 2031 12:30 am', local('Jan 2, 2031 00:30')],
      ['Usage limit: try again at Jan 2, 1999 1:30 AM', null],
      ['{"error":{"type":"usage_limit_reached","resets_in_seconds":90}}', now + 90_000],
    ] as const
  ) {
    test(`${message} resets at ${resetsAt}`, () => {
      expect(commandVerdict(failed(message), now)).toEqual({ is: 'quota_exhausted', resetsAt })
    })
  }
  test('an answer that speaks of usage limits is no spent quota', () => {
    const spoken = end(0, '{"type":"item.completed","item":{"text":"the usage limit"}}\n{"type":"turn.completed"}\n')
    expect(commandVerdict(spoken, now)).toEqual({ is: 'outcome', outcome: { status: 200, waitMs: null, hint: '' } })
  })
  test('a torn last line does not hide a completed turn', () => {
    const verdict = commandVerdict(end(0, '{"type":"turn.completed"}\n{"type":"tur'), now)
    expect(verdict.is === 'outcome' && verdict.outcome.status).toBe(200)
  })
  test('raises nothing, whatever is printed', () => {
    fc.assert(fc.property(fc.array(fc.oneof(fc.json(), fc.string())), (lines) => {
      expect(commandVerdict(end(1, lines.join('\n')), now).is.length).toBeGreaterThan(0)
    }))
  })
})
