import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fakePrograms } from '../support/programs.ts'

// A walk through stay-afloat as its user takes it: the command line as a program of its own, on a home of its own, with
// stand-ins for the programs that own the logins. The steps build on one another.

const main = join(import.meta.dir, '../../client/cli/main.ts')
const token = 'canary-codex-token'
let root: string
let env: Record<string, string>
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gw-afloat-'))
  env = {
    GW_HOME: join(root, 'home'),
    HOME: join(root, 'user'),
    XDG_DATA_HOME: join(root, 'data'),
    PATH: `${fakePrograms(root)}:${process.env.PATH}`,
    SHELL: '/bin/bash',
  }
  mkdirSync(env.HOME!)
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  // deno-lint-ignore no-explicit-any
  readonly json: any
}

function run(argv: readonly string[], more: Record<string, string> = {}, before: readonly string[] = []): Promise<Ran> {
  const [program, ...args] = [...before, process.execPath, main, ...argv]
  return new Promise((resolve) => {
    const child = spawn(program!, args, { env: { ...env, ...more }, cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, err] = ['', '']
    child.stdout.on('data', (bytes) => out += bytes)
    child.stderr.on('data', (bytes) => err += bytes)
    child.on('close', (code) => {
      // A credential is handed to programs, never printed.
      expect(out + err).not.toContain(token)
      resolve({ code: code ?? -1, out, err, json: argv.includes('--json') && out ? JSON.parse(out) : null })
    })
  })
}
const gw = (line: string) => run(line.split(' '))
const keys = (value: object) => Object.keys(value).sort().join(' ')
const store = (account: string) => join(root, 'data/oauth-mux/codex', account)
const slow = 240_000

test('before anything is there: looked at from every side, and nothing is made', async () => {
  const [accounts, strict, explain, select, live, next] = await Promise.all([
    gw('doctor accounts --json'),
    gw('doctor accounts --strict'),
    gw('route explain'),
    gw('route select --json'),
    gw('codex live-qa --json'),
    gw('stay-afloat next --json'),
  ])
  expect(accounts.json).toMatchObject({ configured: false, ok: false })
  expect(accounts.json.next_commands).toContain('gw init --codex-max')
  expect([accounts.code, strict.code, explain.code, select.code, live.code, next.code]).toEqual([0, 1, 0, 201, 1, 0])
  expect(live.json).toEqual({
    ok: false,
    error: 'confirmation_required',
    required: '--confirm-spend or OMUX_LIVE_QA_CONFIRM=spend-real-calls',
    spends_provider_calls: true,
  })
  expect(existsSync(env.GW_HOME!)).toBe(false)
  expect(existsSync(env.XDG_DATA_HOME!)).toBe(false)
}, slow)

test('init, stores, and what the reports say of them', async () => {
  expect((await gw('init --codex-max --json')).json.created).toBe(true)
  expect((await gw('init --json')).json.created).toBe(false)
  expect((await gw('codex bootstrap-dirs')).out).toContain('created/verified')
  expect(statSync(store('max-1')).mode & 0o777).toBe(0o700)
  const [doctor, runtime, discover, report, canary] = await Promise.all([
    gw('doctor accounts --json'),
    gw('doctor runtime --json'),
    gw('discover --json'),
    gw('report --redacted --json'),
    gw('codex canary --json'),
  ])
  expect(keys(doctor.json)).toBe(
    'accounts checks codex_configured codex_max_configured config_error config_path config_valid configured ' +
      'health_entries health_file_exists health_path next_commands ok profiles providers state_dir strategies version',
  )
  expect(keys(runtime.json)).toBe(
    'accounts action_needed_accounts config_path config_valid configured missing_binaries next_commands ok ' +
      'provider_reports providers ready_accounts validation_messages version',
  )
  expect(runtime.json.provider_reports[0].accounts[0].runtime).toEqual({
    state: 'needs_reauth',
    methods: ['upstream_cli_login'],
    reason: 'session_file_missing',
  })
  expect(discover.json).toMatchObject({ configured: true, codex_configured: true, codex_max_configured: true })
  for (const shared of [runtime.out, report.out]) expect(shared).not.toContain(store('max-1'))
  expect(report.json.providers[0].accounts[0].secret_location).toBe('redacted')
  expect(canary.json.spends_provider_calls).toBe(false)
}, slow)

test(
  'nobody is logged in: the plan says so, a repair wants a yes and then a terminal, a tick hands over once',
  async () => {
    const plan = await gw('repair plan --provider codex --account max-1 --json')
    expect([plan.json.action, plan.json.routes[0].action.command]).toEqual([
      'repair-plan',
      'gw codex login-device max-1',
    ])
    const asked = await gw('repair run --json')
    expect([asked.code, asked.json.requires, asked.json.executed]).toEqual([1, '--confirm-repair', false])
    const confirmed = await gw('repair run --confirm-repair --json')
    expect([confirmed.code, confirmed.json.error]).toEqual([1, 'interactive_json_unsupported'])
    expect((await gw('codex login max-1 --json')).code).toBe(1)

    const planned = await gw('stay-afloat --once --json')
    expect([planned.json.execution_mode, planned.json.executed]).toEqual(['plan', false])
    expect((await gw('stay-afloat handoffs --json')).json.handoffs).toEqual([])
    const first = await gw('stay-afloat --once --execute --json')
    expect(keys(first.json)).toBe(
      'afloat capability executed execution_mode executions handoff_pending handoff_queued message mode observed_at ' +
        'policy profile routes selected summary tick_index version',
    )
    const second = await gw('stay-afloat --once --execute --json')
    expect([first, second].map(({ json }) => [json.handoff_queued, json.handoff_pending])).toEqual([[true, true], [
      false,
      true,
    ]])
    const loop = await gw('stay-afloat --loop --iterations 2 --interval-ms 0 --json')
    expect(keys(loop.json)).toBe(
      'executed execution_mode interval_ms iterations_requested message mode ticks version',
    )
    const status = await gw('status')
    expect(status.out.match(/needs you: codex:max-1/g)?.length).toBe(1)
  },
  slow,
)

test('a handoff is named whole; acknowledging keeps it, clearing ends it, and it may come again', async () => {
  expect((await gw('stay-afloat handoff ack --provider codex')).code).toBe(200)
  const named = '--provider codex --account max-1 --capability codex-max --json'
  const acknowledged = await gw(`stay-afloat handoff ack ${named}`)
  expect(keys(acknowledged.json)).toBe(
    'account action capability event_recorded handoff_acknowledged handoff_pending handoff_resolved ok profile ' +
      'provider reason',
  )
  expect(acknowledged.json).toMatchObject({ handoff_pending: true, reason: 'user_acknowledged' })
  expect((await gw(`stay-afloat handoff clear ${named}`)).json).toMatchObject({
    handoff_resolved: true,
    reason: 'manual_clear',
  })
  expect((await gw(`stay-afloat handoff clear ${named}`)).json.reason).toBe('no_pending_handoff')
  for (const [verb, word] of [['ack', 'acknowledge'], ['clear', 'clear']] as const) {
    const again = await gw(`stay-afloat handoff ${verb} ${named.replace(' --json', '')}`)
    expect([again.code, again.out]).toEqual([
      0,
      `nothing to ${word}: no step of codex:max-1#codex-max waits; gw stay-afloat handoffs names those that do\n`,
    ])
  }
  const events = (await gw('events --json')).json.events as Record<string, unknown>[]
  expect(events.slice(0, 2).map(({ outcome }) => outcome)).toEqual(['handoff_resolved', 'handoff_acknowledged'])
  expect(keys(events[0]!)).toBe(
    'account action automatic_refresh_admitted capability command executed interactive kind mutating ok outcome ' +
      'profile provider reason ts writeback_capability',
  )
}, slow)

test('logged in: a probe that spends wants a yes; then routes are selected and programs run with them', async () => {
  spawnSync('codex', ['login'], { env: { ...env, CODEX_HOME: store('max-2') } })
  const login = await gw('codex login-status --json')
  expect(login.json.accounts.map((row: Record<string, unknown>) => row.logged_in)).toEqual([false, true, false])
  const probe = 'probe --provider codex --account max-2 --capability codex-max --json'
  const refused = await gw(probe)
  expect([refused.code, refused.json.error, refused.json.probe_executed]).toEqual([1, 'budget_not_allowed', false])
  const probed = await gw(`${probe} --confirm-spend`)
  expect([probed.code, probed.json.ok, probed.json.probe_executed, probed.json.health_key]).toEqual([
    0,
    true,
    true,
    'codex:max-2#codex-max',
  ])
  expect((await gw('probe --provider codex --account max-2 --json')).json.probe_executed).toBe(false)
  const unknown = await gw('probe --provider codex --account max-2 --capability nonsense')
  expect(unknown.code).toBe(200)
  const selected = await gw('route select --capability codex-max --json')
  expect([selected.code, selected.json.selected.health_key]).toEqual([0, 'codex:max-2#codex-max'])
  const explained = await gw('route explain --capability codex-max --json')
  expect(explained.json.routes.map((row: Record<string, unknown>) => row.selected)).toEqual([false, true, false])

  const exec = await run(['exec', '-p', 'codex-max', '--', 'sh', '-c', 'echo "$OMUX_ACTIVE_ACCOUNT"; exit 7'])
  expect([exec.code, exec.out]).toEqual([7, 'max-2\n'])
  expect((await run(['exec', '-p', 'codex-max', '--', 'no-such-program'])).code).toBe(1)
  const launched = await run(['stay-afloat', 'launch', '--provider', 'codex', '--', 'sh', '-c', 'echo "$CODEX_HOME"'])
  expect([launched.code, launched.out]).toEqual([0, `${store('max-2')}\n`])
  const assignments = await gw('env -p codex-max --shell fish')
  expect(assignments.out).toContain(`set -gx CODEX_HOME '${store('max-2')}';`)
  const next = await gw('stay-afloat next -p codex-max --json -- codex')
  expect(next.json).toMatchObject({ ready_for_exec: true, claim: { claim_version: 1, current_process_hotswap: false } })
  expect(next.json.resilience).toMatchObject({ spare_fallback_ready: false, single_route_at_risk: true })

  const health = await gw('health --provider codex --json')
  expect(keys(health.json.accounts[0])).toBe(
    'account capability circuit failures key last_http_status last_probe liveness provider rate_limits score successes',
  )
  expect((await gw('health --provider code --json')).json.accounts).toEqual([])
}, slow)

test('scopes that do not exist are refused', async () => {
  const ends = await Promise.all(
    ['--account x', '--profile x', '--provider x', '--provider codex --account x'].map((scope) =>
      gw(`route select ${scope}`)
    ),
  )
  expect(ends.map(({ code }) => code)).toEqual([200, 200, 200, 200])
  expect((await gw('route selct')).code).toBe(2)
  expect((await gw('stay-afloat')).code).toBe(2)
}, slow)

test('accounts are added once confirmed, and candidates merged once', async () => {
  const before = readFileSync(join(env.GW_HOME!, 'config.toml'), 'utf8')
  const plan = await gw('enroll plan claude --account work --json')
  expect(plan.json).toMatchObject({ action: 'plan', mutates: false, account: 'work' })
  const asked = await gw('enroll claude --account work --json')
  expect([asked.code, asked.json.confirm_command]).toEqual([0, 'gw enroll claude --account work --confirm-enroll'])
  expect(readFileSync(join(env.GW_HOME!, 'config.toml'), 'utf8')).toBe(before)
  const done = await gw('enroll claude --account work --confirm-enroll --json')
  expect(done.json).toMatchObject({ ok: true, config_changed: true, config_bootstrapped: true, created_secret: false })
  expect(readFileSync(done.json.backup_config, 'utf8')).toBe(before)
  expect((await gw('enroll nonsense --confirm-enroll')).code).not.toBe(0)

  const made = await gw('codex config-candidate --json')
  expect([made.json.created, (await gw('codex config-candidate --json')).json.created]).toEqual([true, false])
  const merged = await run(['codex', 'config-merge', '--candidate', made.json.candidate_config, '--json'])
  expect(merged.json).toMatchObject({ merged: false, reason: 'active_config_already_codex_max', backup_config: null })
}, slow)

describe('a home that cannot be written, and no network', () => {
  const own = ['unshare', '-m', '-n']
  const possible = spawnSync(own[0]!, [...own.slice(1), 'mount', '--bind', tmpdir(), tmpdir()]).status === 0
  // Root writes wherever it likes: there, its home is a read-only mount in a namespace of its own. Others: chmod.
  const sealed = (argv: readonly string[]) => {
    const script = 'mount --bind "$GW_HOME" "$GW_HOME" && mount -o remount,ro,bind "$GW_HOME" && exec "$@"'
    return run(argv, {}, possible ? [...own, 'sh', '-c', script, 'sh'] : [])
  }
  const picture = () =>
    readdirSync(env.GW_HOME!).sort().map((name) => {
      const path = join(env.GW_HOME!, name)
      const info = statSync(path)
      return [name, info.mtimeMs, info.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '']
    })

  test.skipIf(!possible && process.getuid?.() === 0)('explaining works all the same, and changes nothing', async () => {
    if (!possible) chmodSync(env.GW_HOME!, 0o500)
    try {
      const before = picture()
      const explained = await sealed(['route', 'explain', '--capability', 'codex-max', '--json'])
      expect([explained.code, explained.json.selected.health_key]).toEqual([0, 'codex:max-2#codex-max'])
      const ends = await Promise.all([
        sealed(['route', 'select', '--json']),
        sealed(['repair', 'plan', '--json']),
        sealed(['doctor', 'runtime', '--json']),
        sealed(['stay-afloat', 'next', '--json']),
        ...['status', 'doctor', 'doctor accounts', 'discover', 'report', 'quota', 'health'].map((line) =>
          sealed([...line.split(' '), '--json'])
        ),
      ])
      expect(ends.map(({ code }) => code)).toEqual(ends.map(() => 0))
      expect((await sealed(['stay-afloat', '--once', '--execute'])).code).not.toBe(0)
      expect(picture()).toEqual(before)
    } finally {
      if (!possible) chmodSync(env.GW_HOME!, 0o700)
    }
  }, slow)
})

describe('bad input', () => {
  const folder = () => join(root, 'old')
  const config = JSON.stringify({
    version: 1,
    providers: { github: { kind: 'github', accounts: { me: { secret: { backend: 'env', variable: 'GH_TOKEN' } } } } },
  })
  const importing = (files: Record<string, string>) => {
    mkdirSync(folder(), { recursive: true })
    for (const [name, text] of Object.entries({ 'config.json': config, ...files })) {
      writeFileSync(join(folder(), name), text)
    }
    const home = { GW_HOME: mkdtempSync(join(root, 'import-')) }
    return run(['import', 'oauth-mux', join(folder(), 'config.json'), '--state', folder(), '--json'], home)
  }

  test('events with torn lines: whole ones taken, the rest counted', async () => {
    const line = JSON.stringify({ ts: 5, kind: 'repair_run', outcome: 'noop', ok: true })
    const { code, json } = await importing({ 'repair-events.jsonl': `${line}\n{"ts":6,"ki\n${line}\n` })
    expect([code, json.events]).toEqual([0, { imported: 2, skipped: 1 }])
  }, slow)

  for (
    const [what, health] of [['cut in half', '{"version":1,"accounts":{"git'], ['of another version', '{"version":99}']]
  ) {
    test(`a health store ${what} is left as it is, and said so`, async () => {
      const { code, err, json } = await importing({ 'health.json': health! })
      expect([code, json.health.ok]).toEqual([1, false])
      expect(err).toContain(json.health.reason)
      expect(readFileSync(join(folder(), 'health.json'), 'utf8')).toBe(health!)
    }, slow)
  }

  test('a configuration that does not parse: 200, with the line, and the file stays', async () => {
    const home = mkdtempSync(join(root, 'broken-'))
    writeFileSync(join(home, 'config.toml'), '[stay_afloat\nx = ', { mode: 0o600 })
    const { code, err } = await run(['route', 'explain'], { GW_HOME: home })
    expect([code, err.includes('config.toml')]).toEqual([200, true])
    const doctor = await run(['doctor', '--json'], { GW_HOME: home })
    expect([doctor.code, doctor.json.ok]).toEqual([0, false])
    for (const words of [['doctor', 'accounts'], ['doctor', 'runtime']]) {
      const said = await run([...words, '--json'], { GW_HOME: home })
      expect([said.code, said.json.ok, said.json.config_valid]).toEqual([0, false, false])
      expect([said.json.config_path, said.json.next_commands]).toEqual([
        join(home, 'config.toml'),
        ['gw config validate'],
      ])
      expect((await run([...words, '--strict'], { GW_HOME: home })).code).toBe(1)
    }
    const asked = await run(['status', '--json'], { GW_HOME: home })
    expect([asked.code, JSON.parse(asked.err).error.message.includes('\\n')]).toEqual([200, false])
    expect(readFileSync(join(home, 'config.toml'), 'utf8')).toBe('[stay_afloat\nx = ')
  }, slow)
})
