import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type FakeVendor, fakeVendor, jwt } from '../support/vendors/fake-vendor.ts'
import { type OidcIssuer, oidcIssuer } from '../support/vendors/oidc.ts'
import { type Done, type ProcessHome, processHome } from './login-process.ts'

const limitMs = 60_000
let issuer: OidcIssuer
let vendor: FakeVendor
let logged: ProcessHome
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  ;[issuer, vendor] = await Promise.all([oidcIssuer(), fakeVendor()])
  logged = processHome(config())
  const started = logged.start(['auth', 'login', 'corp', '--json'])
  await issuer.visit(await started.address(), 'alice')
  const { code, stderr } = await started.done
  if (code !== 0) throw new Error(stderr)
}, limitMs)
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(async () => {
  await logged.close()
  await issuer.close()
  await vendor.close()
})

const config = (): string => `
[logins.corp]
issuer = "${issuer.issuer}"
client_id = "gw"
scopes = ["openid", "email", "offline_access"]

[logins.chatgpt]
authorize_url = "${vendor.url}/oauth/authorize"
token_url = "${vendor.url}/oauth/token"
api_key_url = "${vendor.url}/mint/openai"
device_url = "${vendor.url}/usercode"
device_poll_url = "${vendor.url}/poll"
revoke_url = "${vendor.url}/revoke"
redirect_ports = [0]

[logins.claude]
authorize_url = "${vendor.url}/claude/authorize"
token_url = "${vendor.url}/claude/token"
profile_url = "${vendor.url}/claude/profile"
api_key_url = "${vendor.url}/mint/anthropic"
`

/** A home of its own, with alice's login at the issuer in it. */
function home(more = ''): ProcessHome {
  const made = processHome(config() + more)
  cleanups.push(() => made.close())
  for (const name of ['auth', 'gw.sqlite', 'keys', 'secrets.key', 'secret.key']) {
    const from = join(logged.home, name)
    if (existsSync(from)) cpSync(from, join(made.home, name), { recursive: true })
  }
  for (const name of readdirSync(logged.home)) {
    if (name !== 'config.toml') cpSync(join(logged.home, name), join(made.home, name), { recursive: true })
  }
  return made
}

const file = ({ home }: ProcessHome, name = 'corp.json') => readFileSync(join(home, 'auth', name), 'utf8')
const auth = 'https://api.openai.com/auth'
const soon = () => Math.floor(Date.now() / 1000) + 3600
let counter = 0
const openai = (email: string, extra: object = {}) =>
  [200, {
    id_token: jwt({
      email,
      [auth]: {
        chatgpt_account_id: `acc-${email}`,
        chatgpt_user_id: `user-${email}`,
        chatgpt_plan_type: 'plus',
        ...extra,
      },
    }),
    access_token: `at-${email}-${counter++}`,
    refresh_token: `rt-${email}-${counter}`,
    expires_in: 3600,
  }] as const

/** Logs in with the fake of ChatGPT by pasting. */
async function chatgpt(
  at: ProcessHome,
  email: string,
  argv: readonly string[] = [],
  extra: object = {},
): Promise<Done> {
  vendor.on('/oauth/token', openai(email, extra))
  const started = at.start(['auth', 'login', '--paste', ...argv])
  const url = new URL(await started.address())
  started.type(`the-code#${url.searchParams.get('state')}\n`)
  return await started.done
}

describe('gw auth login', () => {
  test('in a browser: the address on standard error, whose login it is on standard output', async () => {
    const at = home()
    rmSync(join(at.home, 'auth'), { recursive: true })
    const started = at.start(['auth', 'login', 'corp'])
    const page = await issuer.visit(await started.address(), 'alice')
    expect(page.status).toBe(200)
    const { code, stdout, stderr } = await started.done
    expect([code, stderr.includes('Waiting for you')]).toEqual([0, true])
    expect(stdout).toContain(join(at.home, 'auth', 'corp.json'))
    expect(stdout).not.toContain('http')
    expect(file(at)).not.toContain('refresh_token')
  }, limitMs)

  test('by device code: needs no port and no browser here', async () => {
    const at = home()
    const started = at.start(['auth', 'login', 'corp', '--device', '--binding', 'tv'])
    const [, code] = await started.says(/enter the code: +(\S+)/)
    const page = /^ {2}(http\S+)$/m.exec(started.said)![1]!
    await issuer.visit(page, 'alice', { userCode: code! })
    const done = await started.done
    expect([done.code, existsSync(join(at.home, 'auth', 'corp.tv.json'))]).toEqual([0, true])
  }, limitMs)

  test('by pasting the redirect; a nonsense paste is its own error and keeps the stored login', async () => {
    const at = home()
    const before = file(at)
    const wrong = at.start(['auth', 'login', 'corp', '--paste'])
    await wrong.address()
    wrong.type('nonsense\n')
    expect([(await wrong.done).code, file(at)]).toEqual([2, before])
    const started = at.start(['auth', 'login', 'corp', '--paste'])
    const pasted = await (await issuer.visit(await started.address(), 'alice', { stay: true })).text()
    started.type(`${pasted}\n`)
    expect([(await started.done).code, file(at) === before]).toEqual([0, false])
  }, limitMs)

  test('list, inspect with the page that says what it may be used for, log out with revocation', async () => {
    const at = home()
    expect((await chatgpt(at, 'a@b.test')).code).toBe(0)
    const { stdout: list } = await at.run(['auth', 'list', '--json'])
    expect(JSON.parse(list).data.map((one: { vendor: string }) => one.vendor).sort()).toEqual(['chatgpt', 'corp'])
    const { stdout: shown } = await at.run(['auth', 'inspect', 'chatgpt', '--json'])
    const { email, uses } = JSON.parse(shown)
    expect([email, uses.length > 0, uses.every((use: { page: string }) => use.page.startsWith('https://'))]).toEqual([
      'a@b.test',
      true,
      true,
    ])
    expect((await at.run(['auth', 'inspect', 'chatgpt'])).stdout).toContain(uses[0].page)
    vendor.on('/revoke', [200, {}])
    const out = await at.run(['auth', 'logout', 'chatgpt', '--json'])
    expect([out.code, JSON.parse(out.stdout)]).toEqual([0, { removed: true, revoked: true }])
    expect(existsSync(join(at.home, 'auth', 'openai.json'))).toBe(false)
  }, limitMs)
})

describe('printing', () => {
  test('the value and a newline, nothing else, and nothing on standard error', async () => {
    const at = home()
    await chatgpt(at, 'a@b.test', [], { organization_id: 'org-1' })
    vendor.on('/mint/openai', [200, { access_token: 'sk-minted', token_type: 'bearer' }])
    vendor.on('/mint/anthropic', [200, { raw_key: 'sk-ant-api03-minted' }])
    vendor.on('/claude/token', [200, { access_token: 'claude-at', refresh_token: 'claude-rt', expires_in: 3600 }])
    vendor.on('/claude/profile', [200, {}])
    const claude = at.start(['auth', 'anthropic-login', '--paste'])
    const url = new URL(await claude.address())
    claude.type(`c#${url.searchParams.get('state')}`)
    expect((await claude.done).code).toBe(0)
    for (
      const [argv, value] of [
        [['auth', 'chatgpt-access-token'], /^at-a@b\.test-\d+\n$/],
        [['auth', 'chatgpt-access-token', '--email', 'A@B.test'], /^at-a@b\.test-\d+\n$/],
        [['auth', 'chatgpt-account-id', '--org-id', 'org-1'], /^acc-a@b\.test\n$/],
        [['auth', 'openai-api-key', '--account-id', 'acc-a@b.test'], /^sk-minted\n$/],
        [['auth', 'anthropic-access-token'], /^claude-at\n$/],
        [['auth', 'anthropic-api-key'], /^sk-ant-api03-minted\n$/],
      ] as const
    ) {
      const { code, stdout, stderr } = await at.run(argv)
      expect([argv.join(' '), code, stderr]).toEqual([argv.join(' '), 0, ''])
      expect(stdout).toMatch(value)
    }
  }, limitMs)

  test('--refresh refreshes first, and what cannot be refreshed leaves standard output empty', async () => {
    const at = home()
    await chatgpt(at, 'a@b.test')
    vendor.on('/oauth/token', openai('a@b.test'))
    const before = await at.run(['auth', 'chatgpt-access-token'])
    const after = await at.run(['auth', 'chatgpt-access-token', '--refresh'])
    expect([after.code, after.stdout === before.stdout, after.stdout.startsWith('at-a@b.test-')]).toEqual([
      0,
      false,
      true,
    ])
    const stored = file(at, 'openai.json')
    vendor.on('/oauth/token', [503, { error: 'busy rt-a@b.test' }])
    const failed = await at.run(['auth', 'chatgpt-access-token', '--refresh'])
    expect([failed.code, failed.stdout, file(at, 'openai.json') === stored]).toEqual([203, '', true])
    expect(failed.stderr).not.toContain('rt-a@b.test')
  }, limitMs)

  test('gw token: kept between calls, made anew once it was revoked, never printed after that', async () => {
    const at = home()
    const one = await at.run(['token'])
    expect(one.stdout).toMatch(/^la_sk_[\w.-]+\n$/)
    expect((await at.run(['token'])).stdout).toBe(one.stdout)
    const { stdout: list } = await at.run(['tokens', 'list', '--json'])
    await at.run(['tokens', 'revoke', JSON.parse(list).data[0].id])
    const two = await at.run(['token'])
    expect([two.code, two.stdout.startsWith('la_sk_'), two.stdout === one.stdout]).toEqual([0, true, false])
    const three = await at.run(['token', '--refresh'])
    expect(three.stdout).not.toBe(two.stdout)
  }, limitMs)

  test('nothing to print: empty standard output, the next step on standard error', async () => {
    const at = home()
    for (
      const [argv, code, hint] of [
        [['auth', 'chatgpt-access-token'], 203, 'gw auth login chatgpt'],
        [['auth', 'anthropic-api-key', '--binding', 'work'], 203, 'gw auth login claude --binding work'],
        [['auth', 'openai-api-key', '--email', 'no@one.test'], 203, 'gw auth list'],
        [['token', 'nobody'], 1, 'gw accounts list'],
        [['auth', 'anthropic-access-token', '--credential-source', 'embedded'], 202, '--define'],
        [['auth', 'anthropic-access-token', '--credential-source', 'elsewhere'], 2, 'stored or embedded'],
      ] as const
    ) {
      const done = await at.run(argv)
      expect([argv.join(' '), done.code, done.stdout]).toEqual([argv.join(' '), code, ''])
      expect(done.stderr).toContain(hint)
    }
  }, limitMs)
})

describe('bad input keeps the stored login, says what it is, and what to do', () => {
  const cases: readonly {
    what: string
    code: number
    says: RegExp
    act: (at: ProcessHome) => Promise<Done>
    file?: string
    config?: () => string
  }[] = [
    {
      what: 'a port in use',
      code: 1,
      says: /the login needs port \d+ on 127\.0\.0\.1\n.*--device or --paste/,
      async act(at) {
        const taken: Server = createServer((socket) => socket.destroy())
        await new Promise<void>((ready) => taken.listen(0, '127.0.0.1', ready))
        const { port } = taken.address() as { port: number }
        const done = await at.run(['auth', 'login', 'corp'], '', { GW_LOGIN_CORP_REDIRECT_PORTS: String(port) })
        await new Promise((closed) => taken.close(closed))
        return done
      },
    },
    {
      what: 'a browser that never returns',
      code: 1,
      says: /nobody came back from the login page in time\n.*start the login again/,
      act: (at) => at.run(['auth', 'login', 'corp', '--wait', '1']),
    },
    {
      what: 'a denied consent',
      code: 1,
      says: /denied|declined|refused/,
      async act(at) {
        const started = at.start(['auth', 'login', 'corp'])
        await issuer.visit(await started.address(), 'alice', { deny: true })
        return await started.done
      },
    },
    {
      what: 'Ctrl-C',
      code: 130,
      says: /Waiting for you/,
      async act(at) {
        const started = at.start(['auth', 'login', 'corp'])
        await started.says(/Waiting for you/)
        started.interrupt()
        return await started.done
      },
    },
    {
      what: "somebody else's login",
      code: 1,
      says: /holds the login of somebody else\n.*--binding NAME.*--replace/,
      async act(at) {
        const started = at.start(['auth', 'login', 'corp'])
        await issuer.visit(await started.address(), 'bob')
        return await started.done
      },
    },
    {
      what: 'a missing organization',
      code: 202,
      says: /names no organization[^\n]*\n.*plan token works/,
      file: 'openai.json',
      async act(at) {
        await chatgpt(at, 'a@b.test')
        return await at.run(['auth', 'openai-api-key'])
      },
    },
    {
      what: 'two identities where one was meant',
      code: 1,
      says: /2 ChatGPT logins match accountId acc-a@b\.test\n.*--binding: the default, work/,
      async act(at) {
        await chatgpt(at, 'a@b.test')
        await chatgpt(at, 'a@b.test', ['--binding', 'work'])
        return await at.run(['auth', 'chatgpt-access-token', '--account-id', 'acc-a@b.test'])
      },
    },
    {
      what: 'a half-written file',
      code: 202,
      says: /openai\.json is not a login file of this home\n.*move it aside/,
      async act(at) {
        writeFileSync(join(at.home, 'auth', 'openai.json'), '{"version":1,"ven')
        const done = await at.run(['auth', 'chatgpt-access-token', '--refresh'])
        expect(file(at, 'openai.json')).toBe('{"version":1,"ven')
        return done
      },
    },
    {
      what: 'a half-written file of another program',
      code: 202,
      says: /auth\.json is not valid JSON: it may be half-written\n.*try again/,
      async act(at) {
        mkdirSync(join(at.user, '.codex'))
        writeFileSync(join(at.user, '.codex', 'auth.json'), '{"tokens":{"acc')
        return await at.run(['auth', 'import', 'codex'])
      },
    },
    {
      what: 'an unreadable file',
      code: 202,
      says: /openai\.json cannot be read\n.*nothing was changed/,
      async act(at) {
        mkdirSync(join(at.home, 'auth', 'openai.json'))
        return await at.run(['auth', 'chatgpt-access-token'])
      },
    },
    {
      what: 'a file sealed by another home',
      code: 202,
      says: /\S/,
      async act(at) {
        const other = processHome(config())
        cleanups.push(() => other.close())
        await chatgpt(other, 'a@b.test')
        cpSync(join(other.home, 'auth', 'openai.json'), join(at.home, 'auth', 'openai.json'))
        return await at.run(['auth', 'chatgpt-access-token'])
      },
    },
    {
      what: 'a device login without a network',
      code: 204,
      says: /Qwen: .*\n.*/,
      act: (at) => at.run(['auth', 'login', 'qwen', '--device', '--egress-proxy', 'http://127.0.0.1:9'], '', {}),
    },
    {
      what: 'somebody to log in with who is misspelt',
      code: 1,
      says: /nobody called chatgtp to log in with\n.*did you mean chatgpt\?/,
      act: (at) => at.run(['auth', 'login', 'chatgtp']),
    },
    {
      what: 'a device login where there is no login at all',
      code: 2,
      says: /MiniMax has no device login\n {2}see https/,
      act: (at) => at.run(['auth', 'login', 'minimax', '--device']),
    },
    {
      what: 'a setup token that is none',
      code: 2,
      says: /--token-stdin: is not what claude setup-token prints/,
      act: (at) => at.run(['auth', 'setup-token'], 'sk-ant-oat01-short'),
    },
    {
      what: 'an issuer that cannot be reached',
      code: 204,
      says: /could not connect to 127\.0\.0\.1:9\b.*\n.*look whether the network is up/,
      act: (at) => at.run(['auth', 'login', 'corp'], '', { GW_LOGIN_CORP_ISSUER: 'http://127.0.0.1:9' }),
    },
  ]
  for (const { what, code, says, act, file: name } of cases) {
    test(what, async () => {
      const at = home()
      const before = file(at)
      const done = await act(at)
      expect([done.code, done.stdout]).toEqual([code, ''])
      expect(done.stderr).toMatch(says)
      expect(file(at)).toBe(before)
      if (name) expect(existsSync(join(at.home, 'auth', name))).toBe(true)
      // The login that was there is still good.
      expect((await at.run(['auth', 'list', '--json'])).stdout).toContain('"vendor": "corp"')
    }, limitMs)
  }

  test('a keychain that cannot be reached', async () => {
    const at = processHome('[secrets]\nkey_store = "keychain"\n')
    cleanups.push(() => at.close())
    const started = performance.now()
    const { code, stdout, stderr } = await at.run(['auth', 'list'])
    expect([code, stdout]).toEqual([202, ''])
    expect(stderr).toMatch(/no keychain can be reached\n.*unlock its keychain/)
    expect(performance.now() - started).toBeLessThan(20_000)
  }, limitMs)
})

describe('what somebody already has', () => {
  test('an API key, tokens as JSON or on lines, a setup token: by standard input, never an argument', async () => {
    const at = home()
    const key = await at.run(['auth', 'add-api-key', 'openai', '--id', 'mine'], 'sk-canary-key-1\n')
    expect([key.code, key.stdout.includes('mine'), key.stdout.includes('canary')]).toEqual([0, true, false])
    expect((await at.run(['token', 'mine'])).stdout).toBe('sk-canary-key-1\n')
    const until = new Date(Date.now() + 3_600_000).toISOString()
    const oauth = await at.run(
      ['auth', 'add-oauth', 'qwen', '--json'],
      JSON.stringify({ access_token: 'q-access-1', refresh_token: 'q-refresh-1', expiry_date: Date.parse(until) }),
    )
    const { account } = JSON.parse(oauth.stdout)
    expect((await at.run(['token', account])).stdout).toBe('q-access-1\n')
    const lines = await at.run(
      ['auth', 'add-oauth', 'claude', '--binding', 'b', '--expires', until],
      'c-access-1\nc-refresh-1\n',
    )
    expect([lines.code, lines.stderr]).toEqual([0, ''])
    const token = await at.run(['auth', 'add-token', 'chatgpt'], 'a-plain-token\n')
    expect(token.code).toBe(0)
    expect((await at.run(['auth', 'chatgpt-access-token'])).stdout).toBe('a-plain-token\n')
    const setup = `sk-ant-oat01-${'x'.repeat(80)}`
    expect((await at.run(['auth', 'setup-token'], `${setup}\n`)).code).toBe(0)
    expect((await at.run(['auth', 'setup-token'], 'sk-ant-oat01-short\n')).code).toBe(2)
    expect((await at.run(['auth', 'anthropic-access-token', '--binding', 'setup-token'])).stdout).toBe(`${setup}\n`)
    expect((await at.run(['auth', 'set-order', 'openai', '--ids', 'mine'])).code).toBe(0)
    for (const argv of [['auth', 'configure'], ['auth', 'add-api-key', 'openai'], ['auth', 'add-oauth', 'qwen']]) {
      expect([argv.join(' '), (await at.run(argv)).code]).toEqual([argv.join(' '), 2])
    }
  }, limitMs)
})

test('logins of other programs are found, shared and shown, by gw discover too', async () => {
  const at = home()
  const write = (path: string, value: unknown) => {
    mkdirSync(join(at.user, path, '..'), { recursive: true })
    writeFileSync(join(at.user, path), JSON.stringify(value))
  }
  const until = Date.now() + 3_600_000
  write('.claude/.credentials.json', {
    claudeAiOauth: { accessToken: 'canary-1', refreshToken: 'r', expiresAt: until },
  })
  write('.codex/auth.json', {
    tokens: { access_token: jwt({ exp: soon() }), refresh_token: 'canary-2', account_id: 'a' },
  })
  write('.gemini/oauth_creds.json', { access_token: 'canary-3', refresh_token: 'r', expiry_date: until })
  write('.qwen/oauth_creds.json', { access_token: 'canary-4', refresh_token: 'r', expiry_date: until })
  write('.config/github-copilot/apps.json', { 'github.com:Iv1': { oauth_token: 'canary-5', user: 'me' } })
  for (const argv of [['auth', 'discover', '--json'], ['discover', '--json']]) {
    const { code, stdout } = await at.run(argv)
    expect([code, stdout.includes('canary')]).toEqual([0, false])
    for (const tool of ['claude-code', 'codex', 'copilot', 'gemini-cli', 'qwen-code']) expect(stdout).toContain(tool)
  }
  for (const tool of ['claude-code', 'codex', 'copilot']) {
    const { code, stderr } = await at.run(['auth', 'import', tool])
    expect([tool, code, stderr]).toEqual([tool, 0, ''])
  }
}, limitMs)
