import { afterAll, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type GwError } from '../../../lib/base/mod.ts'
import { type ConfigSources, loadConfig, settings } from '../../../lib/config/mod.ts'
import { watchConfig } from '../../../lib/config/watch.ts'
import { writeAtomic } from '../../../lib/platform/mod.ts'

const roots: string[] = []
afterAll(() => roots.forEach((root) => rmSync(root, { recursive: true })))

/** A home with these files: `config` in GW_HOME, the others in the working folder. */
function home(files: { config?: string; env?: string; lenv?: string }): ConfigSources & { readonly path: string } {
  const root = mkdtempSync(join(tmpdir(), 'gw-config-'))
  roots.push(root)
  const cwd = join(root, 'work')
  mkdirSync(cwd)
  const path = join(root, 'config.toml')
  if (files.config !== undefined) writeFileSync(path, files.config, { mode: 0o600 })
  if (files.env !== undefined) writeFileSync(join(cwd, '.env'), files.env)
  if (files.lenv !== undefined) writeFileSync(join(cwd, '.lenv'), files.lenv)
  return { env: { GW_HOME: root }, cwd, path }
}

async function failure(sources: ConfigSources): Promise<GwError> {
  try {
    await loadConfig(sources)
  } catch (error) {
    return error as GwError
  }
  throw new Error('expected loadConfig() to fail')
}

test('loadConfig() without any file gives the defaults: loopback, port 8080, nobody anonymous', async () => {
  const { config, exists } = await loadConfig(home({}))
  expect(exists).toBe(false)
  expect(config.server).toMatchObject({ host: '127.0.0.1', port: 8080, allowed_origins: [] })
  expect(config.accounts).toEqual({})
})

test('each layer wins over the next: flag, environment, .lenv, .env, file, default', async () => {
  const files = { config: '[server]\nport = 1001\n', env: 'GW_SERVER_PORT=1002\n', lenv: 'GW_SERVER_PORT: 1003\n' }
  const at = home(files)
  const port = async (sources: ConfigSources) => (await loadConfig(sources)).config.server.port
  const env = { ...at.env, GW_SERVER_PORT: '1004' }
  expect(await port({ ...at, env, flags: { 'server.port': '1005' } })).toBe(1005)
  expect(await port({ ...at, env })).toBe(1004)
  expect(await port(at)).toBe(1003)
  expect(await port(home({ config: files.config, env: files.env }))).toBe(1002)
  expect(await port(home({ config: files.config }))).toBe(1001)
})

test('origins name the layer and the line of each value', async () => {
  const at = home({ config: '# mine\n[server]\nhost = "127.0.0.2"\n', lenv: '# x\n\nROUTER_PORT: 9000\n' })
  const { origins, config } = await loadConfig(at)
  expect(config.server).toMatchObject({ host: '127.0.0.2', port: 9000 })
  expect(origins.get('server.host')).toEqual({ layer: 'file', from: `${at.path}:3` })
  expect(origins.get('server.port')).toEqual({ layer: '.lenv', from: `${at.cwd}/.lenv:3 ROUTER_PORT` })
})

test.each(['environment', '.lenv', '.env'])('the grouped variables of a router count in the %s', async (layer) => {
  const variables = {
    CLAUDE_CODE_HOME: '/data/claude',
    ADDITIONAL_ACCOUNT_DIRS: ' /data/b, ,/data/c ',
    UPSTREAM_BASE_URL: 'https://upstream.example/',
    OPENAI_COMPATIBLE_PROVIDER_NAME: 'house',
    OPENAI_COMPATIBLE_BASE_URL: 'http://localhost:4000/v1/',
    OPENAI_COMPATIBLE_API_KEY: 'sk-literal',
    OPENAI_COMPATIBLE_MODEL: 'small',
    OPENAI_COMPATIBLE_MODELS: 'small, large',
  }
  const lines = (separator: string) => Object.entries(variables).map(([k, v]) => `${k}${separator}${v}`).join('\n')
  const at = home(layer === '.lenv' ? { lenv: lines(': ') } : layer === '.env' ? { env: lines('=') } : {})
  const { config, origins } = await loadConfig(
    layer === 'environment' ? { ...at, env: { ...at.env, ...variables } } : at,
  )
  expect(config.accounts).toMatchObject({
    'claude': { provider: 'anthropic', foreign: { tool: 'claude-code', path: '/data/claude' } },
    'claude-2': { foreign: { path: '/data/b' } },
    'claude-3': { foreign: { path: '/data/c' } },
    'house': { provider: 'house', token_env: 'OPENAI_COMPATIBLE_API_KEY' },
  })
  expect(config.providers).toEqual({
    anthropic: { base_url: 'https://upstream.example' },
    house: {
      base_url: 'http://localhost:4000/v1',
      protocol: 'openai-chat',
      local: true,
      models: { small: {}, large: {} },
    },
  })
  expect(config.catalog.default_model).toBe('house/small')
  expect(origins.get('accounts.house')?.layer).toBe(layer as 'environment')
})

test('grouped variables: the named variable beats the key, no key is no authorization, one provider is not another', async () => {
  const at = home({})
  const load = async (env: Record<string, string>) => (await loadConfig({ ...at, env: { ...at.env, ...env } })).config
  const both = { OPENAI_COMPATIBLE_API_KEY_ENV: 'NAMED', OPENAI_COMPATIBLE_API_KEY: 'sk-literal' }
  expect((await load({ ...both, NAMED: 'x' })).accounts.litellm).toMatchObject({ token_env: 'NAMED' })
  expect((await load(both)).accounts.litellm).toMatchObject({ token_env: 'OPENAI_COMPATIBLE_API_KEY' })
  const none = await load({ OPENAI_COMPATIBLE_BASE_URL: 'https://far.example/v1' })
  expect(none.providers.litellm).toEqual({ base_url: 'https://far.example/v1', protocol: 'openai-chat', auth: 'none' })
  const crater = await load({
    UPSTREAM_PROVIDER: 'crater',
    UPSTREAM_BASE_URL: 'https://x.example',
    OPENAI_COMPATIBLE_MODEL: 'm',
  })
  expect(crater.providers.anthropic).toBeUndefined()
  expect(crater.catalog.default_model).toBeNull()
  const wrong = await failure({ ...at, env: { ...at.env, OPENAI_COMPATIBLE_PROVIDER_NAME: 'no good' } })
  expect(wrong.message).toContain('from OPENAI_COMPATIBLE_PROVIDER_NAME')
})

test('every setting has its own variable and its own flag', () => {
  const all = settings()
  expect(all.length).toBeGreaterThan(15)
  expect(new Set(all.map((setting) => setting.variable)).size).toBe(all.length)
  expect(new Set(all.map((setting) => setting.flag)).size).toBe(all.length)
  expect(all.filter((setting) => setting.description === '')).toEqual([])
  expect(all.find((setting) => setting.path === 'server.port')).toMatchObject({
    variable: 'GW_SERVER_PORT',
    flag: '--server-port',
    type: 'number',
    default: 8080,
  })
})

test('every setting can be given by its variable and by its flag', async () => {
  for (const setting of settings()) {
    const text = setting.default === undefined
      ? setting.path === 'server.public_url' || setting.path === 'egress.proxy' ? 'http://gw.example' : '{}'
      : typeof setting.default === 'object'
      ? JSON.stringify(setting.default)
      : String(setting.default)
    const at = home({})
    const byVariable = await loadConfig({ ...at, env: { ...at.env, [setting.variable]: text } })
    expect(byVariable.origins.get(setting.path)?.from).toBe(setting.variable)
    const byFlag = await loadConfig({ ...at, flags: { [setting.path]: text } })
    expect(byFlag.origins.get(setting.path)?.from).toBe(setting.flag)
  }
})

test('all mistakes are told at once, each with file, line, key and reason, and nothing is rewritten', async () => {
  const text = `[server]
port = "eighty"
prot = 1

[accounts.work]
provider = "openai"
token_env = "KEY"
token = "x"

[accounts."no spaces"]
provider = "openai"
token_env = "KEY"

[sevrer]
port = 1
`
  const at = home({ config: text })
  const error = await failure({ ...at, env: { ...at.env, GW_LIMITS_BODY_BYTES: 'much' } })
  expect(error.code).toBe('config.invalid')
  expect(error.exit).toBe(200)
  const problems = error.details!.problems as { where: string; line: number | null; key: string; reason: string }[]
  expect(problems.map(({ line, key }) => [key, line]).sort()).toEqual([
    ['accounts.no spaces', 10],
    ['accounts.work.token_env', 7],
    ['limits.body_bytes', null],
    ['server.port', 2],
    ['server.prot', 3],
    ['sevrer', 14],
  ])
  const reason = (key: string) => problems.find((problem) => problem.key === key)!.reason
  expect(reason('server.prot')).toBe('unknown key; did you mean port?')
  expect(reason('sevrer')).toBe('unknown key; did you mean server?')
  expect(reason('limits.body_bytes')).toContain('GW_LIMITS_BODY_BYTES')
  expect(error.message).toContain(`${at.path}:2: server.port: expected number, received string`)
  expect(readFileSync(at.path, 'utf8')).toBe(text)
})

for (
  const [what, config, line] of [
    ['a text that is no TOML', '[server]\nport = = 1\n', 2],
    ['a key given twice', '[server]\nport = 1\nport = 2\n', 3],
    ['an unclosed string', '[server]\nhost = "127\n', 2],
  ] as const
) {
  test(`loadConfig() refuses ${what} with its line`, async () => {
    const at = home({ config })
    const error = await failure(at)
    expect(error.code).toBe('config.invalid')
    expect(error.message).toContain(`${at.path}:${line}:`)
    expect(readFileSync(at.path, 'utf8')).toBe(config)
  })
}

test('loadConfig() refuses a file that everybody can write, a folder, bytes that are no text, and a missing named file', async () => {
  const open = home({ config: '' })
  chmodSync(open.path, 0o666)
  expect((await failure(open)).hint).toContain('chmod 600')
  const folder = home({})
  mkdirSync(folder.path)
  expect((await failure(folder)).code).toBe('config.unreadable')
  const bytes = home({})
  writeFileSync(bytes.path, new Uint8Array([0x61, 0xff, 0xfe]), { mode: 0o600 })
  expect((await failure(bytes)).message).toContain('not UTF-8')
  expect((await failure({ ...home({}), file: '/nowhere/gw.toml' })).code).toBe('config.unreadable')
})

test('variables of other gateways are understood, and gw’s own name wins over them', async () => {
  const at = home({})
  const env = { ...at.env, ROUTER_PORT: '9100', VERBOSE: '1', DISABLE_METRICS: 'true', OPEN_LLM_AUTH_ALLOW_ANON: 'yes' }
  const { config } = await loadConfig({ ...at, env })
  expect(config.server).toMatchObject({ port: 9100, metrics: false })
  expect(config.log.level).toBe('debug')
  const both = await loadConfig({ ...at, env: { ...env, GW_SERVER_PORT: '9200' } })
  expect(both.config.server.port).toBe(9200)
})

test('entries of open tables can be set by variable and by flag', async () => {
  const at = home({ config: '[accounts.work]\nprovider = "openai"\ntoken_env = "K"\n' })
  const { config } = await loadConfig({
    ...at,
    env: { ...at.env, GW_ACCOUNTS__WORK__PRIORITY: '5' },
    flags: { 'accounts.work.tags': ['a'] },
  })
  expect(config.accounts.work).toMatchObject({ priority: 5, tags: ['a'], provider: 'openai' })
})

test('a GW_ variable that is no setting is named with the nearest one', async () => {
  const at = home({})
  const { warnings } = await loadConfig({ ...at, env: { ...at.env, GW_SERVER_PROT: '1' } })
  expect(warnings).toEqual(['GW_SERVER_PROT is no setting; did you mean GW_SERVER_PORT?'])
})

test('a key named __proto__ pollutes nothing and is refused', async () => {
  const at = home({ config: '[__proto__]\npolluted = true\n' })
  expect((await failure(at)).code).toBe('config.invalid')
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})

test('a valid change is applied, an invalid one keeps the old and says so', async () => {
  const at = home({ config: '[server]\nport = 1001\n' })
  const first = await loadConfig(at)
  const seen: unknown[] = []
  const watch = watchConfig(at.path, first, () => loadConfig(at), {
    onChange: ({ config }) => void seen.push(config.server.port),
    onInvalid: (error) => seen.push(error.code),
  })
  writeFileSync(at.path, '[server]\nport = 1002\n')
  await watch.reload()
  writeFileSync(at.path, '[server]\nport = "x"\n')
  await watch.reload()
  writeFileSync(at.path, '[server]\nport = 1002\n')
  await watch.reload()
  watch.stop()
  expect(seen).toEqual([1002, 'config.invalid'])
})

test('a change of the file is noticed by itself, also when it is saved by rename', async () => {
  const at = home({ config: '[server]\nport = 1001\n' })
  const first = await loadConfig(at)
  const changed = Promise.withResolvers<number>()
  const watch = watchConfig(at.path, first, () => loadConfig(at), {
    onChange: ({ config }) => changed.resolve(config.server.port),
    onInvalid: (error) => changed.reject(error),
  })
  await writeAtomic(at.path, '[server]\nport = 1003\n')
  expect(await changed.promise).toBe(1003)
  watch.stop()
})
