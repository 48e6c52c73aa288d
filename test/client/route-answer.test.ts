import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answer } from '../../client/cli/route-answer.ts'
import { routeQuestion } from '../../client/cli/route-question.ts'
import { silentLogger, systemClock } from '../../lib/base/mod.ts'
import { type Board, createBoard } from '../../lib/liveness/mod.ts'
import type { TargetKey } from '../../lib/accounts/mod.ts'
import { detectPlatform } from '../../lib/platform/mod.ts'
import { openStorage } from '../../lib/storage/mod.ts'
import { cli, withIo } from './support.ts'

const home = mkdtempSync(join(tmpdir(), 'gw-answer-'))
const env = { HOME: home, GW_HOME: home, PATH: '/nowhere', OPENAI_API_KEY: 'sk-test-of-the-environment' }

const config = `
[accounts.declared]
provider = "anthropic"
token_env = "SOME_TOKEN"
tags = ["a"]

[mcp.servers.wiki]
url = "https://wiki.example/mcp"

[providers.house]
base_url = "https://house.example/v1"

[accounts.own]
provider = "house"
token_env = "HOUSE_TOKEN"

[stay_afloat.defaults]
strategy = "failover"

[stay_afloat.policy.codex]
auto_stay_afloat = true

[stay_afloat.strategies.failover]
kind = "health-weighted"

[stay_afloat.profiles.max]
providers = ["codex:max-2#codex-max", "codex:max-1", "github:me"]

[stay_afloat.providers.github]
kind = "github"
[stay_afloat.providers.github.accounts.me]
secret = { backend = "env", variable = "GH_TOKEN" }
quota = { monthly_limit = 10 }

[stay_afloat.providers.codex]
kind = "codex"
[stay_afloat.providers.codex.accounts.max-1]
priority = 10
config_dir = "${home}"
[stay_afloat.providers.codex.accounts.max-2]
priority = 20
config_dir = "${home}/none"
`

/** A moment far enough away that a second more or less shows nowhere. */
const later = Date.now() + 30 * 86_400_000

function believe(board: Board): void {
  const key = (text: string) => text as TargetKey
  const failure = { kind: 'unauthorized', scope: 'account', status: 401, windows: [] } as never
  board.note(key('github:me'), { is: 'failure', source: 'serving', failure, jitterMs: 0 })
  board.note(key('openai:openai'), { is: 'success', source: 'serving' })
  board.note(key('openai:openai#chat'), { is: 'success', source: 'serving' })
  board.lost('anthropic', 'declared', 'token_revoked')
}

beforeAll(async () => {
  writeFileSync(join(home, 'config.toml'), config, { mode: 0o600 })
  expect((await cli(['accounts', 'add', 'groq', '--from', 'env:GROQ_KEY'], { env })).code).toBe(0)
  const storage = await openStorage({
    platform: await detectPlatform(),
    clock: systemClock,
    path: join(home, 'gw.sqlite'),
  })
  const board = await createBoard({ storage, clock: systemClock, random: () => 0, logger: silentLogger })
  believe(board)
  board.close()
  await storage.write(async (tx) => {
    await tx.insertInto('repair_identities').values([
      { account: 'codex:max-1', identity: 'same', expires_ms: null, seen_ms: 1 },
      { account: 'codex:max-2', identity: 'same', expires_ms: null, seen_ms: 1 },
    ]).execute()
    await tx.insertInto('repair_running').values({
      account: 'codex:max-1',
      started_ms: 1_000,
      until_ms: later,
    }).execute()
    await tx.insertInto('repair_uses')
      .values({ account: 'github:me', month: new Date().toISOString().slice(0, 7), uses: 12 }).execute()
  })
  await storage.close()
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

const short = async (line: string) => {
  const question = routeQuestion(line.split(' '), env)
  expect(question).not.toBeNull()
  return await withIo(async (io) => await answer(question!, io) ?? -1, { env, cwd: home })
}

describe('a question about routes is answered as the whole command line answers it', () => {
  for (
    const line of [
      'route explain',
      'route explain --json',
      'route explain --provider openai --json',
      'route explain --profile max --json',
      'route explain --profile=max --capability=codex-mini --json',
      'route explain --provider codex --account max-1 --json',
      'route explain --capability chat',
      'route explain --provider wiki --json',
      'route select --json',
      'route select --provider github --json',
      'route select --provider github',
      '--json repair plan',
      'repair plan --provider codex',
    ]
  ) {
    test(`gw ${line}`, async () => {
      const whole = await cli(line.split(' '), { env, cwd: home })
      expect(whole.stdout.length).toBeGreaterThan(10)
      expect(await short(line)).toEqual(whole)
    })
  }
})

test('what was explained covers every kind of route', async () => {
  const { routes } = JSON.parse((await short('route explain --json')).stdout)
  const seen = new Map<string, Record<string, unknown>>(
    routes.map((route: Record<string, unknown>) => [`${route.provider}:${route.account}`, route]),
  )
  expect([...seen.keys()].toSorted()).toEqual(
    [
      'anthropic:declared',
      'codex:max-1',
      'codex:max-2',
      'github:me',
      'groq:groq',
      'house:own',
      'openai:openai',
      'wiki:wiki',
    ],
  )
  expect(seen.get('github:me')).toMatchObject({ selectable: false, skip_reason: 'monthly_limit' })
  expect(seen.get('anthropic:declared')).toMatchObject({ skip_reason: 'token_revoked' })
  expect(seen.get('codex:max-1')).toMatchObject({ same_identity_as: 'codex:max-2' })
})

test.each([
  'route explain --provider nobody',
  'route explain --account me',
  'route explain --profile nothing',
])('gw %s is left to the command line, which has words for it', async (line) => {
  expect((await short(line)).code).toBe(-1)
  expect((await cli(line.split(' '), { env, cwd: home })).code).toBe(200)
})

test('a config that is wrong, and a home of another version, are left to the whole command line', async () => {
  const ask = (more: object) =>
    withIo(async (io) => await answer({ action: 'explain', scope: {}, json: true }, io) ?? -1, {
      env: { ...env, ...more },
      cwd: home,
    })
  expect((await ask({ GW_SERVER_PORT: 'high' })).code).toBe(-1)
  expect((await ask({ GW_CONFIG: '/nonexistent' })).code).toBe(-1)
  expect((await ask({ GW_LOG_LEVEL: 'debug' })).code).toBe(-1)
  const old = mkdtempSync(join(tmpdir(), 'gw-old-'))
  writeFileSync(join(old, 'gw.sqlite'), '')
  expect((await ask({ GW_HOME: old })).code).toBe(-1)
  rmSync(old, { recursive: true })
})

test('answering leaves no trace, and needs no home', async () => {
  const picture = () =>
    readdirSync(home).sort().map((
      name,
    ) => [name, statSync(join(home, name)).mtimeMs, readFileSync(join(home, name), 'hex')])
  const before = picture()
  await short('route explain --json')
  expect(picture()).toEqual(before)
  const nowhere = join(home, 'not', 'there')
  const none = await withIo(async (io) => await answer({ action: 'select', scope: {}, json: false }, io) ?? -1, {
    env: { HOME: nowhere, GW_HOME: nowhere },
    cwd: home,
  })
  expect(none).toEqual({ code: 201, stdout: 'no route is configured\n', stderr: '' })
  expect(readdirSync(home).includes('not')).toBe(false)
})

describe('routeQuestion()', () => {
  test.each(
    [
      [['route', 'explain'], {}, { action: 'explain', scope: {}, json: false }],
      [['--json', 'route', 'select', '--provider', 'a'], {}, {
        action: 'select',
        scope: { provider: 'a' },
        json: true,
      }],
      [['repair', 'plan', '--profile=x=y'], {}, { action: 'repair-plan', scope: { profile: 'x=y' }, json: false }],
      [['route', 'explain', 'gpt-5'], {}, null],
      [['route'], {}, null],
      [['route', 'explain', '--help'], {}, null],
      [['route', 'explain', '--provider'], {}, null],
      [['route', 'explain', '--provider', '--json'], {}, null],
      [['route', 'explain', '--provider='], {}, null],
      [['route', 'explain', '--provider', 'a', '--provider', 'b'], {}, null],
      [['route', 'explain', '--strategy', 'x'], {}, null],
      [['route', 'explain', '--config', 'x'], {}, null],
      [['route', 'explain', '-p', 'x'], {}, null],
      [['route', 'explain'], { GW_URL: 'http://elsewhere' }, null],
      [['route', 'explain'], { GW_TOKEN: 'x' }, null],
    ] as const,
  )('%j', (argv, given, expected) => expect(routeQuestion(argv, given)).toEqual(expected))
})
