import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { knownFacts, type RepairContext } from './context.ts'
import { type Writeback, writebackFor } from './admission.ts'
import { createInventory, type Inventory, type RouteAccount } from './inventory/inventory.ts'
import { inventorySchema } from './inventory/schema.ts'
import { type Scope, scopeRoutes } from './inventory/scope.ts'
import { quoteLine } from './quote.ts'
import { createRuntimeCheck, expandHome, resolveSpec, type RuntimeState } from './runtime.ts'

/** What is configured and where, as the process that reads the configuration knows it. */
export interface ConfigFacts {
  readonly configured: boolean
  readonly valid: boolean
  readonly path: string
  readonly error: string | null
  readonly messages: readonly string[]
  readonly stateDir: string
  readonly database: string
}

/** Whether this machine is ready, account by account. Field names are stable; no absolute path of a store is in it. */
export interface RuntimeReport {
  readonly version: string
  readonly ok: boolean
  readonly configured: boolean
  readonly config_valid: boolean
  readonly config_path: string
  readonly validation_messages: readonly string[]
  readonly scope?: {
    readonly profile: string | null
    readonly provider: string | null
    readonly account: string | null
    readonly capability: string | null
  }
  readonly providers: number
  readonly accounts: number
  readonly ready_accounts: number
  readonly action_needed_accounts: number
  readonly missing_binaries: number
  readonly route_reports?: readonly {
    readonly provider: string
    readonly account: string
    readonly capability: string | null
    readonly ready: boolean
    readonly runtime: RuntimeState
  }[]
  readonly provider_reports?: readonly {
    readonly name: string
    readonly kind: string
    readonly required_binaries: readonly { readonly name: string; readonly available: boolean }[]
    readonly accounts: readonly {
      readonly name: string
      readonly ready: boolean
      readonly runtime: RuntimeState
      readonly writeback: Writeback
      readonly config_dir_env: string | null
      readonly config_dir_set: boolean
      readonly config_dir_exists: boolean
      readonly config_dir_writable: boolean
      readonly session_paths: readonly { readonly name: string; readonly exists: boolean }[]
    }[]
  }[]
  readonly next_commands: readonly string[]
}

/**
 * Looks at this machine: programs, directories, session files. Reads no token, makes no store; proves that a directory
 * can be written with a file that is removed at once.
 *
 * @throws GwError `scope.invalid`
 */
export async function doctorRuntime(context: RepairContext, config: ConfigFacts, scope: Scope): Promise<RuntimeReport> {
  const inventory = context.inventory()
  const facts = knownFacts(context)
  const checks = createRuntimeCheck({ env: context.env, repairs: facts.repairs, writing: 'marker' })
  const scoped = Object.values(scope).some((value) => value !== undefined)
  const routes = scoped ? scopeRoutes(inventory, scope) : []
  const accounts = scoped ? [...new Set(routes.map(({ account }) => account))] : localAccounts(inventory)
  const states = new Map<RouteAccount, RuntimeState>()
  const routeReports = []
  for (const { account, capability } of routes) {
    const runtime = await checks.check(account, capability)
    // The first route that is not ready speaks for its account.
    if (!states.has(account) || states.get(account)!.state === 'ready') states.set(account, runtime)
    routeReports.push({
      provider: account.provider,
      account: account.account,
      capability,
      ready: runtime.state === 'ready',
      runtime,
    })
  }
  if (!scoped) {
    for (const account of accounts) states.set(account, await checks.check(account, account.capabilities[0] ?? null))
  }
  const readyCount = accounts.filter((account) => states.get(account)!.state === 'ready').length
  const binaries = [...new Set(accounts.flatMap(({ definition }) => definition.runtime.required_binaries))]
  const missing = (await Promise.all(binaries.map(checks.available))).filter((found) => !found).length
  const first = accounts.find((account) => states.get(account)!.state !== 'ready')
  return {
    version: context.version,
    ok: config.valid && accounts.length > 0 && readyCount === accounts.length && missing === 0,
    configured: config.configured,
    config_valid: config.valid,
    config_path: config.path,
    validation_messages: config.messages,
    ...(scoped
      ? {
        scope: {
          profile: scope.profile ?? null,
          provider: scope.provider ?? null,
          account: scope.account ?? null,
          capability: scope.capability ?? null,
        },
      }
      : {}),
    providers: new Set(accounts.map(({ provider }) => provider)).size,
    accounts: accounts.length,
    ready_accounts: readyCount,
    action_needed_accounts: accounts.length - readyCount,
    missing_binaries: missing,
    ...(scoped
      ? { route_reports: routeReports }
      : { provider_reports: await providerReports(context, inventory, states, checks.available) }),
    next_commands: first
      ? [quoteLine(['gw', 'repair', 'plan', '--provider', first.provider, '--account', first.account, '--json'])]
      : accounts.length === 0
      ? ['gw init', 'gw discover --json']
      : ['gw route explain --json'],
  }
}

/** Accounts that this machine has something to say about: those of the relay need nothing here. */
const localAccounts = (inventory: Inventory): RouteAccount[] => inventory.accounts.filter(({ relay }) => !relay)

async function providerReports(
  { env }: RepairContext,
  inventory: Inventory,
  states: ReadonlyMap<RouteAccount, RuntimeState>,
  available: (binary: string) => Promise<boolean>,
): Promise<NonNullable<RuntimeReport['provider_reports']>> {
  return await Promise.all(inventory.providers.map(async ({ name, kind }) => {
    const accounts = inventory.accounts.filter((account) => account.provider === name && !account.relay)
    const { definition } = inventory.lookup(name, kind)
    return {
      name,
      kind,
      required_binaries: await Promise.all(definition.runtime.required_binaries.map(async (binary) => ({
        name: binary,
        available: await available(binary),
      }))),
      accounts: await Promise.all(accounts.map(async (account) => {
        const dir = account.configDir === null ? null : expandHome(account.configDir, env)
        return {
          name: account.account,
          ready: states.get(account)!.state === 'ready',
          runtime: states.get(account)!,
          writeback: writebackFor(definition.repair.owner, account.backend),
          config_dir_env: account.configDirEnv,
          config_dir_set: dir !== null,
          config_dir_exists: dir !== null && await stat(dir).then((info) => info.isDirectory(), () => false),
          config_dir_writable: dir !== null && await access(dir, constants.W_OK).then(() => true, () => false),
          session_paths: await Promise.all(definition.runtime.session_paths.map(async (spec) => {
            const path = resolveSpec(spec, account, env)
            return { name: spec, exists: path !== null && await stat(path).then(() => true, () => false) }
          })),
        }
      })),
    }
  }))
}

/** Whether the configuration and the evidence are in order. */
export interface DoctorReport {
  readonly version: string
  readonly ok: boolean
  readonly configured: boolean
  readonly config_path: string
  readonly state_dir: string
  readonly health_path: string
  readonly config_valid: boolean
  readonly config_error: string | null
  readonly providers: number
  readonly accounts: number
  readonly profiles: number
  readonly strategies: number
  readonly health_file_exists: boolean
  readonly health_entries: number
  readonly codex_configured: boolean
  readonly codex_max_configured: boolean
  readonly checks: readonly {
    readonly name: string
    readonly ok: boolean
    readonly severity: 'ok' | 'info' | 'warning' | 'error'
    readonly message: string
  }[]
  readonly next_commands: readonly string[]
}

/** What {@link doctor} looks into. */
type Known = Pick<RepairContext, 'version' | 'inventory'> & { readonly board: Pick<RepairContext['board'], 'all'> }

/** What both doctors say where the configuration cannot be read: that, and nothing about what it would hold. */
export function doctorsUnread(
  version: string,
  config: ConfigFacts,
): { readonly accounts: DoctorReport; readonly runtime: RuntimeReport } {
  const nothing = createInventory(inventorySchema().parse({}))
  return {
    accounts: doctor({ version, inventory: () => nothing, board: { all: () => [] } }, config),
    runtime: {
      version,
      ok: false,
      configured: config.configured,
      config_valid: false,
      config_path: config.path,
      validation_messages: config.messages,
      providers: 0,
      accounts: 0,
      ready_accounts: 0,
      action_needed_accounts: 0,
      missing_binaries: 0,
      provider_reports: [],
      next_commands: validate,
    },
  }
}

const validate = ['gw config validate'] as const

/** Checks the configuration and the evidence. Changes nothing. */
export function doctor(context: Known, config: ConfigFacts): DoctorReport {
  const inventory = context.inventory()
  const entries = context.board.all().length
  const set = codexSetup(inventory)
  const configured = config.configured || inventory.accounts.length > 0
  const check = (name: string, ok: boolean, severity: 'info' | 'warning' | 'error', good: string, bad: string) => ({
    name,
    ok,
    severity: ok ? 'ok' as const : severity,
    message: ok ? good : bad,
  })
  const checks = [
    check('config_found', configured, 'error', 'a configuration was found', 'there is no configuration yet'),
    check(
      'config_valid',
      config.valid,
      'error',
      'the configuration is valid',
      config.error ?? 'the configuration is not valid',
    ),
    check(
      'accounts_configured',
      inventory.accounts.length > 0,
      'error',
      `${inventory.accounts.length} accounts`,
      config.valid ? 'no account is configured' : 'unknown until the configuration is valid',
    ),
    check(
      'profiles_configured',
      inventory.profiles.size > 0,
      'info',
      `${inventory.profiles.size} profiles`,
      'no profile is configured',
    ),
    check(
      'codex_max_configured',
      set.max,
      'info',
      'several accounts stand in for one another',
      'no set of accounts stands in for one another',
    ),
    check('health_recorded', entries > 0, 'info', `${entries} keys with evidence`, 'nothing has been looked at yet'),
  ]
  const ok = checks.every((row) => row.ok || row.severity === 'info' || row.severity === 'ok')
  return {
    version: context.version,
    ok,
    configured,
    config_path: config.path,
    state_dir: config.stateDir,
    health_path: config.database,
    config_valid: config.valid,
    config_error: config.error,
    providers: inventory.providers.length,
    accounts: inventory.accounts.length,
    profiles: inventory.profiles.size,
    strategies: inventory.strategies.size,
    health_file_exists: true,
    health_entries: entries,
    codex_configured: set.any,
    codex_max_configured: set.max,
    checks,
    next_commands: !config.valid
      ? validate
      : !configured
      ? ['gw init', 'gw init --codex-max', 'gw discover --json']
      : entries === 0
      ? ['gw doctor runtime --json', 'gw route explain --json']
      : ['gw status --json', 'gw route explain --json'],
  }
}

/**
 * Whether the accounts of the vendor whose onboarding commands there are form a set: the starter's profiles over at
 * least two accounts.
 */
export function codexSetup(inventory: Inventory): { readonly any: boolean; readonly max: boolean } {
  const accounts = inventory.accounts.filter(({ kind, relay }) => kind === onboardingKind && !relay)
  const max = ['codex-max', 'codex-mini'].every((name) =>
    (inventory.profiles.get(name)?.entries.filter(({ provider }) =>
      accounts.some((account) => account.provider === provider)
    ).length ?? 0) >= 2
  )
  return { any: accounts.length > 0, max: max && accounts.length >= 2 }
}

/** The kind of provider that `gw codex …` sets up. */
export const onboardingKind = 'codex'
