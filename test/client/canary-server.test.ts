import { expect, test } from 'bun:test'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { described } from '../../lib/operations/mod.ts'
import { type Exchange, fakeUpstream } from '../support/fake-upstream.ts'
import { serveFixture } from '../support/mcp/fixture.ts'
import { type FakeVendor, fakeVendor, jwt } from '../support/vendors/fake-vendor.ts'
import { processHome } from './login-process.ts'
import { cleanUp } from '../support/cleanups.ts'

const cleanups = cleanUp()

/** Stands in every planted secret, in clear or as any of the three ways that base64 can cut it. */
const canary = /canary-|Y2FuYXJ5L|NhbmFyeS|jYW5hcnkt/
const root = resolve(import.meta.dir, '../..')

/** Secrets that gw is given, none of a shape that says what it is, and where from. */
const planted = {
  CHAT_KEY: 'canary-chat-0f1e2d3c4b5a69788796',
  CLAUDE_KEY: 'canary-claude-1a2b3c4d5e6f708192a3',
  TOOLS_KEY: 'canary-tools-5d4c3b2a190807f6e5d4',
  CLIENT_TOKEN: 'canary-client-99aa88bb77cc66dd55ee',
  HEADER_SECRET: 'canary-header-0099887766554433',
  ADMIN_KEY: 'canary-admin-key-00112233445566778899',
}

/** What an unkind upstream answers: it repeats the credential and adds secrets of its own, wherever there is room. */
async function answer(exchange: Exchange): Promise<void> {
  const { request } = exchange
  const header = (name: string) => request.headers.get(name) ?? ''
  const key = (header('authorization') || header('x-api-key') || header('x-goog-api-key')).replace(/^Bearer /, '')
  const body = request.text()
  const model = (/"model"\s*:\s*"([^"]*)"/.exec(body)?.[1] ?? '').replace(/^.*\//, '')
  const headers = {
    'set-cookie': `session=canary-cookie`,
    'x-debug-key': key,
    'www-authenticate': `Bearer error="invalid_token", token="${key}"`,
    location: `https://elsewhere.test/?key=${key}`,
  }
  const failure = (status: number, type: string) =>
    exchange.json({
      type: 'error',
      error: { type, code: type, message: `${type}: ${key} (sk-canary-of-the-upstream-1234)`, debug: `Bearer ${key}` },
      trace: `at ${key}`,
    }, { status, headers: { ...headers, 'retry-after': '1' } })
  if (model.includes('401')) return await failure(401, 'authentication_error')
  if (model.includes('429')) return await failure(429, 'rate_limit_error')
  if (model.includes('500')) return await failure(500, 'api_error')
  if (model.includes('page')) {
    await exchange.head(502, { ...headers, 'content-type': 'text/html' })
    await exchange.chunk(`<html>sk-canary-page-0123456789 ${key}</html>`)
    return await exchange.end()
  }
  if (model.includes('odd')) {
    await exchange.head(200, { ...headers, 'content-type': 'application/json' })
    await exchange.chunk(`{"canary-odd": ${key}`)
    return await exchange.end()
  }
  if (!request.path.includes('messages')) {
    if (body.includes('"stream":true')) {
      await exchange.sse(headers)
      const chunk = (delta: object, finish: string | null = null) =>
        exchange.event({
          id: 'c',
          object: 'chat.completion.chunk',
          created: 1,
          model,
          choices: [{ index: 0, delta, finish_reason: finish }],
        })
      await chunk({ role: 'assistant', content: 'hel' })
      if (model.includes('broken')) return exchange.reset()
      if (model.includes('late')) {
        await exchange.event({ error: { message: `late: ${key} sk-canary-late-0123456789`, type: 'server_error' } })
        return exchange.hangUp()
      }
      await chunk({ content: 'lo' }, 'stop')
      await exchange.event('[DONE]')
      return await exchange.end()
    }
    return await exchange.json({
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model,
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hello' } }],
      usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
    }, { headers })
  }
  await exchange.json({
    id: 'm',
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text: 'hello' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 3, output_tokens: 1 },
  }, { headers })
}

/** What goes wrong, each with providers of its own: an account that failed rests. */
const troubles = ['fine', 'plan', 'e401', 'e429', 'e500', 'page', 'odd', 'broken', 'late']

const config = (at: { upstream: string; vendor: FakeVendor; tools: string; user: string }) => `
[log]
level = "debug"

[server]
port = 0

[access]
admin_key = "${planted.ADMIN_KEY}"

[access.tokens.me]
token = "${planted.CLIENT_TOKEN}"
admin = true

${
  troubles.map((name) => `
[providers.chat-${name}]
name = "Chat"
protocol = "openai-chat"
base_url = "${at.upstream}/v1"
auth = "bearer"
capabilities = ["chat"]

[accounts.chat-${name}]
provider = "chat-${name}"
token_env = "CHAT_KEY"

[providers.claude-${name}]
name = "Claude"
protocol = "anthropic-messages"
base_url = "${at.upstream}"
auth = "anthropic"
capabilities = ["chat"]

[accounts.claude-${name}]
provider = "claude-${name}"
token_env = "CLAUDE_KEY"
`).join('')
}
[accounts.printed]
provider = "claude-fine"
priority = 5
token_command = ["${at.user}/print-key"]

[accounts.plan]
provider = "chat-plan"
login = "chatgpt"
allow_undocumented_use = true

[accounts.tools]
provider = "chat-fine"
models = ["nothing"]
token_env = "TOOLS_KEY"
base_url = "${new URL(at.tools).origin}"

[mcp.servers.near]
url = "${at.tools}"
local = true
account = "tools"
headers = { "x-extra" = "\${HEADER_SECRET}" }

[mcp.servers.program]
command = ["${at.user}/tool-server"]

[mcp.permissions]
ask = ["mcp__program__echo"]

[logins.chatgpt]
provider = "chat-plan"
audience = ["${at.upstream}"]
authorize_url = "${at.vendor.url}/authorize"
token_url = "${at.vendor.url}/token"
revoke_url = "${at.vendor.url}/revoke"
redirect_ports = [0]
`

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())

/** A program of the configuration, which leaves what it was given to see: its environment and its arguments. */
function program(path: string, rest: string): void {
  writeFileSync(path, `#!/bin/sh\nenv > ${path}.seen\ntr '\\0' ' ' < /proc/$$/cmdline >> ${path}.seen\n${rest}\n`)
  chmodSync(path, 0o700)
}

/** What `ps` shows of every process of this home, and the environment of those that a served gw started. */
function processes(home: string, serving: number): string {
  const read = (pid: string, name: string) => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'latin1')
    } catch {
      return ''
    }
  }
  const parent = (pid: string) => /^PPid:\s*(\d+)$/m.exec(read(pid, 'status'))?.[1] ?? '0'
  const under = (pid: string): boolean => pid !== '0' && (parent(pid) === String(serving) || under(parent(pid)))
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => {
    const child = under(pid)
    const environment = read(pid, 'environ')
    return (child || environment.includes(home) ? read(pid, 'cmdline') : '') + (child ? `${environment}\n` : '')
  }).join('\n')
}

test(
  'what a served gw was trusted with is in no answer, no log line, no process and no file, whatever goes wrong',
  async () => {
    const [upstream, vendor] = await Promise.all([fakeUpstream(answer), fakeVendor()])
    cleanups.push(() => upstream.close(), () => vendor.close())
    let toolsRefuse = false
    const tools = serveFixture({
      guard: (request) =>
        toolsRefuse
          ? new Response(`no: ${request.headers.get('authorization')?.slice(7)} sk-canary-tools-body-01`, {
            status: 401,
            headers: { 'www-authenticate': `Bearer error="invalid_token", x="canary-challenge"` },
          })
          : undefined,
    })
    cleanups.push(() => tools.stop())
    const at = processHome('')
    cleanups.push(() => at.close())
    writeFileSync(
      join(at.home, 'config.toml'),
      `[egress]\nallow_localhost = true\nenforce_https = false\n` +
        config({ upstream: upstream.url, vendor, tools: tools.url, user: at.user }),
    )
    program(join(at.user, 'print-key'), 'echo canary-printed-1122334455667788; echo canary-on-stderr >&2')
    program(
      join(at.user, 'tool-server'),
      `exec ${process.execPath} ${join(root, 'test/support/mcp/stdio.ts')}`,
    )
    /** Everything that anybody but the keeper of the secrets got to see, each with where. */
    const seen: [where: string, text: string][] = []
    const command = async (argv: readonly string[], input = '', env: Record<string, string> = planted) => {
      const done = await at.run(['--verbose', ...argv], input, env)
      seen.push([`gw ${argv.join(' ')}`, done.stdout + done.stderr])
      return done
    }
    const tokens = (n: number, life = 3600) =>
      [200, {
        access_token: `canary-access-${n}-00112233`,
        refresh_token: `canary-refresh-${n}-44556677`,
        id_token: jwt({ email: 'a@b.test' }),
        expires_in: life,
      }] as const
    vendor.on('/token', tokens(1))
    const login = at.start(['--verbose', 'auth', 'login', 'chatgpt', '--paste'], { env: planted })
    login.type(`canary-code#${new URL(await login.address()).searchParams.get('state')}`)
    expect((await login.done).code).toBe(0)
    expect((await command(['accounts', 'add', 'claude-fine', '--id', 'kept'], 'canary-kept-123456789012')).code).toBe(0)

    const serving = at.start(['serve'], { env: planted })
    const url = (await serving.out(/listens on (http\S+)/))[1]!
    const ask = async (
      path: string,
      { body, token = planted.CLIENT_TOKEN, method = body === undefined ? 'GET' : 'POST', headers = {} }: {
        body?: unknown
        token?: string
        method?: string
        headers?: Record<string, string>
      } = {},
    ) => {
      const reply = await fetch(url + path, {
        method,
        redirect: 'manual',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await reply.text().catch((error) => `cut: ${error}`)
      seen.push([`${method} ${path} ${reply.status}`, `${JSON.stringify([...reply.headers])}\n${text}`])
      return { status: reply.status, text }
    }
    const call = async (model: string) => {
      const messages = [{ role: 'user', content: 'hello' }]
      for (const stream of [false, true]) {
        for (const path of ['/v1/chat/completions', '/v1/messages']) {
          await ask(path, { body: { model, messages, max_tokens: 9, stream } })
        }
        await ask('/v1/responses', { body: { model, input: 'hello', stream } })
      }
    }
    for (const name of troubles) {
      await call(`chat-${name}/${name}`)
      await call(`claude-${name}/${name}`)
    }
    const asked = (path: RegExp) =>
      new Set(upstream.requests.filter((one) => path.test(one.path)).map((one) => JSON.parse(one.text()).model))
    expect([...asked(/completions$/)].sort()).toEqual([...troubles].sort())
    expect([...asked(/messages$/)].sort()).toEqual([...troubles].sort())
    seen.push(['processes while serving', processes(at.home, serving.pid)])

    // A login whose refresh fails in each way, while its access token is no longer taken.
    for (
      const refusal of [
        [429, { error: 'slow_down', error_description: 'canary-refresh-1-44556677' }],
        [503, {
          error: 'canary-busy',
        }],
        [200, { access_token: 7, x: 'canary-odd' }],
        [400, {
          error: 'invalid_grant',
          error_description: 'the token canary-refresh-1-44556677 was spent',
        }],
      ] as const
    ) {
      vendor.on('/token', refusal)
      await ask('/api/accounts/check', { body: { id: 'plan' } })
      await ask('/api/auth/refresh', { body: { vendor: 'chatgpt' } })
      await call('chat-plan/e401')
    }

    // Tools: what they return, what they refuse, what waits for a person.
    const rpc = (path: string, method: string, params: object, headers: Record<string, string> = {}) =>
      ask(path, {
        body: { jsonrpc: '2.0', id: 1, method, params },
        headers: { accept: 'application/json, text/event-stream', ...headers },
      })
    const begin = {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'test', version: '1' },
    }
    const sessions: Record<string, string> = {}
    const open = async (path: string) => {
      await rpc(path, 'initialize', begin)
      const head = JSON.parse(seen.at(-1)![1].split('\n')[0]!) as [string, string][]
      const id = head.find(([name]) => name === 'mcp-session-id')?.[1]
      if (id !== undefined) sessions[path] = id
    }
    const tool = (path: string, name: string, args: object = {}) =>
      rpc(path, 'tools/call', { name, arguments: args }, {
        ...(sessions[path] ? { 'mcp-session-id': sessions[path] } : {}),
        'mcp-protocol-version': '2025-06-18',
      })
    for (const path of ['/v1/mcp/near', '/v1/mcp/program', '/v1/mcp', '/mcp']) await open(path)
    expect((await tool('/v1/mcp/near', 'test_simple_text')).text).toContain('text')
    expect(tools.requests.at(-1)!.headers.get('authorization')).toBe(`Bearer ${planted.TOOLS_KEY}`)
    await tool('/v1/mcp/program', 'test_simple_text')
    await tool('/v1/mcp/program', 'echo', { value: 'public' })
    await tool('/v1/mcp/near', 'test_error_handling')
    toolsRefuse = true
    await tool('/v1/mcp/near', 'test_simple_text')
    for (const path of ['/v1/mcp/near', '/v1/mcp']) await open(path)
    for (const operation of described()) {
      if (operation.mcp && operation.effect === 'reads') await tool('/mcp', operation.name.replace('.', '_'))
    }
    seen.push(['processes while serving tools', processes(at.home, serving.pid)])

    // Every page and every operation that only looks, with a good token and with none.
    const issued = JSON.parse((await ask('/api/tokens/issue', { body: { label: 'one' } })).text) as { token: string }
    seen.pop()
    expect(issued.token).toMatch(/^la_sk_/)
    const looks = described().filter(({ kind }) => kind === 'query')
    for (const { name } of looks) {
      await ask(`/api/${name.replace('.', '/')}`)
      await ask(`/trpc/${name}`)
    }
    for (const path of pages) {
      await ask(path)
      await ask(path, { token: 'canary-wrong-token' })
    }
    await ask('/trpc/accounts.add', { body: '{"secret":"canary-broken' })
    await ask('/trpc/accounts.add', { body: { provider: 'nobody', secret: 'canary-add-secret-0001' } })
    await ask('/api/accounts/add', { body: { provider: 'chat-fine', secret: ['canary-add-secret-0002'] } })
    await ask('/api/accounts/add', {
      body: { provider: 'chat-fine', id: 'chat-fine', secret: 'canary-add-secret-0003' },
    })
    await ask('/v1/chat/completions', { body: '{"canary-broken": ' })
    await ask('/nowhere?key=canary-query-0001', { method: 'DELETE' })
    const approvals = JSON.parse((await ask('/api/approvals/list')).text) as { data: { id: string }[] }
    for (const { id } of approvals.data) await ask(`/approvals/${id}`)

    const remote = { ...planted, GW_URL: url, GW_TOKEN: planted.CLIENT_TOKEN }
    await Promise.all(commands.map((argv, i) => command(argv, '', i % 3 === 0 ? remote : planted)))
    await command(['report', '--redacted'])
    await command(['exec', '--provider', 'chat-fine', '--account', 'chat-fine', '--', 'true'])
    await command(['env', '--provider', 'chat-fine'])
    // At rest: a login's own file holds its tokens, and the configuration what somebody wrote into it.
    const readFiles = () => {
      const files = filesOf(at.home).filter((path) => !/^(auth\/|config\.toml$)/.test(relative(at.home, path)))
      for (const path of files) seen.push([path, readFileSync(path, 'latin1')])
      return files.length
    }
    expect(readFiles()).toBeGreaterThan(2)
    serving.interrupt()
    expect((await serving.done).code).toBe(0)
    seen.push(['the log', serving.said])
    expect(serving.said).toContain('"level":"debug"')
    // A program that prints a key is its owner's, like a shell's: it has the environment of gw. A tool server has not.
    seen.push(['what the tool server was given', readFileSync(join(at.user, 'tool-server.seen'), 'utf8')])

    expect(readFiles()).toBeGreaterThan(1)
    const leaks = seen.filter(([, text]) => canary.test(text) || text.includes(issued.token))
      .map(([where, text]) => [where, text.slice(Math.max(0, text.search(canary) - 200), text.search(canary) + 80)])
    expect(leaks).toEqual([])
  },
  180_000,
)

const pages = [
  '/metrics',
  '/health',
  '/healthz',
  '/readyz',
  '/v1/models',
  '/v1/usage',
  '/v1/accounts',
  '/docs',
  '/docs/json',
  '/config',
  '/config/auth-profiles',
  '/config/builtin-providers',
  '/config/configured-providers',
  '/config/profiles',
  '/config/providers',
  '/config/usage/overview',
  '/config/usage/recent',
  '/config/usage/provider-telemetry',
  '/config/usage/summary',
  '/api/providers',
  '/api/tokens',
  '/approvals/apr_none',
  '/nowhere',
]

const commands = [
  'status',
  'doctor',
  'accounts list --json',
  'audit list --json',
  'events --json',
  'why',
  'report --include-paths',
  'config show --all',
  'auth inspect chatgpt',
  'mcp calls --json',
  'discover',
].map((line) => line.split(' '))
