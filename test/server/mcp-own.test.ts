import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
// @ts-types="@modelcontextprotocol/sdk/client"
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
// @ts-types="@modelcontextprotocol/sdk/client/stdio"
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { operator } from '../../lib/access/mod.ts'
import { Secret } from '../../lib/base/mod.ts'
import { createGateway } from '../../lib/mod.ts'
import { serveProxy } from '../support/mcp/proxy.ts'
import { openServed, type ServedGateway } from '../surfaces/served.ts'

const root = resolve(import.meta.dir, '../..')
const suite = join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js')
const command = [process.execPath, join(root, 'client/cli/main.ts'), 'mcp']

/**
 * What the suite asks of gw's own server: it offers tools and nothing else, so the scenarios about prompts, resources,
 * logging, completion and the fixture's own tools have nothing to look at.
 */
const scenarios = ['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection', 'server-sse-multiple-streams']

let served: ServedGateway
let home: string
beforeAll(async () => {
  served = await openServed()
  home = mkdtempSync(join(tmpdir(), 'gw-mcp-own-'))
})
afterAll(async () => {
  await served.close()
  rmSync(home, { recursive: true, force: true })
})

/** The suite sends no token: this stands before gw and adds one, and changes nothing else. */
function withToken() {
  return Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const headers = new Headers(request.headers)
      headers.set('authorization', `Bearer ${served.token}`)
      const to = new URL(new URL(request.url).pathname, served.url)
      return fetch(to, {
        method: request.method,
        headers,
        body: request.body,
        redirect: 'manual',
        signal: request.signal,
      })
    },
  })
}

async function run(argv: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([...argv], {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, complaint] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, out, complaint }
}

/** The verdict on each check of a scenario. */
async function verdicts(url: string, scenario: string): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(home, 'suite-'))
  await run([process.execPath, suite, 'server', '--url', url, '--scenario', scenario, '-o', folder])
  const found: Record<string, string> = {}
  for (const name of readdirSync(folder)) {
    const checks = JSON.parse(readFileSync(join(folder, name, 'checks.json'), 'utf8')) as {
      id: string
      status: string
    }[]
    for (const { id, status } of checks) if (status !== 'INFO') found[id] = status
  }
  return found
}

for (const scenario of scenarios) {
  test(`gw's own server passes ${scenario} of the conformance suite over HTTP`, async () => {
    const front = withToken()
    try {
      const found = await verdicts(`http://127.0.0.1:${front.port}/mcp`, scenario)
      expect(Object.keys(found).length).toBeGreaterThan(0)
      expect(Object.entries(found).filter(([, status]) => status !== 'SUCCESS')).toEqual([])
    } finally {
      await front.stop(true)
    }
  }, 60_000)
}

test('and on standard input and output', async () => {
  const stdio = { command, env: { GW_HOME: home, HOME: home }, merge: false }
  const proxy = await serveProxy({ servers: { own: stdio } })
  try {
    for (const scenario of scenarios.slice(0, 3)) {
      const found = await verdicts(proxy.url('own'), scenario)
      expect([scenario, Object.keys(found).length]).not.toEqual([scenario, 0])
      expect([scenario, Object.entries(found).filter(([, s]) => s !== 'SUCCESS')]).toEqual([scenario, []])
    }
  } finally {
    await proxy.stop()
  }
}, 120_000)

test('the official client finds on standard input what a token allows, and nothing above it', async () => {
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, GW_HOME: served.root }
  const { token } = await served.gateway.rooms.access.issue({ label: 'agent', scopes: ['read'] }, operator)
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(
    new StdioClientTransport({
      command: command[0]!,
      args: command.slice(1),
      env: { ...env, GW_TOKEN: token.reveal() },
    }),
  )
  const names = (await client.listTools()).tools.map(({ name }) => name)
  expect(names).toContain('system_version')
  expect(names).not.toContain('accounts_list')
  const said = await client.callTool({ name: 'system_version', arguments: {} })
  expect(said.structuredContent).toMatchObject({ runtime: 'bun' })
  const wrong = await client.callTool({ name: 'usage_requests', arguments: { limit: 0, nonsense: 1 } })
  expect([wrong.isError, JSON.stringify(wrong.content)]).toEqual([true, expect.stringContaining('limit')])
  await expect(client.callTool({ name: 'accounts_list', arguments: {} })).rejects.toThrow('unknown tool')
  await client.close()
}, 60_000)

test(
  'a session on standard input knows what another process did a moment ago: an account, a revoked token',
  async () => {
    const own = mkdtempSync(join(tmpdir(), 'gw-mcp-news-'))
    const beside = await createGateway({ home: own, cwd: own, env: {}, keychain: null })
    const client = new Client({ name: 'test', version: '1' })
    try {
      const { token, info } = await beside.rooms.access.issue({ scopes: ['admin'] }, operator)
      const env = { PATH: process.env['PATH'] ?? '', HOME: own, GW_HOME: own, GW_TOKEN: token.reveal() }
      await client.connect(new StdioClientTransport({ command: command[0]!, args: command.slice(1), env }))
      const list = async () => {
        const { structuredContent } = await client.callTool({ name: 'accounts_list', arguments: {} })
        return (structuredContent as { data: { id: string }[] }).data.map(({ id }) => id)
      }
      expect(await list()).toEqual([])
      for (const id of ['one', 'two', 'three']) {
        await beside.rooms.accounts.add({ provider: 'openai', id }, new Secret(`sk-${id}`))
        expect(await list()).toContain(id)
      }
      await beside.rooms.access.revoke(info.id, operator)
      await expect(list()).rejects.toThrow('revoked')
    } finally {
      await client.close()
      await beside.close()
      rmSync(own, { recursive: true, force: true })
    }
  },
  60_000,
)

const folder = process.env['GW_TOOLS']
const inspector = join(folder ?? '', 'node_modules/.bin/inspector')
const skip = folder === undefined || !existsSync(inspector)
if (skip) {
  console.log(
    'skipped: MCP Inspector: npm install --prefix FOLDER @modelcontextprotocol/inspector@2.12.0, GW_TOOLS=FOLDER',
  )
}

for (const transport of ['HTTP', 'stdio']) {
  test.skipIf(skip)(`the MCP Inspector lists and calls gw's tools over ${transport}`, async () => {
    const ask = async (...words: string[]) => {
      const target = transport === 'HTTP'
        ? [`${served.url}/mcp`, '--transport', 'http', '--header', `Authorization: Bearer ${served.token}`, ...words]
        : ['-e', `GW_HOME=${home}`, ...words, '--', ...command]
      const { code, out, complaint } = await run([inspector, '--cli', ...target])
      expect([code, code === 0 ? '' : complaint]).toEqual([0, ''])
      return JSON.parse(out) as { tools: { name: string }[]; structuredContent: unknown }
    }
    const { tools } = await ask('--method', 'tools/list')
    expect(tools.map(({ name }) => name)).toContain('route_cheapest')
    const called = await ask('--method', 'tools/call', '--tool-name', 'system_version')
    expect(called.structuredContent).toMatchObject({ runtime: 'bun' })
  }, 60_000)
}
