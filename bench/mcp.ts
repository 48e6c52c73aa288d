/**
 * What the MCP proxy adds to a tool call, and what an open session costs.
 *
 *   bun bench/mcp.ts [--seconds 10] [--sessions 1000]
 *
 * Starts a fixture server and gw as processes of their own; calls go direct and through gw in turn, at 200 a second.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, sessions: { type: 'string', default: '1000' } },
})
const perSecond = 200
const root = join(import.meta.dir, '..')

/** Starts a program of ours and gives the first line that it prints as JSON. */
async function start<T>(code: string): Promise<{ said: T; pid: number; stop: () => Promise<void> }> {
  const child = Bun.spawn([process.execPath, '-e', code], { cwd: root, stdout: 'pipe', stderr: 'inherit' })
  const reader = child.stdout.getReader()
  let text = ''
  while (!text.includes('\n')) {
    const { done, value } = await reader.read()
    if (done) throw new Error(`a program of the bench ended before it was ready: ${text}`)
    text += new TextDecoder().decode(value)
  }
  const stop = async () => {
    child.kill()
    await child.exited
  }
  return { said: JSON.parse(text.split('\n')[0]!) as T, pid: child.pid, stop }
}

const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

async function post(url: string, message: unknown, extra: Record<string, string>): Promise<Response> {
  const reply = await fetch(url, { method: 'POST', headers: { ...headers, ...extra }, body: JSON.stringify(message) })
  await reply.text()
  if (!reply.ok) throw new Error(`${url} answered ${reply.status}`)
  return reply
}

async function session(url: string, extra: Record<string, string>): Promise<Record<string, string>> {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'bench', version: '1' } }
  const reply = await post(url, { jsonrpc: '2.0', id: 0, method: 'initialize', params }, extra)
  const own = { ...extra, 'mcp-session-id': reply.headers.get('mcp-session-id')! }
  await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, own)
  return own
}

/** Latencies in milliseconds of calls at a steady rate: each starts on time, whether or not the last has ended. */
async function calls(url: string, own: Record<string, string>, seconds: number): Promise<number[]> {
  const took: number[] = []
  const running: Promise<void>[] = []
  const began = performance.now()
  for (let i = 0; i < seconds * perSecond; i++) {
    const due = began + i * (1_000 / perSecond)
    const wait = due - performance.now()
    if (wait > 0) await Bun.sleep(wait)
    const message = { jsonrpc: '2.0', id: i, method: 'tools/call', params: { name: 'echo', arguments: { value: i } } }
    const at = performance.now()
    running.push(post(url, message, own).then(() => void took.push(performance.now() - at)))
  }
  await Promise.all(running)
  return took.sort((a, b) => a - b)
}

const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!

async function rssMb(pid: number): Promise<number> {
  const line = (await readFile(`/proc/${pid}/status`, 'utf8')).split('\n').find((text) => text.startsWith('VmRSS'))!
  return Number(/\d+/.exec(line)![0]) / 1024
}

const fixture = await start<{ url: string }>(
  `import { serveFixture } from './test/support/mcp/fixture.ts'; console.log(JSON.stringify({ url: serveFixture().url }))`,
)
const home = await mkdtemp(join(tmpdir(), 'gw-bench-'))
const gw = await start<{ url: string; token: string }>(`
  import { createGateway } from './lib/mod.ts'
  import { operator } from './lib/access/mod.ts'
  import { startServer } from './server/main.ts'
  const settings = { 'mcp.servers.fixture': { url: ${JSON.stringify(fixture.said.url)}, local: true } }
  const gateway = await createGateway({ home: ${JSON.stringify(home)}, settings })
  const server = await startServer(gateway, { port: 0 })
  const issued = await gateway.rooms.access.issue({ label: 'bench', scopes: ['mcp'] }, operator)
  console.log(JSON.stringify({ url: server.url, token: issued.token.reveal() }))
`)
try {
  const authorization = { authorization: `Bearer ${gw.said.token}` }
  const direct = { url: fixture.said.url, own: await session(fixture.said.url, {}) }
  const url = `${gw.said.url}/v1/mcp/fixture`
  const through = { url, own: await session(url, authorization) }
  for (const way of [direct, through]) await calls(way.url, way.own, 2)
  const rounds = 5
  const seconds = Math.max(1, Math.round(Number(values.seconds) / rounds))
  const seen = { direct: [] as number[][], through: [] as number[][] }
  for (let round = 0; round < rounds; round++) {
    seen.direct.push(await calls(direct.url, direct.own, seconds))
    seen.through.push(await calls(through.url, through.own, seconds))
  }
  const median = (rows: number[][], q: number) =>
    quantile(rows.map((row) => quantile(row, q)).sort((a, b) => a - b), 0.5)
  const before = await rssMb(gw.pid)
  const count = Number(values.sessions)
  for (let i = 0; i < count; i += 20) {
    await Promise.all(Array.from({ length: Math.min(20, count - i) }, () => session(url, authorization)))
  }
  const after = await rssMb(gw.pid)
  const ms = (value: number) => `${value.toFixed(2)} ms`
  console.log(`tool calls at ${perSecond}/s, medians of ${rounds} rounds`)
  for (const q of [0.5, 0.99]) {
    const [near, far] = [median(seen.direct, q), median(seen.through, q)]
    console.log(`  p${q * 100}: direct ${ms(near)}, through gw ${ms(far)}, added ${ms(far - near)}`)
  }
  console.log(`${count} open sessions: ${before.toFixed(0)} → ${after.toFixed(0)} MB resident`)
} finally {
  await gw.stop()
  await fixture.stop()
  await rm(home, { recursive: true })
}
