import { describe, expect, test } from 'bun:test'
import { blockedText, exits, probeText, repairText, sentences } from '../../client/cli/afloat/texts.ts'

// What people read where scripts read fields.

const route = { provider: 'codex', account: 'max-1', capability: 'mini' }
const way = {
  health_key: 'codex:max-1#mini',
  skip_reason: 'needs_reauth',
  kind: 'reauth',
  message: 'it needs a new login',
  interactive: true,
  command: 'gw codex login-device max-1',
} as const

describe('what the next run waits for', () => {
  for (
    const [given, text] of [
      [null, 'no route is configured: gw init\n'],
      [way, 'a person is needed for codex:max-1#mini: it needs a new login\n→ gw codex login-device max-1\n'],
      [
        { ...way, kind: 'fix_runtime', interactive: false, message: 'codex is not there', command: null },
        'codex:max-1#mini: codex is not there\n',
      ],
      [
        { ...way, kind: 'probe_needed', interactive: false, message: 'nothing is known', command: 'gw probe' },
        'codex:max-1#mini would be tried, unproven: nothing is known\n→ gw probe\n',
      ],
    ] as const
  ) test(text.trim(), () => expect(blockedText(given)).toBe(text))
})

describe('a probe', () => {
  for (
    const [more, text] of [
      [{ ok: true, probe_executed: true, probe_status: 200 }, 'codex:max-1#mini: works (200)'],
      [{ ok: true, capability: null }, 'codex:max-1: its credential is there and has not expired; nothing was asked'],
      [{ error: 'upstream.unreachable' }, 'codex:max-1#mini: not probed: it cannot be reached; look at the network'],
      [{ error: 'upstream.timeout' }, 'codex:max-1#mini: not probed: it did not answer in time; ask again'],
      [
        { error: 'probe_failed', probe_executed: true, probe_status: 401, liveness: { summary: 'dead:x' } },
        'dead:x (401)',
      ],
      [{ error: 'budget_not_allowed', admission: { budget: 'spend_provider' } }, '--confirm-spend'],
      [{ error: 'missing_binary', runtime: { readiness: { state: 'missing_binary', binary: 'codex' } } }, '(codex)'],
    ] as const
  ) test(text, () => expect(probeText({ ...route, ...more })).toContain(text))
})

test('a repair that did nothing says why, and what does', () => {
  const report = {
    version: '0',
    action: 'repair-run',
    ok: true,
    executed: false,
    confirmation_required: false,
    selected: null,
    route: null,
    exit_code: 0,
    reason: null,
  } as const
  expect(repairText({ ...report, selected: { ...route, health_key: 'codex:max-1#mini' } }))
    .toBe('nothing to mend: codex:max-1#mini can be used')
  expect(repairText({ ...report, reason: 'no_admitted_repair' })).toContain('gw repair plan')
  expect(repairText({ ...report, ok: false, error: 'interactive_json_unsupported' })).toContain('a terminal')
  expect(repairText({ ...report, ok: false, error: 'repair_in_progress' })).toContain('another process')
})

test('a handoff that is not there is named with its profile', () => {
  const said = sentences['afloat.clear']!({ ...route, action: 'clear', profile: 'main', reason: 'no_pending_handoff' })
  expect(said).toStartWith('nothing to clear: no step of codex:max-1#mini in profile main waits')
})

test('a refresh that was tried and failed ends with 203; what is not ours to refresh does not', () => {
  const ended = (outcome: string, ok: boolean) => exits['repair.refresh']!({ refreshed: [{ ok, outcome }] })
  expect([ended('refreshed', true), ended('not_admitted', false), ended('hard_lineage_invalidated', false)])
    .toEqual([0, 0, 203])
})

test('a configuration is valid in two words; one that a running gateway could not take is said and ends with 200', () => {
  const valid = { ok: true, path: '/x', problem: null, warnings: [] }
  const broken = { ...valid, ok: false, problem: 'two\n  lines', warnings: ['TOKEN was not read'] }
  const said = (result: typeof valid | typeof broken) => sentences['config.validate']!(result)
  expect([said(valid), said(broken)]).toEqual(['config: valid', 'two\n  lines\nwarning: TOKEN was not read'])
  expect([exits['config.validate']!(valid), exits['config.validate']!(broken)]).toEqual([0, 200])
})

test('why a request went where it went is told whole: tried, considered, left out', () => {
  const at = (account: string) => ({ target: `openai:${account}#chat`, model: 'm' })
  const answer = {
    request: 'req_1',
    requested: 'work',
    outcome: 'ok',
    status: 200,
    error: null,
    sentence: 'openai:c#chat answered: priority 0; 1 failed before it',
    attempts: [
      { ...at('b'), status: 500, failure: 'server_error', message: 'oops', durationMs: 8 },
      { ...at('c'), status: 200, failure: null, message: null, durationMs: 1 },
    ],
    plan: {
      strategy: 'priority',
      candidates: [{ ...at('b'), because: 'priority 9' }, { ...at('c'), because: 'priority 0' }],
      dropped: [{ ...at('a'), because: 'dead', detail: 'token revoked since 1 s ago' }],
    },
  }
  expect(sentences['route.why']!(answer).split('\n')).toEqual([
    'req_1  work: ok (200)',
    'openai:c#chat answered: priority 0; 1 failed before it',
    'tried:',
    '  openai:b#chat m  500 server_error: oops (8 ms)',
    '  openai:c#chat m  200 answered (1 ms)',
    'considered, in this order (priority):',
    '  openai:b#chat m  priority 9',
    '  openai:c#chat m  priority 0',
    'left out:',
    '  openai:a#chat m  dead: token revoked since 1 s ago',
  ])
  const denied = { ...answer, outcome: 'denied', status: 404, error: 'no model x', attempts: [], plan: null }
  expect(sentences['route.why']!(denied)).toContain('no model x\nthere was nothing else')
})
