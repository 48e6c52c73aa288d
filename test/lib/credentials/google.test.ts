import { expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import { isGwError } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { createSources } from '../../../lib/credentials/mod.ts'
import { type SecretStore } from '../../../lib/secrets/mod.ts'
import { memoryKeychain } from '../../support/memory-keychain.ts'

const start = 1_700_000_000_000
const hour = 3_600_000

/** A key file, a token endpoint that checks what it is sent as Google's does, and sources that meet only there. */
async function google(answer: (count: number) => Response | Promise<Response>) {
  const folder = await mkdtemp(join(tmpdir(), 'gw-google-'))
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  const path = join(folder, 'key.json')
  const file = {
    type: 'service_account',
    project_id: 'p',
    private_key_id: 'kid-1',
    private_key: await exportPKCS8(privateKey),
    client_email: 'robot@p.iam.gserviceaccount.com',
    token_uri: 'https://evil.example/token',
  }
  await writeFile(path, JSON.stringify(file), { mode: 0o600 })
  const clock = manualClock(start)
  const claims: Record<string, unknown>[] = []
  const sources = createSources({
    env: {},
    clock,
    keychain: memoryKeychain(),
    secrets: { get: () => Promise.resolve(null) } as unknown as SecretStore,
    async fetch(input, init) {
      // Where the key file would have it asked is not where it is asked.
      expect(String(input)).toBe('https://oauth2.googleapis.com/token')
      expect(init?.method).toBe('POST')
      const form = new URLSearchParams(String(init?.body))
      expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
      const { payload, protectedHeader } = await jwtVerify(form.get('assertion')!, publicKey, {
        algorithms: ['RS256'],
        audience: 'https://oauth2.googleapis.com/token',
        issuer: file.client_email,
        currentDate: new Date(clock.now()),
      })
      expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'kid-1' })
      claims.push(payload)
      return await answer(claims.length)
    },
    grants: {
      readLogin: () => Promise.reject(new Error('no logins in this test')),
      readForeign: () => Promise.reject(new Error('no logins in this test')),
    },
  })
  return {
    clock,
    claims,
    read: (scope?: string) => sources.read({ type: 'google', path, ...(scope === undefined ? {} : { scope }) }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

const token = (count: number): Response =>
  Response.json({ access_token: `ya29.token-${count}`, expires_in: 3600, token_type: 'Bearer' })

test('a service account signs its own assertion, for an hour and for the cloud platform', async () => {
  await using far = await google(token)
  const reading = await far.read()
  expect([reading.kind, reading.secret.reveal(), reading.expiresAt]).toEqual([
    'auth-token',
    'ya29.token-1',
    start + hour,
  ])
  expect(far.claims[0]).toEqual({
    scope: 'https://www.googleapis.com/auth/cloud-platform',
    iss: 'robot@p.iam.gserviceaccount.com',
    aud: 'https://oauth2.googleapis.com/token',
    iat: start / 1000,
    exp: start / 1000 + 3600,
  })
  await far.read('https://www.googleapis.com/auth/other')
  expect(far.claims[1]).toMatchObject({ scope: 'https://www.googleapis.com/auth/other' })
})

test('many callers at once ask for one token, and the next is asked for before the first has ended', async () => {
  await using far = await google(token)
  const all = await Promise.all(Array.from({ length: 50 }, () => far.read()))
  expect(new Set(all.map(({ secret }) => secret.reveal()))).toEqual(new Set(['ya29.token-1']))
  far.clock.advance(hour - 5 * 60_000 - 1)
  expect((await far.read()).secret.reveal()).toBe('ya29.token-1')
  expect(far.claims.length).toBe(1)
  far.clock.advance(1)
  const renewed = await Promise.all(Array.from({ length: 50 }, () => far.read()))
  expect(new Set(renewed.map(({ secret }) => secret.reveal()))).toEqual(new Set(['ya29.token-2']))
  expect(far.claims.length).toBe(2)
})

test('what the token endpoint says stays here, and its failures are told apart', async () => {
  for (
    const [answer, code] of [
      [
        () => Response.json({ error: 'invalid_grant', error_description: 'secret words' }, { status: 400 }),
        'login.failed',
      ],
      [() => new Response('secret words', { status: 503 }), 'credential.refresh_failed'],
      [() => new Response('secret words', { status: 429 }), 'credential.refresh_failed'],
    ] as const
  ) {
    await using far = await google(answer)
    const error = await far.read().catch((caught: unknown) => caught)
    if (!isGwError(error)) throw error
    expect(error.code).toBe(code)
    expect(JSON.stringify([error.message, error.details])).not.toContain('BEGIN PRIVATE KEY')
    if (code === 'credential.refresh_failed') expect(error.message).not.toContain('secret words')
  }
})
