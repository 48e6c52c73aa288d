import type { AdmissionPolicy } from '../admission.ts'
import { type DefinitionLookup, definitionLookup, type FoundDefinition } from '../definition/lookup.ts'
import { findCapability } from '../definition/capability.ts'
import type { ProviderDefinition } from '../definition/schema.ts'
import { parseEntry } from './check.ts'
import type { AccountConfig, InventoryConfig, PolicyConfig, StrategyConfig } from './schema.ts'
import type { SecretBackend } from './secret.ts'

/** An account as stay-afloat sees it: its place, its definition and where its credential is, never the credential. */
export interface RouteAccount {
  readonly provider: string
  readonly kind: string
  readonly account: string
  readonly priority: number
  readonly definition: ProviderDefinition
  readonly definitionFrom: FoundDefinition['from'] | 'catalog'
  /** The variable that names its directory, and the directory as written; `~` is not expanded yet. */
  readonly configDirEnv: string | null
  readonly configDir: string | null
  /** `store`: kept by gw itself. `null`: its own program keeps it. */
  readonly backend: SecretBackend['backend'] | 'store' | null
  readonly secret: SecretBackend | null
  /** Whether it is an account of the relay: its credential is read and asked through the accounts room. */
  readonly relay: boolean
  readonly tags: readonly string[]
  readonly quota: AccountConfig['quota'] | null
  /** Names of the capabilities it is looked after for; empty when its definition names none. */
  readonly capabilities: readonly string[]
}

/** An ordered list of routes with a name. */
export interface Profile {
  readonly name: string
  readonly entries: readonly {
    readonly provider: string
    readonly account: string
    readonly capability: string | null
  }[]
  readonly strategy: StrategyConfig | null
  readonly affinityMs: number
}

/** Everything stay-afloat plans over. Data only. */
export interface Inventory {
  readonly accounts: readonly RouteAccount[]
  readonly profiles: ReadonlyMap<string, Profile>
  readonly strategies: ReadonlyMap<string, StrategyConfig>
  readonly defaults: InventoryConfig['defaults']
  readonly policy: PolicyConfig
  readonly lookup: DefinitionLookup
  /** Configured providers, also those without an account. */
  readonly providers: readonly { readonly name: string; readonly kind: string; readonly configDirEnv: string | null }[]
}

/**
 * The inventory that a configuration describes, with accounts that other rooms know appended.
 *
 * @param more accounts of the relay, as routes; one that has the key of a configured account is left out
 */
export function createInventory(config: InventoryConfig, more: readonly RouteAccount[] = []): Inventory {
  const lookup = definitionLookup(config.provider_definitions)
  const strategies = new Map(Object.entries(config.strategies))
  const configured = Object.entries(config.providers).flatMap(([provider, entry]) => {
    const { definition, from } = lookup(provider, entry.kind)
    const capabilities = definition.capabilities.map(({ name }) => name)
    const configDirEnv = entry.config_dir_env ?? definition.injection.config_dir_env ?? null
    return Object.entries(entry.accounts).map(([account, value]): RouteAccount => ({
      provider,
      kind: entry.kind,
      account,
      priority: value.priority,
      definition,
      definitionFrom: from,
      configDirEnv,
      configDir: value.config_dir ?? null,
      backend: value.secret?.backend ?? null,
      secret: value.secret ?? null,
      relay: false,
      tags: value.tags,
      quota: value.quota ?? null,
      capabilities,
    }))
  })
  const known = new Set(configured.map(accountKey))
  const strategyOf = (name: string | undefined) => (name === undefined ? undefined : strategies.get(name)) ?? null
  return {
    accounts: [...configured, ...more.filter((account) => !known.has(accountKey(account)))],
    profiles: new Map(
      Object.entries(config.profiles).map(([name, profile]) => [name, {
        name,
        entries: profile.providers.map((entry) => parseEntry(entry)!),
        strategy: strategyOf(profile.strategy ?? config.defaults.strategy),
        affinityMs: profile.affinity_ttl_minutes * 60_000,
      }]),
    ),
    strategies,
    defaults: config.defaults,
    policy: config.policy,
    lookup,
    providers: Object.entries(config.providers).map(([name, { kind, config_dir_env }]) => ({
      name,
      kind,
      configDirEnv: config_dir_env ?? null,
    })),
  }
}

/** The key under which evidence about an account is kept. Whole, however long: no two accounts share one. */
export function accountKey({ provider, account }: { readonly provider: string; readonly account: string }): string {
  return `${provider}:${account}`
}

/** The key of one capability of an account, or of the account where `capability` is `null`. */
export function routeKey(provider: string, account: string, capability: string | null): string {
  return capability === null ? `${provider}:${account}` : `${provider}:${account}#${capability}`
}

/**
 * The policy for a provider: the daemon's, widened where the configuration has a block of that provider's name.
 *
 * Widening needs the block to be written down: a default never spends.
 */
export function policyFor(policy: PolicyConfig, provider: string): AdmissionPolicy {
  const base = policy.daemon
  const own = provider !== 'daemon' && Object.hasOwn(policy, provider)
    ? (policy as unknown as Readonly<Record<string, PolicyConfig['codex']>>)[provider]
    : undefined
  if (!own?.auto_stay_afloat) return base
  const more = [
    ...(own.allow_provider_spend ? ['cheap_provider', 'spend_provider'] as const : []),
    ...(own.allow_interactive_auth ? ['interactive'] as const : []),
  ]
  return {
    allowed_budgets: [...new Set([...base.allowed_budgets, ...more])],
    allow_interactive: base.allow_interactive || own.allow_interactive_auth,
    allow_mutating: base.allow_mutating,
  }
}

/** The capability of an account that a name or alias means; `null` when it has none of that name. */
export function capabilityOf(account: RouteAccount, name: string): string | null {
  const found = findCapability(account.definition, name)
  if (found) return found.name
  return account.capabilities.includes(name) ? name : null
}
