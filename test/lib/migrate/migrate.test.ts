import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ForeignSystem, readForeign } from '../../../lib/migrate/mod.ts'
import type { MigrationContext } from '../../../lib/migrate/draft.ts'
import { cli } from '../../client/support.ts'

const known: Record<string, { id: string; baseUrls: string[] }> = {
  openai: { id: 'openai', baseUrls: ['https://api.openai.com/v1'] },
  anthropic: { id: 'anthropic', baseUrls: ['https://api.anthropic.com'] },
  google: { id: 'google', baseUrls: ['https://generativelanguage.googleapis.com/v1beta'] },
}
const context: MigrationContext = { provider: (name) => known[name] ?? null, exists: () => false, env: () => undefined }

async function read(system: ForeignSystem, text: string, name = 'file', more: Partial<MigrationContext> = {}) {
  const { changes, secrets, taken, left } = await readForeign({ system, text, name }, { ...context, ...more })
  return {
    set: Object.fromEntries(changes.map(({ path, value }) => [path.join('.'), value])),
    secrets: Object.fromEntries(secrets.map(({ ref, secret }) => [ref, secret.reveal()])),
    left: Object.fromEntries(left.map(({ from, why }) => [from, why])),
    taken: taken.map(({ from }) => from),
  }
}

const lenv = `# router
ROUTER_PORT: 9000
DISABLE_OPENAI_API: 1
TOKEN_SECRET: "a-very-long-secret-of-the-router-here"
ROUTING_MODE: hybrid
CLAUDE_CODE_HOME: /home/me/.claude
ADDITIONAL_ACCOUNT_DIRS: /home/me/.claude-b, ,/home/me/.claude-c
OPENAI_COMPATIBLE_PROVIDER_NAME: house
OPENAI_COMPATIBLE_BASE_URL: http://localhost:4000/v1
OPENAI_COMPATIBLE_API_KEY: sk-literal-of-the-house
OPENAI_COMPATIBLE_MODEL: small
OPENAI_COMPATIBLE_MODELS: small,large
not a line
`

test('a router file: settings, folders of accounts, the compatible provider, and what stays behind', async () => {
  const { set, secrets, left } = await read('lr', lenv, '.lenv')
  expect(set).toEqual({
    'server.port': 9000,
    'server.openai_api': false,
    'accounts.claude': { provider: 'anthropic', foreign: { tool: 'claude-code', path: '/home/me/.claude' } },
    'accounts.claude-2': { provider: 'anthropic', foreign: { tool: 'claude-code', path: '/home/me/.claude-b' } },
    'accounts.claude-3': { provider: 'anthropic', foreign: { tool: 'claude-code', path: '/home/me/.claude-c' } },
    'providers.house': {
      base_url: 'http://localhost:4000/v1',
      protocol: 'openai-chat',
      models: { small: {}, large: {} },
    },
    'accounts.house': { provider: 'house', token_store: 'import/house' },
    'catalog.default_model': 'house/small',
  })
  expect(secrets).toEqual({ 'import/house': 'sk-literal-of-the-house' })
  expect(Object.keys(left)).toEqual(['line 13', 'TOKEN_SECRET', 'ROUTING_MODE'])
})

const record = {
  name: 'one',
  kind: 'litellm',
  base_url: 'https://one.example/v1/',
  api_key: 'sk-of-one',
  models: ['a', 'b'],
}
const links = `# providers of mine
one
  kind litellm
  base-url "https://one.example/v1"
  models a b
  api-key 'sk-of-one'

two:
  kind: openai
  api_base: https://two.example/v1
  default-model: small
  api-key-env: TWO_KEY
  enabled: false
`

test.each([
  ['a JSON object', JSON.stringify(record)],
  ['a list in JSON', JSON.stringify([record])],
  ['a list under providers', JSON.stringify({ providers: [record] })],
  ['lines of a .lenv', `# comment\nPROVIDER: ${JSON.stringify(record)}\n`],
  ['the indented Links form', links],
])('the provider store of a router is read from %s', async (_, text) => {
  const { set, secrets, left } = await read('lr', text, 'providers')
  expect(set['providers.one']).toEqual({
    base_url: 'https://one.example/v1',
    protocol: 'openai-chat',
    models: { a: {}, b: {} },
  })
  expect(set['accounts.one']).toEqual({ provider: 'one', token_store: 'import/one' })
  expect(secrets).toEqual({ 'import/one': 'sk-of-one' })
  if (text !== links) return expect(left).toEqual({})
  expect(set['accounts.two']).toEqual({ provider: 'two', token_env: 'TWO_KEY', enabled: false })
  expect(Object.keys(left)).toEqual(['PROVIDER two.default_model'])
})

test('a key that the Links form does not have is named with its line, and a kind that gw does not know is left', async () => {
  const failed = await read('lr', 'one\n  base-url https://one.example\n  colour red\n').catch((error) => error)
  expect([failed.code, failed.message]).toEqual(['config.invalid', 'file:3: colour is no key of a provider'])
  const { left } = await read('lr', JSON.stringify({ ...record, kind: 'gonka' }))
  expect(left).toEqual({ 'PROVIDER one': 'gw knows no kind gonka of provider' })
})

test('each provider record of a router counts, and a sealed key opens with TOKEN_SECRET', async () => {
  // The record of the requirement: `sk-upstream` under `test-secret`.
  const sealed = 'aes256gcm:BwcHBwcHBwcHBwcHxiXxikA6O5Mmi2td8wXHLBvXJsGiHlTVPk67'
  const text = `# providers
PROVIDER: {"name":"a","kind":"openai-compatible","base_url":"https://a.example/v1/","encrypted_api_key":"${sealed}"}
PROVIDER: {"name":"b","base_url":"https://b.example/v1","api_key_env":"B_KEY","enabled":false}
PROVIDER: {"name":"c","base_url":"https://c.example/v1","api_key_env":"C_KEY","encrypted_api_key":"${sealed}"}
PROVIDER: {broken
`
  const opened = await read('lr', text, 'providers.lenv', { env: () => 'test-secret' })
  expect(opened.set['accounts.a']).toEqual({ provider: 'a', token_store: 'import/a' })
  expect(opened.set['providers.a']).toEqual({ base_url: 'https://a.example/v1', protocol: 'openai-chat' })
  expect(opened.set['accounts.b']).toEqual({ provider: 'b', token_env: 'B_KEY', enabled: false })
  // Both: the variable is asked first, and the key where it is not set.
  expect(opened.set['accounts.c']).toEqual({ provider: 'c', token_env: 'C_KEY', token_store: 'import/c' })
  expect(opened.secrets).toEqual({ 'import/a': 'sk-upstream', 'import/c': 'sk-upstream' })
  expect(opened.left).toEqual({ PROVIDER: 'the record is no JSON' })
  for (const env of [() => undefined, () => 'another']) {
    const closed = await read('lr', text, 'providers.lenv', { env })
    expect(closed.secrets).toEqual({})
    expect(closed.left['PROVIDER a.encrypted_api_key']).toContain('TOKEN_SECRET')
  }
})

test('a token-plumber file: every source of a credential, and providers of its own', async () => {
  const { set, secrets, left } = await read(
    'tplumb',
    `
[server]
listen = "127.0.0.1:8088"
client_token = "x"
[[providers]]
slug = "openai"
base_url = "https://api.openai.com/v1"
auth = { type = "chatgpt" }
[[providers.credentials]]
token_command = ["print-token", "--fresh"]
account_id_env = "ACCOUNT"
cache_ttl_secs = 60
[[providers.credentials]]
token_env = "OPENAI_API_KEY"
[[providers]]
slug = "mine"
base_url = "https://mine.example/v1"
auth = { type = "header", name = "x-key" }
api_key = "literal-key-of-mine"
endpoints = { chat = "/chat" }
[logging]
sqlite_path = "x"
`,
  )
  expect(set).toEqual({
    'server.host': '127.0.0.1',
    'server.port': 8088,
    'accounts.openai': {
      provider: 'openai',
      token_command: ['print-token', '--fresh'],
      account_id_env: 'ACCOUNT',
      cache_ttl_secs: 60,
    },
    'accounts.openai-2': { provider: 'openai', token_env: 'OPENAI_API_KEY' },
    'providers.mine': {
      base_url: 'https://mine.example/v1',
      protocol: 'openai-chat',
      auth: { type: 'header', name: 'x-key' },
    },
    'accounts.mine': { provider: 'mine', token_store: 'import/mine' },
  })
  expect(secrets).toEqual({ 'import/mine': 'literal-key-of-mine' })
  expect(Object.keys(left)).toEqual(['server.client_token', 'providers.mine.endpoints', 'logging'])
})

test('an Open LLM Auth file: profiles in their order, variables by either spelling, policy', async () => {
  const { set, secrets, left } = await read(
    'open-llm-auth',
    JSON.stringify({
      authProfiles: {
        'openai:default': { id: 'openai:default', provider: 'openai', type: 'api_key', key: '${OPENAI_KEY}' },
        'openai:work': { provider: 'openai', type: 'token', token: 'literal-token-of-work' },
        'anthropic:plan': { provider: 'anthropic', type: 'oauth', access: 'x', refresh: 'y' },
      },
      authOrder: { openai: ['openai:work', 'openai:default'] },
      providers: {
        own: {
          baseUrl: 'http://10.0.0.5:9/v1',
          apiKey: 'OWN_API_KEY',
          api: 'anthropic-messages',
          models: [{ id: 'm' }],
        },
      },
      authorization: { tokens: { ci: { id: 'ci', token: 'client-secret', scopes: ['read', 'write'] } } },
      egressPolicy: { mode: 'observe', denyHosts: ['x.example'] },
      providerFallback: { maxAttempts: 3, order: { openai: ['anthropic'] } },
      defaultModel: 'own/m',
      serverToken: 'server-secret',
    }),
  )
  expect(set).toEqual({
    'accounts.openai': { provider: 'openai', priority: 1, token_env: 'OPENAI_KEY' },
    'accounts.openai-work': { provider: 'openai', priority: 2, token_store: 'import/openai-work' },
    'providers.own': { base_url: 'http://10.0.0.5:9/v1', protocol: 'anthropic-messages', models: { m: {} } },
    'accounts.own': { provider: 'own', token_env: 'OWN_API_KEY' },
    'egress.mode': 'observe',
    'egress.deny_hosts': ['x.example'],
    'routing.fallback.order': { openai: ['anthropic'] },
    'routing.fallback.max_attempts': 3,
    'catalog.default_model': 'own/m',
  })
  expect(secrets).toEqual({ 'import/openai-work': 'literal-token-of-work' })
  expect(left['authProfiles.anthropic:plan']).toContain('gw auth login')
  expect(left['authorization.tokens.ci']).toBe("a client's secret: gw tokens issue --label ci --scopes read,write")
  expect(JSON.stringify(left)).not.toMatch(/client-secret|server-secret/)
})

const yaml = `model_list:
  - model_name: fast
    litellm_params: { model: openai/gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY, rpm: 60 }
  - model_name: fast
    litellm_params: { model: gemini/gemini-2.0-flash, api_key: os.environ/GEMINI_API_KEY, tpm: 5 }
  - model_name: home
    litellm_params: { model: openai/qwen, api_base: "http://vllm.house.example:8000/v1", api_key: literal-of-vllm }
  - model_name: lost
    litellm_params: { model: nobody/x }
router_settings: { routing_strategy: latency-based-routing, model_group_alias: { gpt-4: fast }, num_retries: 2 }
general_settings: { master_key: sk-master, database_url: "postgres://u:p@h/db" }
litellm_settings: { request_timeout: 120, drop_params: true }
`

test('a LiteLLM file: one account for one key, pools where a name means several, and no secret in the report', async () => {
  const { set, secrets, left } = await read('litellm', yaml)
  expect(set).toEqual({
    'accounts.openai': { provider: 'openai', requests_per_minute: 60, token_env: 'OPENAI_API_KEY' },
    'accounts.google': { provider: 'google', token_env: 'GEMINI_API_KEY' },
    'providers.vllm.house.example': { base_url: 'http://vllm.house.example:8000/v1', protocol: 'openai-chat' },
    'accounts.vllm.house.example': { provider: 'vllm.house.example', token_store: 'import/vllm.house.example' },
    'routing.pools.fast': { members: ['openai/gpt-4o-mini', 'google/gemini-2.0-flash'] },
    'catalog.aliases.home': 'vllm.house.example/qwen',
    'routing.strategy': 'lowest-latency',
    'catalog.aliases.gpt-4': 'fast',
    'routing.fallback.max_attempts': 3,
    'limits.head_secs': 120,
  })
  expect(secrets).toEqual({ 'import/vllm.house.example': 'literal-of-vllm' })
  expect(Object.keys(left).sort()).toEqual([
    'general_settings.database_url',
    'general_settings.master_key',
    'litellm_settings.drop_params',
    'model_list[1].litellm_params.tpm',
    'model_list[3]',
  ])
  expect(JSON.stringify(left)).not.toMatch(/sk-master|u:p@h/)
})

test.each<[ForeignSystem, string]>([
  ['tplumb', 'token = "sk-live-secret'],
  ['open-llm-auth', '{"key":"sk-live-secret"'],
  ['litellm', 'a: [sk-live-secret'],
  ['litellm', '- just a list'],
])('a broken file of %s is refused in words that quote nothing of it', async (system, text) => {
  const error = await read(system, text).catch((error: Error & { code: string }) => error)
  expect(error).toMatchObject({ code: 'config.invalid' })
  expect(String((error as Error).message)).not.toContain('sk-live')
})

test('YAML aliases that multiply end the reading', async () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefgh'.split('').map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
  ].join('\n')
  expect(await read('litellm', bomb).catch(({ code }) => code)).toBe('config.invalid')
})

test('gw import: a dry run writes nothing, a run writes config and store and never the foreign file', async () => {
  const root = mkdtempSync(join(tmpdir(), 'gw-import-'))
  try {
    const file = join(root, 'config.yaml')
    writeFileSync(file, yaml)
    const env = { HOME: root, GW_HOME: join(root, 'home') }
    const config = join(root, 'home', 'config.toml')
    const dry = await cli(['import', 'litellm', file, '--dry-run', '--json'], { env })
    expect([dry.code, JSON.parse(dry.stdout).dryRun, await Bun.file(config).exists()]).toEqual([0, true, false])
    const done = await cli(['import', 'litellm', file], { env })
    expect([done.code, done.stderr]).toEqual([0, ''])
    const written = readFileSync(config, 'utf8')
    expect(written).toContain('token_store')
    expect(written + done.stdout).not.toContain('literal-of-vllm')
    expect(readFileSync(file, 'utf8')).toBe(yaml)
    const check = await cli(['accounts', 'check', 'vllm.house.example', '--json'], { env })
    expect(JSON.parse(check.stdout)).toMatchObject({ error: null })
    const again = JSON.parse((await cli(['import', 'litellm', file, '--json'], { env })).stdout)
    expect(again.left).toContainEqual({ from: 'model_list[0]', why: 'accounts.openai is in the config already' })
    expect((await cli(['import', 'lr', join(root, 'nothing')], { env })).code).toBe(200)
  } finally {
    rmSync(root, { recursive: true })
  }
}, 30_000)
