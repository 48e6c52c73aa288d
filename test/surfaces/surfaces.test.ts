import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createTRPCUntypedClient, httpLink, TRPCClientError } from '@trpc/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { JsonObject } from '../../lib/base/mod.ts'
import { describeOperations, type OperationDescription } from '../../lib/operations/mod.ts'
import { operations } from '../../lib/operations/router.ts'
import { operator } from '../../lib/access/mod.ts'
import { cli } from '../client/support.ts'
import { manifests } from './manifest.ts'
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
  const { accounts, config } = served.gateway.rooms
  await accounts.add({ provider: 'demo', id: 'kept' })
  await config.write([{ path: ['log', 'level'], value: 'warn' }])
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
      const call = { name: operation.name.replace('.', '_'), arguments: input as never }
      let result = await mcp.callTool(call)
      const error = result._meta?.['gw/error'] as { code: string; details?: { approval: string } } | undefined
      // What takes something away waits for a person, who is quick here.
      if (error?.code === 'access.approval_required') {
        await served.gateway.rooms.approvals.decide(error.details!.approval, 'approved', operator)
        result = await mcp.callTool(call)
      }
      if (!result.isError) return { answer: result.structuredContent }
      const { code, param } = (result._meta as { 'gw/error': { code: string; param?: string } })['gw/error']
      return { code, param }
    },
    async cli(operation, input) {
      const { code, stdout, stderr } = await cli(['--json', '--url', url, ...argvOf(operation, input)], {
        env: { GW_TOKEN: token },
        input: secretOf(operation, input),
      })
      if (stdout !== '') return { answer: JSON.parse(stdout) }
      expect([operation.name, stderr]).toEqual([operation.name, expect.stringMatching(/^\{"error"/)])
      expect(code).not.toBe(0)
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

/** The one field of an input that is read from standard input. */
function secretOf(operation: OperationDescription, input: JsonObject): string {
  const properties = operation.input.properties as Record<string, { secret?: boolean }>
  return String(Object.entries(input).find(([name]) => properties[name]?.secret)?.[1] ?? '')
}

/** The command line that means the same input. */
function argvOf(operation: OperationDescription, input: JsonObject): string[] {
  const properties = operation.input.properties as Record<string, { positional?: number; secret?: boolean }>
  const words = wrapped[operation.name] ?? operation.cli?.command?.split(' ') ?? operation.name.split('.').map(kebab)
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
  'observed_at',
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
  'kid',
])

function still(value: unknown): unknown {
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return '<time>'
  if (Array.isArray(value)) return value.map(still)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map((
      [key, item],
    ) => [key, moving.has(key) && item !== null ? `<${typeof item}>` : still(item)]),
  )
}

/** Commands of their own that print the answer of one operation. */
const wrapped: Readonly<Record<string, readonly string[]>> = {
  'repair.plan': ['repair', 'plan'],
  'repair.probe': ['probe'],
  'route.select': ['route', 'select'],
  'state.doctor': ['doctor', 'accounts'],
  'state.health': ['health'],
  'state.runtime': ['doctor', 'runtime'],
  'system.doctor': ['doctor'],
}

/** Why the command line does not print the answer of an operation as it is. */
const notOnTheCommandLine: Readonly<Record<string, string>> = {
  'afloat.next': 'gw stay-afloat next takes a program to run, and looks at this machine',
  'afloat.tick': 'gw stay-afloat runs in the terminal of a person, and loops',
  'auth.begin': 'a step of the conversation gw auth login',
  'auth.cancel': 'a step of the conversation gw auth login',
  'auth.complete': 'a step of the conversation gw auth login',
  'auth.poll': 'a step of the conversation gw auth login',
  'migrate.run': 'gw import reads the file by its path',
  'repair.run': 'gw repair run may hand the terminal to a login program',
  'route.explain': 'gw route explain shows the plan of a model and the routes of stay-afloat in one answer',
  'route.plan': 'gw route explain MODEL shows it with the routes of stay-afloat',
  'state.enrollment': 'gw enroll plan works on this machine only',
  'state.status': 'gw status shows it with the gateway and its accounts',
  'system.status': 'gw status shows it with the accounts',
  'usage.since': 'for programs; people have gw usage requests',
}

/** Why an operation is not offered to agents. */
const notForAgents = 'it is for people and their programs: agents are offered what is marked mcp, and nothing else'

const scope = { provider: 'nobody', account: 'nothing' }
const document = { log: { level: 'warn' } }

/** Calls that can be repeated on each surface and mean the same each time. */
const cases: readonly (readonly [operation: string, input: JsonObject])[] = [
  ['accounts.add', { provider: 'nowhere', from: 'env:X' }],
  ['accounts.add', { provider: 'demo', id: 'no spaces', secret: 'x' }],
  ['accounts.check', { id: 'demo' }],
  ['accounts.disable', { id: 'demo' }],
  ['accounts.enable', { id: 'demo' }],
  ['accounts.list', {}],
  ['accounts.list', { provider: 'demo' }],
  ['accounts.remove', { id: 'nobody' }],
  ['accounts.show', { id: 'demo' }],
  ['accounts.show', { id: 'nobody' }],
  ['accounts.test', { id: 'demo' }],
  ['accounts.update', { id: 'demo', priority: 3 }],
  ['accounts.update', { id: 'kept', priority: 3 }],
  ['afloat.ack', scope],
  ['afloat.ack', {}],
  ['afloat.clear', scope],
  ['afloat.handoffs', { all: true }],
  ['afloat.next', {}],
  ['afloat.tick', { execute: false }],
  ['approvals.approve', { id: 'apr_none' }],
  ['approvals.deny', { id: 'apr_none' }],
  ['approvals.link', { id: 'apr_none' }],
  ['approvals.list', { pending: true }],
  ['audit.list', { limit: 1, cursor: 'a' }],
  ['auth.addToken', { vendor: 'nobody', token: 'x' }],
  ['auth.begin', { vendor: 'nobody', method: 'device' }],
  ['auth.cancel', { session: 'ses_none' }],
  ['auth.complete', { session: 'ses_none', pasted: 'x' }],
  ['auth.discover', {}],
  ['auth.import', { tool: 'nobody' }],
  ['auth.inspect', { vendor: 'nobody' }],
  ['auth.list', {}],
  ['auth.logout', { vendor: 'nobody' }],
  ['auth.poll', { session: 'ses_none' }],
  ['auth.refresh', { vendor: 'nobody' }],
  ['auth.setOrder', { provider: 'demo', ids: ['nobody'] }],
  ['auth.setServerToken', { remove: true }],
  ['auth.setupToken', { token: 'too-short' }],
  ['auth.vendors', {}],
  ['config.document', {}],
  ['config.edit', { edits: [{ key: ['log', 'level'], value: 'warn' }] }],
  ['config.edit', { edits: [{ key: ['log', 'level'], value: 'loud' }] }],
  ['config.edit', { edits: [{ key: ['log', 'level'] }], etag: 'another' }],
  ['config.import', { name: 'imported', document, replace: true }],
  ['config.import', { name: '../outside', document }],
  ['config.get', { key: 'log.level' }],
  ['config.get', { key: 'log.levle' }],
  ['config.path', {}],
  ['config.save', { name: 'saved', replace: true }],
  ['config.export', { name: 'saved' }],
  ['config.replace', { document, dry_run: true }],
  ['config.replace', { document: { log: { level: 'loud' } } }],
  ['config.restore', { name: 'saved' }],
  ['config.restore', { name: 'nobody' }],
  ['config.forget', { name: 'nobody' }],
  ['config.schema', {}],
  ['config.set', { key: 'log.level', value: 'warn' }],
  ['config.set', { key: 'log.level', value: 'loud' }],
  ['config.show', { all: true }],
  ['config.snapshots', {}],
  ['config.unset', { key: 'routing.reserve' }],
  ['config.validate', {}],
  ['liveness.list', {}],
  ['liveness.list', { key: 'nonsense' }],
  ['liveness.quota', {}],
  ['liveness.reset', { key: 'demo:nobody' }],
  ['mcp.calls', {}],
  ['mcp.login', { server: 'nobody' }],
  ['mcp.servers', {}],
  ['mcp.tools', {}],
  ['migrate.run', { system: 'litellm', text: 'model_list: []', dry_run: true }],
  ['migrate.run', { system: 'tplumb', text: '[' }],
  ['models.alias', { name: 'small', model: 'demo/demo-small' }],
  ['models.aliases', {}],
  ['models.list', { provider: 'demo', limit: 3 }],
  ['models.list', { provider: 'nowhere' }],
  ['models.setDefault', { model: 'demo/demo-small' }],
  ['providers.add', { name: 'openai', base_url: 'https://x.example/v1' }],
  ['providers.add', { name: 'mine', base_url: 'ftp://x.example/v1' }],
  ['providers.list', { mine: true }],
  ['providers.remove', { name: 'nobody' }],
  ['providers.show', { name: 'nobody' }],
  ['providers.stored', {}],
  ['repair.events', { limit: 2 }],
  ['repair.plan', {}],
  ['repair.probe', scope],
  ['repair.refresh', scope],
  ['repair.run', {}],
  ['route.cheapest', { model: 'demo-small' }],
  ['route.explain', {}],
  ['route.plan', { model: 'demo-small' }],
  ['route.plan', { model: 'no-such-model' }],
  ['route.select', {}],
  ['route.why', {}],
  ['state.accounts', {}],
  ['state.discover', {}],
  ['state.doctor', {}],
  ['state.enrollment', { provider: 'github', account: 'work', mode: 'pat' }],
  ['state.health', {}],
  ['state.providers', {}],
  ['state.report', {}],
  ['state.runtime', {}],
  ['state.status', {}],
  ['system.doctor', {}],
  ['system.rotateKey', {}],
  ['system.status', {}],
  ['system.version', {}],
  ['tokens.issue', { label: 'same', ttl_hours: 2, scopes: ['read'] }],
  ['tokens.issue', { ttl_hours: -1 }],
  ['tokens.issue', { duration: 'soon' }],
  ['tokens.issue', { scopes: ['everything'] }],
  ['tokens.list', { limit: 0 }],
  ['tokens.revoke', { id: 'nobody' }],
  ['tokens.rotateKey', {}],
  ['tokens.show', { id: 'nobody' }],
  ['usage.request', { id: 'nobody' }],
  ['usage.requests', { limit: 5 }],
  ['usage.requests', { cursor: 'nonsense' }],
  ['usage.since', { cursor: 'nonsense' }],
  ['usage.summary', { by: 'provider' }],
]

/** Why a surface does not offer an operation, or `null` when it does. */
function whyNot(surface: string, operation: OperationDescription): string | null {
  if (surface === 'mcp') return operation.mcp ? null : notForAgents
  if (surface !== 'cli' || wrapped[operation.name]) return null
  return operation.cli?.hidden ? notOnTheCommandLine[operation.name] ?? '' : null
}

test('every operation stands in the table, and every surface without it says why', () => {
  const tried = new Set(cases.map(([name]) => name))
  for (const operation of described.values()) {
    // A stream is for tRPC alone; `usage.since` and `repair.events` read the same by cursor.
    if (operation.kind === 'subscription') continue
    expect([operation.name, tried.has(operation.name)]).toEqual([operation.name, true])
    for (const surface of ['trpc', 'http', 'mcp', 'cli']) {
      expect([operation.name, surface, whyNot(surface, operation)]).not.toEqual([operation.name, surface, ''])
    }
  }
  for (const name of [...tried, ...Object.keys(notOnTheCommandLine), ...Object.keys(wrapped)]) {
    expect([name, described.has(name)]).toEqual([name, true])
  }
})

for (const [name, input] of cases) {
  test(`${name} ${JSON.stringify(input)} is the same on every surface`, async () => {
    const operation = get(name)
    const outcomes: Record<string, unknown> = {}
    for (const [surface, call] of Object.entries(surfaces)) {
      if (whyNot(surface, operation) !== null) continue
      outcomes[surface] = still(await call(operation, input))
    }
    const [first, ...others] = Object.keys(outcomes)
    expect(others.length).toBeGreaterThan(0)
    for (const other of others) expect([other, outcomes[other]]).toEqual([other, outcomes[first!]])
  }, 30_000)
}

test('agents see only what their token allows, with true hints', async () => {
  const { token } = await served.gateway.rooms.access.issue(
    { label: 'agent', scopes: ['read', 'route:read'] },
    operator,
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
    expect([tool.name, tool._meta?.['gw/consent']]).toMatchObject([tool.name, {
      agent_safe: operation.effect === 'reads',
      mutating: operation.effect === 'mutates',
      spends_provider_calls: operation.effect === 'spends',
    }])
  }
  await expect(agent.callTool({ name: 'accounts_list', arguments: {} })).rejects.toThrow('unknown tool')
  await expect(agent.callTool({ name: 'nonsense', arguments: {} })).rejects.toThrow('unknown tool')
  await agent.close()
})

test('an agent waits for a person where something is taken away', async () => {
  const { info: { id } } = await served.gateway.rooms.access.issue({ label: 'to be ended' }, operator)
  const call = () => mcp.callTool({ name: 'tokens_revoke', arguments: { id } })
  const asked = await call()
  expect(asked.isError).toBe(true)
  const { code, details } = (asked._meta as { 'gw/error': { code: string; details: { approval: string } } })['gw/error']
  expect(code).toBe('access.approval_required')
  await served.gateway.rooms.approvals.decide(details.approval, 'approved', operator)
  expect((await call()).structuredContent).toEqual({ revoked: id, ended: [id] })
  expect((await call()).isError).toBe(true)
})

test('ending a token that is not there is not found: a misspelt one must not look ended', async () => {
  const reply = await fetch(`${served.url}/api/tokens/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
    body: '{"id":"misspelt"}',
  })
  expect([reply.status, ((await reply.json()) as { title: string }).title]).toEqual([404, 'request.not_found'])
})

test.each(Object.keys(manifests))('%s holds the reviewed names and schemas', async (file) => {
  const reviewed = await Bun.file(new URL(`../../${file}`, import.meta.url)).json()
  // Not what you meant to see? `bun run manifest` takes over what the code says; the diff is then the thing to review.
  expect(reviewed).toEqual(JSON.parse(JSON.stringify(await manifests[file]!())))
})
