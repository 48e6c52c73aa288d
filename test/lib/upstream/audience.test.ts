import { describe, expect, test } from 'bun:test'
import type { AccountId } from '../../../lib/base/mod.ts'
import { Secret, systemClock } from '../../../lib/base/mod.ts'
import { formatTarget, type Target } from '../../../lib/accounts/mod.ts'
import type { Provider } from '../../../lib/catalog/mod.ts'
import type { Credential } from '../../../lib/credentials/mod.ts'
import { egressConfig } from '../../../lib/egress/config.ts'
import { createEgress, egressPolicy } from '../../../lib/egress/mod.ts'
import { silentLogger } from '../../../lib/base/mod.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { createUpstream, type Field } from '../../../lib/upstream/mod.ts'
import { fakeUpstream } from '../../support/fake-upstream.ts'

const row: Provider = {
  id: 'fake',
  name: 'Fake',
  aliases: [],
  env: [],
  auth: { type: 'bearer' },
  deployments: [{
    protocol: 'openai-chat',
    capabilities: ['chat'],
    baseUrl: 'https://${REGION:-eu}.api.test/v1',
  }],
  docs: 'https://example.com',
}

const key: Credential = {
  kind: 'api-key',
  secret: new Secret('sk-canary-0123456789'),
  accountId: null,
  expiresAt: null,
  audience: [],
  identity: null,
}

/** Sends one call and says where it went, or why it did not. */
async function sent(options: {
  baseUrl?: string
  bound?: string
  audience?: readonly string[]
  env?: Record<string, string>
  path?: string
  kind?: Credential['kind']
}): Promise<string> {
  const opened: string[] = []
  const upstream = createUpstream({
    egress: {
      open({ url }) {
        opened.push(new URL(url).href)
        return { reply: Promise.reject(new Error('far enough')), cancel() {} } as never
      },
    },
    provider: () => row,
    environment: options.env ?? {},
    clock: systemClock,
    baseUrl: () => options.bound ?? null,
  })
  const target: Target = {
    key: formatTarget('fake', 'a', 'chat'),
    provider: 'fake',
    account: 'a' as AccountId,
    capability: 'chat',
    deployment: { ...row.deployments[0]!, baseUrl: options.baseUrl ?? row.deployments[0]!.baseUrl },
    model: 'm',
  }
  const reply = await upstream.send({
    target,
    credential: { ...key, kind: options.kind ?? 'api-key', audience: options.audience ?? [] },
    surface: options.path === undefined ? 'chat' : { path: options.path },
    method: 'POST',
    search: '',
    headers: [] as Field[],
    body: null,
  }).reply.catch((error: Error) => error)
  if (opened.length > 0) return opened.join(' ')
  return reply instanceof Error || reply.ok ? 'sent nowhere' : reply.failure.code ?? reply.failure.kind
}

describe('a credential that names no origin', () => {
  test("goes to its provider's own deployments, variables filled in", async () => {
    expect(await sent({})).toBe('https://eu.api.test/v1/chat/completions')
    expect(await sent({ env: { REGION: 'us' } })).toBe('https://us.api.test/v1/chat/completions')
  })

  test('goes nowhere else: not to a deployment from elsewhere, not where a path bends the host', async () => {
    expect(await sent({ baseUrl: 'https://evil.test/v1' })).toBe('credential.audience')
    expect(await sent({ baseUrl: 'http://eu.api.test/v1' })).toBe('credential.audience')
    expect(await sent({ baseUrl: 'https://eu.api.test', path: '.evil.test/x' })).toBe('credential.audience')
    expect(await sent({ baseUrl: 'https://eu.api.test', path: '@evil.test/x' })).toBe('credential.audience')
  })

  test('goes to the base URL that its owner bound its account to, and then not to the provider', async () => {
    expect(await sent({ bound: 'https://mine.test/v1' })).toBe('https://mine.test/v1/chat/completions')
    expect(await sent({ bound: 'https://mine.test', path: '.evil.test/x' })).toBe('credential.audience')
  })
})

describe('a credential with origins of its own', () => {
  const audience = ['https://vendor.test']
  test('does not follow a base URL that somebody set for the provider or the account', async () => {
    expect(await sent({ audience })).toBe('credential.audience')
    expect(await sent({ audience, bound: 'https://mine.test/v1' })).toBe('credential.audience')
    expect(await sent({ audience, bound: 'https://vendor.test/v1' })).toBe('https://vendor.test/v1/chat/completions')
  })

  test('an account without a credential may be anywhere: there is nothing to lose', async () => {
    expect(await sent({ kind: 'none', baseUrl: 'http://127.0.0.1:9/v1' })).toBe(
      'http://127.0.0.1:9/v1/chat/completions',
    )
  })
})

test('a redirect is never followed: the credential stays where it was sent', async () => {
  await using thief = await fakeUpstream((exchange) => exchange.json({}))
  await using honest = await fakeUpstream(async (exchange) => {
    await exchange.raw(`HTTP/1.1 307 Go\r\nlocation: ${thief.url}/steal\r\ncontent-length: 0\r\n\r\n`)
  })
  const dialer = (await detectPlatform()).openDialer()
  const policy = egressPolicy(egressConfig.parse({ allow_origins: [honest.url, thief.url] }))
  const upstream = createUpstream({
    egress: createEgress({ policy, dialer, clock: systemClock, log: silentLogger }),
    provider: () => row,
    environment: {},
    clock: systemClock,
    baseUrl: () => `${honest.url}/v1`,
  })
  const answer = await upstream.send({
    target: {
      key: formatTarget('fake', 'a', 'chat'),
      provider: 'fake',
      account: 'a' as AccountId,
      capability: 'chat',
      deployment: row.deployments[0]!,
      model: 'm',
    },
    credential: key,
    surface: 'chat',
    method: 'POST',
    search: '',
    headers: [],
    body: new Uint8Array(),
  }).reply
  dialer.close()
  expect([answer.ok, !answer.ok && answer.failure.kind]).toEqual([false, 'malformed'])
  expect([honest.requests.length, thief.accepted]).toEqual([1, 0])
})
