/**
 * Accounts: what we have.
 *
 * Owns the accounts of a home (from the config, the store and the environment), the target keys that name one use of
 * one account, and the lease of a usable credential for it. Does not know how an account fares (liveness). Start at
 * {@link openAccounts}.
 * @module
 */
export { type Account, type Entitlement, plainAccount, sourceKeys, storedRef } from './account.ts'
export { type AccountChange, type Accounts, type NewAccount, openAccounts } from './accounts.ts'
export type { AccountRecord } from './config.ts'
export { openProviderStore, type ProviderStore } from './provider-store.ts'
export { formatTarget, parseTarget, type Target, type TargetKey } from './target.ts'
