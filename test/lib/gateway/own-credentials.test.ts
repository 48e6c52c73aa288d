import { afterAll, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { operator, type Scope } from '../../../lib/access/mod.ts'
import { createGateway } from '../../../lib/mod.ts'

const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

/** A real gateway before an upstream that notes what it is sent. */
async function open(scopes: readonly Scope[], status = 200) {
  const seen: { path: string; headers: Headers }[] = []
  const far = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      await request.text()
      seen.push({ path: new URL(request.url).pathname, headers: request.headers })
      return Response.json(
        status === 200
          ? {
            id: 'm',
            type: 'message',
            content: [{ type: 'text', text: 'hi' }],
            usage: { input_tokens: 1, output_tokens: 1 },
          }
          : { type: 'error', error: { type: 'authentication_error', message: 'the provider says no' } },
        { status },
      )
    },
  })
  const home = await mkdtemp(join(tmpdir(), 'gw-own-'))
  const gateway = await createGateway({
    home,
    cwd: home,
    env: { POOL_KEY: 'sk-ant-pool-key-0123456789' },
    keychain: null,
    settings: {
      'providers.anthropic': { base_url: `http://127.0.0.1:${far.port}`, local: true },
      'accounts.pool': { provider: 'anthropic', token_env: 'POOL_KEY' },
    },
  })
  closers.push(() => far.stop(true), () => gateway.close(), () => rm(home, { recursive: true, force: true }))
  const { token } = await gateway.rooms.access.issue({ label: 'test', scopes: [...scopes] }, operator)
  const post = (headers: Record<string, string>) =>
    gateway.fetch(
      new Request('http://gw.test/v1/messages?beta=true', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', ...headers },
        body: JSON.stringify({
          model: 'anthropic/claude-sonnet-4-5',
          max_tokens: 5,
          messages: [{ role: 'user', content: 'x' }],
        }),
      }),
    )
  return { gateway, seen, token: token.reveal(), post }
}

const plan = 'sk-ant-oat01-the-callers-own-plan-token'
const native = { 'user-agent': 'claude-cli/2.1.330 (external, cli)', 'x-app': 'cli' }

test('a caller without a token of its own for the provider is served by the pool', async () => {
  const { seen, token, post } = await open(['write'])
  expect((await post({ 'x-api-key': token })).status).toBe(200)
  expect([seen[0]!.headers.get('x-api-key'), seen[0]!.headers.get('authorization')]).toEqual([
    'sk-ant-pool-key-0123456789',
    null,
  ])
})

test("the vendor's own client keeps its plan token: gw's token comes beside it, and the pool is not touched", async () => {
  const { seen, token, post } = await open(['write'])
  const reply = await post({
    ...native,
    'x-gw-token': token,
    authorization: `Bearer ${plan}`,
    'anthropic-beta': 'oauth-2025-04-20,x',
  })
  expect(reply.status).toBe(200)
  const { headers } = seen[0]!
  expect([
    headers.get('authorization'),
    headers.get('x-api-key'),
    headers.get('x-gw-token'),
    headers.get('anthropic-beta'),
  ])
    .toEqual([`Bearer ${plan}`, null, null, 'oauth-2025-04-20,x'])
})

test("a plan token of anybody else's client goes nowhere", async () => {
  const { seen, token, post } = await open(['write'])
  const reply = await post({ 'x-gw-token': token, authorization: `Bearer ${plan}` })
  expect([reply.status, seen.length]).toEqual([403, 0])
})

test("a plan token that the provider refuses is the caller's to hear of, and no account suffers", async () => {
  const { gateway, token, post } = await open(['write'], 401)
  const reply = await post({ ...native, 'x-gw-token': token, authorization: `Bearer ${plan}` })
  expect([reply.status, await reply.text()]).toEqual([401, expect.stringContaining('the provider says no')])
  expect(gateway.rooms.board.all()).toEqual([])
})

test("a key of the caller's own replaces the pool's for one request, is not passed on, and needs a scope", async () => {
  const { seen, token, post } = await open(['write', 'provider-key'])
  const reply = await post({ authorization: `Bearer ${token}`, 'X-Provider-Key-ANTHROPIC': 'sk-ant-mine-0123456789' })
  expect(reply.status).toBe(200)
  expect(seen[0]!.headers.get('x-api-key')).toBe('sk-ant-mine-0123456789')
  expect([...seen[0]!.headers.keys()].some((name) => name.startsWith('x-provider-key'))).toBe(false)
  await post({ authorization: `Bearer ${token}` })
  expect(seen[1]!.headers.get('x-api-key')).toBe('sk-ant-pool-key-0123456789')

  const plain = await open(['write'])
  const refused = await plain.post({
    authorization: `Bearer ${plain.token}`,
    'x-provider-key-anthropic': 'sk-ant-mine-0123456789',
  })
  expect([refused.status, plain.seen.length]).toEqual([403, 0])
})

test('a key for a provider that does not exist is refused by name', async () => {
  const { token, post } = await open(['write', 'provider-key'])
  const reply = await post({ authorization: `Bearer ${token}`, 'x-provider-key-nobody': 'x' })
  expect([reply.status, await reply.text()]).toEqual([404, expect.stringContaining('nobody')])
})

test('the raw proxy needs its scope, keeps to listed plain paths, and lays our credential on', async () => {
  const { gateway, seen, token } = await open(['write', 'proxy'])
  const get = (path: string, bearer = token) =>
    gateway.fetch(new Request(`http://gw.test${path}`, { headers: { authorization: `Bearer ${bearer}` } }))
  expect((await get('/v1/proxy/anthropic/v1/models')).status).toBe(200)
  expect((await get('/api/latest/anthropic/v1/messages/batches')).status).toBe(200)
  expect(seen.map(({ path, headers }) => [path, headers.get('x-api-key')])).toEqual([
    ['/v1/models', 'sk-ant-pool-key-0123456789'],
    ['/v1/messages/batches', 'sk-ant-pool-key-0123456789'],
  ])
  for (
    const path of [
      '/v1/proxy/anthropic/v1/organizations/api_keys',
      '/v1/proxy/anthropic/v1/models/%2e%2e/secrets',
      '/v1/proxy/anthropic/v1/models//x',
      '/v1/proxy/anthropic/v1/models/..%2f..%2fsecrets',
      '/v1/proxy/anthropic//evil.example/v1/models',
      '/v1/proxy/anthropic/v1/models/x%00',
      '/v1/proxy/anthropic',
    ]
  ) {
    expect([path, (await get(path)).status >= 400]).toEqual([path, true])
  }
  expect((await get('/v1/proxy/nobody/v1/models')).status).toBe(404)
  const weak = await open(['write'])
  expect(
    (await weak.gateway.fetch(
      new Request('http://gw.test/v1/proxy/anthropic/v1/models', {
        headers: { authorization: `Bearer ${weak.token}` },
      }),
    )).status,
  ).toBe(403)
  expect([seen.length, weak.seen.length]).toEqual([2, 0])
})
