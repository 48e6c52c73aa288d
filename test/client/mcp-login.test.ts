import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createServer, type Server } from 'node:net'
import { type FixtureHttpServer, serveFixture } from '../support/mcp/fixture.ts'
import { type OidcIssuer, oidcIssuer } from '../support/vendors/oidc.ts'
import { type ProcessHome, processHome } from './login-process.ts'

const limitMs = 60_000
let issuer: OidcIssuer
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  issuer = await oidcIssuer()
}, limitMs)
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(() => issuer.close())

/** A tool server that lets nobody in without a token, and says where tokens come from. */
function guarded(authorizationServer: () => string = () => issuer.issuer): FixtureHttpServer & { tokens: string[] } {
  const tokens: string[] = []
  const server = serveFixture({
    guard(request) {
      const { pathname, origin } = new URL(request.url)
      if (pathname === '/.well-known/oauth-protected-resource/mcp') {
        const scopes_supported = ['openid', 'offline_access']
        return Response.json({
          resource: `${origin}/mcp`,
          authorization_servers: [authorizationServer()],
          scopes_supported,
        })
      }
      const token = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1]
      if (token === undefined) {
        return new Response(null, {
          status: 401,
          headers: {
            'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`,
          },
        })
      }
      tokens.push(token)
      return undefined
    },
  })
  cleanups.push(() => server.stop())
  return { ...server, tokens }
}

/** An authorization server that is the issuer under another name, with its metadata changed. */
function before(change: (metadata: Record<string, unknown>, own: string) => Record<string, unknown>): () => string {
  const http = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname, origin } = new URL(request.url)
      if (pathname !== '/.well-known/oauth-authorization-server') return new Response(null, { status: 404 })
      const found = await (await fetch(`${issuer.issuer}/.well-known/openid-configuration`)).json()
      return Response.json(change(found as Record<string, unknown>, origin))
    },
  })
  cleanups.push(() => http.stop(true))
  return () => `http://127.0.0.1:${http.port}`
}

function home(server: FixtureHttpServer, more = ''): ProcessHome {
  const made = processHome(`[mcp.servers.tools]\nurl = "${server.url}"\nlocal = true\n${more}`)
  cleanups.push(() => made.close())
  return made
}

const listed = async (at: ProcessHome) => {
  const { stdout } = await at.run(['mcp', 'servers', '--json'])
  const { data: [server] } = JSON.parse(stdout) as { data: { tools: number; error: string | null }[] }
  return server!
}

async function occupy(port: number): Promise<void> {
  const server: Server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.once('error', () => resolve()).listen(port, '127.0.0.1', resolve))
  cleanups.push(() => new Promise((resolve) => server.close(resolve)))
}

describe('gw auth login mcp', () => {
  test('finds the authorization server, registers, logs in in a browser, and the server answers', async () => {
    const server = guarded()
    const at = home(server)
    expect(await listed(at)).toMatchObject({ tools: 0, error: expect.any(String) })
    const started = at.start(['auth', 'login', 'mcp', 'tools'])
    const address = new URL(await started.address())
    expect(address.searchParams.get('resource')).toBe(server.url)
    expect(address.searchParams.get('code_challenge_method')).toBe('S256')
    expect((await issuer.visit(address.href, 'alice')).status).toBe(200)
    const { code, stdout, stderr } = await started.done
    expect([code, stderr]).toEqual([0, expect.stringContaining('Waiting for you')])
    expect(stdout).toContain('mcp-tools')
    expect(await listed(at)).toMatchObject({ tools: expect.any(Number), error: null })
    expect(await issuer.introspect(server.tokens.at(-1)!)).toMatchObject({
      active: true,
      sub: 'alice',
      aud: server.url,
    })
    expect(stdout + stderr).not.toContain(server.tokens.at(-1)!)
  }, limitMs)

  test('by pasting the address that the browser ends with', async () => {
    const server = guarded()
    const at = home(server)
    const started = at.start(['auth', 'login', 'mcp', 'tools', '--paste'])
    const pasted = await (await issuer.visit(await started.address(), 'alice', { stay: true })).text()
    started.type(`${pasted}\n`)
    expect((await started.done).code).toBe(0)
    expect((await listed(at)).error).toBeNull()
  }, limitMs)

  test('that is declined says so and leaves nothing behind', async () => {
    const at = home(guarded())
    const started = at.start(['auth', 'login', 'mcp', 'tools'])
    await issuer.visit(await started.address(), 'alice', { deny: true })
    const { code, stdout, stderr } = await started.done
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('refused: access_denied')
    expect((await listed(at)).error).not.toBeNull()
  }, limitMs)

  // The ports are the ones that are registered with authorization servers, and so the same in every run.
  test('whose two ports are taken says which, and how to do without', async () => {
    await Promise.all([14033, 14034].map(occupy))
    const at = home(guarded())
    const { code, stderr } = await at.run(['auth', 'login', 'mcp', 'tools'])
    expect(code).toBe(1)
    expect(stderr).toContain('14033 or 14034')
    expect(stderr).toContain('--paste')
  }, limitMs)

  test('where clients are not registered over the network asks for one made by hand, and takes it', async () => {
    const server = guarded(before(({ registration_endpoint: _, ...rest }, own) => ({ ...rest, issuer: own })))
    const { code, stderr } = await home(server).run(['auth', 'login', 'mcp', 'tools'])
    expect(code).toBe(1)
    expect(stderr).toContain('does not register clients by itself')
    expect(stderr).toContain('client_id in [logins.mcp-tools]')
  }, limitMs)

  test('with a client of its own making needs no registration', async () => {
    const server = guarded()
    const at = home(server, '[logins.mcp-tools]\nclient_id = "gw"\n')
    const started = at.start(['auth', 'login', 'mcp', 'tools'])
    const address = await started.address()
    expect(new URL(address).searchParams.get('client_id')).toBe('gw')
    await issuer.visit(address, 'alice')
    expect((await started.done).code).toBe(0)
    expect((await listed(at)).error).toBeNull()
  }, limitMs)

  test('is not led astray by metadata that names another issuer, nor by an answer of another', async () => {
    const foreign = guarded(before((metadata) => metadata))
    const refused = await home(foreign).run(['auth', 'login', 'mcp', 'tools'])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('names no authorization server')])
    const mixed = guarded(before((metadata, own) => ({ ...metadata, issuer: own })))
    const at = home(mixed)
    const started = at.start(['auth', 'login', 'mcp', 'tools'])
    await issuer.visit(await started.address(), 'alice')
    const { code, stderr } = await started.done
    expect([code, stderr]).toEqual([1, expect.stringContaining('from another issuer')])
  }, limitMs)

  test('of what is no OAuth server, no server, or a command says what to do instead', async () => {
    const open = serveFixture()
    cleanups.push(() => open.stop())
    const at = home(open, '[mcp.servers.local]\ncommand = ["true"]\n')
    const login = async (name: string) => {
      const { code, stderr } = await at.run(['auth', 'login', 'mcp', name])
      return [code, stderr]
    }
    expect(await login('tools')).toEqual([1, expect.stringContaining('mcp.servers.tools.account')])
    expect(await login('local')).toEqual([1, expect.stringContaining('mcp.servers.local.env')])
    expect(await login('none')).toEqual([1, expect.stringContaining('there are: local, tools')])
    expect(await at.run(['auth', 'login', 'mcp'])).toMatchObject({ code: 2 })
  }, limitMs)
})
