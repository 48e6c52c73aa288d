import type { Provider } from '../catalog/mod.ts'
import { identityOf } from '../credentials/look.ts'
import type { SourceSpec } from '../credentials/mod.ts'
import { type Account, plainAccount } from './account.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Tried after accounts that somebody declared. */
const environmentPriority = -10

/**
 * The accounts that an environment offers: one per provider and distinct key, in the order of the provider's own
 * variables. Providers on this machine never come by themselves.
 */
export function discoverAccounts(providers: readonly Provider[], env: Environment): Account[] {
  return providers.filter((provider) => !provider.local && !provider.explicit).flatMap((provider) => {
    const seen = new Set<string>()
    return offers(provider, env).filter(({ value }) => {
      const identity = identityOf(value)
      if (seen.has(identity)) return false
      seen.add(identity)
      return true
    }).map(({ name, source }, index) => environmentAccount(provider, source, name, index))
  })
}

function offers(provider: Provider, env: Environment): { name: string; value: string; source: SourceSpec }[] {
  const named = provider.env.flatMap((variable) => {
    const value = env[variable]?.trim()
    // AWS keys come as a pair and are read together, below.
    if (!value || (provider.auth.type === 'sigv4' && !/TOKEN|API_KEY/.test(variable))) return []
    return [{ name: variable, value, source: { type: 'env', variable } as SourceSpec }]
  })
  if (provider.auth.type !== 'sigv4') return named
  const profile = env.AWS_PROFILE?.trim()
  const key = env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY ? env.AWS_ACCESS_KEY_ID : profile
  if (!key) return named
  const source: SourceSpec = { type: 'aws', profile: env.AWS_ACCESS_KEY_ID ? null : profile ?? null }
  return [...named, { name: 'AWS_ACCESS_KEY_ID', value: key, source }]
}

function environmentAccount(provider: Provider, source: SourceSpec, variable: string, index: number): Account {
  const suffix = index === 0 ? '' : `-${variable.toLowerCase().replaceAll('_', '-')}`
  const plan = /(OAUTH|AUTH)_TOKEN$/.test(variable) && source.type === 'env'
  return plainAccount(`${provider.id}${suffix}`, provider.id, {
    label: `${provider.name} (${variable})`,
    source,
    ...(plan ? { kind: 'auth-token' as const } : {}),
    priority: environmentPriority,
    plan,
    tags: ['environment'],
    origin: 'environment',
  })
}
