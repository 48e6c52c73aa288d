import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Locks left by dead processes: whoever holds a repair is killed in the middle of it, by its user or by the system, and
// the next one must neither wait a minute for nobody nor do anything a second time.

const main = join(import.meta.dir, '../../client/cli/main.ts')
const slow = 120_000
let home: string
let server: ReturnType<typeof Bun.serve>
/** The refresh tokens that the token endpoint was sent, in order. */
const asked: string[] = []
/** Called when the token endpoint has been asked; it answers when the promise resolves. */
let hold: () => Promise<void> = () => Promise.resolve()
let good = 'token-0'

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'gw-killed-'))
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      if (new URL(request.url).pathname === '/me') {
        return new Response(null, { status: request.headers.get('authorization') === `Bearer ${good}` ? 200 : 401 })
      }
      const form = new URLSearchParams(await request.text())
      asked.push(form.get('refresh_token') ?? '')
      await hold()
      const next = asked.length
      good = `token-${next}`
      return Response.json({ access_token: good, refresh_token: `refresh-${next}`, expires_in: 3_600 })
    },
  })
  const origin = `http://127.0.0.1:${server.port}`
  writeFileSync(join(home, 'auth.json'), JSON.stringify({ access_token: 'token-old', refresh_token: 'refresh-0' }), {
    mode: 0o600,
  })
  writeFileSync(
    join(home, 'config.toml'),
    `[egress]
allow_localhost = true
enforce_https = false
[stay_afloat.policy.daemon]
allowed_budgets = ["free_local", "free_command", "cheap_provider", "mutating"]
allow_mutating = true
[stay_afloat.provider_definitions.notes]
name = "notes"
auth = { token_endpoint = "${origin}/token" }
repair = { owner = "oauth_mux_refresh" }
capabilities = [{ name = "read", probe = { url = "${origin}/me" } }]
failure_rules = [{ status = 401, class = { dead = "token_revoked" } }]
[stay_afloat.providers.notes]
kind = "notes"
[stay_afloat.providers.notes.accounts.me]
secret = { backend = "file", path = "${join(home, 'auth.json')}" }
`,
    { mode: 0o600 },
  )
})
afterAll(async () => {
  await server.stop(true)
  rmSync(home, { recursive: true, force: true })
})

const start = (line: string) =>
  Bun.spawn([process.execPath, main, ...line.split(' ')], {
    env: { PATH: process.env.PATH ?? '', HOME: home, GW_HOME: home },
    cwd: home,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })

async function gw(line: string) {
  const child = start(line)
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  // deno-lint-ignore no-explicit-any
  return { code, out, err, json: (line.endsWith('--json') ? JSON.parse(out) : null) as any }
}

/** Runs a command and kills it once it has asked the token endpoint, which never answers it. */
async function killedWhileRefreshing(line: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  hold = () => {
    resolve()
    return new Promise(() => {})
  }
  const child = start(line)
  await promise
  child.kill('SIGKILL')
  await child.exited
  expect(child.signalCode).toBe('SIGKILL')
  hold = () => Promise.resolve()
}

const stored = () => JSON.parse(readFileSync(join(home, 'auth.json'), 'utf8'))
const outcomes = async () =>
  (await gw('events --json')).json.events.map(({ outcome }: { outcome: string }) => outcome).toReversed()

test('a repair that was killed is taken over at once, said so, and done once', async () => {
  expect((await gw('probe --provider notes --account me --capability read --json')).json.ok).toBe(false)
  await killedWhileRefreshing('repair run --confirm-repair')
  // Whoever only looks sees that nobody is at it any more.
  expect((await gw('route explain --json')).json.routes[0]).toMatchObject({
    runtime: { state: 'ready' },
    action: { kind: 'refresh' },
  })
  const done = await gw('repair run --confirm-repair')
  expect([done.code, done.out]).toEqual([
    0,
    'a process that was mending it had died; its lock was taken over\nok: refreshed\n',
  ])
  expect(asked).toEqual(['refresh-0', 'refresh-0'])
  expect(stored()).toMatchObject({ access_token: 'token-2', refresh_token: 'refresh-2' })
  const again = await gw('repair run --confirm-repair --json')
  expect(again.json).toMatchObject({ ok: true, executed: false })
  expect(again.json.took_over).toBeUndefined()
  expect(asked).toHaveLength(2)
  expect(await outcomes()).toEqual([
    ...['started', 'lock_taken_over', 'started', 'refreshed', 'executed'],
    again.json.reason,
  ].map((outcome) => outcome === 'route_selectable' ? 'noop' : outcome))
}, slow)

test('so is a tick of stay-afloat, by the next tick', async () => {
  good = 'another'
  expect((await gw('probe --provider notes --account me --capability read --json')).json.ok).toBe(false)
  const before = asked.length
  await killedWhileRefreshing('stay-afloat --once --execute')
  const tick = await gw('stay-afloat --once --execute --json')
  expect(tick.json.executions).toMatchObject([{ phase: 'repair', action: 'refresh', executed: true, ok: true }])
  expect(asked.slice(before)).toEqual(['refresh-2', 'refresh-2'])
  // What is left to do is to see that it works.
  expect((await gw('stay-afloat --once --execute --json')).json).toMatchObject({ afloat: true })
  expect(asked).toHaveLength(before + 2)
  expect((await outcomes()).filter((outcome: string) => outcome === 'lock_taken_over')).toHaveLength(2)
}, slow)
