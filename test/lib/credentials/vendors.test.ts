import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isGwError, jsonLogger, systemClock } from '../../../lib/base/mod.ts'
import { createLoginSessions, mintApiKey, resolveVendors } from '../../../lib/credentials/mod.ts'
import type { LoginOverrides } from '../../../lib/credentials/vendors/config.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openSecretStore } from '../../../lib/secrets/mod.ts'
import { openLoginHome } from '../../support/login-home.ts'
import { type FakeVendor, fakeVendor, jwt } from '../../support/vendors/fake-vendor.ts'
import { failure } from '../../support/failure.ts'
import { cleanUp, tempFolder } from '../../support/cleanups.ts'

const builtinVendors = resolveVendors({}, {}).list()

const cleanups = cleanUp()

async function home(
  overrides: (vendor: FakeVendor) => Record<string, LoginOverrides>,
  env: Record<string, string> = {},
) {
  const folder = tempFolder(cleanups, 'vendors')
  const at = await fakeVendor()
  cleanups.push(() => at.close())
  const lines: string[] = []
  const logger = jsonLogger((line) => lines.push(line), { level: 'debug' })
  const made = await openLoginHome({ folder, logger, overrides: overrides(at), env: { HOME: folder, ...env } })
  cleanups.push(() => made.close())
  const time = { aheadMs: 0 }
  const clock = { ...systemClock, now: () => Date.now() + time.aheadMs }
  const secrets = await openSecretStore({
    storage: made.storage,
    clock,
    keyFile: join(folder, 'key'),
    keychain: null,
  })
  const sessions = createLoginSessions({
    platform: await detectPlatform(),
    clock,
    fetch,
    logger,
    secrets,
    logins: made.logins,
  })
  cleanups.push(() => sessions.close())
  return { ...made, at, sessions, time, lines }
}

const auth = 'https://api.openai.com/auth'
const idToken = (extra: object = {}) =>
  jwt({
    email: 'a@b.test',
    [auth]: { chatgpt_account_id: 'acc-1', chatgpt_user_id: 'user-1', chatgpt_plan_type: 'plus', ...extra },
  })

describe('ChatGPT', () => {
  const overrides = (at: FakeVendor) => ({
    chatgpt: {
      authorize_url: `${at.url}/oauth/authorize`,
      token_url: `${at.url}/oauth/token`,
      api_key_url: `${at.url}/oauth/token`,
      device_url: `${at.url}/api/accounts/deviceauth/usercode`,
      device_poll_url: `${at.url}/api/accounts/deviceauth/token`,
      redirect_ports: [0],
    },
  })
  const tokens = (extra: object = {}) => ({
    id_token: idToken(extra),
    access_token: jwt({ exp: Math.floor(Date.now() / 1000) + 3600, iat: Math.floor(Date.now() / 1000) }),
    refresh_token: 'rt-canary',
    expires_in: 3600,
  })

  test('a browser login sends what Codex sends, and knows whose it is', async () => {
    const { sessions, at, logins, lines, folder } = await home(overrides)
    at.on('/oauth/token', [200, tokens()])
    const session = await sessions.begin({
      vendor: 'openai-codex',
      method: 'browser',
      parameters: { allowed_workspace_id: 'ws-1' },
    })
    const { searchParams, pathname } = new URL(session.url)
    expect(pathname).toBe('/oauth/authorize')
    expect(Object.fromEntries([...searchParams].filter(([name]) => !/state|challenge$|redirect/.test(name)))).toEqual({
      response_type: 'code',
      client_id: 'app_EMoamEEZ73f0CkXaXp7hrann',
      scope: 'openid profile email offline_access',
      code_challenge_method: 'S256',
      id_token_add_organizations: 'true',
      codex_cli_simplified_flow: 'true',
      originator: 'codex_cli_rs',
      allowed_workspace_id: 'ws-1',
    })
    const redirect = searchParams.get('redirect_uri')!
    expect(redirect).toMatch(/^http:\/\/localhost:\d+\/auth\/callback$/)
    const state = searchParams.get('state')!
    await fetch(`${redirect.replace('localhost', '127.0.0.1')}?code=c-canary&state=${state}`)
    const login = await sessions.wait(session.id)
    expect(login.identity).toMatchObject({ email: 'a@b.test', accountId: 'acc-1', userId: 'user-1', plan: 'plus' })
    const { body, json } = at.requests[0]!
    expect([json, body.grant_type, body.code, body.redirect_uri, body.state]).toEqual([
      false,
      'authorization_code',
      'c-canary',
      redirect,
      undefined,
    ])
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body.code_verifier)))
    expect(Buffer.from(digest).toString('base64url')).toBe(searchParams.get('code_challenge')!)
    const reading = await logins.readLogin('chatgpt', null, {})
    expect([reading.accountId, reading.audience]).toEqual(['acc-1', ['https://chatgpt.com']])
    // What was secret is nowhere but in sealed records.
    const files = [folder, join(folder, 'auth')].flatMap((at) =>
      readdirSync(at).map((name) => join(at, name)).filter((path) => statSync(path).isFile())
    )
    for (const text of [...lines, ...files.map((path) => readFileSync(path, 'latin1'))]) {
      expect(text).not.toMatch(/canary/)
      expect(text).not.toContain(body.code_verifier!)
    }
  })

  test('a workspace without Codex says so', async () => {
    const { sessions } = await home(overrides)
    const session = await sessions.begin({ vendor: 'chatgpt', method: 'paste' })
    const state = new URL(session.url).searchParams.get('state')
    const ended = await sessions.complete(
      session.id,
      `http://localhost:1455/auth/callback?error=access_denied&error_description=missing_codex_entitlement&state=${state}`,
    )
    expect(ended.state === 'failed' && [ended.error.code, ended.error.message]).toEqual([
      'login.denied',
      'this ChatGPT workspace has no Codex',
    ])
  })

  test('the device flow waits through 403, slows down at 429, and exchanges the code it is given', async () => {
    const { sessions, at, time } = await home(overrides)
    at.on('/api/accounts/deviceauth/usercode', [200, { device_auth_id: 'd-1', usercode: 'ABCD-1234', interval: '1' }])
    at.on(
      '/api/accounts/deviceauth/token',
      [403, {}],
      [429, {}],
      [200, { authorization_code: 'c-1', code_challenge: 'x', code_verifier: 'v-1' }],
    )
    at.on('/oauth/token', [200, tokens()])
    const session = await sessions.begin({ vendor: 'chatgpt', method: 'device' })
    expect([session.userCode, session.url, session.intervalMs]).toEqual([
      'ABCD-1234',
      'https://auth.openai.com/codex/device',
      1_000,
    ])
    const intervals: number[] = []
    for (let i = 0; i < 3; i++) {
      time.aheadMs += 6_001
      const now = await sessions.poll(session.id)
      intervals.push(now.session.intervalMs)
      expect(now.state).toBe(i < 2 ? 'pending' : 'done')
    }
    expect(intervals.slice(0, 2)).toEqual([1_000, 6_000])
    expect(at.requests.at(-1)!.body).toMatchObject({
      code: 'c-1',
      code_verifier: 'v-1',
      redirect_uri: 'https://auth.openai.com/deviceauth/callback',
    })
  })

  test('an API key is minted from the id token, and refused in words without an organization', async () => {
    const { sessions, at, logins } = await home(overrides)
    at.on('/oauth/token', [200, tokens()], [200, tokens({ organization_id: 'org-1' })], [200, {
      access_token: 'sk-made',
    }])
    const login = async () => {
      const session = await sessions.begin({ vendor: 'chatgpt', method: 'paste' })
      await sessions.complete(session.id, `c#${new URL(session.url).searchParams.get('state')}`)
      const kept = logins.own('chatgpt')
      return { vendor: kept.vendor, grant: (await kept.store.read())! }
    }
    const context = { fetch, clock: systemClock }
    const without = await login()
    const error = await failure(mintApiKey(without.vendor, without.grant, context))
    expect([error.code, error.message]).toEqual([
      'credential.unavailable',
      'the ChatGPT login names no organization, so no API key can be made for it',
    ])
    const full = await login()
    expect((await mintApiKey(full.vendor, full.grant, context)).reveal()).toBe('sk-made')
    expect(at.requests.at(-1)!.body).toMatchObject({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token: 'openai-api-key',
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    })
  })

  test('logins are selected by whose they are; none and several are errors', async () => {
    const { sessions, at, logins } = await home(overrides)
    at.on('/oauth/token', [200, tokens()])
    for (const binding of [null, 'work']) {
      const session = await sessions.begin({ vendor: 'chatgpt', method: 'paste', binding })
      await sessions.complete(session.id, `c#${new URL(session.url).searchParams.get('state')}`)
    }
    expect((await failure(logins.select('chatgpt', {}, { email: 'A@b.test' }))).code).toBe('request.conflict')
    expect((await failure(logins.select('chatgpt', {}, { email: 'x@b.test' }))).code).toBe('credential.login_required')
    const work = await logins.select('chatgpt', { binding: 'work' }, { accountId: 'acc-1' })
    expect(work.store.name).toEndWith('openai.work.json')
    expect((await failure(logins.select('chatgpt', { binding: 'work' }, { accountId: 'other' }))).code).toBe(
      'credential.login_required',
    )
  })
})

describe('Sign in with ChatGPT', () => {
  test('gw registers itself once, asks for the resource, rotates with its own client, and goes to the API alone', async () => {
    const { sessions, at, logins } = await home((at) => ({
      siwc: {
        authorize_url: `${at.url}/authorize`,
        token_url: `${at.url}/token`,
        registration_url: `${at.url}/register`,
        redirect_ports: [14055, 14056],
      },
    }))
    at.on('/register', [201, { client_id: 'registered-1' }])
    const answer = (n: number) =>
      [200, { access_token: `at-${n}`, refresh_token: `rt-${n}`, expires_in: 3600 }] as const
    at.on('/token', answer(1), answer(2))
    for (let login = 0; login < 2; login++) {
      const session = await sessions.begin({ vendor: 'siwc', method: 'paste', binding: `b${login}` })
      const { searchParams } = new URL(session.url)
      expect([searchParams.get('client_id'), searchParams.get('resource'), searchParams.get('scope')]).toEqual([
        'registered-1',
        'https://api.openai.com/v1',
        'offline_access resource.invoke chatgpt.tokens.use.direct',
      ])
      const ended = await sessions.complete(session.id, `c#${searchParams.get('state')}`)
      expect(ended.state).toBe('done')
    }
    const registrations = at.requests.filter((request) => request.path === '/register')
    expect(registrations.length).toBe(1)
    expect(registrations[0]!.body as unknown).toMatchObject({
      redirect_uris: ['http://127.0.0.1:14055/callback', 'http://127.0.0.1:14056/callback'],
      token_endpoint_auth_method: 'none',
    })
    at.on('/token', answer(3))
    const first = await logins.readLogin('siwc', 'b0', {})
    expect(first.audience).toEqual(['https://api.openai.com'])
    const renewed = await logins.readLogin('siwc', 'b0', { rejected: first.secret })
    expect(renewed.secret.reveal()).toBe('at-3')
    expect(at.requests.at(-1)!.body).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'rt-1',
      client_id: 'registered-1',
    })
    const info = (await logins.list())[0]!
    expect([info.provider, info.uses.map((use) => use.entitlement)]).toEqual(['openai', ['documented']])
  })

  test('its endpoints are what the metadata of its issuer names, that of registration included', async () => {
    const { sessions, at } = await home((at) => ({ siwc: { issuer: at.url } }))
    at.on('/.well-known/openid-configuration', [200, {
      issuer: at.url,
      authorization_endpoint: `${at.url}/found/authorize`,
      token_endpoint: `${at.url}/found/token`,
      registration_endpoint: `${at.url}/found/register`,
    }])
    at.on('/found/register', [201, { client_id: 'registered-2' }])
    at.on('/found/token', [200, { access_token: 'at-1', refresh_token: 'rt-1', expires_in: 60 }])
    const session = await sessions.begin({ vendor: 'siwc', method: 'paste' })
    const url = new URL(session.url)
    expect([url.pathname, url.searchParams.get('client_id')]).toEqual(['/found/authorize', 'registered-2'])
    const ended = await sessions.complete(session.id, `c#${url.searchParams.get('state')}`)
    expect([ended.state, at.requests.at(-1)!.path]).toEqual(['done', '/found/token'])
  })

  test('where nobody registers it, it says what to do', async () => {
    const { sessions, at } = await home((at) => ({
      siwc: {
        authorize_url: `${at.url}/authorize`,
        token_url: `${at.url}/token`,
        registration_url: `${at.url}/register`,
      },
    }))
    at.on('/register', [200, {}])
    const error = await failure(sessions.begin({ vendor: 'siwc', method: 'paste' }))
    expect([error.code, error.hint?.includes('[logins.siwc]')]).toEqual(['login.failed', true])
  })
})

describe('Claude', () => {
  const overrides = (at: FakeVendor) => ({
    claude: {
      authorize_url: `${at.url}/oauth/authorize`,
      token_url: `${at.url}/v1/oauth/token`,
      profile_url: `${at.url}/api/oauth/profile`,
      api_key_url: `${at.url}/api/oauth/claude_cli/create_api_key`,
    },
  })

  test('code#state is exchanged as JSON with its state, and the profile says whose it is', async () => {
    const { sessions, at, logins } = await home(overrides)
    at.on('/v1/oauth/token', [200, {
      access_token: 'sk-ant-oat01-canary',
      refresh_token: 'sk-ant-ort01-canary',
      expires_in: 28_800,
      scope: 'user:profile user:inference',
      account: { uuid: 'acc-uuid', email_address: 'c@d.test' },
    }])
    at.on('/api/oauth/profile', [200, { organization: { name: 'Org', organization_type: 'claude_max' } }])
    const session = await sessions.begin({ vendor: 'anthropic', method: 'paste', loginHint: 'c@d.test' })
    const { searchParams } = new URL(session.url)
    expect([searchParams.get('code'), searchParams.get('redirect_uri'), searchParams.get('login_hint')]).toEqual([
      'true',
      'https://platform.claude.com/oauth/code/callback',
      'c@d.test',
    ])
    const ended = await sessions.complete(session.id, `the-code#${searchParams.get('state')}`)
    expect(ended.state === 'done' && ended.login.identity).toMatchObject({
      email: 'c@d.test',
      accountId: 'acc-uuid',
      organization: 'Org',
      plan: 'claude_max',
    })
    const [exchange, profile] = at.requests
    expect([exchange!.json, exchange!.body.state, exchange!.body.code]).toEqual([
      true,
      searchParams.get('state')!,
      'the-code',
    ])
    expect(profile!.headers.authorization).toBe('Bearer sk-ant-oat01-canary')
    const info = (await logins.list())[0]!
    expect(info.uses.map((use) => [use.use, use.entitlement])).toEqual([
      ['native', 'native'],
      ['passthrough', 'passthrough'],
      ['api', 'undocumented'],
    ])
    at.on('/api/oauth/claude_cli/create_api_key', [200, { raw_key: 'sk-ant-api03-made' }])
    const kept = logins.own('claude')
    const key = await mintApiKey(kept.vendor, (await kept.store.read())!, { fetch, clock: systemClock })
    expect(key.reveal()).toBe('sk-ant-api03-made')
  })
})

describe('GitHub Copilot', () => {
  const overrides = (at: FakeVendor) => ({
    copilot: {
      device_url: `${at.url}/login/device/code`,
      device_poll_url: `${at.url}/login/oauth/access_token`,
      token_url: `${at.url}/login/oauth/access_token`,
      exchange_url: `${at.url}/copilot_internal/v2/token`,
    },
  })

  test('pending, slow_down and errors come with status 200; the login is swapped for a short token', async () => {
    const { sessions, at, time, logins } = await home(overrides)
    at.on('/login/device/code', [200, {
      device_code: 'dc',
      user_code: 'WXYZ',
      verification_uri: 'https://github.com/login/device',
      expires_in: 900,
      interval: 5,
    }])
    at.on(
      '/login/oauth/access_token',
      [200, { error: 'authorization_pending' }],
      [200, { error: 'slow_down' }],
      [200, { access_token: 'gho_canary', token_type: 'bearer', scope: 'read:user' }],
    )
    const session = await sessions.begin({ vendor: 'gh-copilot', method: 'device' })
    const intervals: number[] = []
    for (let i = 0; i < 3; i++) {
      time.aheadMs += 20_000
      intervals.push((await sessions.poll(session.id)).session.intervalMs)
    }
    expect([intervals.slice(0, 2), (await sessions.poll(session.id)).state]).toEqual([[5_000, 10_000], 'done'])
    const until = Math.floor(Date.now() / 1000) + 1800
    at.on('/copilot_internal/v2/token', [200, {
      token: 'tid=1;proxy-ep=proxy.business.githubcopilot.com;exp=1',
      expires_at: until,
    }])
    const readings = await Promise.all([1, 2, 3].map(() => logins.readLogin('copilot', null, {})))
    expect(readings[0]).toMatchObject({ expiresAt: until * 1000, baseUrl: 'https://api.business.githubcopilot.com' })
    expect(readings[0]!.audience).toContain('https://api.business.githubcopilot.com')
    const swaps = at.requests.filter((request) => request.path.startsWith('/copilot_internal'))
    expect([swaps.length, swaps[0]!.headers.authorization]).toEqual([1, 'token gho_canary'])
  })

  test("a host that is not the vendor's own is not believed", async () => {
    const { at, logins } = await home(overrides)
    const { Secret } = await import('../../../lib/base/mod.ts')
    await logins.keepToken(logins.own('copilot'), new Secret('gho_x'), null, null)
    at.on('/copilot_internal/v2/token', [200, { token: 'proxy-ep=proxy.evil.test', expires_at: 9e9 }])
    const reading = await logins.readLogin('copilot', null, {})
    expect(reading.audience.some((origin) => origin.includes('evil'))).toBe(false)
  })

  test('declined and expired codes are their own errors, and an account without a plan must log in again', async () => {
    for (const [error, code] of [['access_denied', 'login.denied'], ['expired_token', 'login.timeout']] as const) {
      const { sessions, at, time } = await home(overrides)
      at.on('/login/device/code', [200, {
        device_code: 'dc',
        user_code: 'W',
        verification_uri: 'https://x.test',
        interval: 1,
      }])
      at.on('/login/oauth/access_token', [200, { error }])
      const session = await sessions.begin({ vendor: 'copilot', method: 'device' })
      time.aheadMs = 2_000
      const ended = await sessions.poll(session.id)
      expect(ended.state === 'failed' && ended.error.code).toBe(code)
    }
    const { at, logins } = await home(overrides)
    const { Secret } = await import('../../../lib/base/mod.ts')
    await logins.keepToken(logins.own('copilot'), new Secret('gho_x'), null, null)
    at.on('/copilot_internal/v2/token', [403, { message: 'no' }], [500, {}])
    expect((await failure(logins.readLogin('copilot', null, {}))).code).toBe('credential.login_required')
    expect((await failure(logins.readLogin('copilot', null, {}))).code).toBe('credential.refresh_failed')
  })
})

describe('Qwen', () => {
  test('a bare 400 means signing in again, and the assigned host becomes part of its audience', async () => {
    const { at, logins } = await home((at) => ({ qwen: { token_url: `${at.url}/token` } }))
    const { Secret } = await import('../../../lib/base/mod.ts')
    const kept = logins.own('qwen')
    at.on('/token', [200, { access_token: 'q1', refresh_token: 'r1', expires_in: 60, resource_url: 'portal.qwen.ai' }])
    await logins.keepToken(kept, new Secret('q0-token'), new Secret('r0-token'), 1)
    expect(await logins.readLogin('qwen', null, {})).toMatchObject({ baseUrl: 'https://portal.qwen.ai/v1' })
    at.on('/token', [400, {}])
    await logins.keepToken(kept, new Secret('q0-token'), new Secret('r2-token'), 1)
    expect((await failure(logins.readLogin('qwen', null, {}))).code).toBe('credential.login_required')
  })
})

describe('named connectors', () => {
  const ids = builtinVendors.filter((vendor) => vendor.arctic !== null).map((vendor) => vendor.id)
  for (const id of ids) {
    test(`${id}: what arctic builds agrees with its row, state and redirect included`, async () => {
      const env = { [`${id.toUpperCase()}_CLIENT_SECRET`]: 's-canary' }
      const { sessions, at } = await home((at) => ({ [id]: { client_id: 'mine', token_url: `${at.url}/token` } }), env)
      const session = await sessions.begin({ vendor: id, method: 'paste' })
      const row = builtinVendors.find((vendor) => vendor.id === id)!
      const url = new URL(session.url)
      expect(`${url.origin}${url.pathname}`).toBe(row.authorizeUrl!)
      expect(url.searchParams.get('client_id')).toBe('mine')
      expect(url.searchParams.has('code_challenge')).toBe(row.pkce)
      at.on('/token', [200, { access_token: 'at-1', refresh_token: 'rt-1', expires_in: 60 }])
      const ended = await sessions.complete(session.id, `c#${url.searchParams.get('state')}`)
      expect(ended.state).toBe('done')
      const { headers, body } = at.requests[0]!
      const basic = headers.authorization === `Basic ${btoa('mine:s-canary')}`
      expect(row.clientAuth === 'basic' ? basic : body.client_secret === 's-canary').toBe(true)
      expect(body.code_verifier !== undefined).toBe(row.pkce)
    })
  }

  test('one without an app of its user says what to register', async () => {
    const { sessions } = await home(() => ({}), { LINEAR_CLIENT_SECRET: 'x' })
    const error = await failure(sessions.begin({ vendor: 'linear', method: 'paste' }))
    expect([error.code, error.hint]).toEqual([
      'usage.invalid',
      'register one (https://linear.app/developers/oauth-2-0-authentication) and set client_id in [logins.linear]',
    ])
  })
})

describe('resolveVendors()', () => {
  test('lays config over data and the environment over both, every endpoint included', () => {
    const vendors = resolveVendors({ chatgpt: { client_id: 'from-config', token_url: 'https://a.test/t' } }, {
      GW_LOGIN_CHATGPT_TOKEN_URL: 'https://b.test/t',
      GW_LOGIN_CHATGPT_SCOPES: 'one, two',
      GW_LOGIN_CHATGPT_REDIRECT_PORTS: '1500 1501',
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'https://c.test/r',
    })
    const vendor = vendors.get('codex')
    expect(vendor).toMatchObject({
      clientId: 'from-config',
      tokenUrl: 'https://b.test/t',
      refreshUrl: 'https://c.test/r',
      scopes: ['one', 'two'],
    })
    expect(vendor.redirect.ports).toEqual([1500, 1501])
  })
  test('every field of a vendor can be set by a variable, and a wrong one is named without its value', () => {
    const env = {
      GW_LOGIN_LINEAR_CLIENT_AUTH: 'basic',
      GW_LOGIN_LINEAR_HEADERS: '{"user-agent":"mine"}',
      GW_LOGIN_LINEAR_AUTHORIZE_PARAMS: '{"prompt":"consent"}',
      GW_LOGIN_LINEAR_AUDIENCE: 'https://a.test/x',
    }
    expect(resolveVendors({}, env).get('linear')).toMatchObject({
      clientAuth: 'basic',
      headers: { 'user-agent': 'mine' },
      authorizeParams: { prompt: 'consent' },
      audience: ['https://a.test'],
    })
    for (
      const [name, value] of [
        ['GW_LOGIN_LINEAR_TOKEN_URL', 'canary'],
        ['GW_LOGIN_LINEAR_HEADERS', 'canary'],
        ['GW_LOGIN_LINEAR_REDIRECT_PORTS', '70000'],
        ['GW_LOGIN_LINEAR_CLIENT_AUTH', 'canary'],
      ] as const
    ) {
      let error: unknown
      try {
        resolveVendors({}, { [name]: value })
      } catch (caught) {
        error = caught
      }
      expect(isGwError(error) && [error.code, error.message.startsWith(`${name}: `), error.message.includes(value)])
        .toEqual(['config.invalid', true, false])
    }
  })
  test('every vendor links what it says about its uses', () => {
    for (const vendor of builtinVendors) {
      expect([vendor.id, vendor.uses.length > 0]).toEqual([vendor.id, true])
      for (const use of vendor.uses) expect(use.page).toStartWith('https://')
    }
  })
  test('a name nobody knows lists who is known', async () => {
    const error = await failure(Promise.resolve().then(() => resolveVendors({}, {}).get('nobody')))
    expect([error.code, error.hint?.includes('chatgpt')]).toEqual(['request.not_found', true])
  })
})
