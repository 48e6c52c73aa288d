import { GwError } from '../../base/mod.ts'
import { findCapability } from '../definition/capability.ts'
import type { Probe } from '../definition/schema.ts'
import { capabilityOf, type Inventory, type RouteAccount } from './inventory.ts'

/** Which routes a call is about. */
export interface Scope {
  readonly profile?: string | undefined
  readonly provider?: string | undefined
  readonly account?: string | undefined
  readonly capability?: string | undefined
}

/** One route in its place: an account and one of its capabilities, or none where it has none. */
export interface ScopedRoute {
  readonly account: RouteAccount
  readonly capability: string | null
  /** How the capability is asked; `null` where it cannot be. */
  readonly probe: Probe | null
}

/**
 * The routes of a scope, in the order they are tried.
 *
 * A profile gives its own order; otherwise higher priority first, then as configured. `capability` overrides what the
 * entries of a profile name. An account without a named capability stands for all of its capabilities.
 *
 * @throws GwError `scope.invalid` for a scope that names what is not there, or an account without its provider
 */
export function scopeRoutes(inventory: Inventory, scope: Scope): ScopedRoute[] {
  if (scope.account !== undefined && scope.provider === undefined) {
    throw new GwError('scope.invalid', '--account needs --provider: account names are unique only within a provider')
  }
  const routes = scope.profile === undefined ? ofAccounts(inventory, scope) : ofProfile(inventory, scope, scope.profile)
  if (scope.capability !== undefined && routes.length === 0 && narrowed(inventory, scope).length > 0) {
    const names = [...new Set(narrowed(inventory, scope).flatMap(({ capabilities }) => capabilities))]
    throw new GwError('scope.invalid', `no account in scope has the capability ${scope.capability}`, {
      hint: names.length === 0 ? 'none of them has a named capability' : `known: ${names.join(', ')}`,
      param: 'capability',
    })
  }
  return routes
}

function narrowed(inventory: Inventory, { provider, account }: Scope): readonly RouteAccount[] {
  return inventory.accounts.filter((entry) =>
    (provider === undefined || entry.provider === provider) && (account === undefined || entry.account === account)
  )
}

function ofAccounts(inventory: Inventory, scope: Scope): ScopedRoute[] {
  assertKnown(inventory, scope)
  const accounts = narrowed(inventory, scope).toSorted((a, b) => b.priority - a.priority)
  return accounts.flatMap((account) => expand(account, scope.capability ?? null))
}

function ofProfile(inventory: Inventory, scope: Scope, name: string): ScopedRoute[] {
  const profile = inventory.profiles.get(name)
  if (!profile) {
    throw new GwError('scope.invalid', `no profile ${name}`, {
      hint: inventory.profiles.size === 0
        ? 'none is configured'
        : `known: ${[...inventory.profiles.keys()].join(', ')}`,
      param: 'profile',
    })
  }
  assertKnown(inventory, scope)
  const seen = new Set<string>()
  return profile.entries.flatMap((entry) => {
    if (scope.provider !== undefined && entry.provider !== scope.provider) return []
    if (scope.account !== undefined && entry.account !== scope.account) return []
    // An account of the relay and a tool server that uses it may stand under one name.
    const accounts = narrowed(inventory, { provider: entry.provider, account: entry.account })
    return accounts.flatMap((account) => expand(account, scope.capability ?? entry.capability))
  }).filter(({ account, capability }) => {
    // One override can make two entries the same route.
    const key = `${account.provider}:${account.account}#${capability ?? ''}`
    return !seen.has(key) && seen.add(key)
  })
}

function expand(account: RouteAccount, capability: string | null): ScopedRoute[] {
  if (capability !== null) {
    const found = capabilityOf(account, capability)
    return found === null ? [] : [routeOf(account, found)]
  }
  if (account.capabilities.length === 0) return [routeOf(account, null)]
  const { capabilities: defined } = account.definition
  return account.capabilities.map((name, i) =>
    defined[i]?.name === name ? { account, capability: name, probe: defined[i].probe ?? null } : routeOf(account, name)
  )
}

const routeOf = (account: RouteAccount, capability: string | null): ScopedRoute => ({
  account,
  capability,
  probe: (capability === null ? undefined : findCapability(account.definition, capability)?.probe) ?? null,
})

function assertKnown(inventory: Inventory, { provider, account }: Scope): void {
  if (provider === undefined) return
  const names = new Set([
    ...inventory.providers.map(({ name }) => name),
    ...inventory.accounts.map((entry) => entry.provider),
  ])
  if (!names.has(provider)) {
    throw new GwError('scope.invalid', `no configured provider ${provider}`, {
      hint: names.size === 0 ? 'none is configured: gw init' : `known: ${[...names].join(', ')}`,
      param: 'provider',
    })
  }
  if (account === undefined) return
  const accounts = inventory.accounts.filter((entry) => entry.provider === provider).map((entry) => entry.account)
  if (!accounts.includes(account)) {
    throw new GwError('scope.invalid', `${provider} has no account ${account}`, {
      hint: accounts.length === 0 ? 'it has none' : `known: ${accounts.join(', ')}`,
      param: 'account',
    })
  }
}
