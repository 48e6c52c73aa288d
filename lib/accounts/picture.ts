import type { Provider } from '../catalog/mod.ts'
import type { Account } from './account.ts'
import type { AccountRecord } from './config.ts'
import { discoverAccounts } from './discover.ts'
import { isPlan, isPlanToken } from './plan.ts'
import { accountFrom } from './record.ts'

/** Everything that the accounts of a home are made from. */
export interface PictureParts {
  /** `accounts` of the config. */
  readonly declared: Readonly<Record<string, AccountRecord>>
  /** Records of the store by id, oldest first. */
  readonly stored: readonly (readonly [id: string, record: AccountRecord])[]
  readonly providers: readonly Provider[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Accounts whose secret, once read, was a plan token. */
  readonly plansByToken?: ReadonlySet<string>
}

/** The accounts of a home at one moment: config first, then stored, then the environment's. */
export interface Picture {
  readonly accounts: readonly Account[]
  /** Accounts of which their owner says whether they are plans. */
  readonly stated: ReadonlyMap<string, boolean | undefined>
}

/** Puts the accounts together. Pure: no secret but those of the environment is looked at. */
export function accountsPicture(parts: PictureParts): Picture {
  const { providers, env, plansByToken = new Set<string>() } = parts
  const stated = new Map<string, boolean | undefined>()
  const written = (origin: Account['origin']) => ([id, record]: readonly [string, AccountRecord]) => {
    stated.set(id, record.plan)
    return accountFrom(id, record, origin)
  }
  const stored = parts.stored.map(written('store'))
  const declared = Object.entries(parts.declared).map(written('config'))
  const known = new Map<string, Account>()
  for (const account of [...declared, ...stored]) {
    if (!known.has(account.id)) known.set(account.id, account)
  }
  for (const account of discoverAccounts(providers, env)) {
    if (!usesVariable(known.values(), account)) known.set(freeId(known, account.id), account)
  }
  const byName = new Map<string, Provider | undefined>()
  const accounts = [...known].map(([id, account]) => {
    const named = account.id === id ? account : { ...account, id: id as Account['id'] }
    // Many accounts stand with few providers.
    if (!byName.has(named.provider)) byName.set(named.provider, providerOf(providers, named))
    return withPlan(named, byName.get(named.provider), { env, stated: stated.get(id), plansByToken })
  })
  return { accounts, stated }
}

/** The provider of an account, by id or by a name of old. */
export function providerOf(providers: readonly Provider[], { provider }: Account): Provider | undefined {
  return providers.find(({ id, aliases }) => id === provider || aliases.includes(provider))
}

/** The account with what its provider and its secret tell about being a plan. */
function withPlan(
  account: Account,
  provider: Provider | undefined,
  { env, stated, plansByToken }: {
    readonly env: PictureParts['env']
    readonly stated: boolean | undefined
    readonly plansByToken: ReadonlySet<string>
  },
): Account {
  const { source } = account
  const known = source.type === 'literal' ? source.value.reveal() : source.type === 'env' ? env[source.variable] : null
  const byToken = plansByToken.has(account.id) || (known != null && isPlanToken(provider, known.trim()))
  const plan = isPlan(account, provider, stated) || (byToken && stated === undefined)
  return plan === account.plan ? account : { ...account, plan }
}

function usesVariable(accounts: Iterable<Account>, found: Account): boolean {
  for (const { provider, source } of accounts) {
    if (provider !== found.provider || source.type !== found.source.type) continue
    if (source.type === 'aws') return true
    if (source.type === 'env' && found.source.type === 'env' && source.variable === found.source.variable) return true
  }
  return false
}

/** The name itself, or with a number behind it where it is taken. */
export function freeId(taken: ReadonlyMap<string, unknown>, wanted: string): string {
  if (!taken.has(wanted)) return wanted
  for (let i = 2;; i++) if (!taken.has(`${wanted}-${i}`)) return `${wanted}-${i}`
}
