import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createTRPCUntypedClient, httpLink, TRPCClientError } from '@trpc/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { JsonObject } from '../../lib/base/mod.ts'
import { describeOperations, type OperationDescription } from '../../lib/operations/mod.ts'
import { operations } from '../../lib/operations/router.ts'
import { cli } from '../client/support.ts'
import { manifest } from './manifest.ts'
import { openServed, type ServedGateway } from './served.ts'

const described = new Map(describeOperations(operations).map((one) => [one.name, one]))
const get = (name: string): OperationDescription => described.get(name)!

/** What a surface made of a call: the answer, or the code of the error and the field it names. */
type Outcome = { readonly answer: unknown } | { readonly code: string; readonly param: string | undefined }
type Surface = (operation: OperationDescription, input: JsonObject) => Promise<Outcome>

let served: ServedGateway
let surfaces: Record<string, Surface>
let mcp: Client

beforeAll(async () => {
  served = await openServed()
  const { url, token } = served
  const authorization = `Bearer ${token}`
  const trpc = createTRPCUntypedClient({ links: [httpLink({ url: `${url}/trpc`, headers: { authorization } })] })
  mcp = new Client({ name: 'test', version: '1' })
  await mcp.connect(
    new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers: { authorization } } }) as never,
  )
  surfaces = {
    async trpc(operation, input) {
      try {
        const call = operation.kind === 'query' ? trpc.query : trpc.mutation
        return { answer: await call.call(trpc, operation.name, input) }
      } catch (error) {
        if (!(error instanceof TRPCClientError)) throw error
        const { code, param } = (error.data as { gw: { code: string; param?: string } }).gw
        return { code, param }
      }
    },
    async http(operation, input) {
      const at = new URL(`/api/${operation.name.replace('.', '/')}`, url)
      const query = operation.kind === 'query'
      if (query) {
        for (const [name, value] of Object.entries(input)) {
          at.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value))
        }
      }
      const answer = await fetch(at, {
        method: query ? 'GET' : 'POST',
        headers: { authorization, ...(query ? {} : { 'content-type': 'application/json' }) },
        ...(query ? {} : { body: JSON.stringify(input) }),
      })
      const body = await answer.json() as { title: string; param?: string }
      if (answer.ok) return { answer: body }
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      return { code: body.title, param: body.param }
    },
    async mcp(operation, input) {
      const result = await mcp.callTool({ name: operation.name.replace('.', '_'), arguments: input as never })
      if (!result.isError) return { answer: result.structuredContent }
      const { code, param } = (result._meta as { 'gw/error': { code: string; param?: string } })['gw/error']
      return { code, param }
    },
    async cli(operation, input) {
      const { code, stdout, stderr } = await cli(['--json', '--url', url, ...argvOf(operation, input)], {
        env: { GW_TOKEN: token },
        input: typeof input.secret === 'string' ? input.secret : '',
      })
      if (code === 0) return { answer: JSON.parse(stdout) }
      const { error } = JSON.parse(stderr) as { error: { code: string; param?: string } }
      return { code: error.code, param: error.param }
    },
  }
})
afterAll(async () => {
  await mcp.close()
  await served.close()
})

const kebab = (name: string) => name.replaceAll('_', '-').replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)

/** The command line that means the same input. */
function argvOf(operation: OperationDescription, input: JsonObject): string[] {
  const properties = operation.input.properties as Record<string, { positional?: number; secret?: boolean }>
  const words = operation.cli?.command?.split(' ') ?? operation.name.split('.').map(kebab)
  const positional: [number, string][] = []
  const flags: string[] = []
  for (const [name, value] of Object.entries(input)) {
    const schema = properties[name] ?? {}
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    if (schema.positional !== undefined) positional.push([schema.positional, text])
    else if (schema.secret) flags.push(`--${kebab(name)}-stdin`)
    else if (typeof value === 'boolean') flags.push(value ? `--${kebab(name)}` : `--no-${kebab(name)}`)
    else flags.push(`--${kebab(name)}`, text)
  }
  return [...words, ...positional.sort(([a], [b]) => a - b).map(([, text]) => text), ...flags]
}

/** What differs from call to call by its nature. */
const moving = new Set([
  'id',
  'at',
  'token',
  'issued_at',
  'expires_at',
  'uptimeMs',
  'inFlight',
  'updatedAt',
  'to',
  'from',
  'next',
])

function still(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(still)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map((
      [key, item],
    ) => [key, moving.has(key) && item !== null ? `<${typeof item}>` : still(item)]),
  )
}

/** Calls that can be repeated on each surface and mean the same each time. */
const cases: readonly (readonly [operation: string, input: JsonObject])[] = [
  ['accounts.list', {}],
  ['accounts.list', { provider: 'demo' }],
  ['accounts.show', { id: 'demo' }],
  ['accounts.show', { id: 'nobody' }],
  ['accounts.check', { id: 'demo' }],
  ['accounts.enable', { id: 'demo' }],
  ['accounts.remove', { id: 'nobody' }],
  ['accounts.add', { provider: 'nowhere', from: 'env:X' }],
  ['accounts.add', { provider: 'demo', id: 'no spaces', secret: 'x' }],
  ['approvals.list', { pending: true }],
  ['approvals.approve', { id: 'apr_none' }],
  ['auth.list', {}],
  ['config.path', {}],
  ['config.show', { all: true }],
  ['config.validate', {}],
  ['config.schema', {}],
  ['config.set', { key: 'log.level', value: 'loud' }],
  ['liveness.list', {}],
  ['liveness.list', { key: 'nonsense' }],
  ['liveness.reset', { key: 'demo:nobody' }],
  ['models.list', { provider: 'demo', limit: 3 }],
  ['models.list', { provider: 'nowhere' }],
  ['models.aliases', {}],
  ['providers.list', { mine: true }],
  ['providers.stored', {}],
  ['providers.show', { name: 'nobody' }],
  ['route.plan', { model: 'demo-small' }],
  ['route.plan', { model: 'no-such-model' }],
  ['route.cheapest', { model: 'demo-small' }],
  ['system.version', {}],
  ['system.status', {}],
  ['tokens.issue', { label: 'same', ttl_hours: 2, scopes: ['read'] }],
  ['tokens.issue', { ttl_hours: -1 }],
  ['tokens.issue', { duration: 'soon' }],
  ['tokens.issue', { scopes: ['everything'] }],
  ['tokens.show', { id: 'nobody' }],
  ['tokens.revoke', { id: 'nobody' }],
  ['tokens.list', { limit: 0 }],
  ['usage.summary', { by: 'provider' }],
  ['usage.requests', { limit: 5 }],
  ['usage.requests', { cursor: 'nonsense' }],
  ['usage.request', { id: 'nobody' }],
]

for (const [name, input] of cases) {
  test(`${name} ${JSON.stringify(input)} is the same on every surface`, async () => {
    const operation = get(name)
    const outcomes: Record<string, unknown> = {}
    for (const [surface, call] of Object.entries(surfaces)) {
      if (surface === 'mcp' && !operation.mcp) continue
      // Agents are asked about what takes something away: that is the policy, tested by itself.
      if (surface === 'mcp' && operation.destructive) continue
      // A choice outside the list is refused by the command line itself, before any call: exit 2, no JSON.
      if (surface === 'cli' && operation.cli?.hidden) continue
      outcomes[surface] = still(await call(operation, input))
    }
    const [first, ...others] = Object.keys(outcomes)
    for (const other of others) expect([other, outcomes[other]]).toEqual([other, outcomes[first!]])
  })
}

test('agents see only what their token allows, with true hints', async () => {
  const { token } = await served.gateway.rooms.access.issue(
    { label: 'agent', scopes: ['read', 'route:read'] },
    (await import('../../lib/access/mod.ts')).operator,
  )
  const agent = new Client({ name: 'agent', version: '1' })
  const headers = { authorization: `Bearer ${token.reveal()}` }
  await agent.connect(
    new StreamableHTTPClientTransport(new URL(`${served.url}/mcp`), { requestInit: { headers } }) as never,
  )
  const { tools } = await agent.listTools()
  const names = tools.map((tool) => tool.name)
  expect(names).toContain('route_cheapest')
  expect(names).not.toContain('accounts_list')
  for (const tool of tools) {
    const operation = get(tool.name.replace('_', '.'))
    expect([tool.name, tool.annotations?.readOnlyHint]).toEqual([tool.name, operation.kind === 'query'])
    expect([tool.name, tool.annotations?.destructiveHint]).toEqual([tool.name, operation.destructive ?? false])
  }
  await expect(agent.callTool({ name: 'accounts_list', arguments: {} })).rejects.toThrow('unknown tool')
  await expect(agent.callTool({ name: 'nonsense', arguments: {} })).rejects.toThrow('unknown tool')
  await agent.close()
})

test('an agent waits for a person where something is taken away', async () => {
  const call = () => mcp.callTool({ name: 'tokens_revoke', arguments: { id: 'some-token' } })
  const asked = await call()
  expect(asked.isError).toBe(true)
  const { code, details } = (asked._meta as { 'gw/error': { code: string; details: { approval: string } } })['gw/error']
  expect(code).toBe('access.approval_required')
  const { operator } = await import('../../lib/access/mod.ts')
  await served.gateway.rooms.approvals.decide(details.approval, 'approved', operator)
  expect((await call()).structuredContent).toEqual({ revoked: 'some-token', ended: [] })
  expect((await call()).isError).toBe(true)
})

test('the names and schemas of all operations and settings are the reviewed ones', async () => {
  const reviewed = await Bun.file(new URL('../../client/cli/manifest.json', import.meta.url)).text()
  // Not what you meant to see? `bun run manifest` takes over what the code says; the diff is then the thing to review.
  expect(JSON.parse(reviewed)).toEqual(JSON.parse(manifest()))
})
