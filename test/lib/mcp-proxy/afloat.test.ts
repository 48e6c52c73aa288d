import { afterEach, expect, test } from 'bun:test'
import { operator } from '../../../lib/access/mod.ts'
import type { Json } from '../../../lib/base/mod.ts'
import { operationContext } from '../../../lib/operation-context.ts'
import { callOperation } from '../../../lib/operations/mod.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { type FixtureHttpServer, serveFixture } from '../../support/mcp/fixture.ts'

const ends: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A gateway before a tool server that answers as `refuse` says; without it, well. */
async function start(refuse: (request: Request) => Response | undefined, settings: Record<string, Json> = {}) {
  const server: FixtureHttpServer = serveFixture({ guard: refuse })
  ends.push(() => server.stop())
  const gw: TestGateway = await startGateway({
    env: { TOOLS_TOKEN: 'tools-token' },
    settings: { 'mcp.servers.tools': { url: server.url, local: true }, ...settings },
  })
  ends.push(() => gw.close())
  const context = () =>
    operationContext(gw.gateway.rooms, gw.gateway.rooms.system, { principal: operator, surface: 'cli', signal: null })
  const run = (name: string, input: Json) => callOperation(name, input, context()) as Promise<Record<string, Json>>
  return { server, gw, run }
}

const asked = { provider: 'tools', account: 'tools', capability: 'mcp' }
const refusal = (status: number, challenge = '') => () =>
  new Response('{}', { status, headers: challenge ? { 'www-authenticate': challenge } : {} })

test('a tool server is a route: explained, probed by beginning a session, and ended again', async () => {
  const { run, server } = await start(() => undefined)
  expect(await run('route.explain', { capability: 'mcp' })).toMatchObject({
    routes: [{ provider: 'tools', account: 'tools', capability: 'mcp', skip_reason: expect.any(String) }],
  })
  expect(await run('repair.probe', asked)).toMatchObject({ ok: true, probe_executed: true, probe_status: 200 })
  expect(server.requests.map(({ method }) => method)).toEqual(['POST', 'DELETE'])
  expect(await run('route.explain', { capability: 'mcp' })).toMatchObject({
    ok: true,
    selected: { provider: 'tools', capability: 'mcp' },
    routes: [{ selectable: true, last_probe: { source: 'capability_probe' } }],
  })
})

for (
  const [what, refuse, state] of [
    ['says that the scope is too small', refusal(403, 'Bearer error="insufficient_scope"'), 'scope_insufficient'],
    ['was issued for somebody else', refusal(403, 'Bearer error="invalid_target"'), 'audience_mismatch'],
    ['wants a stronger login', refusal(401, 'Bearer error="insufficient_user_authentication"'), 'step_up_required'],
    ['is down', refusal(503), 'provider_degraded'],
  ] as const
) {
  test(`a probe that finds that its token ${what} says ${state}`, async () => {
    const { run, gw } = await start(refuse)
    const report = await run('repair.probe', asked)
    expect(report).toMatchObject({ ok: false, error: 'probe_failed' })
    expect(JSON.stringify(report)).toContain(state)
    // What is wrong with it is known, and its words are not kept.
    expect(JSON.stringify(gw.gateway.rooms.board.all())).not.toContain('Bearer')
  })
}

test('one that lets nobody in needs a login: the plan says so, and the tick leaves it to a person', async () => {
  const { run } = await start(refusal(401, 'Bearer realm="x"'))
  expect(await run('repair.probe', asked)).toMatchObject({ ok: false, probe_status: 401 })
  expect(await run('repair.plan', { capability: 'mcp' })).toMatchObject({
    routes: [{
      selectable: false,
      liveness: { state: 'dead' },
      action: {
        kind: 'reauth',
        mediation: 'person',
        command: 'gw repair run --provider tools --account tools --capability mcp --confirm-repair',
      },
    }],
  })
  await run('afloat.tick', { provider: 'tools', execute: true })
  const { handoffs } = await run('afloat.handoffs', {}) as { handoffs: Json[] }
  expect(handoffs).toMatchObject([{ provider: 'tools', account: 'tools' }])
})

test('one whose login can no longer be refreshed needs a new one', async () => {
  const refuse = (request: Request) => {
    const { origin, pathname } = new URL(request.url)
    const endpoints = { authorization_endpoint: `${origin}/authorize`, token_endpoint: `${origin}/token` }
    if (pathname === '/.well-known/oauth-authorization-server') return Response.json({ issuer: origin, ...endpoints })
    return new Response(null, { status: pathname === '/mcp' ? 401 : 404 })
  }
  const { run, gw } = await start(refuse, { 'logins.mcp-tools': { client_id: 'gw' } })
  expect(await run('mcp.login', { server: 'tools' })).toEqual({ vendor: 'mcp-tools' })
  gw.gateway.rooms.board.lost('tools', 'tools', 'token_revoked')
  const action = async () =>
    (await run('repair.plan', { capability: 'mcp' }) as {
      routes: { action: { kind: string } }[]
    }).routes[0]!.action.kind
  expect(await action()).toBe('refresh')
  expect(await run('repair.refresh', { provider: 'tools' })).toMatchObject({ ok: false })
  expect(await action()).toBe('reauth')
})

test("one that has an account of its own is one route with it, and gets its key and nobody else's", async () => {
  const { run, server } = await start(
    (request) =>
      request.headers.get('authorization') === 'Bearer tools-token' ? undefined : new Response(null, { status: 401 }),
    {
      'accounts.tools': { provider: 'tools', token_env: 'TOOLS_TOKEN' },
      'accounts.other': { provider: 'openai', token_env: 'TOOLS_TOKEN' },
      'mcp.servers.tools.account': 'tools',
      'mcp.servers.wrong': { url: 'http://127.0.0.1:9/mcp', local: true, account: 'other' },
    },
  )
  const { routes } = await run('route.explain', { provider: 'tools' }) as { routes: Record<string, Json>[] }
  expect(routes.map(({ account, capability, repair_owner }) => [account, capability, repair_owner])).toEqual([
    ['tools', 'mcp', 'external_secret_owner'],
  ])
  expect(await run('repair.probe', asked)).toMatchObject({ ok: true })
  expect(server.requests.every(({ headers }) => headers.get('authorization') === 'Bearer tools-token')).toBe(true)
  expect(await run('repair.probe', { provider: 'wrong', account: 'other', capability: 'mcp' }))
    .toMatchObject({ ok: false, error: 'credential.audience', probe_executed: false, liveness: null })
})
