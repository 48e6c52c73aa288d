import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fakePrograms } from '../support/programs.ts'
import { cli } from './support.ts'

// The JSON of each command that oauth-mux has, field by field with its type: what scripts read there they can read here.
// More fields may be there; none of these may be missing or of another type.

/** `s` text, `b` yes or no, `n` number, `a` list, `o` object, `*` anything; `?` after it: or null. */
type Shape = string | { readonly [field: string]: Shape } | readonly [Shape]

const liveness: Shape = { summary: 's', state: 's' }
const probed: Shape = { source: 's', observed_at: 'n', retry_after_s: 'n?', hint_class: 's', decision: 's' }
const action: Shape = {
  kind: 's',
  severity: 's',
  message: 's',
  interactive: 'b',
  mutating: 'b',
  budget: 's?',
  retry_after_s: 'n?',
  wait_until: 'n?',
  command: 's?',
  diagnostic_command: 's?',
  mediation: 's',
  owner: 's',
  agent_safe: 'b',
  spends_provider_calls: 'b',
}
const admission: Shape = { admitted: 'b', reason: 's', budget: 's?' }
const writeback: Shape = { capability: 's', automatic_refresh_admitted: 'b', reason: 's' }
const policy: Shape = { allowed_budgets: ['s'], allow_interactive: 'b', allow_mutating: 'b' }
const route: Shape = {
  provider: 's',
  account: 's',
  capability: 's?',
  selected: 'b',
  selectable: 'b',
  skip_reason: 's',
  extension_mode: 's',
  repair_owner: 's',
  writeback,
  probe_budget: 's?',
  admission: { daemon_probe: admission, daemon_repair: admission },
  runtime: { state: 's' },
  liveness: 'o?',
  last_probe: 'o?',
  action,
}
const explanation: Shape = {
  version: 's',
  action: 's',
  policy: { daemon: policy },
  profile: 's?',
  capability: 's?',
  ok: 'b',
  selected: 'o?',
  routes: [route],
}
const probe: Shape = {
  provider: 's',
  account: 's',
  capability: 's?',
  ok: 'b',
  error: 's?',
  exit_code: 'n?',
  probe_executed: 'b',
  probe_status: 'n?',
  decision: 's',
  runtime: {
    readiness: { state: 's' },
    required_binaries: ['s'],
    env_vars: ['s'],
    writable_paths: ['s'],
    session_paths: ['s'],
  },
  health_key: 's',
  liveness: 'o?',
  last_probe: 'o?',
}
const tick: Shape = {
  version: 's',
  tick_index: 'n',
  observed_at: 'n',
  mode: 's',
  execution_mode: 's',
  executed: 'b',
  handoff_queued: 'b',
  handoff_pending: 'b',
  message: 's',
  policy,
  profile: 's?',
  capability: 's?',
  afloat: 'b',
  selected: 'o?',
  summary: {
    routes: 'n',
    selectable: 'n',
    admitted_probes: 'n',
    blocked_probes: 'n',
    admitted_repairs: 'n',
    blocked_repairs: 'n',
    no_action: 'n',
    next_tick_after: 'n?',
    next_tick_reason: 's',
  },
  executions: [{
    provider: 's',
    account: 's',
    capability: 's?',
    phase: 's',
    action: 's',
    admitted: 'b',
    executed: 'b',
    ok: 'b',
    handoff: 'b',
    handoff_queued: 'b',
    reason: 's',
    budget: 's?',
    command: 's?',
  }],
  routes: [{
    route,
    tick: {
      phase: 's',
      action: 's',
      admitted: 'b',
      reason: 's',
      budget: 's?',
      executed: 'b',
      handoff: 'b',
      next_tick_after: 'n?',
      schedule_reason: 's',
    },
  }],
}
const checks: Shape = [{ name: 's', ok: 'b', severity: 's', message: 's' }]
const runtimeBase = {
  version: 's',
  ok: 'b',
  configured: 'b',
  config_valid: 'b',
  config_path: 's',
  validation_messages: 'a',
  providers: 'n',
  accounts: 'n',
  ready_accounts: 'n',
  action_needed_accounts: 'n',
  missing_binaries: 'n',
  next_commands: ['s'],
} as const
const enrolled: Shape = {
  ok: 'b',
  executed: 'b',
  config_changed: 'b',
  ran_provider_login: 'b',
  spends_provider_calls: 'b',
  backup_config: 's?',
  next_commands: ['s'],
}

/** In this order on one machine: each line, how it ends, and what it answers. */
const answers: readonly (readonly [line: string, code: number, shape: Shape])[] = [
  ['init --codex-max', 0, { created: 'b', path: 's' }],
  ['codex bootstrap-dirs', 0, { ok: 'b', created: ['s'] }],
  [
    'codex live-qa',
    1,
    { ok: 'b', error: 's', required: 's', spends_provider_calls: 'b' },
  ],
  ['stay-afloat --once --execute', 0, tick],
  ['stay-afloat --loop --execute --iterations 1', 0, {
    version: 's',
    mode: 's',
    execution_mode: 's',
    executed: 'b',
    message: 's',
    iterations_requested: 'n',
    interval_ms: 'n',
    ticks: [tick],
  }],
  ['stay-afloat handoffs', 0, { handoffs: [{ provider: 's', account: 's', capability: 's?', command: 's?' }] }],
  ...(['ack', 'clear'] as const).map((verb) =>
    [`stay-afloat handoff ${verb} --provider codex --account max-1 --capability codex-max`, 0, {
      ok: 'b',
      action: 's',
      profile: 's?',
      provider: 's',
      account: 's',
      capability: 's?',
      handoff_pending: 'b',
      handoff_acknowledged: 'b',
      handoff_resolved: 'b',
      event_recorded: 'b',
      reason: 's',
    }] as const
  ),
  ['repair run', 1, {
    ok: 'b',
    executed: 'b',
    confirmation_required: 'b',
    requires: 's',
    route: { provider: 's', account: 's', action },
  }],
  ['daemon events', 0, {
    events: [{
      ts: 'n',
      kind: 's',
      profile: 's?',
      provider: 's?',
      account: 's?',
      capability: 's?',
      action: 's?',
      command: 's?',
      writeback_capability: 's?',
      automatic_refresh_admitted: 'b?',
      outcome: 's',
      reason: 's?',
      ok: 'b',
      executed: 'b',
      interactive: 'b',
      mutating: 'b',
    }],
  }],
  ['probe --provider codex --account max-2 --capability codex-max --confirm-spend', 0, {
    ...probe,
    liveness: { ...liveness, availability: 's' },
    last_probe: probed,
  }],
  ['codex live-qa --confirm-spend', 1, {
    version: 's',
    ok: 'b',
    spends_provider_calls: 'b',
    accounts: ['s'],
    capabilities: ['s'],
    routes_total: 'n',
    routes_available: 'n',
    routes_unavailable: 'n',
    probe_errors: 'n',
    failures: 'n',
    capabilities_total: 'n',
    capabilities_covered: 'n',
    capabilities_uncovered: 'n',
    routes: [probe],
  }],
  ['codex login-status', 0, { accounts: [{ account: 's', logged_in: 'b?', runtime: { state: 's' } }] }],
  ['codex canary', 0, {
    version: 's',
    ok: 'b',
    spends_provider_calls: 'b',
    routes: explanation,
    repair_plan: explanation,
  }],
  ['route explain', 0, explanation],
  ['route select --provider codex --account max-2', 0, {
    ...explanation,
    selected: { provider: 's', account: 's', capability: 's', health_key: 's' },
  }],
  ['repair-plan', 0, explanation],
  ['repair run', 0, {
    ok: 'b',
    executed: 'b',
    confirmation_required: 'b',
    reason: 's',
    selected: { provider: 's', account: 's', capability: 's?', health_key: 's' },
  }],
  ['health --provider codex', 0, {
    accounts: [{
      key: 's',
      provider: 's',
      account: 's',
      capability: 's?',
      score: 'n',
      successes: 'n',
      failures: 'n',
      rate_limits: 'n',
      circuit: 's',
      last_http_status: 'n?',
      liveness,
      last_probe: 'o?',
    }],
  }],
  ['status', 0, {
    version: 's',
    configured: 'b',
    accounts: [{ provider: 's', account: 's', summary: 's' }],
    handoffs: 'a',
  }],
  ['doctor', 0, {
    version: 's',
    ok: 'b',
    configured: 'b',
    config_path: 's',
    state_dir: 's',
    health_path: 's',
    config_valid: 'b',
    config_error: 's?',
    providers: 'n',
    accounts: 'n',
    profiles: 'n',
    strategies: 'n',
    health_file_exists: 'b',
    health_entries: 'n',
    codex_configured: 'b',
    codex_max_configured: 'b',
    checks,
    next_commands: ['s'],
  }],
  ['doctor runtime', 0, {
    ...runtimeBase,
    provider_reports: [{
      name: 's',
      kind: 's',
      required_binaries: [{ name: 's', available: 'b' }],
      accounts: [{
        name: 's',
        ready: 'b',
        runtime: { state: 's' },
        writeback,
        config_dir_env: 's?',
        config_dir_set: 'b',
        config_dir_exists: 'b',
        config_dir_writable: 'b',
        session_paths: [{ name: 's', exists: 'b' }],
      }],
    }],
  }],
  ['doctor runtime --provider codex --account max-2', 0, {
    ...runtimeBase,
    scope: { profile: 's?', provider: 's?', account: 's?', capability: 's?' },
    route_reports: [{ provider: 's', account: 's', capability: 's?', ready: 'b', runtime: { state: 's' } }],
  }],
  ['report --redacted', 0, {
    version: 's',
    os: 's',
    arch: 's',
    redacted: 'b',
    include_paths: 'b',
    paths: 'o',
    config: { validation_messages: 'a' },
    providers: [{
      name: 's',
      kind: 's',
      support_status: 's',
      proof_status: 's',
      config_dir_env: 's?',
      accounts: [{
        name: 's',
        priority: 'n',
        secret_backend: 's?',
        secret_location: 's?',
        config_dir_set: 'b',
        config_dir: 's?',
        tags: ['s'],
      }],
    }],
    health: 'a',
    command_availability: [{ provider: 's', command: 's', available: 'b' }],
    next_commands: ['s'],
  }],
  ['providers list', 0, {
    providers: [{
      definition_key: 's',
      name: 's',
      display_name: 's',
      support_status: 's',
      proof_status: 's',
      extension_mode: 's',
      repair_owner: 's',
      built_in: 'b',
      configured: 'b',
      configured_accounts: 'n',
      capabilities: 'a',
      probes: 'n',
      failure_rules: 'n',
      detection_binaries: 'a',
      env_markers: 'a',
      runtime: 'o',
      capability_budgets: 'o',
      command_availability: 'a',
    }],
  }],
  ['discover', 0, {
    version: 's',
    configured: 'b',
    config_path: 's',
    state_dir: 's',
    codex_configured: 'b',
    codex_max_configured: 'b',
    providers: [{ name: 's' }],
    profiles: [{ name: 's' }],
    agent_safe_commands: ['s'],
  }],
  ['accounts list --provider codex', 0, {
    configured: 'b',
    filter_provider: 's?',
    accounts: [{
      provider: 's',
      account: 's',
      state: 's',
      secret_backend: 's?',
      runtime: { state: 's' },
      writeback,
      capabilities: [{
        name: 's',
        proof_status: 's',
        runtime: { state: 's' },
        health_recorded: 'b',
        liveness: 'o?',
        selectable: 'b',
        action,
      }],
    }],
    agent_safe_commands: ['s'],
  }],
  ['enroll plan codex --account max-9', 0, {
    action: 's',
    mutates: 'b',
    provider: 's',
    account: 's',
    mode: 's?',
    configured: 'b',
    provider_configured: 'b',
    provider_neutral_mutation_supported: 'b',
    existing_accounts: ['s'],
    steps: [{
      kind: 's',
      command: 's?',
      agent_safe: 'b',
      interactive: 'b',
      mutating: 'b',
      spends_provider_calls: 'b',
    }],
    agent_safe_commands: ['s'],
    future_provider_neutral_command: { available: 'b', command: 's' },
  }],
  ['enroll codex --account max-9', 0, {
    ok: 'b',
    executed: 'b',
    confirmation_required: 'b',
    requires: 's',
    mutates: 'b',
    spends_provider_calls: 'b',
    confirm_command: 's',
  }],
  ['enroll codex --account max-9 --confirm-enroll', 0, { ...enrolled, store_bootstrapped: 'b' }],
  ['enroll claude --account work --confirm-enroll', 0, { ...enrolled, config_bootstrapped: 'b' }],
  ['enroll figma --mode pat --account me --secret-env FIGMA_PAT --confirm-enroll', 0, {
    ...enrolled,
    config_provider: 's',
    capability: 's',
    secret_backend: 's',
    secret_env: 's',
    created_secret: 'b',
  }],
  ['codex config-candidate', 0, { created: 'b', active_config: 's', candidate_config: 's', next_commands: ['s'] }],
  ['codex config-merge --candidate HOME/codex-max.config.json', 0, {
    merged: 'b',
    reason: 's',
    active_config: 's',
    candidate_config: 's',
    backup_config: 's?',
    next_commands: ['s'],
  }],
  ['stay-afloat next --provider codex -- codex', 0, {
    ready_for_exec: 'b',
    exec_argv: ['s'],
    claim: {
      claim_version: 'n',
      level: 's',
      max_supported_level: 's',
      requires_mediation: 'b',
      mediation_point: 's?',
      target_boundary: 's',
      current_process_hotswap: 'b',
      supervised_restart: 'b',
      per_request_muxing: 'b',
      launch_argv: ['s'],
    },
    resilience: { spare_fallback_ready: 'b', single_route_at_risk: 'b' },
  }],
  ['daemon status', 0, {
    status: 's',
    contract: 's',
    production_supported: 'b',
    hosts_stay_afloat: 'b',
    wrapper_contract: 's',
    socket_transport_supported: 'b',
    stay_afloat_loop: { hosted: 'b', mode: 's', contract: 's', started_at: 'n?' },
    stay_afloat: { version: 's', contract: 's', last_tick_at: 'n' },
    pid: 'n?',
    transport: 's',
    socket: 's?',
  }],
]

const kinds: Readonly<Record<string, (value: unknown) => boolean>> = {
  s: (value) => typeof value === 'string',
  b: (value) => typeof value === 'boolean',
  n: (value) => typeof value === 'number',
  a: Array.isArray,
  o: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

/** Where a value is not of a shape. */
function faults(value: unknown, shape: Shape, at: string): string[] {
  if (typeof shape === 'string') {
    if (value === null && shape.endsWith('?')) return []
    return kinds[shape[0]!]!(value) ? [] : [`${at} is ${JSON.stringify(value)?.slice(0, 60)}, not ${shape}`]
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(value) || value.length === 0) return [`${at} is no list with something in it`]
    return value.flatMap((item, i) => faults(item, shape[0] as Shape, `${at}[${i}]`))
  }
  if (!kinds.o!(value)) return [`${at} is no object`]
  return Object.entries(shape).flatMap(([name, inner]) =>
    faults((value as Record<string, unknown>)[name], inner as Shape, `${at}.${name}`)
  )
}

describe('gw oauth-mux … --json', () => {
  let root: string
  let env: Record<string, string>
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'gw-shapes-'))
    env = {
      GW_HOME: join(root, 'home'),
      HOME: join(root, 'user'),
      XDG_DATA_HOME: join(root, 'data'),
      PATH: `${fakePrograms(root)}:${process.env.PATH}`,
    }
  })
  afterAll(() => rm(root, { recursive: true, force: true }))

  for (const [line, code, shape] of answers) {
    test(line, async () => {
      if (line.startsWith('probe')) {
        const store = join(root, 'data/oauth-mux/codex/max-2')
        spawnSync('codex', ['login'], { env: { ...env, CODEX_HOME: store } })
      }
      const argv = line.replace('HOME', env.GW_HOME!).split(' ')
      const before = argv.includes('--') ? argv.indexOf('--') : argv.length
      const done = await cli(['oauth-mux', ...argv.slice(0, before), '--json', ...argv.slice(before)], {
        env,
        cwd: root,
      })
      expect([done.code, done.stderr]).toEqual([code, ''])
      expect(faults(JSON.parse(done.stdout), shape, line.split(' ')[0]!)).toEqual([])
    }, 30_000)
  }
})
