import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema, UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { operator } from '../../lib/access/mod.ts'
import type { Json } from '../../lib/base/mod.ts'
import { callOperation } from '../../lib/operations/mod.ts'
import { operationContext } from '../../lib/operation-context.ts'
import { type FixtureHttpServer, serveFixture } from '../support/mcp/fixture.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'

let fixture: FixtureHttpServer
let gw: TestGateway
let agent: string
const open: Client[] = []
const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

async function start(settings: Record<string, Json> = {}, home?: string): Promise<void> {
  gw = await startGateway({
    settings: {
      'mcp.servers.fixture': { url: fixture.url, local: true },
      ...(home === undefined ? { 'mcp.permissions': { ask: ['mcp__fixture__echo'] } } : {}),
      ...settings,
    },
    ...(home === undefined ? {} : { home }),
  })
  const issued = await gw.gateway.rooms.access.issue({ label: 'codex', scopes: ['mcp'] }, operator)
  agent = issued.token.reveal()
}

beforeEach(() => {
  fixture = serveFixture()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()))
  await gw.close()
  await fixture.stop()
})

async function connect(path: string, elicitation: Record<string, Record<string, never>> | null): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: elicitation ? { elicitation } : {} })
  const requestInit = { headers: { authorization: `Bearer ${agent}` } }
  // deno-lint-ignore no-explicit-any -- the SDK's transport types do not agree under exactOptionalPropertyTypes
  await client.connect(new StreamableHTTPClientTransport(new URL(gw.url + path), { requestInit }) as any)
  open.push(client)
  return client
}

const run = (name: string, input: Json) =>
  callOperation(
    name,
    input,
    operationContext(gw.gateway.rooms, gw.gateway.rooms.system, { principal: operator, surface: 'cli', signal: null }),
  )

/** What the page sends when its reader presses a button. */
async function press(url: string, verdict: string, { code, headers = {} }: {
  code?: string
  headers?: Record<string, string>
} = {}) {
  const reply = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: gw.url, 'sec-fetch-site': 'same-origin', ...headers },
    body: JSON.stringify({ verdict, ...(code === undefined ? {} : { code }) }),
  })
  return { status: reply.status, body: await reply.json() as Record<string, unknown> }
}

async function linkOf(id: string): Promise<{ page: string; code: string }> {
  const { url } = await run('approvals.link', { id }) as { url: string }
  const [page, code] = url.split('#') as [string, string]
  return { page, code }
}

for (const [path, tool] of [['/v1/mcp/fixture', 'echo'], ['/v1/mcp', 'fixture__echo']] as const) {
  describe(`a tool under ask, called at ${path}`, () => {
    /** Calls, and gives the address of the page that the client is told to open. */
    async function asked(client: Client, args: Record<string, unknown>): Promise<string> {
      const error = await client.callTool({ name: tool, arguments: args }).then(() => null, (error: unknown) => error)
      expect(error).toBeInstanceOf(UrlElicitationRequiredError)
      const [elicitation] = (error as UrlElicitationRequiredError).elicitations
      expect(elicitation!.url).toBe(`${gw.url}/approvals/${elicitation!.elicitationId}`)
      return elicitation!.elicitationId
    }

    test('is answered on the page and goes through once; replays and edited arguments are asked anew', async () => {
      await start()
      const client = await connect(path, { url: {} })
      const id = await asked(client, { value: 1 })
      const { page, code } = await linkOf(id)
      const shown = await press(page, 'show', { code })
      expect(shown.body).toMatchObject({
        state: 'pending',
        subject: 'mcp__fixture__echo',
        preview: '{"value":1}',
        principal: expect.stringMatching(/^codex \(/),
      })
      expect((await press(page, 'approve', { code })).body).toMatchObject({ state: 'approved' })
      expect((await press(page, 'approve', { code })).status).toBe(403)
      expect(await asked(client, { value: 2 })).not.toBe(id)
      const result = await client.callTool({ name: tool, arguments: { value: 1 } })
      expect(result.content).toEqual([{ type: 'text', text: '{"value":1}' }])
      expect(await asked(client, { value: 1 })).not.toBe(id)
      await gw.gateway.rooms.storage.batch.flush()
      const audit = JSON.stringify(await gw.gateway.rooms.audit.list({ limit: 50 }))
      expect(audit).toContain('link:operator')
      expect(audit).not.toContain(code)
      expect(gw.log.join('\n')).not.toContain(code)
    })

    test('is void when the rules have changed since', async () => {
      const home = await mkdtemp(join(tmpdir(), 'gw-approvals-'))
      folders.push(home)
      const rules = (more: string) =>
        writeFile(join(home, 'config.toml'), `[mcp.permissions]\nask = ["mcp__fixture__echo"]\n${more}`)
      await rules('')
      await start({}, home)
      const client = await connect(path, { url: {} })
      const id = await asked(client, { value: 1 })
      await run('approvals.approve', { id })
      await rules('deny = ["mcp__fixture__other"]')
      await gw.gateway.rooms.config.reload()
      expect(await asked(client, { value: 1 })).not.toBe(id)
    })

    test('is asked about in the dialog of a client that has only forms, and goes on when approved elsewhere', async () => {
      await start()
      const client = await connect(path, {})
      const questions: string[] = []
      client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
        questions.push(params.message)
        const id = /apr_[\w-]+/.exec(params.message)![0]
        if (questions.length === 1) await run('approvals.approve', { id })
        return { action: questions.length === 3 ? 'decline' : 'accept' }
      })
      const call = () => client.callTool({ name: tool, arguments: { value: 1 } })
      expect((await call()).content).toEqual([{ type: 'text', text: '{"value":1}' }])
      await expect(call()).rejects.toThrow(/needs an approval/)
      await expect(call()).rejects.toThrow(/needs an approval/)
      expect(questions[0]).toContain('{"value":1}')
      const { data: approvals } = await run('approvals.list', {}) as { data: { state: string }[] }
      expect(approvals.map(({ state }) => state)).toEqual(['denied', 'used'])
    })

    test("takes a yes in the client's own dialog where the owner trusts it", async () => {
      await start({ 'mcp.approve_in_client': true })
      const client = await connect(path, { form: {} })
      const answers: ('accept' | 'cancel')[] = ['accept', 'cancel']
      client.setRequestHandler(ElicitRequestSchema, () => ({ action: answers.shift()! }))
      const call = () => client.callTool({ name: tool, arguments: {} })
      expect((await call()).isError).toBeFalsy()
      await expect(call()).rejects.toThrow(/needs an approval/)
    })
  })
}

describe('the page', () => {
  const ask = async (): Promise<string> => {
    const client = await connect('/v1/mcp/fixture', null)
    const error = await client.callTool({ name: 'echo', arguments: {} }).then(() => null, (error: Error) => error)
    return /apr_[\w-]+/.exec(error!.message)![0]
  }

  test('holds nothing of the call, loads nothing from elsewhere and cannot be framed', async () => {
    await start()
    const id = await ask()
    const page = await fetch(`${gw.url}/approvals/${id}`)
    const html = await page.text()
    expect(html).not.toContain('echo')
    expect(html).not.toMatch(/https?:|<script(?![^>]*src="\/approvals\/)|\son\w+=|style="/)
    for (const [path, type] of [['page.js', 'text/javascript'], ['page.css', 'text/css']] as const) {
      const file = await fetch(`${gw.url}/approvals/${path}`)
      expect(file.headers.get('content-type')).toContain(type)
      expect(await file.text()).not.toMatch(/https?:|eval|innerHTML/)
    }
    const policy = page.headers.get('content-security-policy')!
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect([page.headers.get('x-frame-options'), page.headers.get('set-cookie')]).toEqual(['DENY', null])
    expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  })

  test('answers nobody but an admin, or who holds the code of this very question', async () => {
    await start()
    const id = await ask()
    const other = await (async () => {
      const client = await connect('/v1/mcp/fixture', null)
      const error = await client.callTool({ name: 'echo', arguments: { other: 1 } }).then(() => null, (e: Error) => e)
      return /apr_[\w-]+/.exec(error!.message)![0]
    })()
    const url = `${gw.url}/approvals/${id}`
    const { code } = await linkOf(id)
    for (const verdict of ['show', 'approve', 'deny']) {
      expect((await press(url, verdict)).status).toBe(401)
      expect((await press(url, verdict, { headers: { authorization: `Bearer ${agent}` } })).status).toBe(403)
      expect((await press(url, verdict, { code: `${code}x` })).status).toBe(403)
      expect((await press(`${gw.url}/approvals/${other}`, verdict, { code })).status).toBe(403)
      expect((await press(url, verdict, { code, headers: { origin: 'https://evil.example' } })).status).toBe(403)
      expect((await press(url, verdict, { code, headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403)
      expect((await press(url, verdict, { code, headers: { 'content-type': 'text/plain' } })).status).toBe(415)
    }
    const second = await linkOf(id)
    expect((await press(url, 'show', { code })).status).toBe(403)
    expect((await press(url, 'deny', { code: second.code })).body).toMatchObject({ state: 'denied' })
    const owner = { authorization: `Bearer ${gw.token}` }
    expect((await press(`${gw.url}/approvals/${other}`, 'approve', { headers: owner })).body)
      .toMatchObject({ state: 'approved' })
    expect((await press(`${gw.url}/approvals/${other}`, 'deny', { headers: owner })).status).toBe(409)
  })
})
