import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, freePort, type Running, start } from '../rig/process.ts'

const root = join(import.meta.dir, '../..')
const gw = [process.execPath, join(root, 'client/cli/main.ts')]

/** The gateway of the day: a process, its home and its owner's token. */
export interface DayGateway extends AsyncDisposable {
  readonly url: string
  readonly token: string
  readonly database: string
  readonly process: Running
  /** Open file descriptors. */
  descriptors(): Promise<number>
  /** Writes the configuration anew; the gateway takes it up. */
  configure(changes: { leastUsed: boolean }): Promise<void>
  /** Calls an operation of the control plane; a query as GET, anything else as POST. */
  call(name: string, input?: object): Promise<Record<string, unknown>>
}

/** The keys of the vendors' accounts, by account. */
export const keys = {
  'openai-a': 'sk-day-openai-a',
  'openai-b': 'sk-day-openai-b',
  'anthropic-a': 'sk-day-anthropic-a',
  'anthropic-b': 'sk-day-anthropic-b',
} as const

/** The providers of the day: two accounts each, and one login. */
export type Provider = 'openai' | 'anthropic' | 'qwen-portal'

/** What clients ask for. */
export const models: Readonly<Record<Provider, string>> = {
  openai: 'openai/demo-small',
  anthropic: 'anthropic/demo-small',
  'qwen-portal': 'qwen-portal/demo-small',
}

/** For each account of a provider, whether a key is its own. A login has many keys, one after the other. */
export function accountsOf(provider: Provider): readonly ((key: string) => boolean)[] {
  if (provider === 'qwen-portal') return [(key) => key.startsWith('day-login-')]
  return Object.entries(keys).filter(([id]) => id.startsWith(provider)).map(([, own]) => (key) => key === own)
}

function configFor(vendor: string, port: number, leastUsed: boolean): string {
  const accounts = Object.entries(keys).map(([id, key]) =>
    `[accounts.${id}]\nprovider = "${id.split('-')[0]}"\ntoken = "${key}"\n`
  )
  return `[server]
port = ${port}
[egress]
allow_origins = ["${vendor}"]
[routing]
strategy = "${leastUsed ? 'least-used' : 'round-robin'}"
[providers.openai]
base_url = "${vendor}/v1"
[providers.anthropic]
base_url = "${vendor}"
[providers.qwen-portal]
base_url = "${vendor}/v1"
[logins.qwen]
token_url = "${vendor}/token"
audience = ["${vendor}"]
[stay_afloat]
enabled = true
interval_secs = 10
[mcp.servers.day]
url = "${vendor}/mcp"
local = true
${accounts.join('')}`
}

/** Starts gw as its users do, in a home of its own, before the vendors at `vendor`. */
export async function startDayGateway(vendor: string): Promise<DayGateway> {
  const home = await mkdtemp(join(tmpdir(), 'gw-day-'))
  const file = join(home, 'config.toml')
  const port = freePort()
  const env = { GW_HOME: home }
  await writeFile(file, configFor(vendor, port, false), { mode: 0o600 })
  await run(['auth', 'add-oauth', 'qwen', '--expires', String(Date.now() + 5_000)], env, 'day-login-0\nday-refresh-0\n')
  const login = JSON.parse(await run(['accounts', 'list', '--json'], env)) as {
    data: { id: string; source: string }[]
  }
  const qwen = login.data.find(({ source }) => source.startsWith('login:'))
  if (qwen) await run(['accounts', 'update', qwen.id, '--allow-undocumented-use'], env)
  const token =
    (await run(['tokens', 'issue', '--label', 'day', '--scopes', 'admin,write,mcp', '--never-expires'], env))
      .trim()
  const running = start([...gw, 'serve'], { core: 0, env })
  const url = `http://127.0.0.1:${port}`
  await answers(`${url}/healthz`, 30_000, running)
  return {
    url,
    token,
    database: join(home, 'gw.sqlite'),
    process: running,
    descriptors: async () => (await readdir(`/proc/${running.pid}/fd`)).length,
    configure: ({ leastUsed }) => writeFile(file, configFor(vendor, port, leastUsed)),
    async call(name, input) {
      const reply = await fetch(`${url}/api/${name.replace('.', '/')}`, {
        method: input ? 'POST' : 'GET',
        headers: { authorization: `Bearer ${token}`, ...(input ? { 'content-type': 'application/json' } : {}) },
        ...(input ? { body: JSON.stringify(input) } : {}),
        signal: AbortSignal.timeout(30_000),
      })
      const text = await reply.text()
      if (!reply.ok) throw new Error(`${name} answered ${reply.status}: ${text.slice(0, 300)}`)
      return JSON.parse(text) as Record<string, unknown>
    },
    async [Symbol.asyncDispose]() {
      await running.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

async function run(words: readonly string[], env: Record<string, string>, input = ''): Promise<string> {
  const child = Bun.spawn([...gw, ...words], {
    env: { PATH: process.env['PATH'] ?? '', HOME: env['GW_HOME']!, ...env },
    stdin: new TextEncoder().encode(input),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`gw ${words.join(' ')} ended with ${code}: ${err}`)
  return out
}
