import type { AccountId } from '../base/mod.ts'
import type { AccountIdSpec, SourceSpec } from '../credentials/mod.ts'

/** Bounds that its owner sets on one account. `null` is no bound. */
export interface AccountLimits {
  readonly concurrency: number | null
  readonly requestsPerMinute: number | null
  readonly spendMicrosPerDay: number | null
}

/**
 * What the vendor says about the way a credential is used.
 *
 * `native`: the vendor's own client; `passthrough`: the caller's own plan token; `documented`: the vendor documents the
 * use, as for every API key; `undocumented`: anything else, dropped by the planner until its owner allows it.
 */
export type Entitlement = 'native' | 'passthrough' | 'documented' | 'undocumented'

/** Our standing with a provider. */
export interface Account {
  /** Unique in this home: `openai`, `openai-work`. */
  readonly id: AccountId
  readonly provider: string
  readonly label: string
  readonly source: SourceSpec
  /** How its secret is sent; absent leaves that to the shape of the secret. */
  readonly kind?: 'api-key' | 'auth-token'
  /** The id that is sent beside its token; absent leaves that to the login. */
  readonly accountId?: AccountIdSpec
  readonly enabled: boolean
  /** Higher is tried first where priority counts. */
  readonly priority: number
  readonly weight: number
  /** Whether its credential is a plan login rather than an API key. */
  readonly plan: boolean
  readonly allowUndocumentedUse: boolean
  readonly limits: AccountLimits
  /** Overrides the provider's base URL; an explicit binding of the credential to that origin. */
  readonly baseUrl: string | null
  /** Models it may be used for, as patterns; empty is all. */
  readonly models: readonly string[]
  readonly tags: readonly string[]
  /** Where it was declared. Only `store` accounts can be changed by an operation. */
  readonly origin: 'config' | 'store' | 'environment'
}

/** What an account's name may be: it stands in target keys, headers and file names. */
export const accountIdPattern = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/

/** An enabled account with an API key and without bounds, and whatever else is said of it. */
export function plainAccount(id: string, provider: string, more: Partial<Account> = {}): Account {
  return {
    id: id as AccountId,
    provider,
    label: id,
    source: { type: 'none' },
    enabled: true,
    priority: 0,
    weight: 1,
    plan: false,
    allowUndocumentedUse: false,
    limits: { concurrency: null, requestsPerMinute: null, spendMicrosPerDay: null },
    baseUrl: null,
    models: [],
    tags: [],
    origin: 'config',
    ...more,
  }
}

/** Reference of the secret that an account keeps in the encrypted store, or `null`. */
export function storedRef(source: SourceSpec): string | null {
  if (source.type === 'store') return source.ref
  return source.type === 'env' && source.otherwise ? source.otherwise.ref : null
}

/** Keys of a record that say where its secret is: at most one of them is written. */
export const sourceKeys = [
  'token',
  'token_env',
  'token_file',
  'token_command',
  'token_store',
  'token_stdin',
  'keychain',
  'sops',
  'age',
  'aws_profile',
  'google_key_file',
  'login',
  'foreign',
] as const
