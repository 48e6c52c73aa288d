import { afterEach, describe, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { jsonLogger, Secret } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import {
  assertAudience,
  createSources,
  identityOf,
  originsOf,
  readPayload,
  type SourceSpec,
  standardInput,
} from '../../../lib/credentials/mod.ts'
import type { SourceContext } from '../../../lib/credentials/sources/source.ts'
import { type SecretStore } from '../../../lib/secrets/mod.ts'
import { memoryKeychain } from '../../support/memory-keychain.ts'
import { failure } from '../../support/failure.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function setup(env: Record<string, string> = {}, extra: Partial<SourceContext> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gw-sources-'))
  folders.push(folder)
  const stored = new Map<string, Secret>()
  const secrets = { get: (ref: string) => Promise.resolve(stored.get(ref) ?? null) } as unknown as SecretStore
  const clock = manualClock(1_700_000_000_000)
  const keychain = memoryKeychain()
  const sources = createSources({
    env: { PATH: process.env.PATH, HOME: folder, ...env },
    clock,
    keychain,
    secrets,
    fetch: () => Promise.reject(new Error('no network in this test')),
    grants: {
      readLogin: () => Promise.reject(new Error('no logins in this test')),
      readForeign: () => Promise.reject(new Error('no logins in this test')),
    },
    ...extra,
  })
  const script = (name: string, body: string) => {
    const path = join(folder, name)
    writeFileSync(path, `#!/bin/sh\n${body}\n`)
    chmodSync(path, 0o755)
    return path
  }
  return { folder, stored, clock, keychain, sources, script }
}

const command = (argv: string[], cacheTtlMs = 60_000, timeoutMs = 5_000): SourceSpec => ({
  type: 'command',
  argv,
  cacheTtlMs,
  timeoutMs,
})

describe('sources', () => {
  test('read a variable, a literal, a stored secret, a keychain item and standard input', async () => {
    const { sources, stored, keychain } = setup({ KEY: ' sk-env \n' }, { readStdin: () => Promise.resolve('sk-in\n') })
    stored.set('account/a', new Secret('sk-store'))
    await keychain.set('svc', 'me', 'sk-chain')
    for (
      const [spec, expected] of [
        [{ type: 'env', variable: 'KEY' }, 'sk-env'],
        [{ type: 'literal', value: new Secret('sk-lit') }, 'sk-lit'],
        [{ type: 'store', ref: 'account/a' }, 'sk-store'],
        [{ type: 'keychain', service: 'svc', account: 'me' }, 'sk-chain'],
        [{ type: 'stdin' }, 'sk-in'],
      ] as [SourceSpec, string][]
    ) {
      const reading = await sources.read(spec)
      expect([spec.type, reading.secret.reveal(), reading.kind]).toEqual([spec.type, expected, 'api-key'])
    }
  })

  test('standard input is waited for once, for half a minute, and taken when it comes later', async () => {
    const clock = manualClock()
    let end = (_: string) => {}
    const read = standardInput(() => new Promise((resolve) => end = resolve), clock)
    const { sources } = setup({}, { readStdin: read })
    const [one, two] = [failure(sources.read({ type: 'stdin' })), failure(read())]
    await clock.advance(30_000)
    expect([(await one).code, (await two).message]).toEqual([
      'secret.unavailable',
      'nobody ended standard input in 30 s',
    ])
    // Nobody waits a second time.
    expect((await failure(sources.read({ type: 'stdin' }))).code).toBe('secret.unavailable')
    end('sk-late\n')
    expect((await sources.read({ type: 'stdin' })).secret.reveal()).toBe('sk-late')
  })

  test('what is missing fails with a local cause that names it', async () => {
    const { sources, folder } = setup()
    for (
      const [spec, named] of [
        [{ type: 'env', variable: 'NOT_SET' }, 'NOT_SET'],
        [{ type: 'file', path: join(folder, 'absent') }, 'absent'],
        [{ type: 'store', ref: 'account/none' }, 'account/none'],
        [command(['gw-no-such-program']), 'gw-no-such-program'],
        [{ type: 'stdin' }, 'standard input'],
        [{ type: 'none' }, 'no credential source'],
      ] as [SourceSpec, string][]
    ) {
      const error = await failure(sources.read(spec))
      expect(error.message).toContain(named)
      expect([spec.type, error.code]).toEqual([spec.type, 'credential.unavailable'])
    }
  })

  test('a file is read again when it changes, and a folder gives the first document with a token', async () => {
    const { sources, folder, clock } = setup()
    const path = join(folder, 'key')
    writeFileSync(path, 'sk-one\n')
    const spec: SourceSpec = { type: 'file', path: '~/key' }
    expect((await sources.read(spec)).secret.reveal()).toBe('sk-one')
    writeFileSync(path, 'sk-two\n')
    await clock.advance(1_001)
    expect((await sources.read(spec)).secret.reveal()).toBe('sk-two')
    writeFileSync(join(folder, 'credentials.json'), '{"unrelated":true}')
    writeFileSync(join(folder, '.credentials.json'), '{"claudeAiOauth":{"accessToken":"sk-ant-oat01-x","expiresAt":5}}')
    const claude = await sources.read({ type: 'file', path: folder })
    expect([claude.secret.reveal(), claude.kind, claude.expiresAt]).toEqual(['sk-ant-oat01-x', 'auth-token', 5_000])
  })

  test('a command runs once for everyone who asks, and again when its time is over', async () => {
    const { sources, script, folder, clock } = setup()
    const spec = command([script('tok', `echo run >> ${folder}/runs; sleep 0.05; echo sk-cmd`)], 10_000)
    const readings = await Promise.all(Array.from({ length: 20 }, () => sources.read(spec)))
    expect(new Set(readings.map((reading) => reading.secret.reveal()))).toEqual(new Set(['sk-cmd']))
    await sources.read(spec)
    const runs = () => readFileSync(join(folder, 'runs'), 'utf8').trim().split('\n').length
    expect(runs()).toBe(1)
    await clock.advance(10_001)
    await sources.read(spec)
    expect(runs()).toBe(2)
  })

  test('a command must print exactly one token; its standard error stays out of the sentence', async () => {
    const { sources, script } = setup()
    for (
      const [body, expected] of [
        ['true', 'is empty'],
        ['printf "a\\nb\\n"', 'more than one line'],
        ['echo "two words"', 'not one token'],
        ['echo canary-stderr >&2; exit 3', 'ended with status 3'],
      ] as const
    ) {
      const error = await failure(sources.read(command([script('bad', body)], 0)))
      expect(error.message).toContain(expected)
      const lines: string[] = []
      jsonLogger((line) => lines.push(line)).log('info', 'x', { error })
      expect(lines.join()).not.toContain('canary-stderr')
      if (body.includes('exit 3')) expect(error.details?.stderr).toContain('canary-stderr')
    }
  })

  test('a command that hangs is ended at its deadline', async () => {
    const { sources, script } = setup()
    const error = await failure(sources.read(command([script('slow', 'sleep 60')], 0, 100)))
    expect(error.message).toContain('longer than 100 ms')
  })

  test('a caller who leaves does not fail the others', async () => {
    const { sources, script } = setup()
    const spec = command([script('tok', 'sleep 0.1; echo sk-cmd')])
    const abort = new AbortController()
    const [left, stayed] = [failure(sources.read(spec, { signal: abort.signal })), sources.read(spec)]
    abort.abort()
    expect((await left).code).toBe('cancelled')
    expect((await stayed).secret.reveal()).toBe('sk-cmd')
  })

  test('sops and age are run without a shell, and an inline age identity never stands in the arguments', async () => {
    const { sources, script, folder } = setup()
    script('sops', `echo "$@" > ${folder}/sops.args; echo '{"api_key":"sk-sops"}'`)
    script('age', `echo "$@" > ${folder}/age.args; cat > ${folder}/age.in; echo sk-age`)
    const path = `${folder}:${process.env.PATH}`
    const other = createSources({ ...contextOf(folder), env: { PATH: path, HOME: folder } })
    expect((await other.read({ type: 'sops', path: '~/s.yaml', key: 'a.b' })).secret.reveal()).toBe('sk-sops')
    expect(readFileSync(join(folder, 'sops.args'), 'utf8')).toContain(`--extract ["a"]["b"] ${folder}/s.yaml`)
    const identity = 'AGE-SECRET-KEY-1CANARY'
    expect((await other.read({ type: 'age', path: '/x.age', identity })).secret.reveal()).toBe('sk-age')
    expect(readFileSync(join(folder, 'age.args'), 'utf8')).not.toContain('CANARY')
    expect(readFileSync(join(folder, 'age.in'), 'utf8')).toBe(`${identity}\n`)
    void sources
  })

  test('AWS keys come from the environment or from the named profile', async () => {
    const { sources, folder } = setup({ AWS_ACCESS_KEY_ID: 'AK', AWS_SECRET_ACCESS_KEY: 'SK' })
    const direct = await sources.read({ type: 'aws', profile: null })
    expect([direct.kind, JSON.parse(direct.secret.reveal())]).toEqual(['aws', {
      accessKeyId: 'AK',
      secretAccessKey: 'SK',
    }])
    const file = join(folder, 'aws')
    writeFileSync(file, '[default]\naws_access_key_id=no\n[work]\naws_access_key_id = AW\naws_secret_access_key=SW\n')
    const named = createSources({ ...contextOf(folder), env: { AWS_SHARED_CREDENTIALS_FILE: file } })
    const work = await named.read({ type: 'aws', profile: 'work' })
    expect(JSON.parse(work.secret.reveal())).toEqual({ accessKeyId: 'AW', secretAccessKey: 'SW' })
  })
})

function contextOf(folder: string): SourceContext {
  return {
    env: { HOME: folder },
    clock: manualClock(1_700_000_000_000),
    keychain: null,
    secrets: { get: () => Promise.resolve(null) } as unknown as SecretStore,
    fetch: () => Promise.reject(new Error('no network in this test')),
    grants: {
      readLogin: () => Promise.reject(new Error('no logins in this test')),
      readForeign: () => Promise.reject(new Error('no logins in this test')),
    },
  }
}

describe('assertAudience()', () => {
  const credential = { kind: 'api-key', audience: ['https://api.example.com'] } as const
  for (
    const [url, passes] of [
      ['https://api.example.com/v1/x', true],
      ['https://api.example.com:443/v1', true],
      ['http://api.example.com/v1', false],
      ['https://api.example.com.evil.test/', false],
      ['https://api.example.com@evil.test/', false],
      ['https://evil.test/?https://api.example.com', false],
      ['https://api.example.com:8443/', false],
    ] as const
  ) {
    test(`${url} ${passes ? 'passes' : 'is refused'}`, () => {
      const send = () => assertAudience(credential, url)
      if (passes) expect(send()).toBeUndefined()
      else expect(send).toThrow('was about to be sent to')
    })
  }
  test('a credential without an origin goes nowhere, and no credential goes anywhere', () => {
    expect(() => assertAudience({ kind: 'api-key', audience: [] }, 'https://a.test')).toThrow('no origin')
    expect(assertAudience({ kind: 'none', audience: [] }, 'http://127.0.0.1:1')).toBeUndefined()
  })
  test('originsOf() leaves out what is no URL', () => {
    expect(originsOf(['https://a.test/v1', 'not a url', '', null, 'https://a.test'])).toEqual(['https://a.test'])
  })
})

describe('readPayload()', () => {
  for (
    const [shape, document] of [
      ['flat snake', { access_token: 'at', refresh_token: 'rt', expires_at: 1_700_000_000 }],
      ['flat camel', { accessToken: 'at', refreshToken: 'rt', expiresAt: 1_700_000_000_000 }],
      ['Claude Code', { claudeAiOauth: { accessToken: 'at', refreshToken: 'rt', expiresAt: 1_700_000_000_000 } }],
      ['claude_ai_oauth', { claude_ai_oauth: { accessToken: 'at', refreshToken: 'rt', expiresAt: 1_700_000_000 } }],
      ['Gemini', { access_token: 'at', refresh_token: 'rt', expiry_date: 1_700_000_000_000, scope: 'a b' }],
      ['router', { oauthToken: 'at', refresh: 'rt', expires: '2023-11-14T22:13:20Z' }],
      ['Codex', { OPENAI_API_KEY: null, tokens: { access_token: 'at', refresh_token: 'rt', account_id: 'acc' } }],
    ] as const
  ) {
    test(`reads ${shape}`, () => {
      const payload = readPayload(document)!
      expect([payload.accessToken, payload.refreshToken]).toEqual(['at', 'rt'])
      if (shape !== 'Codex') expect(payload.expiresAt).toBe(1_700_000_000_000)
      else expect(payload.accountId).toBe('acc')
    })
  }
  test('gives null for what holds no token, and raises nothing on any JSON', () => {
    expect(readPayload({ tokens: {} })).toBeNull()
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      readPayload(value)
    }))
  })
})

test('identityOf() tells persons apart and never shows them', () => {
  const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`
  const a = identityOf(jwt({ iss: 'i', sub: 'alice', exp: 1 }))
  expect(identityOf(jwt({ iss: 'i', sub: 'alice', exp: 2 }))).toBe(a)
  expect(identityOf(jwt({ iss: 'i', sub: 'bob' }))).not.toBe(a)
  expect(a).toMatch(/^[0-9a-f]{24}$/)
})
