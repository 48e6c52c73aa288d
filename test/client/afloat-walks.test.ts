import { afterAll, describe, expect, test } from 'bun:test'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fakePrograms } from '../support/programs.ts'
import { cli } from './support.ts'

// Corners of stay-afloat as its user meets them, each on a home of its own.

const main = join(import.meta.dir, '../../client/cli/main.ts')
const slow = 120_000
const root = mkdtempSync(join(tmpdir(), 'gw-walks-'))
const programs = fakePrograms(root)
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** A home with this configuration, and the environment of its user. */
function user(config = '', more: Record<string, string> = {}) {
  const folder = mkdtempSync(join(root, 'user-'))
  const env: Record<string, string> = {
    GW_HOME: join(folder, 'gw'),
    HOME: folder,
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_RUNTIME_DIR: join(folder, 'run'),
    PATH: `${programs}:${process.env.PATH}`,
    SHELL: '/bin/bash',
    ...more,
  }
  mkdirSync(env.GW_HOME!, { mode: 0o700 })
  mkdirSync(env.XDG_RUNTIME_DIR!, { mode: 0o700 })
  if (config) writeFileSync(join(env.GW_HOME!, 'config.toml'), config, { mode: 0o600 })
  const gw = async (...argv: string[]) => {
    const done = await cli(argv, { env, cwd: folder })
    return { ...done, json: () => JSON.parse(done.stdout) }
  }
  /** As a program of its own, which can hand its terminal on; what it prints comes back. */
  const own = (argv: readonly string[], before: readonly string[] = []) =>
    new Promise<{ code: number; out: string }>((resolve) => {
      const [program, ...args] = [...before, process.execPath, main, ...argv]
      const child = spawn(program!, args, { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
      let out = ''
      child.stdout.on('data', (bytes) => out += bytes)
      child.stderr.on('data', (bytes) => out += bytes)
      child.on('close', (code) => resolve({ code: code ?? -1, out }))
    })
  return { env, folder, gw, own }
}

const tokens = (secret: string) => `
[stay_afloat.provider_definitions.plain]
name = "plain"
injection = { direct_env = [["PLAIN_TOKEN", "access_token"]] }
capabilities = [{ name = "bare" }]
[stay_afloat.providers.plain]
kind = "plain"
accounts = { one = { priority = 2, secret = { ${secret} } }, two = { priority = 1, secret = { ${secret} } } }
`
const fromEnv = 'backend = "env", variable = "SOURCE"'

test('a capability without a probe: the credential is read, nothing is sent, and the account is known', async () => {
  const { gw } = user(tokens(fromEnv), { SOURCE: 'canary-plain-token' })
  const probed = await gw('probe', '--provider', 'plain', '--account', 'one', '--capability', 'bare', '--json')
  expect([probed.code, probed.json().ok, probed.json().probe_executed]).toEqual([0, true, false])
  const { routes } = (await gw('route', 'explain', '--provider', 'plain', '--json')).json()
  expect(routes[0]).toMatchObject({ capability: 'bare', probe_budget: null })
  expect(routes[0].admission.daemon_probe).toMatchObject({ admitted: false, reason: 'no_probe_budget' })
  expect((await gw('probe', '--provider', 'plain', '--account', 'one', '--capability', 'none')).code).toBe(200)
}, slow)

test('a credential that is piped in is handed on; where nothing is piped, its account is passed over', async () => {
  const { env, folder } = user(tokens('backend = "stdin"'))
  const asked = (input?: string) =>
    cli(['env', '--provider', 'plain', '--shell', 'bash'], { env, cwd: folder, ...(input ? { input } : {}) })
  const given = await asked('canary-piped-token\n')
  expect([given.code, given.stdout.includes("export PLAIN_TOKEN='canary-piped-token'\n")]).toEqual([0, true])
  const without = await asked()
  expect([without.code, without.stderr]).toEqual([201, expect.stringContaining('plain:one#bare (secret.unavailable)')])
}, slow)

describe('gw env', () => {
  const hostile = [
    "it's",
    '$(touch pwned) `touch pwned`',
    'x"; touch pwned; "',
    "a\\'b\\",
    '*?[x]{a,b}~ & | > x',
    'ü\u200b\t!',
  ]
  for (const [shell, program] of [['bash', 'bash'], ['bash', 'sh'], ['zsh', 'zsh'], ['ksh', 'ksh'], ['fish', 'fish']]) {
    const there = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
    test.skipIf(!there)(`${program} takes any value as it is, and runs none of it`, async () => {
      for (const value of hostile) {
        const { gw, folder } = user(tokens(fromEnv), { SOURCE: value })
        const { code, stdout } = await gw('env', '--provider', 'plain', '--account', 'one', '--shell', shell!)
        expect(code).toBe(0)
        const script = `${stdout}\nprintf %s "$PLAIN_TOKEN"`
        expect(spawnSync(program!, ['-c', script], { cwd: folder, encoding: 'utf8' }).stdout).toBe(value)
        expect(readdirSync(folder)).not.toContain('pwned')
      }
    }, slow)
  }
})

test(
  'gw exec hands a file over in a directory of its own, and leaves nothing behind, however the program ends',
  async () => {
    const { env, own, folder } = user(
      `[stay_afloat.provider_definitions.filed]
name = "filed"
injection = { config_dir_env = "FILED_HOME", credential_filename = "auth.json", credential_template = '{"t":"{{access_token}}"}' }
[stay_afloat.providers.filed]
kind = "filed"
accounts = { a = { secret = { backend = "env", variable = "SOURCE" } } }
`,
      { SOURCE: 'canary-exec-token' },
    )
    const filesNow = () =>
      readdirSync(env.GW_HOME!, { recursive: true }).concat(readdirSync(env.XDG_RUNTIME_DIR!, { recursive: true }))
    const script = 'grep -c canary-exec-token "$FILED_HOME/auth.json"; stat -c %a "$FILED_HOME"; '
    const done = await own(['exec', '--provider', 'filed', '--', 'sh', '-c', `${script}exit 3`])
    expect([done.code, done.out]).toEqual([3, '1\n700\n'])
    const killed = await own(['exec', '--provider', 'filed', '--', 'sh', '-c', 'kill -KILL $$'])
    expect(killed.code).toBe(137)
    expect((await own(['exec', '--provider', 'filed', '--', 'no-such-program'])).code).toBe(1)
    expect(filesNow().filter((name) => String(name).includes('exec-'))).toEqual([])
    for (const name of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue
      expect(readFileSync(join(name.parentPath, name.name)).includes('canary-exec-token')).toBe(false)
    }
  },
  slow,
)

test(
  'launch goes on to the next route where the program cannot be started, and says why when none is left',
  async () => {
    const config = tokens(fromEnv).replace(fromEnv, 'backend = "file", path = "~/long"')
    const { own, folder } = user(config, { SOURCE: 'x' })
    const launch = (program: string, ...args: string[]) =>
      own(['stay-afloat', 'launch', '--provider', 'plain', '--', program, ...args])
    writeFileSync(join(folder, 'long'), 'short', { mode: 0o600 })
    const none = await launch('./absent')
    expect([none.code, none.out.match(/trying the next route/g)?.length]).toEqual([1, 2])
    expect(none.out).toContain('could not be started')
    // No program can be started with a variable of this length.
    writeFileSync(join(folder, 'long'), 'x'.repeat(200_000), { mode: 0o600 })
    const second = await launch('sh', '-c', 'echo "$GW_ACTIVE_ACCOUNT"; exit 4')
    expect(second).toEqual({
      code: 4,
      out: expect.stringMatching(/^gw: plain:one#bare: could not be started; trying the next route\ntwo\n$/),
    })
  },
  slow,
)

describe('gw codex', () => {
  const pty = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0
  test.skipIf(!pty)('a login in a terminal, by name and as a confirmed repair; a failed one ends with 1', async () => {
    const { env, gw } = user()
    expect((await gw('init', '--codex-max')).code).toBe(0)
    for (const words of [['setup'], ['onboard', '--accounts', 'max-1,max-2,max-3']]) {
      expect((await gw('codex', ...words)).stdout).toContain('gw codex login-device max-1')
    }
    const typed = (line: string, more: Record<string, string> = {}) =>
      new Promise<{ code: number; out: string }>((resolve) => {
        const child = spawn('script', ['-qec', `${process.execPath} ${main} ${line}`, '/dev/null'], {
          env: { ...env, ...more },
          stdio: ['pipe', 'pipe', 'ignore'],
        })
        let out = ''
        child.stdout.on('data', (bytes) => out += bytes)
        child.on('close', (code) => resolve({ code: code ?? -1, out }))
      })
    const store = (name: string) => join(env.XDG_DATA_HOME!, 'oauth-mux/codex', name, 'auth.json')
    expect([await typed('codex login-device max-1'), existsSync(store('max-1'))]).toMatchObject([{ code: 0 }, true])
    expect([
      await typed('repair run --provider codex --account max-2 --confirm-repair'),
      existsSync(store('max-2')),
    ]).toMatchObject([{ code: 0, out: expect.stringContaining('command_success') }, true])
    const broken = join(root, 'broken')
    mkdirSync(broken, { recursive: true })
    writeFileSync(join(broken, 'codex'), '#!/bin/sh\nexit 9\n')
    chmodSync(join(broken, 'codex'), 0o755)
    const failed = await typed('codex login max-3', { PATH: `${broken}:${env.PATH}` })
    expect([failed.code, failed.out]).toEqual([1, expect.stringContaining('command_failed')])
    const { events } = (await gw('events', '--json')).json()
    expect(events.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      'failed',
      'started',
      'executed',
      'started',
      'executed',
      'started',
    ])
  }, slow)

  test('canary probes only with --live, and then only with a yes', async () => {
    const { env, gw } = user()
    await gw('init', '--codex-max')
    await gw('codex', 'bootstrap-dirs')
    for (const name of ['max-1', 'max-2', 'max-3']) {
      const home = join(env.XDG_DATA_HOME!, 'oauth-mux/codex', name)
      spawnSync('codex', ['login'], { env: { ...env, CODEX_HOME: home } })
    }
    const quiet = (await gw('codex', 'canary', '--json')).json()
    expect([quiet.ok, quiet.live, quiet.routes.selected]).toEqual([true, null, null])
    const refused = await gw('codex', 'canary', '--live', '--json')
    expect([refused.code, refused.json().error]).toEqual([1, 'confirmation_required'])
    const live = (await gw('codex', 'canary', '--live', '--confirm-spend', '--json')).json()
    expect(live.live).toMatchObject({
      ok: true,
      routes_total: 6,
      routes_available: 6,
      capabilities_total: 2,
      capabilities_covered: 2,
      capabilities_uncovered: 0,
      uncovered: [],
    })
    expect(live.routes.selected.health_key).toBe('codex:max-1#codex-max')
  }, slow)

  test('a merge takes the accounts over, keeps all else to the letter, and can be undone', async () => {
    const before = `# mine
[stay_afloat.policy.daemon]
allow_mutating = true # on purpose

[stay_afloat.providers.github]
kind = "github"
accounts = { me = { secret = { backend = "env", variable = "GH_TOKEN" } } }

[stay_afloat.providers.codex]
kind = "codex"
accounts = { default = { config_dir = "~/.codex" } }
`
    const { env, gw } = user(before)
    const file = join(env.GW_HOME!, 'config.toml')
    const { candidate_config } = (await gw('codex', 'config-candidate', '--json')).json()
    expect(readFileSync(file, 'utf8')).toBe(before)
    const merged = (await gw('codex', 'config-merge', '--candidate', candidate_config, '--json')).json()
    expect([merged.merged, merged.reason]).toEqual([true, 'merged_codex_max_candidate'])
    const after = readFileSync(file, 'utf8')
    for (const line of before.split('\n').slice(0, 7)) expect(after).toContain(line)
    const { accounts } = (await gw('stay-afloat', 'accounts', '--provider', 'codex', '--json')).json()
    expect(accounts.map(({ account }: { account: string }) => account).sort()).toEqual([
      'default',
      'max-1',
      'max-2',
      'max-3',
    ])
    expect((await gw('codex', 'config-merge', '--candidate', candidate_config, '--json')).json().merged).toBe(false)
    expect(readFileSync(merged.backup_config, 'utf8')).toBe(before)
    writeFileSync(file, readFileSync(merged.backup_config))
    expect((await gw('config', 'validate')).code).toBe(0)
    writeFileSync(candidate_config, '{"providers":')
    expect((await gw('codex', 'config-merge', '--candidate', candidate_config)).code).toBe(200)
    expect(readFileSync(file, 'utf8')).toBe(before)
  }, slow)
})

test('plain gw init: one account of each tool, all of it valid, and none of the real home touched', async () => {
  const { env, folder, gw } = user()
  expect((await gw('init', '--json')).json().created).toBe(true)
  expect((await gw('config', 'validate')).code).toBe(0)
  const { accounts } = (await gw('stay-afloat', 'accounts', '--json')).json()
  expect(accounts.map(({ provider }: { provider: string }) => provider).sort()).toEqual([
    'claude',
    'codex',
    'gemini',
    'github',
    'vercel',
  ])
  expect(readdirSync(folder).filter((name) => !['gw', 'run', '.bun'].includes(name))).toEqual([])
  expect(env.HOME).toBe(folder)
}, slow)
