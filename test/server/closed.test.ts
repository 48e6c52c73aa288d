import { afterAll, beforeAll, expect, test } from 'bun:test'
import { operator } from '../../lib/access/mod.ts'
import { isObject } from '../../lib/base/mod.ts'
import { surfaces } from '../../lib/gateway/mod.ts'
import { createRoutes } from '../../server/routes.ts'
import { openServed, type ServedGateway } from '../surfaces/served.ts'

let served: ServedGateway
beforeAll(async () => {
  served = await openServed()
})
afterAll(() => served.close())

/** Everything that answers without a token. It grows only on purpose. */
const open = new Set([
  'GET /health',
  'GET /healthz',
  'GET /readyz',
  'HEAD /',
  'HEAD /api/hello',
  'GET /docs',
  'GET /docs/json',
  'GET /docs/reference.js',
  'GET /approvals/:id',
  'GET /approvals/page.css',
  'GET /approvals/page.js',
  'GET /.well-known/oauth-protected-resource',
  'GET /.well-known/oauth-protected-resource/mcp',
])

/** Documents that say which tokens a foreign tool server wants; there is none behind this gateway. */
const discovery = /^\/\.well-known\/|\/\.well-known\//

function allRoutes(): { method: string; path: string }[] {
  const door = { gateway: served.gateway, mcp: null, peerOf: () => ({ address: '127.0.0.1', loopback: true }) }
  const routed = createRoutes(door).routes.map(({ method, path }) => ({ method, path }))
  const models = Object.keys(surfaces).map((path) => ({ method: 'POST', path }))
  const read = ['/v1/models', '/v1/models/some/model', '/v1/providers'].map((path) => ({ method: 'GET', path }))
  return [...routed, ...models, ...read].map(({ method, path }) => ({
    method: method === 'ALL' ? 'POST' : method,
    path,
  }))
}

async function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
  const filled = path.replace(/:\w+/g, 'some').replace('*', method === 'POST' ? 'tokens.issue' : 'accounts.list')
  const payload = body ?? (method === 'POST' ? '{}' : undefined)
  const answer = await fetch(served.url + filled, {
    method,
    headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(payload === undefined ? {} : { body: payload }),
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

test('every route is closed without a token, but for the short open list', async () => {
  const routes = allRoutes()
  expect(routes.length).toBeGreaterThan(60)
  const wrong: string[] = []
  for (const { method, path } of routes) {
    const { status } = await ask(method, path)
    const name = `${method} ${path}`
    if (open.has(name)) {
      if (status >= 400) wrong.push(`${name} is on the open list and answers ${status}`)
    } else if (discovery.test(path)) {
      if (status !== 404) wrong.push(`${name} answers ${status}`)
    } else if (status !== 401) wrong.push(`${name} answers ${status}`)
  }
  expect(wrong).toEqual([])
})

test('a token that may only call models gets at nothing that administers', async () => {
  const { token } = await served.gateway.rooms.access.issue({ label: 'writer', scopes: ['write'] }, operator)
  const wrong: string[] = []
  for (const { method, path } of allRoutes()) {
    if (
      !/^\/(api\/(accounts|approvals|audit|auth|config|tokens|liveness|routes|providers)|config|metrics|v1\/(usage|accounts))/
        .test(path)
    ) {
      continue
    }
    // What exists out there, and how a config file is written, is no secret.
    if (path === '/api/providers/list' || path === '/api/config/schema') continue
    const { status } = await ask(method, path, { authorization: `Bearer ${token.reveal()}` })
    if (status !== 403) wrong.push(`${method} ${path} answers ${status}`)
  }
  expect(wrong).toEqual([])
})

test('a web page can neither read nor change anything', async () => {
  const authorization = `Bearer ${served.token}`
  for (const path of ['/api/accounts/list', '/trpc/accounts.list', '/mcp', '/docs/json', '/v1/models']) {
    const foreign = await ask('GET', path, { authorization, origin: 'https://evil.example' })
    expect([path, foreign.status, foreign.headers.get('access-control-allow-origin')]).toEqual([path, 403, null])
    const opaque = await ask('GET', path, { authorization, origin: 'null' })
    expect([path, opaque.status]).toEqual([path, 403])
    const rebound = await ask('GET', path, { authorization, host: 'evil.example' })
    expect([path, rebound.status]).toEqual([path, 403])
  }
})

for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'text/json', '']) {
  test(`a change is taken as JSON only, not as ${type || 'nothing'}`, async () => {
    const headers = { authorization: `Bearer ${served.token}`, 'content-type': type }
    for (const path of ['/api/tokens/issue', '/api/tokens', '/trpc/tokens.issue', '/mcp', '/api/providers']) {
      const { status } = await ask('POST', path, headers, '{"label":"x"}')
      expect([path, status]).toEqual([path, 415])
    }
  })
}

test('a change is no GET', async () => {
  const headers = { authorization: `Bearer ${served.token}` }
  expect((await ask('GET', '/api/tokens/issue', headers)).status).toBe(404)
  expect((await ask('GET', '/trpc/tokens.issue?input=%7B%7D', headers)).status).toBe(405)
})

for (
  const [what, body, status] of [
    ['broken JSON', '{"label":', 400],
    ['a list', '[]', 400],
    ['a text', '"x"', 400],
    ['an unknown field', '{"lable":"x"}', 400],
    ['a prototype', '{"__proto__":{"scopes":["admin"]},"label":"x"}', 400],
    ['deep nesting', '['.repeat(300) + ']'.repeat(300), 400],
    ['two megabytes', `{"label":"${'x'.repeat(2 * 1024 * 1024)}"}`, 413],
  ] as const
) {
  test(`${what} is refused with ${status} in problem+json`, async () => {
    const answer = await ask('POST', '/api/tokens/issue', { authorization: `Bearer ${served.token}` }, body)
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    const problem: unknown = JSON.parse(answer.text)
    expect(isObject(problem) && typeof problem.detail).toBe('string')
    expect(answer.text).not.toMatch(/\bat \S+:\d+/)
  })
}

test('no answer of any surface holds a stored secret', async () => {
  const canary = 'sk-canary-0123456789abcdef'
  const { rooms } = served.gateway
  const { Secret } = await import('../../lib/base/mod.ts')
  await rooms.accounts.add({ provider: 'openai', id: 'canary' }, new Secret(canary))
  await rooms.config.write([
    { path: ['access', 'server_token'], value: canary },
    { path: ['accounts', 'written'], value: { provider: 'openai', token: canary } },
    { path: ['providers', 'mine', 'base_url'], value: 'http://localhost:1/v1' },
    { path: ['providers', 'mine', 'protocol'], value: 'openai-chat' },
    { path: ['providers', 'mine', 'headers'], value: { 'x-api-key': canary } },
  ])
  const headers = { authorization: `Bearer ${served.token}` }
  let looked = 0
  for (const { method, path } of allRoutes()) {
    const answer = await ask(method, path, headers)
    expect([path, answer.text.includes(canary)]).toEqual([path, false])
    looked++
  }
  expect(looked).toBeGreaterThan(60)
})

test('the documentation needs nothing from elsewhere and lists every route', async () => {
  const page = await ask('GET', '/docs')
  expect(page.text).not.toMatch(/(src|href)="?https?:/)
  expect(page.text).toContain('src="/docs/reference.js"')
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  const script = await ask('GET', '/docs/reference.js')
  expect(script.headers.get('content-type')).toContain('javascript')
  expect(() => new Function(script.text)).not.toThrow()
  const spec = JSON.parse((await ask('GET', '/docs/json')).text) as {
    openapi: string
    paths: Record<string, Record<string, { summary?: string; responses: Record<string, { description?: string }> }>>
  }
  expect(spec.openapi).toBe('3.0.3')
  for (const { method, path } of allRoutes()) {
    if (/^\/(docs|trpc|mcp|\.well-known|v1\/mcp|api\/v1)|some/.test(path)) continue
    const rest = path.startsWith('/config/credentials') ? '{id}/test' : '{id}'
    const listed = spec.paths[path.replace(/:(\w+)/g, '{$1}').replace('*', rest)]?.[method.toLowerCase()]
    expect([method, path, listed?.summary !== undefined]).toEqual([method, path, true])
  }
})
