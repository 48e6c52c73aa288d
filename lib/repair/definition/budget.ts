import type { Probe } from './schema.ts'

/** What an action costs whoever allows it, cheapest first. */
export const budgets = [
  'free_local',
  'free_command',
  'cheap_provider',
  'spend_provider',
  'interactive',
  'mutating',
] as const

/** A cost class; the admission policy names the ones that may run unasked. */
export type Budget = typeof budgets[number]

/** Who mends a broken credential of a provider. */
const repairOwners = [
  'oauth_mux_refresh',
  'upstream_cli_login',
  'external_secret_owner',
  'manual_only',
] as const

/** See {@link repairOwners}: `oauth_mux_refresh` is a refresh by us, and keeps the name that existing files use. */
export type RepairOwner = typeof repairOwners[number]

/** The cost class of a probe: its own, or the usual one of its transport. */
export function probeBudget(probe: Probe): Budget {
  return probe.budget ?? (probe.transport === 'command' ? 'free_command' : 'cheap_provider')
}
