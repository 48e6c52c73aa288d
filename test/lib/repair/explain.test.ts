import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { admit, noConsent, probeConsent, repairConsent, writebackFor } from '../../../lib/repair/admission.ts'
import { budgets } from '../../../lib/repair/definition/budget.ts'
import type { RepairOwner } from '../../../lib/repair/definition/schema.ts'
import { explanation, planRoutes } from '../../../lib/repair/explain.ts'
import { policyFor } from '../../../lib/repair/inventory/inventory.ts'
import { createRuntimeCheck } from '../../../lib/repair/runtime.ts'
import { clock0, dead, degraded, exhausted, limited, live, toyInventory, viewOf } from './toy.ts'

const now = clock0
const plan = (
  evidence: Parameters<typeof viewOf>[0],
  scope = {},
  more: Partial<Parameters<typeof planRoutes>[0]> = {},
) =>
  planRoutes({
    inventory: toyInventory(),
    evidence: viewOf(evidence),
    runtime: () => ({ state: 'ready' }),
    identity: () => null,
    uses: () => 0,
    affinity: () => null,
    now,
    ...more,
  }, scope)
const named = (scope: object, evidence: Parameters<typeof viewOf>[0] = {}) =>
  plan(evidence, scope).routes.map(({ report }) => `${report.provider}:${report.account}#${report.capability}`)

describe('scope', () => {
  for (
    const [scope, expected] of [
      [{}, ['toy:a1#expensive', 'toy:a1#cheap', 'toy:a2#expensive', 'toy:a2#cheap', 'own:x#null']],
      [{ provider: 'toy', capability: 'cheap' }, ['toy:a1#cheap', 'toy:a2#cheap']],
      [{ provider: 'toy', capability: 'low' }, ['toy:a1#cheap', 'toy:a2#cheap']],
      [{ provider: 'toy', account: 'a2' }, ['toy:a2#expensive', 'toy:a2#cheap']],
      [{ profile: 'main' }, ['toy:a2#cheap', 'toy:a1#expensive']],
      [{ profile: 'main', capability: 'cheap' }, ['toy:a2#cheap', 'toy:a1#cheap']],
      [{ profile: 'main', account: 'a1', provider: 'toy' }, ['toy:a1#expensive']],
    ] as const
  ) test(`${JSON.stringify(scope)}`, () => expect(named(scope)).toEqual([...expected]))

  for (
    const scope of [
      { account: 'a1' },
      { provider: 'nobody' },
      { provider: 'toy', account: 'nobody' },
      { profile: 'nobody' },
      { provider: 'toy', capability: 'flying' },
    ]
  ) {
    test(`${JSON.stringify(scope)} is refused with exit 200`, () => {
      expect(() => named(scope)).toThrow(expect.objectContaining({ code: 'scope.invalid', exit: 200 }))
    })
  }
})

describe('skip reasons and actions', () => {
  const route = 'toy:a1#cheap'
  for (
    const [evidence, reason, kind, severity] of [
      [null, 'unrecorded', 'probe_needed', 'warning'],
      [live(), 'available', 'none', 'ok'],
      [limited(30), 'rate_limited', 'wait_and_retry', 'info'],
      [exhausted(3600), 'quota_exhausted', 'wait_for_quota', 'warning'],
      [exhausted(-1), 'revalidation_needed', 'revalidation_needed', 'warning'],
      [degraded('scope_insufficient'), 'scope_insufficient', 'scope_or_permission', 'error'],
      [degraded('audience_mismatch'), 'audience_mismatch', 'resource_or_audience', 'error'],
      [degraded('tier_insufficient'), 'tier_insufficient', 'provider_plan', 'error'],
      [degraded('subscription_paused'), 'subscription_paused', 'provider_plan', 'error'],
      [degraded('provider_degraded', 60), 'provider_degraded', 'try_next_provider', 'warning'],
      [degraded('schema_invalid'), 'schema_invalid', 'inspect_provider_schema', 'warning'],
      [degraded('unknown_4xx', 60), 'unknown_4xx', 'inspect_provider_schema', 'warning'],
      [degraded('step_up_required'), 'step_up_required', 'reauth', 'error'],
      [degraded('pending_verification'), 'pending_verification', 'reauth', 'error'],
      [degraded('terms_required'), 'terms_required', 'reauth', 'error'],
      [dead('token_revoked'), 'token_revoked', 'reauth', 'error'],
    ] as const
  ) {
    test(`${evidence?.state ?? 'never seen'} ${reason} → ${kind}`, () => {
      const { report } = plan(evidence ? { [route]: evidence } : {}, {
        provider: 'toy',
        account: 'a1',
        capability: 'cheap',
      })
        .routes[0]!
      expect([report.skip_reason, report.action.kind, report.action.severity]).toEqual([reason, kind, severity])
      expect(report.selectable).toBe(kind === 'none')
    })
  }

  for (
    const [owner, backend, login, kind] of [
      ['upstream_cli_login', 'file', true, 'reauth'],
      ['oauth_mux_refresh', 'file', false, 'refresh'],
      ['oauth_mux_refresh', 'env', false, 'reauth'],
      ['external_secret_owner', 'env', false, 'external_secret_rotation'],
      ['manual_only', 'env', false, 'manual_repair'],
      ['manual_only', 'env', true, 'reauth'],
    ] as const
  ) {
    test(`a dead account of ${owner} over ${backend} → ${kind}`, () => {
      const inventory = toyInventory({ owner: owner as RepairOwner, backend, login })
      const { report } = plan({ 'toy:a1': dead('token_revoked') }, { provider: 'toy', account: 'a1' }, { inventory })
        .routes[0]!
      expect(report.action.kind).toBe(kind)
      expect(report.action.mutating).toBe(kind === 'reauth' || kind === 'refresh')
    })
  }

  for (
    const [runtime, kind] of [
      [{ state: 'missing_binary', binary: 'toy' }, 'fix_runtime'],
      [{ state: 'unwritable_store', detail: 'config_dir' }, 'fix_runtime'],
      [{ state: 'sandbox_blocked' }, 'fix_runtime'],
      [{ state: 'repair_in_progress', account: 'a1', started_at: 1 }, 'wait_for_repair'],
      [{ state: 'needs_reauth', methods: [], reason: 'session_file_missing' }, 'reauth'],
    ] as const
  ) {
    test(`runtime ${runtime.state} → ${kind}, whatever the evidence says`, () => {
      const { report } = plan({ 'toy:a1#cheap': live() }, { provider: 'toy', account: 'a1', capability: 'cheap' }, {
        runtime: () => runtime,
      }).routes[0]!
      expect([report.selectable, report.skip_reason, report.action.kind]).toEqual([false, runtime.state, kind])
      if (kind === 'fix_runtime') {
        expect(report.action.command).toBeNull()
        expect(report.action.diagnostic_command).toStartWith('gw doctor runtime --provider toy')
      }
    })
  }

  test('a command names accounts that no shell can misread', () => {
    const inventory = toyInventory({ account: `it's;rm` })
    const { report } = plan({}, { provider: 'toy', capability: 'cheap' }, { inventory }).routes[0]!
    expect(report.action.command).toBe(`gw probe --provider toy --account 'it'\\''s;rm' --capability cheap --json`)
  })
})

describe('no poisoning', () => {
  const select = (evidence: Parameters<typeof viewOf>[0], capability: string) =>
    plan(evidence, { provider: 'toy', capability }).selected?.report.account ?? null

  test('a spent capability sends only itself to the next account', () => {
    const evidence = { 'toy:a1#expensive': exhausted(3600), 'toy:a2#expensive': live(), 'toy:a1#cheap': live() }
    expect([select(evidence, 'expensive'), select(evidence, 'cheap')]).toEqual(['a2', 'a1'])
  })
  test('a dead account blocks all of its routes and no other', () => {
    const evidence = { 'toy:a1': dead('token_revoked'), 'toy:a1#cheap': live(), 'toy:a2#cheap': live() }
    expect(select(evidence, 'cheap')).toBe('a2')
    expect(select(evidence, 'expensive')).toBeNull()
  })
  test('an account that is fine says nothing about a capability nobody tried', () => {
    expect(select({ 'toy:a1': live() }, 'cheap')).toBeNull()
  })
  for (const block of [limited(30), exhausted(60), degraded('provider_degraded', 60)]) {
    test(`account-level ${block.state} blocks a route that is fine`, () => {
      expect(select({ 'toy:a1': block, 'toy:a1#cheap': live() }, 'cheap')).toBeNull()
    })
  }
})

test('10: strategies have an effect on the order', () => {
  const evidence = { 'toy:a1#cheap': live({ score: 10 }), 'toy:a2#cheap': live({ score: 60 }) }
  const first = (strategy: string) =>
    plan(evidence, { profile: strategy, capability: 'cheap' }).selected!.report.account
  expect([first('failover'), first('weighted')]).toEqual(['a1', 'a2'])
  const used = {
    'toy:a1#cheap': live({ observedAt: now - 1000 }),
    'toy:a2#cheap': live({ observedAt: now - 9000 }),
  }
  expect(plan(used, { profile: 'round', capability: 'cheap' }).selected!.report.account).toBe('a2')
})

test('10: affinity keeps a profile where it was served, while it lasts', () => {
  const evidence = { 'toy:a1#cheap': live(), 'toy:a2#cheap': live() }
  const after = (ms: number) =>
    plan(evidence, { profile: 'failover', capability: 'cheap' }, {
      affinity: () => ({ key: 'toy:a2#cheap', at: now - ms }),
    }).selected!.report.account
  expect([after(19 * 60_000), after(20 * 60_000)]).toEqual(['a2', 'a1'])
  const blocked = { ...evidence, 'toy:a2#cheap': exhausted(60) }
  const { selected } = plan(blocked, { profile: 'failover', capability: 'cheap' }, {
    affinity: () => ({ key: 'toy:a2#cheap', at: now }),
  })
  expect(selected!.report.account).toBe('a1')
})

test('10: a monthly limit warns when little is left and then keeps the account out', () => {
  const inventory = toyInventory({ monthlyLimit: 100 })
  const first = (uses: number) =>
    plan({ 'toy:a1#cheap': live() }, { provider: 'toy', capability: 'cheap' }, { inventory, uses: () => uses })
      .routes[0]!.report
  expect(first(10).action.message).toBe('it can be used')
  expect(first(96).action.message).toContain('4 of 100 uses left')
  expect([first(100).selectable, first(100).skip_reason, first(100).action.kind]).toEqual([
    false,
    'monthly_limit',
    'wait_for_quota',
  ])
  expect(first(100).action.wait_until).toBe(Date.UTC(2025, 10, 1) / 1000)
})

test('10: more than 32 routes are all planned', () => {
  const inventory = toyInventory({ accounts: 100 })
  const last = { 'toy:n99#cheap': live() }
  expect(plan(last, { provider: 'toy', capability: 'cheap' }, { inventory }).selected!.report.account).toBe('n99')
})

test('15: long names keep routes apart', () => {
  const long = 'x'.repeat(300)
  const inventory = toyInventory({ account: `${long}1`, second: `${long}2` })
  const evidence = { [`toy:${long}1#cheap`]: dead('token_revoked'), [`toy:${long}2#cheap`]: live() }
  expect(plan(evidence, { provider: 'toy', capability: 'cheap' }, { inventory }).selected!.report.account)
    .toBe(`${long}2`)
})

test('two accounts of one identity: the second says whose it is', () => {
  const reports = plan({}, { provider: 'toy', capability: 'cheap' }, { identity: () => 'same' }).routes
  expect(reports.map(({ report }) => report.same_identity_as)).toEqual([null, 'toy:a1'])
})

test('explanation() has exactly the field names of the format', () => {
  const view = explanation(plan({ 'toy:a1#cheap': live() }, { provider: 'toy', capability: 'cheap' }), 'explain', {
    version: '1',
    policy: toyInventory().policy.daemon,
  })
  expect(Object.keys(view)).toEqual([
    'version',
    'action',
    'policy',
    'profile',
    'capability',
    'ok',
    'selected',
    'routes',
  ])
  expect(view.selected).toEqual({ provider: 'toy', account: 'a1', capability: 'cheap', health_key: 'toy:a1#cheap' })
  expect(Object.keys(view.routes[0]!).sort()).toEqual([
    'account',
    'action',
    'admission',
    'capability',
    'extension_mode',
    'last_probe',
    'liveness',
    'probe_budget',
    'provider',
    'repair_owner',
    'runtime',
    'same_identity_as',
    'selectable',
    'selected',
    'skip_reason',
    'writeback',
  ])
  expect(Object.keys(view.routes[0]!.action).sort()).toEqual([
    'agent_safe',
    'budget',
    'command',
    'diagnostic_command',
    'interactive',
    'kind',
    'mediation',
    'message',
    'mutating',
    'owner',
    'retry_after_s',
    'severity',
    'spends_provider_calls',
    'wait_until',
  ])
})

describe('admit()', () => {
  const policy = {
    allowed_budgets: ['free_local', 'free_command'],
    allow_interactive: false,
    allow_mutating: false,
  } as const
  for (const budget of budgets) {
    test(`by default, a step of ${budget}`, () => {
      const step = {
        kind: 'probe',
        budget,
        interactive: budget === 'interactive',
        mutating: budget === 'mutating',
      } as const
      const expected = { free_local: true, free_command: true }[budget as 'free_local'] ?? false
      expect(admit(step, policy).admitted).toBe(expected)
    })
  }
  test('nothing to do is named as such', () => {
    const step = { budget: null, interactive: false, mutating: false }
    expect(admit({ kind: 'probe', ...step }, policy).reason).toBe('no_probe_budget')
    expect(admit({ kind: 'repair', ...step }, policy).reason).toBe('no_repair_action')
  })
  test('an allowed budget does not allow to involve a person or to rewrite', () => {
    const all = { ...policy, allowed_budgets: [...budgets] }
    const step = { kind: 'repair', budget: 'interactive', interactive: true, mutating: true } as const
    expect(admit(step, all).reason).toBe('interactive_not_allowed')
    expect(admit(step, { ...all, allow_interactive: true }).reason).toBe('mutating_not_allowed')
    expect(admit(step, { ...all, allow_interactive: true, allow_mutating: true }).reason).toBe('allowed_by_policy')
  })
  test('who asked for a probe has asked for a cheap call, and not for spending', () => {
    const step = (budget: 'cheap_provider' | 'spend_provider') =>
      ({ kind: 'probe', budget, interactive: false, mutating: false }) as const
    expect(admit(step('cheap_provider'), policy, noConsent).admitted).toBe(false)
    expect(admit(step('cheap_provider'), policy, probeConsent(false)).admitted).toBe(true)
    expect(admit(step('spend_provider'), policy, probeConsent(false)).reason).toBe('budget_not_allowed')
    expect(admit(step('spend_provider'), policy, probeConsent(true)).admitted).toBe(true)
  })
  test('a confirmed repair is admitted', () => {
    const step = { kind: 'repair', budget: 'interactive', interactive: true, mutating: true } as const
    expect(admit(step, policy, repairConsent).admitted).toBe(true)
  })
})

describe('policyFor()', () => {
  const base = { daemon: { allowed_budgets: ['free_local' as const], allow_interactive: false, allow_mutating: false } }
  const block = { auto_stay_afloat: true, allow_provider_spend: true, allow_interactive_auth: false }
  test('never widens without a block of its own', () => {
    expect(policyFor(base, 'codex')).toEqual(base.daemon)
  })
  test('widens for the provider of that name only', () => {
    const policy = { ...base, codex: block }
    expect(policyFor(policy, 'codex').allowed_budgets).toEqual(['free_local', 'cheap_provider', 'spend_provider'])
    expect(policyFor(policy, 'claude')).toEqual(base.daemon)
    expect(policyFor({ ...base, codex: { ...block, auto_stay_afloat: false } }, 'codex')).toEqual(base.daemon)
  })
})

describe('writebackFor()', () => {
  for (
    const [owner, backend, admitted, reason] of [
      ['oauth_mux_refresh', 'file', true, 'replace_file_writeback_available'],
      ['oauth_mux_refresh', 'store', true, 'store_writeback_available'],
      ['oauth_mux_refresh', 'keychain', false, 'keychain_write_not_implemented'],
      ['oauth_mux_refresh', 'sops', false, 'sops_write_not_implemented'],
      ['oauth_mux_refresh', 'age', false, 'secret_backend_writeback_unsupported'],
      ['oauth_mux_refresh', 'env', false, 'secret_backend_is_readonly'],
      ['oauth_mux_refresh', 'stdin', false, 'secret_backend_is_readonly'],
      ['oauth_mux_refresh', 'command', false, 'command_write_contract_missing'],
      ['oauth_mux_refresh', null, false, 'secret_backend_invalid'],
      ['upstream_cli_login', 'file', false, 'provider_repair_owned_by_upstream_cli'],
      ['external_secret_owner', 'file', false, 'provider_repair_owned_by_external_secret'],
      ['manual_only', 'file', false, 'provider_repair_is_manual_only'],
    ] as const
  ) {
    test(`${owner} over ${backend}: ${reason}`, () => {
      const plan = writebackFor(owner, backend)
      expect([plan.automatic_refresh_admitted, plan.reason]).toEqual([admitted, reason])
    })
  }
})

describe('createRuntimeCheck()', () => {
  let home: string
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'gw-runtime-'))
    await mkdir(join(home, 'bin'))
    await writeFile(join(home, 'bin', 'toy'), '#!/bin/sh\n')
    await chmod(join(home, 'bin', 'toy'), 0o755)
    await symlink('/bin/sh', join(home, 'bin', 'sh'))
    await mkdir(join(home, 'store'))
    await writeFile(join(home, 'store', 'auth.json'), '{}')
    await mkdir(join(home, 'bare'))
    await writeFile(join(home, 'plain'), '')
  })
  afterAll(() => rm(home, { recursive: true, force: true }))

  const check = (
    configDir: string | null,
    more: { binary?: string; repairs?: Map<string, number>; session?: string } = {},
  ) => {
    const inventory = toyInventory({
      configDir,
      binary: more.binary ?? 'toy',
      session: more.session ?? 'TOY_HOME/auth.json',
    })
    return createRuntimeCheck({
      env: { PATH: join(home, 'bin'), HOME: home },
      repairs: more.repairs ?? new Map(),
      writing: 'marker',
    }).check(inventory.accounts[0]!, 'cheap')
  }

  test('states, in their order', async () => {
    expect(await check('~/store')).toEqual({ state: 'ready' })
    expect(await check('~/store', { binary: 'absent' })).toEqual({ state: 'missing_binary', binary: 'absent' })
    expect(await check(null, { repairs: new Map([['toy:a1', 5000]]) })).toEqual({
      state: 'repair_in_progress',
      account: 'a1',
      started_at: 5,
    })
    expect(await check(null)).toEqual({ state: 'session_unavailable', detail: 'account_config_dir_missing' })
    expect(await check('~/nowhere')).toEqual({ state: 'session_unavailable', detail: 'config_dir_missing' })
    expect(await check('~/plain')).toEqual({ state: 'session_unavailable', detail: 'config_dir_not_directory' })
    expect(await check('~/bare')).toEqual({
      state: 'needs_reauth',
      methods: ['upstream_cli_login'],
      reason: 'session_file_missing',
    })
  })
  test('a path spec that names nothing known is passed over', async () => {
    expect(await check('~/bare', { session: 'OTHER_HOME/auth.json' })).toEqual({ state: 'ready' })
  })
  test('never makes a missing store, and leaves no marker behind', async () => {
    await check('~/nowhere')
    await check('~/store')
    expect((await readdir(home)).includes('nowhere')).toBe(false)
    expect(await readdir(join(home, 'store'))).toEqual(['auth.json'])
  })
})
