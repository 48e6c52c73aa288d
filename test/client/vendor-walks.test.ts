import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { resolveVendors } from '../../lib/credentials/vendors/registry.ts'
import { type FakeVendor, fakeVendor } from '../support/vendors/fake-vendor.ts'
import { buildExecutable, type Executable } from './executable.ts'
import { type Done, type ProcessHome, processHome } from './login-process.ts'

const builtinVendors = resolveVendors({}, {}).list()

/*
 * Each vendor from login to logout, through the executable, a process for each command, against a fake of its endpoints.
 */

const limitMs = 60_000
let built: Executable
let at: FakeVendor
let home: ProcessHome
let env: Record<string, string> = {}

beforeAll(async () => {
  built = await buildExecutable({ quick: true })
}, limitMs)
afterAll(() => built.remove())
beforeEach(async () => {
  at = await fakeVendor()
  env = {}
})
afterEach(async () => {
  await home.close()
  await at.close()
})

const newHome = (config: string): ProcessHome => processHome(config, [built.path])
const gw = (...argv: string[]): Promise<Done> => home.run(argv, '', env)
async function json(...argv: string[]) {
  const { code, stdout, stderr } = await gw(...argv, '--json')
  expect([argv.join(' '), code, stderr]).toEqual([argv.join(' '), 0, ''])
  return JSON.parse(stdout)
}
async function printed(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await gw(...argv)
  expect([argv.join(' '), code, stderr]).toEqual([argv.join(' '), 0, ''])
  return stdout
}

/** Logs in by `method`, as the person at the page or at the other device would let it happen. */
async function logIn(vendor: string, method: 'browser' | 'device' | 'paste', more: string[] = []): Promise<URL> {
  const flag = method === 'browser' ? ['--no-browser'] : [`--${method}`]
  const started = home.start(['auth', 'login', vendor, ...flag, ...more], { env })
  const url = new URL(await started.address())
  const answer = new URLSearchParams({ code: 'c-1', state: url.searchParams.get('state') ?? '' })
  const redirect = url.searchParams.get('redirect_uri')
  if (method === 'browser') {
    expect((await fetch(`${redirect!.replace('localhost', '127.0.0.1')}?${answer}`)).status).toBe(200)
  }
  if (method === 'paste') started.type(`${redirect}?${answer}\n`)
  const done = await started.done
  expect([vendor, method, done.code, done.stderr]).toEqual([vendor, method, 0, started.said])
  return url
}

/** What follows a login is the same for all: it is listed, shown with its page, and forgotten. */
async function listed(vendor: string, binding: string | null = null): Promise<void> {
  const { data: logins } = await json('auth', 'list')
  expect(logins.map((one: { vendor: string; binding: string | null }) => [one.vendor, one.binding]))
    .toContainEqual([vendor, binding])
  const shown = await json('auth', 'inspect', vendor, ...(binding ? ['--binding', binding] : []))
  const row = builtinVendors.find((one) => one.id === vendor)!
  expect([shown.vendor, shown.uses.map((use: { page: string }) => use.page)]).toEqual([
    vendor,
    row.uses.map((use) => use.page),
  ])
}

async function loggedOut(vendor: string): Promise<void> {
  const { file } = builtinVendors.find((one) => one.id === vendor)!
  const path = join(home.home, 'auth', `${file}.json`)
  expect(existsSync(path)).toBe(true)
  expect((await json('auth', 'logout', vendor)).removed).toBe(true)
  expect(existsSync(path)).toBe(false)
  const gone = await gw('token', vendor)
  expect([gone.code === 0, gone.stdout]).toEqual([false, ''])
}

describe('GitHub Copilot', () => {
  test('by device code; the token is the short one, exchanged again on request; a lost plan says so', async () => {
    home = newHome(`
[logins.copilot]
device_url = "${at.url}/code"
device_poll_url = "${at.url}/token"
token_url = "${at.url}/token"
exchange_url = "${at.url}/exchange"
`)
    const until = Math.floor(Date.now() / 1000) + 1_800
    at.on('/code', [200, {
      device_code: 'd-1',
      user_code: 'WXYZ-1234',
      verification_uri: `${at.url}/device`,
      expires_in: 900,
      interval: 1,
    }])
    // GitHub says with status 200 that it waits.
    at.on('/token', [200, { error: 'authorization_pending' }], [200, { access_token: 'gho_1', scope: 'read:user' }])
    at.on('/exchange', [200, { token: 'tid=1;proxy-ep=proxy.individual.githubcopilot.com', expires_at: until }])
    await logIn('copilot', 'device')
    await listed('copilot')
    const { data: logins } = await json('auth', 'list')
    expect(logins[0].accounts).toHaveLength(1)
    expect(await printed('token', logins[0].accounts[0])).toStartWith('tid=1;')
    expect(at.requests.at(-1)!.headers.authorization).toBe('token gho_1')
    at.on('/exchange', [200, { token: 'tid=2', expires_at: until }])
    expect(await printed('token', 'copilot', '--refresh')).toBe('tid=2\n')
    at.on('/exchange', [403, { message: 'no plan' }])
    const lost = await gw('token', 'copilot', '--refresh')
    expect([lost.code, lost.stdout, lost.stderr.includes('has a plan')]).toEqual([203, '', true])
    await loggedOut('copilot')
  }, limitMs)
})

describe('Qwen', () => {
  test(
    'by device code with PKCE; refreshed on request; 400 means to log in again, and is not asked twice',
    async () => {
      home = newHome(`
[logins.qwen]
device_url = "${at.url}/code"
token_url = "${at.url}/token"
`)
      const tokens = (n: number) =>
        [200, {
          access_token: `q-${n}`,
          refresh_token: `qr-${n}`,
          expires_in: 3600,
          resource_url: 'portal.qwen.ai',
        }] as const
      at.on('/code', [200, {
        device_code: 'd-1',
        user_code: 'QW-1',
        verification_uri: 'https://chat.qwen.ai/authorize',
        verification_uri_complete: 'https://chat.qwen.ai/authorize?user_code=QW-1',
        expires_in: 900,
        interval: 1,
      }])
      at.on('/token', tokens(1))
      await logIn('qwen', 'device')
      expect([at.requests[0]!.body.code_challenge_method, at.requests[1]!.body.code_verifier!.length > 40]).toEqual([
        'S256',
        true,
      ])
      await listed('qwen')
      expect(await printed('token', 'qwen')).toBe('q-1\n')
      at.on('/token', tokens(2))
      await json('auth', 'refresh', 'qwen')
      expect([await printed('token', 'qwen'), at.requests.at(-1)!.body.refresh_token]).toEqual(['q-2\n', 'qr-1'])
      at.on('/token', [400, { code: 'odd' }])
      const calls = at.requests.length
      for (let i = 0; i < 2; i++) {
        const dead = await gw('auth', 'refresh', 'qwen')
        expect([dead.code, dead.stderr.includes('gw auth login qwen')]).toEqual([203, true])
      }
      expect(at.requests.length).toBe(calls + 1)
      await loggedOut('qwen')
    },
    limitMs,
  )
})

describe('Gemini CLI', () => {
  test('in a browser and by pasting, with the client secret of the environment; revoked on logout', async () => {
    home = newHome(`
[logins.gemini]
authorize_url = "${at.url}/authorize"
token_url = "${at.url}/token"
revoke_url = "${at.url}/revoke"
`)
    const without = await gw('auth', 'login', 'gemini')
    expect([without.code, without.stderr.includes('export GEMINI_OAUTH_CLIENT_SECRET')]).toEqual([202, true])
    env = { GEMINI_OAUTH_CLIENT_SECRET: 'g-secret' }
    at.on('/token', [200, { access_token: 'g-1', refresh_token: 'gr-1', expires_in: 3600 }])
    const page = await logIn('gemini', 'browser')
    expect([page.searchParams.get('access_type'), new URL(page.searchParams.get('redirect_uri')!).pathname]).toEqual([
      'offline',
      '/oauth2callback',
    ])
    expect(at.requests[0]!.body.client_secret).toBe('g-secret')
    await logIn('gemini', 'paste', ['--binding', 'two'])
    await listed('gemini')
    await listed('gemini', 'two')
    expect(await printed('token', 'gemini.two')).toBe('g-1\n')
    // Google rotates nothing: the refresh token stays.
    at.on('/token', [200, { access_token: 'g-2', expires_in: 3600 }])
    for (let i = 0; i < 2; i++) {
      expect(await printed('token', 'gemini', '--refresh')).toBe('g-2\n')
      expect(at.requests.at(-1)!.body).toMatchObject({ refresh_token: 'gr-1', client_secret: 'g-secret' })
    }
    at.on('/revoke', [200, {}])
    await loggedOut('gemini')
    expect(at.requests.some((request) => request.path === '/revoke' && request.body.token === 'gr-1')).toBe(true)
  }, limitMs)
})

describe('a service with an app of its user', () => {
  for (const row of builtinVendors.filter((one) => one.clientSecretEnv !== null && one.provider === null)) {
    test(`${row.id}: in a browser, list, inspect, token, refresh where it has one, logout`, async () => {
      home = newHome(`
[logins.${row.id}]
client_id = "mine"
authorize_url = "${at.url}/authorize"
token_url = "${at.url}/token"
${row.refreshUrl ? `refresh_url = "${at.url}/refresh"` : ''}
`)
      env = { [row.clientSecretEnv!]: 's-1' }
      const refreshes = row.id !== 'github'
      at.on('/token', [200, {
        access_token: 'a-1',
        ...(refreshes ? { refresh_token: 'r-1', expires_in: 3600 } : {}),
      }])
      const page = await logIn(row.id, 'browser')
      expect([page.searchParams.get('client_id'), page.searchParams.get('scope') ?? '']).toEqual([
        'mine',
        row.scopes.join(row.scopeSeparator),
      ])
      // Once is enough for what no row of data changes.
      const whole = row.id === 'github'
      if (whole) await listed(row.id)
      at.on(row.refreshUrl ? '/refresh' : '/token', [200, { access_token: 'a-2', expires_in: 3600 }])
      const refreshed = await gw('auth', 'refresh', row.id)
      expect(refreshed.code).toBe(refreshes ? 0 : 203)
      expect(await printed('token', row.id)).toBe(refreshes ? 'a-2\n' : 'a-1\n')
      if (refreshes) {
        const { headers, body } = at.requests.at(-1)!
        expect([body.grant_type, body.refresh_token]).toEqual(['refresh_token', 'r-1'])
        const known = row.clientAuth === 'post' ? body.client_secret : headers.authorization
        expect(known).toBe(row.clientAuth === 'post' ? 's-1' : `Basic ${btoa('mine:s-1')}`)
      }
      if (whole) await loggedOut(row.id)
      else expect((await json('auth', 'logout', row.id)).removed).toBe(true)
    }, limitMs)
  }

  test('by pasting; without an app it says what to register, and a refusal of the page is its own error', async () => {
    home = newHome(`[logins.slack]\nauthorize_url = "${at.url}/authorize"\ntoken_url = "${at.url}/token"\n`)
    env = { SLACK_CLIENT_SECRET: 's-1' }
    const without = await gw('auth', 'login', 'slack')
    expect([without.code, without.stderr.includes('client_id in [logins.slack]')]).toEqual([2, true])
    env = { ...env, GW_LOGIN_SLACK_CLIENT_ID: 'mine' }
    // Slack says with status 200 that it refuses.
    at.on('/token', [200, { ok: false, error: 'invalid_code' }], [200, { ok: true, access_token: 'xoxp-1' }])
    const refused = home.start(['auth', 'login', 'slack', '--paste'], { env })
    const url = new URL(await refused.address())
    refused.type(`?code=c&state=${url.searchParams.get('state')}\n`)
    const done = await refused.done
    expect([done.code, done.stderr.includes('invalid_code'), done.stdout]).toEqual([1, true, ''])
    await logIn('slack', 'paste')
    expect(await printed('token', 'slack')).toBe('xoxp-1\n')
  }, limitMs)
})
