import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../lib/platform/mod.ts'
import { cli, type CliResult } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'gw-config-'))
const path = join(folder, 'config.toml')
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs a command line on a home whose config file says this; `null` is no file. */
function on(config: string | null, argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  if (config === null) rmSync(path, { force: true })
  else writeFileSync(path, config)
  return cli(argv, { env: { HOME: folder, GW_HOME: folder, ...env }, cwd: folder })
}

const json = ({ stdout }: CliResult) => JSON.parse(stdout) as Record<string, unknown>

const written = `[server]
port = 8090
[catalog.aliases]
"gpt-4.1" = "openai/gpt-5"
[providers.corp]
base_url = "https://llm.example.com/v1"
protocol = "openai-chat"
headers = { X-My-Auth = "hunter2-plain", X-Team = "blue" }
`

for (const [broken, why] of [['log = [\n', 'does not parse'], ['server = 5\n', 'does not fit']] as const) {
  test(`where the file is, its schema and the version are told although the file ${why}`, async () => {
    const said = await on(broken, ['config', 'path'])
    expect([said.code, said.stdout, said.stderr]).toEqual([0, `${path}\n`, ''])
    expect(json(await on(broken, ['config', 'path', '--json']))).toEqual({
      path,
      exists: true,
      home: folder,
      database: join(folder, 'gw.sqlite'),
    })
    expect((await on(broken, ['config', 'schema'])).stdout).toContain('"$schema"')
    expect((await on(broken, ['version'])).stdout).toStartWith('version\t')
  })
}

test('gw config path tells of a file that is not there, and of the one that is named', async () => {
  expect(json(await on(null, ['config', 'path', '--json']))).toMatchObject({ path, exists: false })
  const named = join(folder, 'other.toml')
  expect(json(await on(null, ['--config', named, 'config', 'path', '--json']))).toMatchObject({ path: named })
  expect(json(await on(null, ['config', 'path', '--json'], { GW_CONFIG: named }))).toMatchObject({ path: named })
})

for (
  const [key, value, layer, from, more] of [
    ['server.port', 8090, 'file', `${path}:2`, {}],
    ['server.port', 81, 'environment', 'GW_SERVER_PORT', { env: { GW_SERVER_PORT: '81' } }],
    ['server.port', 99, 'flag', '--server-port', { flags: ['--port', '99'] }],
    ['server.host', '127.0.0.1', 'default', 'default', {}],
    ['catalog.aliases."gpt-4.1"', 'openai/gpt-5', 'file', `${path}:4`, {}],
    ['providers.corp.headers.X-My-Auth', '[REDACTED]', 'file', `${path}:8`, {}],
    ['providers.corp.headers', { 'X-My-Auth': '[REDACTED]', 'X-Team': 'blue' }, null, null, {}],
  ] as [string, unknown, string | null, string | null, { env?: Record<string, string>; flags?: string[] }][]
) {
  test(`gw config get ${key} tells its value from ${from ?? 'several places'}`, async () => {
    const { env, flags = [] } = more
    const told = await on(written, [...flags, 'config', 'get', key, '--json'], env)
    expect([told.code, json(told)]).toEqual([0, { ...json(told), key, value, layer, from } as never])
    const plain = await on(written, [...flags, 'config', 'get', key], env)
    expect(plain.stdout).toBe(`${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}\n`)
  })
}

test('a key that is none is an error with the nearest one', async () => {
  const near = await on(written, ['config', 'get', 'server.prot'])
  expect([near.code, near.stdout]).toEqual([1, ''])
  expect(near.stderr).toBe('gw: there is no setting server.prot\n  did you mean server.port?\n')
  expect((await on(written, ['config', 'get', 'nowhere'])).stderr).toContain('gw config show --all lists them')
})

test('get, set and unset agree', async () => {
  expect((await on(written, ['config', 'set', 'server.port', '8091'])).code).toBe(0)
  const kept = readFileSync(path, 'utf8')
  expect((await on(kept, ['config', 'get', 'server.port'])).stdout).toBe('8091\n')
  expect((await on(kept, ['config', 'unset', 'server.port'])).code).toBe(0)
  expect(json(await on(readFileSync(path, 'utf8'), ['config', 'get', 'server.port', '--json']))).toMatchObject({
    value: 8080,
    layer: 'default',
  })
})

test('a secret in a table that its owner named is not shown and not recorded, whatever it is called', async () => {
  const shown = await on(written, ['config', 'show'])
  expect(shown.stdout).toContain('providers.corp.headers.X-My-Auth\t[REDACTED]')
  expect(shown.stdout).not.toContain('hunter2')
  expect(shown.stdout).toContain('catalog.aliases."gpt-4.1"\topenai/gpt-5')
  const set = await on(written, ['config', 'set', 'providers.corp.headers.X-My-Auth', 'hunter3-plain'])
  expect([set.code, readFileSync(path, 'utf8').includes('hunter3-plain')]).toEqual([0, true])
  const audit = await on(readFileSync(path, 'utf8'), ['audit', 'list', '--json'])
  expect(audit.stdout).toContain('providers.corp.headers.X-My-Auth')
  expect(audit.stdout).not.toMatch(/hunter[23]/)
})

test('completion offers the settings where one is asked for, and the flags that every command takes', async () => {
  const main = join(import.meta.dir, '..', '..', 'client', 'cli', 'main.ts')
  const offered = (...words: string[]) =>
    runCommand([process.execPath, main, 'complete', '--', ...words], { timeoutMs: 20_000 })
  for (const verb of ['get', 'set', 'unset']) {
    expect((await offered('config', verb, 'server.po')).stdout).toContain('server.port\t')
  }
  expect((await offered('accounts', 'list', '--js')).stdout).toContain('--json\t')
})
