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

/** The cost class of a probe: its own, or the usual one of its transport. */
export function probeBudget(probe: Probe): Budget {
  return probe.budget ?? (probe.transport === 'command' ? 'free_command' : 'cheap_provider')
}
