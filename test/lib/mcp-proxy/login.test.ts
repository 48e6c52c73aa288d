import { afterEach, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGateway } from '../../../lib/create-gateway.ts'
import { type FixtureHttpServer, serveFixture } from '../../support/mcp/fixture.ts'
import { caller } from '../../support/mcp/proxy.ts'
import { type OidcIssuer, oidcIssuer } from '../../support/vendors/oidc.ts'

const ends: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A tool server that only lets in whom `issuer` knows, and says so as RFC 9728 wants it. */
function protectedFixture(issuer: OidcIssuer, seen: string[]): FixtureHttpServer {
  const tokens = new Map<string, boolean>()
  const fixture = serveFixture({
    guard(request) {
      const { pathname, origin } = new URL(request.url)
      if (pathname === '/.well-known/oauth-protected-resource/mcp') {
        const scopes_supported = ['openid', 'offline_access']
        return Response.json({ resource: `${origin}/mcp`, authorization_servers: [issuer.issuer], scopes_supported })
      }
      const token = request.headers.get('authorization')?.replace(/^Bearer /, '') ?? ''
      seen.push(token)
      return tokens.get(token) ?? token !== '' ? undefined : new Response(null, {
        status: 401,
        headers: {
          'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`,
        },
      })
    },
  })
  return fixture
}

test('gw finds out how a server is protected, logs in once, injects the token and refreshes it alone', async () => {
  const issuer = await oidcIssuer({ accessTokenSeconds: 3600 })
  ends.push(() => issuer.close())
  const seen: string[] = []
  const fixture = protectedFixture(issuer, seen)
  ends.push(() => fixture.stop())
  const home = await mkdtemp(join(tmpdir(), 'gw-mcp-login-'))
  ends.push(() => rm(home, { recursive: true }))
  const gateway = await createGateway({
    home,
    env: { PATH: process.env.PATH, HOME: home },
    cwd: home,
    keychain: null,
    settings: { 'mcp.servers.fixture': { url: fixture.url, local: true }, 'egress.mode': 'off' },
  })
  ends.push(() => gateway.close())
  const { rooms } = gateway
  const mcp = await rooms.mcp()

  const post = (message: object) =>
    mcp.handle(
      new Request('http://localhost/v1/mcp/fixture', {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: JSON.stringify(message),
      }),
      caller('alice'),
      'fixture',
    )
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } }
  const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params }

  const before = await (await post(initialize)).json()
  expect(before).toMatchObject({ id: 1, error: { data: { hint: 'gw auth login mcp fixture' } } })

  const vendor = await mcp.prepareLogin('fixture')
  const session = await rooms.loginSessions.begin({ vendor, method: 'browser' })
  expect(new URL(session.url).searchParams.get('resource')).toBe(fixture.url)
  await issuer.visit(session.url, 'alice')
  const login = await rooms.loginSessions.wait(session.id, AbortSignal.timeout(10_000))
  expect(login.vendor).toBe('mcp-fixture')

  expect(await (await post(initialize)).text()).toContain('"serverInfo"')
  const first = seen.at(-1)!
  expect(await issuer.introspect(first)).toMatchObject({ active: true, sub: 'alice' })

  const reading = await rooms.sources.read({ type: 'login', vendor, binding: null }, { force: true })
  expect(await (await post(initialize)).text()).toContain('"serverInfo"')
  expect(seen.at(-1)).toBe(reading.secret.reveal())
  expect(seen.at(-1)).not.toBe(first)
  expect(issuer.events.filter((event) => event === 'grant.success refresh_token').length).toBe(1)
}, 30_000)
