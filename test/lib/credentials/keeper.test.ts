import { describe, expect, test } from 'bun:test'
import { chmodSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { jsonLogger, Secret } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import type { Fetch } from '../../../lib/credentials/mod.ts'
import { type Grant, unknownIdentity } from '../../../lib/credentials/grants/grant.ts'
import { memoryKeychain } from '../../support/memory-keychain.ts'
import { openLoginHome } from '../../support/login-home.ts'
import { failure } from '../../support/failure.ts'
import { cleanUp, tempFolder } from '../../support/cleanups.ts'

const start = 1_700_000_000_000
const cleanups = cleanUp()

const temp = (): string => tempFolder(cleanups, 'keeper')

/** Answers of a token endpoint, in order; the last one repeats. Each sees the refresh token it was asked with. */
type Answer = (token: string) => Response | Promise<Response>

async function home(answers: Answer[], options: { keychain?: boolean; env?: Record<string, string> } = {}) {
  const folder = temp()
  const clock = manualClock(start)
  const asked: string[] = []
  const lines: string[] = []
  const fetch: Fetch = async (_url, init) => {
    const body = String(init?.body)
    const token = body.startsWith('{') ? JSON.parse(body).refresh_token : new URLSearchParams(body).get('refresh_token')
    asked.push(token)
    return await answers[Math.min(asked.length, answers.length) - 1]!(token)
  }
  const keychain = options.keychain ? memoryKeychain() : null
  const made = await openLoginHome({
    folder,
    clock,
    fetch,
    keychain,
    env: { HOME: folder, USER: 'me', ...options.env },
    logger: jsonLogger((line) => lines.push(line), { level: 'debug' }),
    random: () => 0,
  })
  cleanups.push(() => made.close())
  const save = (grant: Partial<Grant> = {}) => made.logins.save(made.logins.own('chatgpt'), { ...login, ...grant })
  const read = (rejected?: string) =>
    made.logins.readLogin('chatgpt', null, rejected ? { rejected: new Secret(rejected) } : {})
      .then((reading) => reading.secret.reveal())
  return { ...made, clock, asked, lines, keychain, save, read }
}

const login: Grant = {
  vendor: 'chatgpt',
  accessToken: new Secret('at-0'),
  refreshToken: new Secret('rt-canary-0'),
  idToken: null,
  expiresAt: start - 1,
  refreshedAt: start - 3_600_000,
  scopes: [],
  identity: { ...unknownIdentity, email: 'a@b.test', accountId: 'acc' },
  clientId: 'client',
  resourceUrl: null,
}

const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers })
const tokens = (n: number, extra: object = {}): Answer => () =>
  json({ access_token: `at-${n}`, refresh_token: `rt-${n}`, expires_in: 3600, ...extra })

describe('a login', () => {
  test('is refreshed when it is over, and what came back is on disk, sealed and private', async () => {
    const at = await home([tokens(1)])
    await at.save()
    expect(await at.read()).toBe('at-1')
    const path = join(at.folder, 'auth', 'openai.json')
    expect(readFileSync(path, 'utf8')).not.toMatch(/at-1|rt-1|canary/)
    expect([statSync(path).mode & 0o777, statSync(join(at.folder, 'auth')).mode & 0o777]).toEqual([0o600, 0o700])
    expect(statSync(join(at.folder, 'auth', '.openai.json.gw-lock')).mode & 0o777).toBe(0o600)
    expect(at.lines.join('\n')).toContain('credential.refreshed')
    expect(at.lines.join('\n')).not.toMatch(/at-1|rt-1|canary/)
  })

  test('that ends soon is used while it is renewed in the background', async () => {
    const at = await home([tokens(1)])
    await at.save({ expiresAt: start + 4 * 60_000 })
    expect(await at.read()).toBe('at-0')
    await until(() => at.asked.length === 1)
    await at.logins.tick()
    await at.clock.advance(1_001)
    expect(await at.read()).toBe('at-1')
    expect(at.asked).toHaveLength(1)
  })

  test('is left alone long before its end, and renewed by tick() ahead of it', async () => {
    const at = await home([tokens(1)])
    await at.save({ expiresAt: start + 3_600_000, refreshedAt: start })
    expect([await at.read(), await at.logins.tick(), at.asked.length]).toEqual(['at-0', 0, 0])
    await at.clock.advance(3_600_000 - 4 * 60_000)
    expect([await at.logins.tick(), at.asked.length]).toEqual([1, 1])
  })

  test('older than eight days is renewed whatever its expiry says', async () => {
    const at = await home([tokens(1)])
    await at.save({ expiresAt: null, refreshedAt: start - 9 * 86_400_000 })
    expect(await at.logins.tick()).toBe(1)
  })

  test('keeps its refresh token when the answer brings no new one', async () => {
    const at = await home([() => json({ access_token: 'at-1', expires_in: 3600 }), tokens(2)])
    await at.save()
    await at.read()
    await at.clock.advance(3_600_000)
    expect(await at.read()).toBe('at-2')
    expect(at.asked).toEqual(['rt-canary-0', 'rt-canary-0'])
  })

  test('that the provider refused is refreshed once, however many were refused', async () => {
    const at = await home([tokens(1), tokens(2)])
    await at.save({ expiresAt: start + 3_000_000, refreshedAt: start })
    const answers = await Promise.all(Array.from({ length: 20 }, () => at.read('at-0')))
    expect([new Set(answers), at.asked.length]).toEqual([new Set(['at-1']), 1])
    expect([await at.read('at-0'), at.asked.length]).toEqual(['at-1', 1])
  })
})

describe('a token endpoint that', () => {
  for (
    const [what, answer] of [
      ['answers 500', () => json('oops', 500)],
      ['answers 503 with HTML', () => json('<html>', 503)],
      ['answers 429', () => json({ error: 'rate_limited' }, 429, { 'retry-after': '7' })],
      ['cannot be reached', () => Promise.reject(new Error('connect refused'))],
      ['redirects elsewhere', () => json('', 302, { location: 'https://evil.test' })],
      ['answers garbage', () => json('}{')],
      ['gives a null token', () => json({ access_token: null })],
      ['gives an endless answer', () => json(`{"x":"${'y'.repeat(2 * 1024 * 1024)}"}`)],
      ['is hidden behind a firewall', () => json('denied', 403)],
    ] as [string, Answer][]
  ) {
    test(`${what} never ends a login, and is asked at most 3 times in 10 s`, async () => {
      const at = await home([answer])
      await at.save()
      for (let i = 0; i < 40; i++) {
        const error = await failure(at.read())
        // Whom it did not reach it says first; after three tries it says that it does not ask.
        const unasked = ['upstream.unreachable', 'credential.refresh_failed']
        expect(what === 'cannot be reached' ? unasked.slice(0, i === 0 ? 1 : 2) : unasked.slice(1)).toContain(
          error.code,
        )
        expect(error.message).not.toMatch(/canary|at-0/)
        await at.clock.advance(250)
      }
      expect(at.asked.length).toBeLessThanOrEqual(3)
      expect(at.lines.join()).not.toContain('credential.dead')
    })
  }

  test('fails leaves a token in use until its true end', async () => {
    const at = await home([() => json('', 500), () => json('', 500), tokens(1)])
    await at.save({ expiresAt: start + 20_000, refreshedAt: start - 3_600_000 })
    expect(await at.read()).toBe('at-0')
    await at.clock.advance(19_000)
    expect(await at.read()).toBe('at-0')
    await at.clock.advance(60_000)
    expect(await at.read()).toBe('at-1')
  })

  test('refuses the newest token ends the login: said once with the mending command, and never asked again', async () => {
    const at = await home([() => json({ error: 'invalid_grant', error_description: 'rt-canary-0 was used' }, 400)])
    await at.save()
    for (let i = 0; i < 5; i++) {
      const error = await failure(at.read())
      expect([error.code, error.hint]).toEqual(['credential.login_required', 'gw auth login chatgpt'])
      await at.clock.advance(120_000)
    }
    expect(at.asked).toHaveLength(1)
    expect(at.lines.filter((line) => line.includes('credential.dead'))).toHaveLength(1)
    expect(at.lines.join()).not.toContain('canary-0 was')
    await at.save({ accessToken: new Secret('at-9'), expiresAt: start + 1e9, refreshToken: new Secret('rt-9') })
    expect(await at.read()).toBe('at-9')
  })

  for (const code of ['refresh_token_expired', 'refresh_token_reused', 'refresh_token_invalidated']) {
    test(`says ${code} in OpenAI's nested form ends the login`, async () => {
      const at = await home([() => json({ error: { message: 'no', type: 'invalid_request_error', code } }, 401)])
      await at.save()
      expect((await failure(at.read())).code).toBe('credential.login_required')
    })
  }
})

describe('expires_in', () => {
  for (const value of [0, -5, 'soon', null, 1e300]) {
    test(`${JSON.stringify(value)} leads neither to a storm nor to a token for ever`, async () => {
      const at = await home([tokens(1, { expires_in: value })])
      await at.save()
      for (let i = 0; i < 10; i++) expect(await at.read()).toBe('at-1')
      expect(at.asked).toHaveLength(1)
    })
  }
  test('a JWT from a server whose clock is 10 minutes off lives as long as its issuer meant', async () => {
    const jwt = (from: number, to: number) =>
      `e30.${Buffer.from(JSON.stringify({ iat: from / 1000, exp: to / 1000 })).toString('base64url')}.x`
    for (const skew of [-600_000, 600_000]) {
      const token = jwt(start + skew, start + skew + 300_000)
      const at = await home([() => json({ access_token: token, refresh_token: 'rt-1' }), tokens(2)])
      await at.save()
      expect(await at.read()).toBe(token)
      await at.clock.advance(60_000)
      expect([await at.read(), at.asked.length]).toEqual([token, 1])
      await at.clock.advance(240_001)
      expect(await at.read()).toBe('at-2')
    }
  })
})

describe('a login shared with another program', () => {
  const claude = (access: string, refresh: string, expiresAt: number) => ({
    claudeAiOauth: {
      accessToken: access,
      refreshToken: refresh,
      expiresAt,
      scopes: ['user:inference'],
      rateLimitTier: 'x',
    },
    mcpOAuth: { other: 'kept' },
  })
  async function shared(answers: Answer[], extra: Parameters<typeof home>[1] = {}) {
    const folder = temp()
    const path = join(folder, '.credentials.json')
    const at = await home(answers, { ...extra, env: { CLAUDE_CONFIG_DIR: folder } })
    const put = (document: unknown) => writeFileSync(path, JSON.stringify(document), { mode: 0o600 })
    const read = () => at.logins.readForeign('claude-code', null, {}).then((reading) => reading.secret.reveal())
    return { ...at, path, put, read, document: () => JSON.parse(readFileSync(path, 'utf8')) }
  }

  test('is found, refreshed, and written back with every field it knows nothing about', async () => {
    const at = await shared([tokens(1)])
    at.put(claude('at-0', 'rt-0', start - 1))
    expect((await at.logins.discover()).map((info) => [info.tool, info.vendor])).toEqual([['claude-code', 'claude']])
    expect(await at.read()).toBe('at-1')
    expect(at.document()).toEqual({
      claudeAiOauth: {
        accessToken: 'at-1',
        refreshToken: 'rt-1',
        expiresAt: start + 3_600_000,
        scopes: ['user:inference'],
        rateLimitTier: 'x',
      },
      mcpOAuth: { other: 'kept' },
    })
    expect(statSync(at.path).mode & 0o777).toBe(0o600)
  })

  test('refreshed by its own program is taken up without asking anybody', async () => {
    const at = await shared([tokens(1)])
    at.put(claude('at-0', 'rt-0', start + 3_600_000))
    expect(await at.read()).toBe('at-0')
    at.put(claude('at-theirs', 'rt-theirs', start + 7_200_000))
    await at.clock.advance(1_001)
    expect([await at.read(), at.asked.length]).toEqual(['at-theirs', 0])
  })

  test('whose token was spent by its own program in the middle of our refresh uses theirs', async () => {
    const at: Awaited<ReturnType<typeof shared>> = await shared([
      () => {
        at.put(claude('at-theirs', 'rt-theirs', start + 7_200_000))
        return json({ error: 'invalid_grant' }, 400)
      },
    ])
    at.put(claude('at-0', 'rt-0', start - 1))
    expect(await at.read()).toBe('at-theirs')
    expect(at.lines.join()).not.toContain('credential.dead')
  })

  test('in a half-written file is a local cause, and the file is untouched', async () => {
    const at = await shared([tokens(1)])
    writeFileSync(at.path, '{"claudeAiOauth":{"accessTok')
    const error = await failure(at.read())
    expect(error.code).toBe('credential.unavailable')
    expect(readFileSync(at.path, 'utf8')).toBe('{"claudeAiOauth":{"accessTok')
  })

  test('that cannot be written is not refreshed: nothing is spent', async () => {
    if (process.getuid?.() === 0) return // root writes everywhere
    const at = await shared([tokens(1)])
    at.put(claude('at-0', 'rt-0', start - 1))
    const folder = join(at.path, '..')
    chmodSync(folder, 0o500)
    try {
      expect((await failure(at.read())).code).toBe('credential.unavailable')
    } finally {
      chmodSync(folder, 0o700)
    }
    expect(at.asked).toEqual([])
  })

  test('behind a link keeps the link', async () => {
    const at = await shared([tokens(1)])
    const real = join(temp(), 'real.json')
    writeFileSync(real, JSON.stringify(claude('at-0', 'rt-0', start - 1)))
    symlinkSync(real, at.path)
    expect(await at.read()).toBe('at-1')
    expect([lstatSync(at.path).isSymbolicLink(), JSON.parse(readFileSync(real, 'utf8')).claudeAiOauth.accessToken])
      .toEqual([true, 'at-1'])
  })

  test('in file and keychain: the newest counts, and both are written', async () => {
    const at = await shared([tokens(1)], { keychain: true })
    at.put(claude('at-file', 'rt-file', start - 5_000))
    const service = (await import('node:crypto')).createHash('sha256').update(join(at.path, '..')).digest('hex').slice(
      0,
      8,
    )
    const item = [`Claude Code-credentials-${service}`, 'me'] as const
    await at.keychain!.set(...item, JSON.stringify(claude('at-chain', 'rt-chain', start - 1_000)))
    expect(await at.read()).toBe('at-1')
    expect(at.asked).toEqual(['rt-chain'])
    const inChain = JSON.parse((await at.keychain!.get(...item))!)
    expect([at.document().claudeAiOauth.refreshToken, inChain.claudeAiOauth.refreshToken]).toEqual(['rt-1', 'rt-1'])
  })
})

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}
