import { join } from 'node:path'
import { GwError, type Json } from '../base/mod.ts'
import { ensurePrivateDir } from '../platform/mod.ts'
import { builtinDefinitions } from './definition/builtin.ts'
import { onboardingKind } from './doctor.ts'
import type { Inventory } from './inventory/inventory.ts'
import { quoteLine } from './quote.ts'
import { expandHome } from './runtime.ts'
import { safeCommands } from './reports.ts'

/** One change of the configuration, below `[stay_afloat]`. The room that owns the file writes it. */
export interface ConfigChange {
  readonly path: readonly string[]
  readonly value: Json
}

type Env = Readonly<Record<string, string | undefined>>

/** The folder of the stores that the onboarding commands make: one directory an account. */
export function storeRoot(env: Env): string {
  if (env.OMUX_CODEX_STORE_ROOT) return env.OMUX_CODEX_STORE_ROOT
  return join(env.XDG_DATA_HOME || join(env.HOME ?? '/', '.local', 'share'), 'oauth-mux', onboardingKind)
}

/** Accounts of the starter, with their priorities. */
const starterAccounts = [['max-1', 30], ['max-2', 20], ['max-3', 10]] as const
const starterProfiles = ['codex-max', 'codex-mini'] as const

/**
 * A configuration to begin with. Directories are named, not made.
 *
 * @param set several accounts of one plan that stand in for one another, instead of one account of each tool
 */
export function starterConfig(env: Env, set: boolean): Readonly<Record<string, Json>> {
  const strategies = {
    failover: { kind: 'priority-failover' },
    'health-weighted': {
      kind: 'health-weighted',
      rate_limit_penalty: -10,
      failure_penalty: -20,
      success_bonus: 1,
    },
  }
  if (set) {
    const root = storeRoot(env)
    return {
      defaults: { provider: onboardingKind, strategy: 'failover' },
      providers: {
        [onboardingKind]: {
          kind: onboardingKind,
          accounts: Object.fromEntries(
            starterAccounts.map(([name, priority]) => [name, storeAccount(root, name, priority)]),
          ),
        },
      },
      profiles: Object.fromEntries(starterProfiles.map((profile) => [profile, {
        providers: starterAccounts.map(([name]) => `${onboardingKind}:${name}#${profile}`),
        strategy: 'failover',
      }])),
      strategies,
    }
  }
  const home = (folder: string) => `~/${folder}`
  const plain = {
    claude: { config_dir: home('.claude') },
    codex: { config_dir: home('.codex') },
    gemini: { config_dir: home('.gemini') },
    vercel: { secret: { backend: 'env', variable: 'VERCEL_TOKEN' } },
    github: { secret: { backend: 'env', variable: 'GH_TOKEN' } },
  }
  return {
    providers: {
      ...Object.fromEntries(
        Object.entries(plain).map(([kind, account]) => [kind, { kind, accounts: { default: account } }]),
      ),
      mcp: { kind: 'mcp', accounts: {} },
    },
    profiles: {
      default: {
        providers: Object.keys(plain).map((name) => `${name}:default`),
        strategy: 'failover',
      },
    },
    strategies,
  }
}

function storeAccount(root: string, name: string, priority: number): Json {
  const folder = join(root, name)
  return {
    priority,
    config_dir: folder,
    secret: { backend: 'file', path: join(folder, 'auth.json') },
    tags: ['subscription', 'codex-max'],
  }
}

/** Makes the stores of accounts, private from the first moment. Never touches what is in one. */
export async function bootstrapStores(root: string, accounts: readonly string[]): Promise<readonly string[]> {
  const folders = accounts.map((account) => join(root, safeName(account)))
  for (const folder of folders) await ensurePrivateDir(folder)
  return folders
}

function safeName(account: string): string {
  if (/^[A-Za-z0-9._-]+$/.test(account) && account !== '.' && account !== '..') return account
  throw new GwError('usage.invalid', `${account} cannot be a directory name`, { param: 'accounts' })
}

/** The accounts that the starter names. */
export const starterAccountNames: readonly string[] = starterAccounts.map(([name]) => name)

/** What kind of credential an account is added with. */
export type EnrollMode = 'oauth' | 'pat' | 'plan'

/** What to add. */
export interface EnrollRequest {
  readonly provider: string
  readonly account?: string | undefined
  readonly mode?: EnrollMode | undefined
  /** Folder in which the account's own directory is made. */
  readonly root?: string | undefined
  /** Variable that holds its token. */
  readonly secretEnv?: string | undefined
}

/** One step of adding an account. */
interface EnrollStep {
  readonly kind: string
  readonly command: string | null
  readonly agent_safe: boolean
  readonly interactive: boolean
  readonly mutating: boolean
  readonly spends_provider_calls: boolean
}

/** The steps to add an account. Adds nothing. */
export function enrollPlan(inventory: Inventory, request: EnrollRequest) {
  const { provider, account, mode } = request
  const { definition } = inventory.lookup(provider, provider)
  const existing = inventory.accounts.filter((entry) => entry.provider === provider && !entry.relay)
  const name = account ?? freeName(existing.map((entry) => entry.account))
  const step = (kind: string, argv: readonly string[] | null, more: Partial<EnrollStep> = {}): EnrollStep => ({
    kind,
    command: argv && quoteLine(argv),
    agent_safe: false,
    interactive: false,
    mutating: false,
    spends_provider_calls: false,
    ...more,
  })
  const flags = ['--provider', provider, '--account', name]
  const probe = definition.capabilities.find((capability) => capability.probe)
  const consent = probe?.probe?.budget === 'spend_provider' ? ['--confirm-spend'] : []
  const enroll = [
    'gw',
    'enroll',
    provider,
    '--account',
    name,
    ...(mode ? ['--mode', mode] : []),
    '--confirm-enroll',
  ]
  const steps = [
    step('inspect', ['gw', 'doctor', 'runtime', '--json'], { agent_safe: true }),
    step('add_account', enroll, { mutating: true }),
    ...(definition.repair.login_command && mode !== 'pat'
      ? [step('login', ['gw', 'repair', 'run', ...flags, '--confirm-repair'], { interactive: true, mutating: true })]
      : [step('provide_secret', null, { interactive: true })]),
    ...(probe
      ? [step('prove', ['gw', 'probe', ...flags, '--capability', probe.name, ...consent, '--json'], {
        spends_provider_calls: probe.probe!.transport === 'http' || probe.probe!.budget === 'spend_provider',
      })]
      : []),
  ]
  return {
    action: 'plan' as const,
    mutates: false,
    provider,
    account: name,
    mode: mode ?? null,
    configured: inventory.accounts.length > 0,
    provider_configured: inventory.providers.some((entry) => entry.name === provider),
    provider_neutral_mutation_supported: true,
    existing_accounts: existing.map((entry) => entry.account),
    steps,
    agent_safe_commands: safeCommands,
    future_provider_neutral_command: { available: true, command: quoteLine(enroll) },
  }
}

function freeName(taken: readonly string[]): string {
  if (!taken.includes('default')) return 'default'
  for (let i = 2;; i++) if (!taken.includes(`account-${i}`)) return `account-${i}`
}

/** What adding an account changes: the configuration, and a directory of its own where its program wants one. */
export interface EnrollChange {
  readonly changes: readonly ConfigChange[]
  /** A directory to make, or `null`. */
  readonly directory: string | null
  readonly account: string
  readonly provider: string
  readonly capability: string | null
  readonly secretBackend: string | null
  readonly secretEnv: string | null
  readonly priority: number
}

/**
 * The changes that add an account. Never logs in, never probes, never makes a secret.
 *
 * @throws GwError `request.conflict` when the account is there already, `provider.not_found`, `request.invalid`
 */
export function enrollChange(inventory: Inventory, request: EnrollRequest, env: Env): EnrollChange {
  const kind = request.provider
  if (!builtinDefinitions().has(kind) && !inventory.providers.some(({ name }) => name === kind)) {
    throw new GwError('provider.not_found', `no provider ${kind}`, { hint: 'gw providers list' })
  }
  const configuredKind = inventory.providers.find(({ name }) => name === kind)?.kind ?? kind
  const { definition } = inventory.lookup(kind, configuredKind)
  // A personal token is laid on requests in another way than a login's: it is a provider entry of its own.
  const variant = request.mode === 'pat' && definition.capabilities.some(({ name }) => name === 'identity-pat')
  const provider = variant ? `${kind}-pat` : kind
  const existing = inventory.accounts.filter((entry) => entry.provider === provider && !entry.relay)
  const account = request.account ?? freeName(existing.map((entry) => entry.account))
  safeName(account)
  if (existing.some((entry) => entry.account === account)) {
    throw new GwError('request.conflict', `${provider} has an account ${account} already`)
  }
  const priority = existing.length === 0 ? 0 : Math.min(...existing.map((entry) => entry.priority)) - 10
  const dirEnv = definition.injection.config_dir_env
  const directory = dirEnv ? join(request.root ? expandHome(request.root, env) : enrollRoot(kind, env), account) : null
  const secretEnv = request.secretEnv ?? (dirEnv ? null : definition.injection.direct_env[0]?.[0] ?? null)
  if (secretEnv !== null && !/^[A-Za-z_]\w*$/.test(secretEnv)) {
    throw new GwError('request.invalid', `${secretEnv} is no variable name`, { param: 'secret_env' })
  }
  const secret = secretEnv
    ? { backend: 'env', variable: secretEnv }
    : directory
    ? { backend: 'file', path: join(directory, definition.injection.credential_filename) }
    : null
  const capability = variant
    ? 'identity-pat'
    : request.mode === 'plan'
    ? definition.capabilities.find(({ name }) => name.includes('plan'))?.name ?? definition.capabilities[0]?.name ??
      null
    : definition.capabilities[0]?.name ?? null
  const value: Json = {
    priority,
    ...(directory ? { config_dir: directory } : {}),
    ...(secret ? { secret } : {}),
  }
  const known = inventory.providers.some(({ name }) => name === provider)
  return {
    account,
    provider,
    capability,
    priority,
    directory,
    secretBackend: secret?.backend ?? null,
    secretEnv,
    changes: [
      ...(known ? [] : [{ path: ['stay_afloat', 'providers', provider, 'kind'], value: configuredKind }]),
      { path: ['stay_afloat', 'providers', provider, 'accounts', account], value },
      ...profileChanges(inventory, kind, provider, account, capability),
    ],
  }
}

/** The new account stands in every profile made for its kind: each capability that has one, or the one of its name. */
function profileChanges(
  inventory: Inventory,
  kind: string,
  provider: string,
  account: string,
  capability: string | null,
): ConfigChange[] {
  const { definition } = inventory.lookup(provider, kind)
  const named = definition.capabilities.map(({ name }) => name).filter((name) =>
    starterProfiles.includes(name as never)
  )
  const targets: readonly (readonly [profile: string, capability: string | null])[] = named.length > 0
    ? named.map((name) => [name, name] as const)
    : [[provider, capability]]
  return targets.map(([profile, name]) => {
    const before = (inventory.profiles.get(profile)?.entries ?? []).map((entry) =>
      `${entry.provider}:${entry.account}${entry.capability === null ? '' : `#${entry.capability}`}`
    )
    return {
      path: ['stay_afloat', 'profiles', profile, 'providers'],
      value: [...before, `${provider}:${account}${name === null ? '' : `#${name}`}`],
    }
  })
}

function enrollRoot(kind: string, env: Env): string {
  if (kind === onboardingKind) return storeRoot(env)
  return join(env.XDG_DATA_HOME || join(env.HOME ?? '/', '.local', 'share'), 'oauth-mux', kind)
}

/** What taking a set of accounts over from another configuration changes. Empty when it is all there. */
export function mergeChanges(inventory: Inventory, candidate: Inventory): readonly ConfigChange[] {
  const changes: ConfigChange[] = []
  const provider = onboardingKind
  const mine = new Set(inventory.accounts.filter((entry) => entry.provider === provider).map(({ account }) => account))
  if (
    !inventory.providers.some(({ name }) => name === provider) &&
    candidate.providers.some(({ name }) => name === provider)
  ) {
    changes.push({ path: ['stay_afloat', 'providers', provider, 'kind'], value: onboardingKind })
  }
  for (const account of candidate.accounts.filter((entry) => entry.provider === provider && !entry.relay)) {
    if (mine.has(account.account)) continue
    changes.push({
      path: ['stay_afloat', 'providers', provider, 'accounts', account.account],
      value: {
        priority: account.priority,
        ...(account.configDir === null ? {} : { config_dir: account.configDir }),
        ...(account.secret === null ? {} : { secret: account.secret as unknown as Json }),
        tags: [...account.tags],
      },
    })
  }
  for (const profile of candidate.profiles.values()) {
    if (!profile.entries.some((entry) => entry.provider === provider)) continue
    const text = (entry: typeof profile.entries[number]) =>
      `${entry.provider}:${entry.account}${entry.capability === null ? '' : `#${entry.capability}`}`
    const before = (inventory.profiles.get(profile.name)?.entries ?? []).map(text)
    const added = profile.entries.map(text).filter((entry) => !before.includes(entry))
    if (added.length === 0) continue
    changes.push({ path: ['stay_afloat', 'profiles', profile.name, 'providers'], value: [...before, ...added] })
  }
  return changes
}
