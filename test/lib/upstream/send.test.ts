import { describe, expect, test } from 'bun:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { type AccountId, readAll, Secret, systemClock } from '../../../lib/base/mod.ts'
import { sourceOfBytes } from '../../support/source-of-bytes.ts'
import { formatTarget } from '../../../lib/accounts/mod.ts'
import type { AuthScheme, Deployment, Provider } from '../../../lib/catalog/mod.ts'
import type { Credential } from '../../../lib/credentials/mod.ts'
import type { EgressRequest } from '../../../lib/egress/egress.ts'
import { createUpstream, type Surface } from '../../../lib/upstream/mod.ts'

const secret = 'sk-secret-0123456789'

interface Options {
  readonly auth?: AuthScheme
  readonly deployment?: Partial<Deployment>
  readonly provider?: Partial<Provider>
  readonly credential?: Partial<Credential>
  readonly environment?: Record<string, string>
  readonly surface?: Surface | { readonly path: string }
  readonly search?: string
  readonly headers?: [string, string][]
  readonly reply?: { status: number; headers?: Record<string, string>; body?: Uint8Array<ArrayBuffer> }
}

/** Sends one call through a way out that takes notes and answers as told. */
async function send(options: Options = {}) {
  const sent: EgressRequest[] = []
  const deployment: Deployment = {
    protocol: 'openai-chat',
    capabilities: ['chat'],
    baseUrl: 'https://api.example.com/v1',
    ...options.deployment,
  }
  const provider: Provider = {
    id: 'p',
    name: 'P',
    aliases: [],
    env: [],
    auth: options.auth ?? { type: 'bearer' },
    deployments: [deployment],
    docs: '',
    ...options.provider,
  }
  const upstream = createUpstream({
    egress: {
      open(request) {
        sent.push(request)
        const { status, headers, body } = options.reply ?? { status: 200 }
        return {
          reply: Promise.resolve({
            status,
            headers: new Headers(headers),
            length: null,
            body: sourceOfBytes(body ?? new TextEncoder().encode('{}')),
          }),
          cancel() {},
        }
      },
    },
    provider: () => provider,
    environment: options.environment ?? {},
    clock: systemClock,
  })
  const reply = await upstream.send({
    target: {
      key: formatTarget('p', 'a'),
      provider: 'p',
      account: 'a' as AccountId,
      capability: 'chat',
      deployment,
      model: 'm',
    },
    credential: {
      kind: 'api-key',
      secret: new Secret(secret),
      accountId: null,
      expiresAt: null,
      audience: ['https://api.example.com'],
      identity: null,
      ...options.credential,
    },
    surface: options.surface ?? 'chat',
    method: 'POST',
    search: options.search ?? '',
    headers: options.headers ?? [],
    body: null,
  }).reply
  const [request] = sent
  return { request, url: request?.url.href, headers: Object.fromEntries(request?.headers ?? []), reply }
}

describe('how a credential is laid on a request', () => {
  for (
    const [what, options, expected] of [
      ['bearer', {}, { authorization: `Bearer ${secret}` }],
      ['anthropic with a key', { auth: { type: 'anthropic' } }, {
        'x-api-key': secret,
        'anthropic-version': '2023-06-01',
      }],
      [
        'anthropic with a plan token, behind the betas of the caller',
        { auth: { type: 'anthropic' }, credential: { kind: 'auth-token' }, headers: [['anthropic-beta', 'a,b']] },
        { authorization: `Bearer ${secret}`, 'anthropic-beta': 'a,b,oauth-2025-04-20' },
      ],
      [
        'anthropic with a plan token, whose beta the caller named already',
        {
          auth: { type: 'anthropic' },
          credential: { kind: 'auth-token' },
          headers: [['anthropic-beta', 'oauth-2025-04-20,b'], ['anthropic-version', '2024-01-01']],
        },
        { 'anthropic-beta': 'oauth-2025-04-20,b', 'anthropic-version': '2024-01-01' },
      ],
      [
        'chatgpt',
        { auth: { type: 'chatgpt' }, credential: { accountId: 'acct' } },
        { authorization: `Bearer ${secret}`, 'chatgpt-account-id': 'acct' },
      ],
      ['a header', { auth: { type: 'header', name: 'X-Goog-Api-Key' } }, { 'x-goog-api-key': secret }],
      ['a header with a prefix', { auth: { type: 'header', name: 'Authorization', prefix: 'Token ' } }, {
        authorization: `Token ${secret}`,
      }],
      ['a scheme of the deployment', { deployment: { auth: { type: 'header', name: 'api-key' } } }, {
        'api-key': secret,
      }],
    ] as const satisfies readonly (readonly [string, Options, Record<string, string>])[]
  ) {
    test(what, async () => expect((await send(options as Options)).headers).toMatchObject(expected))
  }

  test('a query parameter, over whatever the caller put there', async () => {
    const { url, headers } = await send({ auth: { type: 'query', name: 'key' }, search: '?key=mine&alt=sse' })
    expect(url).toBe(`https://api.example.com/v1/chat/completions?key=${secret}&alt=sse`)
    expect(JSON.stringify(headers)).not.toContain(secret)
  })

  test('none', async () => {
    const { headers } = await send({ auth: { type: 'none' }, credential: { kind: 'none', secret: new Secret('') } })
    expect(headers['authorization']).toBeUndefined()
  })

  test('a ChatGPT token without its account id never leaves', async () => {
    const { request, reply } = await send({ auth: { type: 'chatgpt' } })
    expect(request).toBeUndefined()
    expect(reply).toMatchObject({ ok: false, failure: { kind: 'local', code: 'credential.unavailable' } })
  })

  test('a credential never goes to an origin that is not its own', async () => {
    const { request, reply } = await send({ deployment: { baseUrl: 'https://evil.example/v1' } })
    expect(request).toBeUndefined()
    expect(reply).toMatchObject({ ok: false, failure: { kind: 'local', code: 'credential.audience' } })
  })
})

describe('where a call goes', () => {
  for (
    const [what, options, expected] of [
      ["the protocol's own path", {}, 'https://api.example.com/v1/chat/completions'],
      ['embeddings', { surface: 'embeddings' }, 'https://api.example.com/v1/embeddings'],
      ['transcriptions', { surface: 'transcription' }, 'https://api.example.com/v1/audio/transcriptions'],
      ['a path of its own', { deployment: { paths: { chat: '/api/chat' } } }, 'https://api.example.com/v1/api/chat'],
      ["the caller's query", { search: '?beta=true' }, 'https://api.example.com/v1/chat/completions?beta=true'],
      [
        "the provider's query",
        { provider: { query: { 'api-version': '1' } } },
        'https://api.example.com/v1/chat/completions?api-version=1',
      ],
      ['a base URL from the environment', {
        deployment: { baseUrl: 'https://${HOST}/v1' },
        environment: { HOST: 'api.example.com' },
      }, 'https://api.example.com/v1/chat/completions'],
      [
        'a default in a base URL',
        { deployment: { baseUrl: 'https://${HOST:-api.example.com}/v1' } },
        'https://api.example.com/v1/chat/completions',
      ],
      [
        'messages behind a base with /v1',
        { deployment: { protocol: 'anthropic-messages' }, surface: 'messages' },
        'https://api.example.com/v1/messages',
      ],
      ['a raw path', { surface: { path: '/files' } }, 'https://api.example.com/v1/files'],
    ] as const satisfies readonly (readonly [string, Options, string])[]
  ) {
    test(what, async () => expect((await send(options as Options)).url).toBe(expected))
  }

  test("default headers of the provider win over the caller's", async () => {
    const { headers } = await send({
      provider: { headers: { 'User-Agent': 'mine', 'X-Team': 't' } },
      headers: [['user-agent', 'theirs']],
    })
    expect(headers).toMatchObject({ 'user-agent': 'mine', 'x-team': 't', 'accept-encoding': 'identity' })
  })

  test('a variable that is not set stops the call, by name', async () => {
    const { request, reply } = await send({ deployment: { baseUrl: 'https://${HOST}/v1' } })
    expect(request).toBeUndefined()
    expect(reply).toMatchObject({
      ok: false,
      failure: { code: 'config.invalid', message: expect.stringContaining('HOST') },
    })
  })
})

describe('what comes back', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const packed = (data: Buffer) => new Uint8Array(data)

  for (
    const [coding, compress] of [['gzip', gzipSync], ['deflate', deflateSync], ['br', brotliCompressSync], [
      'zstd',
      zstdCompressSync,
    ]] as const
  ) {
    test(`an answer in ${coding}, although nobody asked for it, is read`, async () => {
      const { reply } = await send({
        reply: { status: 200, headers: { 'content-encoding': coding }, body: packed(compress(bytes('{"a":1}'))) },
      })
      if (!reply.ok) throw new Error('refused')
      expect(new TextDecoder().decode((await readAll(reply.body, 1000))!)).toBe('{"a":1}')
    })
  }

  test('a compression bomb is stopped where its bytes are counted', async () => {
    const bomb = packed(gzipSync(Buffer.alloc(64 * 1024 * 1024)))
    const { reply } = await send({ reply: { status: 200, headers: { 'content-encoding': 'gzip' }, body: bomb } })
    if (!reply.ok) throw new Error('refused')
    expect(await readAll(reply.body, 1024 * 1024)).toBeNull()
  })

  test('a lie about the coding is a broken answer, an unknown coding is refused', async () => {
    const lie = await send({ reply: { status: 200, headers: { 'content-encoding': 'gzip' }, body: bytes('{"a":1}') } })
    if (!lie.reply.ok) throw new Error('refused')
    expect((await readAll(lie.reply.body, 1000).catch((error) => error)).code).toBe('upstream.invalid')
    const unknown = await send({ reply: { status: 200, headers: { 'content-encoding': 'zz' } } })
    expect(unknown.reply).toMatchObject({ ok: false, failure: { kind: 'malformed' } })
  })

  test('a redirect is a failure, and nobody goes where it points', async () => {
    const { reply } = await send({ reply: { status: 307, headers: { location: 'https://evil.example/' } } })
    expect(reply).toMatchObject({ ok: false, failure: { kind: 'malformed' }, answer: null })
  })

  test('our credential is cut out of an error that echoes it', async () => {
    const { reply } = await send({ reply: { status: 400, body: bytes(`{"error":{"message":"bad key ${secret}"}}`) } })
    if (reply.ok) throw new Error('served')
    expect(new TextDecoder().decode(reply.answer!.body)).toBe('{"error":{"message":"bad key [secret]"}}')
    expect(reply.failure.message).not.toContain(secret)
  })
})
