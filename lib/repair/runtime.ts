import { constants, type Stats } from 'node:fs'
import { access, open, stat, unlink } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { findCapability } from './definition/capability.ts'
import type { Probe, ProviderDefinition, RepairOwner } from './definition/schema.ts'
import { accountKey, type RouteAccount } from './inventory/inventory.ts'

/** Whether this machine could use an account now. Says nothing about the account itself. */
export type RuntimeState =
  | { readonly state: 'ready' }
  | { readonly state: 'missing_binary'; readonly binary: string }
  | { readonly state: 'permission_denied'; readonly path: 'config_dir' | 'session_file'; readonly operation: string }
  | { readonly state: 'unwritable_store'; readonly detail: string }
  | { readonly state: 'session_unavailable'; readonly detail: string }
  | { readonly state: 'sandbox_blocked' }
  | { readonly state: 'needs_reauth'; readonly methods: readonly string[]; readonly reason: 'session_file_missing' }
  | { readonly state: 'repair_in_progress'; readonly account: string; readonly started_at: number }

/** What the checks need to know of this machine. */
export interface RuntimeOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Accounts being mended right now, by account key, with the epoch ms at which that began. */
  readonly repairs: ReadonlyMap<string, number>
  /**
   * `ask` asks the system whether the directory may be written and changes nothing; `marker` proves it by making and
   * removing a file, which also finds full disks and read-only mounts that permissions do not show.
   */
  readonly writing: 'ask' | 'marker'
}

/** Looks at this machine for one account after the other, asking the system once for what they share. */
export interface RuntimeCheck {
  /** The first thing that is in the way, or `ready`. Never reads a credential, never makes a missing store. */
  check(account: RouteAccount, capability: string | null): Promise<RuntimeState>
  /** Whether a program is on the PATH. */
  available(binary: string): Promise<boolean>
}

const reauthMethods: Readonly<Record<RepairOwner, readonly string[]>> = {
  upstream_cli_login: ['upstream_cli_login'],
  oauth_mux_refresh: ['oauth_mux_refresh'],
  external_secret_owner: ['external_secret_owner'],
  manual_only: ['manual'],
}

/** The program that a probe runs; `null` where it runs none. */
export function probeProgram(probe: Probe | null | undefined): string | null {
  return probe?.transport === 'command' ? probe.command?.[0] ?? null : null
}

/** Whether anything of this machine has to be there for an account of this kind: a program, a directory, a file. */
export function needsMachine({ runtime, capabilities }: ProviderDefinition): boolean {
  return runtime.required_binaries.length > 0 || runtime.writable_paths.length > 0 ||
    runtime.session_paths.length > 0 ||
    capabilities.some(({ probe }) => probeProgram(probe) !== null)
}

const ready: RuntimeState = { state: 'ready' }
const code = (error: unknown): string => (error as { code?: string }).code ?? ''

/** Makes a {@link RuntimeCheck}. What it finds out is kept for its own life: make one per call. */
export function createRuntimeCheck(options: RuntimeOptions): RuntimeCheck {
  const binaries = new Map<string, Promise<boolean>>()
  const stores = new Map<string, Promise<RuntimeState>>()
  const states = new Map<RouteAccount, Map<string | null, Promise<RuntimeState>>>()

  function available(binary: string): Promise<boolean> {
    let found = binaries.get(binary)
    if (!found) binaries.set(binary, found = onPath(binary, options.env))
    return found
  }

  function check(account: RouteAccount, capability: string | null): Promise<RuntimeState> {
    const program = probeProgram(capability === null ? null : findCapability(account.definition, capability)?.probe)
    let known = states.get(account)
    if (!known) states.set(account, known = new Map())
    let state = known.get(program)
    if (!state) known.set(program, state = look(account, program))
    return state
  }

  /** What all capabilities of an account share, and the program that some of them need. */
  async function look(account: RouteAccount, program: string | null): Promise<RuntimeState> {
    const { required_binaries } = account.definition.runtime
    for (const binary of program === null ? required_binaries : [...required_binaries, program]) {
      if (!await available(binary)) return { state: 'missing_binary', binary }
    }
    const key = accountKey(account)
    const since = options.repairs.get(key)
    if (since !== undefined) {
      return { state: 'repair_in_progress', account: account.account, started_at: Math.floor(since / 1000) }
    }
    let store = stores.get(key)
    if (!store) stores.set(key, store = checkStore(account, options))
    return await store
  }

  return { check, available }
}

/** The directory and the session files of an account. */
async function checkStore(account: RouteAccount, options: RuntimeOptions): Promise<RuntimeState> {
  const { runtime, repair } = account.definition
  const specs = [...runtime.writable_paths, ...runtime.session_paths]
  const needsDir = account.configDirEnv !== null && specs.some((spec) => firstPart(spec) === account.configDirEnv)
  if (needsDir) {
    if (account.configDir === null) return { state: 'session_unavailable', detail: 'account_config_dir_missing' }
    const problem = await checkDirectory(expandHome(account.configDir, options.env), options.writing)
    if (problem) return problem
  }
  for (const spec of runtime.session_paths) {
    const path = resolveSpec(spec, account, options.env)
    if (path === null) continue
    try {
      await access(path, constants.R_OK)
    } catch (error) {
      if (code(error) === 'EPERM') return { state: 'sandbox_blocked' }
      if (code(error) === 'EACCES') return { state: 'permission_denied', path: 'session_file', operation: 'read' }
      return { state: 'needs_reauth', methods: reauthMethods[repair.owner], reason: 'session_file_missing' }
    }
  }
  return ready
}

async function checkDirectory(path: string, writing: RuntimeOptions['writing']): Promise<RuntimeState | null> {
  let info: Stats
  try {
    info = await stat(path)
  } catch (error) {
    if (code(error) === 'ENOENT') return { state: 'session_unavailable', detail: 'config_dir_missing' }
    if (code(error) === 'ENOTDIR') return { state: 'session_unavailable', detail: 'config_dir_not_directory' }
    if (code(error) === 'EPERM') return { state: 'sandbox_blocked' }
    if (code(error) === 'EACCES') return { state: 'permission_denied', path: 'config_dir', operation: 'open' }
    return { state: 'session_unavailable', detail: 'config_dir_unavailable' }
  }
  if (!info.isDirectory()) return { state: 'session_unavailable', detail: 'config_dir_not_directory' }
  try {
    if (writing === 'ask') await access(path, constants.W_OK | constants.X_OK)
    else await writeMarker(path)
  } catch (error) {
    return code(error) === 'EPERM' ? { state: 'sandbox_blocked' } : { state: 'unwritable_store', detail: 'config_dir' }
  }
  return null
}

async function writeMarker(folder: string): Promise<void> {
  const path = join(folder, `.gw-write-check-${process.pid}-${crypto.randomUUID().slice(0, 8)}`)
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const file = await open(path, flags, 0o600)
  await file.close()
  await unlink(path)
}

async function onPath(binary: string, env: RuntimeOptions['env']): Promise<boolean> {
  const windows = process.platform === 'win32'
  const names = windows ? [binary, `${binary}.exe`, `${binary}.cmd`] : [binary]
  const folders = isAbsolute(binary) ? [''] : (env.PATH ?? '').split(delimiter).filter(Boolean)
  for (const folder of folders) {
    for (const name of names) {
      const path = folder === '' ? name : join(folder, name)
      try {
        await access(path, constants.X_OK)
        if ((await stat(path)).isFile()) return true
      } catch {
        // not here
      }
    }
  }
  return false
}

const firstPart = (spec: string): string => spec.split('/')[0]!

/** A path spec as a path: below a directory's variable, absolute, or below home; `null` for anything else. */
export function resolveSpec(
  spec: string,
  account: Pick<RouteAccount, 'configDirEnv' | 'configDir'>,
  env: RuntimeOptions['env'],
): string | null {
  const first = firstPart(spec)
  if (first !== '' && first === account.configDirEnv) {
    return account.configDir === null ? null : join(expandHome(account.configDir, env), ...spec.split('/').slice(1))
  }
  if (spec.startsWith('~')) return expandHome(spec, env)
  return isAbsolute(spec) ? spec : null
}

/** A path with a leading `~` replaced by the home directory. */
export function expandHome(path: string, env: RuntimeOptions['env']): string {
  if (path !== '~' && !path.startsWith('~/')) return path
  return join(env.HOME ?? '/', path.slice(1))
}
