import { afterAll, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { operator } from '../../lib/access/mod.ts'
import { createGateway } from '../../lib/mod.ts'
import { hostGate } from '../../server/hosts.ts'
import { startServer } from '../../server/main.ts'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

/** A gateway with the demo upstream, served on a free port. */
async function serve(settings: Record<string, never> | object = {}) {
  const home = await mkdtemp(join(tmpdir(), 'gw-serving-'))
  folders.push(home)
  const gateway = await createGateway({
    home,
    env: {},
    cwd: home,
    demo: true,
    keychain: null,
    settings: settings as never,
  })
  const { token } = await gateway.rooms.access.issue({ label: 'test', scopes: ['read', 'write'] }, operator)
  const server = await startServer(gateway, { host: '127.0.0.1', port: 0 })
  const headers = { authorization: `Bearer ${token.reveal()}` }
  const chat = (model: string, more: object = {}) =>
    fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }], ...more }),
    })
  return {
    gateway,
    server,
    headers,
    chat,
    get: (path: string, init: RequestInit = {}) => fetch(server.url + path, init),
  }
}

test('health answers everybody: two bytes, or JSON for those who ask', async () => {
  const { server, get } = await serve()
  expect(await (await get('/health')).text()).toBe('ok')
  expect(await (await get('/health', { headers: { accept: 'application/json' } })).json()).toEqual({ status: 'ok' })
  expect(await (await get('/healthz')).json()).toEqual({ status: 'ok' })
  expect(await (await get('/readyz')).json()).toEqual({ status: 'ready' })
  for (const path of ['/', '/api/hello']) expect((await get(path, { method: 'HEAD' })).status).toBe(200)
  await server.stop()
})

test('a WebSocket upgrade on the responses path is answered 426 at once', async () => {
  const { server, get, headers } = await serve()
  const reply = await get('/v1/responses', { headers: { ...headers, connection: 'upgrade', upgrade: 'websocket' } })
  expect(reply.status).toBe(426)
  await server.stop()
})

test('every model path stands under /api too, and what does not exist says so in its own shape', async () => {
  const { server, get, headers } = await serve()
  for (const path of ['/v1/models', '/api/v1/models', '/v1/providers', '/api/v1/providers']) {
    expect((await get(path, { headers })).status).toBe(200)
  }
  expect((await get('/v1/models/demo/demo-small', { headers })).status).toBe(200)
  expect(await (await get('/v1/models/demo/none', { headers })).json()).toMatchObject({
    error: { code: 'model_not_found' },
  })
  expect(await (await get('/v1/nothing', { headers })).json()).toMatchObject({ error: { code: 'request_not_found' } })
  expect(await (await get('/nothing')).json()).toMatchObject({ status: 404, code: 'request_not_found' })
  await server.stop()
})

test("a body over the limit is 413 in the caller's shape, however large it says it is", async () => {
  const { server, get, headers } = await serve({ 'limits.body_bytes': 2048 })
  for (const size of [3000, 5_000_000]) {
    const reply = await get('/v1/messages', { method: 'POST', headers, body: 'x'.repeat(size) })
    expect([reply.status, await reply.json()]).toEqual([413, {
      type: 'error',
      error: { type: 'request_too_large', message: expect.any(String) },
    }])
  }
  expect((await get('/health')).status).toBe(200)
  await server.stop()
})

test('stopping: not ready at once, streams finish, then nothing listens', async () => {
  const { server, chat, get } = await serve()
  const reply = await chat('demo-delay-20', { stream: true })
  const reader = reply.body!.getReader()
  await reader.read()
  const stopped = server.stop({ graceMs: 100 })
  const ready = await get('/readyz')
  expect([ready.status, ready.headers.get('retry-after')]).toEqual([503, '1'])
  let text = ''
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    text += new TextDecoder().decode(step.value)
  }
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  await stopped
  expect(await get('/health').then(() => true, () => false)).toBe(false)
})

test('stopping ends what does not finish in time, and says so to each caller', async () => {
  const { server, chat } = await serve()
  const stream = await chat('demo-stall-20000', { stream: true })
  const reader = stream.body!.getReader()
  const first = await reader.read()
  const whole = chat('demo-hang')
  const since = performance.now()
  const stopped = server.stop({ graceMs: 50, drainMs: 200 })
  let text = new TextDecoder().decode(first.value)
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    text += new TextDecoder().decode(next.value)
  }
  expect(text).toContain('"code":"server_draining"')
  expect(text).not.toContain('[DONE]')
  const refused = await whole
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  expect((await refused.json() as { error: { code: string } }).error.code).toBe('server_draining')
  await stopped
  expect(performance.now() - since).toBeLessThan(3000)
})

for (
  const [host, passes] of [
    ['localhost', true],
    ['localhost:8080', true],
    ['127.0.0.1:8080', true],
    ['[::1]:8080', true],
    ['192.168.1.7:8080', true],
    ['gateway.lan', true],
    ['proxy.example', true],
    ['LOCALHOST', true],
    ['evil.example', false],
    ['localhost.evil.example', false],
    ['127.0.0.1.evil.example', false],
    ['evil.example:8080', false],
  ] as const
) {
  test(`the Host ${host} is ${passes ? 'answered' : 'refused'}`, () => {
    const gate = hostGate({
      host: '127.0.0.1',
      publicUrl: 'https://proxy.example/gw',
      allowedHosts: ['gateway.lan'],
      allowedOrigins: ['https://app.example'],
    })
    const check = () => gate.check(new Request('http://localhost/', { headers: { host } }))
    if (passes) expect(check).not.toThrow()
    else expect(check).toThrow('host name')
  })
}

for (
  const [origin, passes] of [
    ['https://app.example', true],
    ['https://proxy.example', true],
    ['http://localhost:8080', true],
    ['https://evil.example', false],
    ['null', false],
    ['http://localhost:9999', false],
    ['https://app.example.evil.example', false],
  ] as const
) {
  test(`the Origin ${origin} is ${passes ? 'answered' : 'refused'}`, () => {
    const gate = hostGate({
      host: '127.0.0.1',
      publicUrl: 'https://proxy.example/gw',
      allowedHosts: [],
      allowedOrigins: ['https://app.example'],
    })
    const check = () =>
      gate.check(new Request('http://localhost:8080/', { headers: { host: 'localhost:8080', origin } }))
    if (passes) expect(check).not.toThrow()
    else expect(check).toThrow('web pages')
  })
}
