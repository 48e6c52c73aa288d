import type { Account } from '../../accounts/mod.ts'
import type { Provider } from '../../catalog/mod.ts'
import { definitionOf } from '../definition/blank.ts'
import type { DefinitionInput, ProviderDefinition } from '../definition/schema.ts'
import type { RouteAccount } from './inventory.ts'

/** Sources whose credential gw itself renews. */
const ours: readonly string[] = ['login', 'foreign']
/** Who mends what a source gives. */
export const sourceOwners: Readonly<
  Partial<Record<Account['source']['type'], NonNullable<DefinitionInput['repair']>['owner']>>
> = {
  login: 'oauth_mux_refresh',
  foreign: 'oauth_mux_refresh',
  env: 'external_secret_owner',
  file: 'external_secret_owner',
  command: 'external_secret_owner',
  keychain: 'external_secret_owner',
  sops: 'external_secret_owner',
  age: 'external_secret_owner',
  aws: 'external_secret_owner',
  google: 'external_secret_owner',
}

/**
 * The accounts of the relay as routes: each capability of its provider, asked for by the cheapest call there is, a list
 * of its models.
 */
export function relayRoutes(accounts: readonly Account[], provider: (id: string) => Provider | null): RouteAccount[] {
  const known = new Map<string, ProviderDefinition>()
  // What no deployment serves is an account with a tool server: its route is the server's own.
  const served = accounts.filter((account) => provider(account.provider)?.deployments.length !== 0)
  return served.filter(({ enabled, source }) => enabled && source.type !== 'none').map((account) => {
    const row = provider(account.provider)
    const owner = sourceOwners[account.source.type] ?? 'manual_only'
    const login = account.source.type === 'login' ? account.source : null
    const key = [account.provider, owner, login?.vendor, login?.binding].join('\n')
    let definition = known.get(key)
    if (!definition) known.set(key, definition = relayDefinition(account, row, owner))
    return {
      provider: account.provider,
      kind: account.provider,
      account: account.id,
      priority: account.priority,
      definition,
      definitionFrom: 'catalog',
      configDirEnv: null,
      configDir: null,
      backend: ours.includes(account.source.type) ? 'store' : backendOf(account.source.type),
      secret: null,
      relay: true,
      tags: account.tags,
      quota: null,
      capabilities: definition.capabilities.map(({ name }) => name),
    }
  })
}

function backendOf(type: Account['source']['type']): RouteAccount['backend'] {
  return type === 'env' || type === 'file' || type === 'command' || type === 'keychain' || type === 'sops' ||
      type === 'age' || type === 'stdin'
    ? type
    : null
}

function relayDefinition(
  account: Account,
  row: Provider | null,
  owner: NonNullable<DefinitionInput['repair']>['owner'],
): ProviderDefinition {
  const { source } = account
  const capabilities = [...new Set(row?.deployments.flatMap((deployment) => deployment.capabilities) ?? [])]
  const login = source.type === 'login'
    ? ['gw', 'auth', 'login', source.vendor, ...(source.binding === null ? [] : ['--binding', source.binding])]
    : null
  return definitionOf({
    name: account.provider,
    display_name: row?.name ?? account.provider,
    extension_mode: 'compiled_provider_adapter',
    repair: { owner, ...(login ? { login_command: login } : {}) },
    detection: { env_markers: [...(row?.env ?? [])] },
    injection: { direct_env: row?.env[0] ? [[row.env[0], 'access_token']] : [] },
    capabilities: capabilities.map((name) => ({
      name,
      // Only what can be asked without using quota: the list of models proves the credential, not each capability.
      ...(name === 'chat' ? { probe: { transport: 'http', url: row?.deployments[0]?.baseUrl ?? 'models' } } : {}),
    })),
    failure_rules: [{ status: 401, class: { dead: 'token_revoked' } }],
  })
}
