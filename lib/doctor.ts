import { access, constants, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { operator } from './access/mod.ts'
import { type Clock, silentLogger, toGwError } from './base/mod.ts'
import { clockFault } from './clock-check.ts'
import { type ConfigSources, loadConfig, type LoadedConfig } from './config/mod.ts'
import { proxiesOf } from './egress/mod.ts'
import { type Home, openHome } from './open-home.ts'
import { paths, type Platform } from './platform/mod.ts'
import { findServing, holderOf } from './presence.ts'
import type { Keychain } from './secrets/mod.ts'
import { outdatedRuntime } from './version.ts'

/** One thing that was looked at. */
export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  /** What was found, in one sentence. */
  readonly found: string
  /** What to do about it; `null` when nothing. */
  readonly fix: string | null
}

/** Everything that was looked at. */
export interface Diagnosis {
  readonly ok: boolean
  readonly checks: readonly Check[]
}

/** What {@link examine} looks with. */
export interface DoctorOptions {
  readonly from: ConfigSources
  readonly platform: Platform
  readonly clock: Clock
  readonly keychain: Keychain | null
}

/**
 * Looks at a home without changing it, and says what to do about what is wrong. Each check stands by itself: a broken
 * config does not hide an open key file.
 */
export async function examine(options: DoctorOptions): Promise<Diagnosis> {
  const { from, platform, clock } = options
  const at = paths(from.env)
  const checks: Check[] = [runtimeCheck(platform), clockCheck(clock)]
  let loaded: LoadedConfig | null = null
  try {
    loaded = await loadConfig(from)
    checks.push(ok('config', loaded.exists ? `${loaded.path} is valid` : `no config file at ${loaded.path}: defaults`))
    for (const warning of loaded.warnings) checks.push(warn('config', warning, 'mend or remove it'))
  } catch (error) {
    const { message, hint } = toGwError(error)
    checks.push(fail('config', message, hint ?? 'mend the file'))
  }
  checks.push(await folderCheck(at.data), ...await diskCheck(at.data))
  for (const [name, path] of [['database', at.database], ['key file', at.keyFile]] as const) {
    checks.push(await fileCheck(name, path))
  }
  if (loaded) {
    const serving = await findServing(at)
    checks.push(
      serving
        ? ok('serving', `this home is served at ${serving.url}`)
        : await portCheck(loaded.config.server.host, loaded.config.server.port),
    )
    checks.push(exposureCheck(loaded))
    checks.push(...proxyCheck(loaded))
    checks.push(...await homeChecks(options, loaded))
  }
  return { ok: checks.every((check) => check.status !== 'fail'), checks }
}

/**
 * Looks at a home that is open, as a running gateway has it.
 *
 * @param url where it listens; `null` where nothing does
 */
export async function examineOpen(home: Home, url: string | null): Promise<Diagnosis> {
  const loaded = home.config.current()
  const problem = home.config.problem()
  const { server } = loaded.config
  const checks: Check[] = [
    runtimeCheck(home.platform),
    clockCheck(home.clock),
    problem
      ? fail('config', problem.message, problem.hint ?? 'mend the file')
      : ok('config', loaded.exists ? `${loaded.path} is valid` : `no config file at ${loaded.path}: defaults`),
    ...loaded.warnings.map((warning) => warn('config', warning, 'mend or remove it')),
    await folderCheck(home.paths.data),
    ...await diskCheck(home.paths.data),
    await fileCheck('database', home.paths.database),
    await fileCheck('key file', home.paths.keyFile),
    url === null ? await portCheck(server.host, server.port) : ok('serving', `this home is served at ${url}`),
    exposureCheck(loaded),
    ...proxyCheck(loaded),
    ...await openChecks(home),
  ]
  return { ok: checks.every((check) => check.status !== 'fail'), checks }
}

const ok = (name: string, found: string): Check => ({ name, status: 'ok', found, fix: null })
const warn = (name: string, found: string, fix: string): Check => ({ name, status: 'warn', found, fix })
const fail = (name: string, found: string, fix: string): Check => ({ name, status: 'fail', found, fix })

function runtimeCheck({ name, version }: Platform): Check {
  const outdated = outdatedRuntime({ [name]: version.replace(/^v/, '') })
  return outdated ? fail('runtime', outdated.found, outdated.fix) : ok('runtime', `${name} ${version}`)
}

function clockCheck(clock: Clock): Check {
  const fault = clockFault(clock.now())
  return fault ? fail('clock', fault.message, fault.hint!) : ok('clock', new Date(clock.now()).toISOString())
}

/** Whether the proxies that the environment and the configuration name can be used at all. */
function proxyCheck({ config, env }: LoadedConfig): Check[] {
  try {
    const via = proxiesOf(config.egress, env)(new URL('https://example.com'))
    return via === null ? [] : [ok('proxy', `providers are reached through ${via.host}:${via.port} (${via.namedBy})`)]
  } catch (error) {
    const { message, hint } = toGwError(error)
    return [fail('proxy', message, hint ?? 'correct it')]
  }
}

async function modeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).mode & 0o777
  } catch (error) {
    if (/ENOENT|ENOTDIR/.test(String((error as { code?: string }).code))) return null
    throw error
  }
}

async function folderCheck(path: string): Promise<Check> {
  const mode = await modeOf(path)
  if (mode === null) return ok('home', `${path} will be made on first use`)
  const closed = await access(path, constants.W_OK).then(
    () => null,
    (error) => String((error as { code?: string }).code),
  )
  if (closed !== null) {
    const why = closed === 'EROFS' ? 'is on a disk that is mounted read-only' : 'cannot be written by this user'
    return warn(
      'home',
      `${path} ${why}: what is there can be looked at`,
      'to change something, name another: GW_HOME=…',
    )
  }
  return (mode & 0o077) === 0
    ? ok('home', `${path} is private`)
    : fail('home', `${path} can be read by others (${mode.toString(8)})`, `chmod 700 ${path}`)
}

const mebibyte = 1024 * 1024
/** With less than this nothing can be recorded, and what cannot be recorded is not done. */
const leastFree = 4 * mebibyte
/** With less than this there is a while left. */
const fewFree = 256 * mebibyte

/** Whether there is room for what gw writes; nothing where the system does not say. */
async function diskCheck(path: string): Promise<Check[]> {
  let at = path
  while (await modeOf(at) === null && dirname(at) !== at) at = dirname(at)
  const disk = await statfs(at).catch(() => null)
  if (disk === null || disk.blocks === 0) return []
  const free = disk.bavail * disk.bsize
  const left = free < 10 * mebibyte ? `${Math.floor(free / 1024)} KB` : `${Math.floor(free / mebibyte)} MB`
  if (free < leastFree) return [fail('disk', `no space is left on the disk of ${at} (${left})`, 'make room')]
  return [
    free < fewFree ? warn('disk', `${left} are left on the disk of ${at}`, 'make room') : ok('disk', `${left} free`),
  ]
}

async function fileCheck(name: string, path: string): Promise<Check> {
  const mode = await modeOf(path)
  if (mode === null) return ok(name, `no ${name} yet at ${path}`)
  return (mode & 0o077) === 0
    ? ok(name, `${path} is private`)
    : fail(name, `${path} can be read by others (${mode.toString(8)})`, `chmod 600 ${path}`)
}

function portCheck(host: string, port: number): Promise<Check> {
  if (port === 0) return Promise.resolve(ok('port', 'a free port is chosen at each start'))
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', async (error: Error & { code?: string }) => {
      if (error.code !== 'EADDRINUSE') {
        const found = `${host}:${port} cannot be listened on: ${error.message}`
        return resolve(fail('port', found, 'choose another host or port'))
      }
      const holder = await holderOf(port).catch(() => null)
      resolve(
        warn(
          'port',
          `${host}:${port} is in use${holder ? ` by ${holder}` : ''}`,
          `${
            holder ? '' : 'another program listens there, or the gw of another home: '
          }gw serve --port 0 takes a free port`,
        ),
      )
    })
    server.listen(port, host, () => server.close(() => resolve(ok('port', `${host}:${port} is free`))))
  })
}

function exposureCheck({ config }: LoadedConfig): Check {
  const { host } = config.server
  const local = host === 'localhost' || host === '::1' || host.startsWith('127.')
  if (local) return ok('exposure', `listens on ${host} only`)
  return config.access.anonymous
    ? fail('exposure', `${host} is open to the network and anonymous callers`, 'gw config set access.anonymous false')
    : warn('exposure', `${host} is open to the network`, 'put TLS before it, or set server.host to 127.0.0.1')
}

/** The checks that need the home open. An absent database is not made by looking. */
async function homeChecks(options: DoctorOptions, loaded: LoadedConfig): Promise<Check[]> {
  const at = paths(loaded.env)
  if (await modeOf(at.database) === null) {
    return [warn('accounts', 'there are no accounts yet', 'gw accounts add openai --from env:OPENAI_API_KEY')]
  }
  let home: Home
  try {
    home = await openHome({
      ...options,
      loaded,
      random: Math.random,
      logger: silentLogger,
      watch: false,
    })
  } catch (error) {
    const { code, message, hint } = toGwError(error)
    return [fail(code.startsWith('secret') ? 'keys' : 'database', message, hint ?? 'restore a backup')]
  }
  try {
    return await openChecks(home)
  } finally {
    await home.close()
  }
}

/** What there is to say about a home that opened. */
async function openChecks(home: Home): Promise<Check[]> {
  const accounts = home.accounts.list()
  const checks = [
    ok('keys', `secrets are sealed under a key in the ${home.secrets.keyPlace}`),
    ok('database', `${home.paths.database} opens`),
  ]
  if (accounts.length === 0) {
    checks.push(warn('accounts', 'there are no accounts yet', 'gw accounts add openai --from env:OPENAI_API_KEY'))
  }
  for (const account of accounts) {
    const name = `account ${account.id}`
    if (!account.enabled) checks.push(warn(name, 'is switched off', `gw accounts enable ${account.id}`))
    else if (!home.catalog().provider(account.provider)) {
      checks.push(fail(name, `its provider ${account.provider} is unknown`, 'gw providers list'))
    } else if (account.source.type === 'env' && !account.source.otherwise && !home.env[account.source.variable]) {
      checks.push(fail(name, `${account.source.variable} is not set`, `export ${account.source.variable}`))
    } else checks.push(ok(name, `with ${account.provider}; gw accounts check ${account.id} reads its credential`))
  }
  const page = await home.access.list({ limit: 1 }, operator)
  if (page.tokens.length === 0 && Object.keys(home.config.current().config.access.tokens).length === 0) {
    checks.push(warn('tokens', 'no client token exists', 'gw tokens issue --label me'))
  }
  return checks
}
