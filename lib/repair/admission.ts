import type { Budget } from './definition/budget.ts'
import type { ProviderDefinition } from './definition/schema.ts'
import type { SecretBackend } from './inventory/secret.ts'

/** What may run, and how it was decided. */
export interface Admission {
  readonly admitted: boolean
  readonly reason: AdmissionReason
  readonly budget: Budget | null
}

/** Why something may or may not run. */
export type AdmissionReason =
  | 'no_probe_budget'
  | 'budget_not_allowed'
  | 'allowed_by_policy'
  | 'no_repair_action'
  | 'interactive_not_allowed'
  | 'mutating_not_allowed'

/** The effective policy: the field names are those of every report. */
export interface AdmissionPolicy {
  readonly allowed_budgets: readonly Budget[]
  readonly allow_interactive: boolean
  readonly allow_mutating: boolean
}

/** A step that wants to run. `null` budget: there is no such step. */
export interface Step {
  readonly kind: 'probe' | 'repair'
  readonly budget: Budget | null
  readonly interactive: boolean
  readonly mutating: boolean
}

/**
 * Whether a step may run. The one place that decides, for the command line, the server, MCP, background ticks, `exec`
 * and `env` alike.
 *
 * `consent` is what the person who asked has granted for this one call, on top of the policy: a budget by name, or a
 * confirmed repair. Background work passes none.
 */
export function admit(step: Step, policy: AdmissionPolicy, consent: Consent = noConsent): Admission {
  const reason = verdict(step, policy, consent)
  return { admitted: reason === 'allowed_by_policy', reason, budget: step.budget }
}

function verdict(step: Step, policy: AdmissionPolicy, consent: Consent): AdmissionReason {
  const { budget } = step
  if (budget === null) return step.kind === 'probe' ? 'no_probe_budget' : 'no_repair_action'
  if (step.interactive && !(policy.allow_interactive || consent.interactive)) return 'interactive_not_allowed'
  if (step.mutating && !(policy.allow_mutating || consent.mutating)) return 'mutating_not_allowed'
  const isAllowed = policy.allowed_budgets.includes(budget) || consent.budgets.includes(budget)
  return isAllowed ? 'allowed_by_policy' : 'budget_not_allowed'
}

/** What one call was granted by the person behind it. */
export interface Consent {
  readonly budgets: readonly Budget[]
  readonly interactive: boolean
  readonly mutating: boolean
}

/** Nothing granted: background work, and every call that did not say so. */
export const noConsent: Consent = { budgets: [], interactive: false, mutating: false }

/**
 * Consent of someone who named one account and asked for its probe: a cheap call is what they asked for; one that
 * spends quota still needs its own word.
 */
export function probeConsent(confirmSpend: boolean): Consent {
  return {
    budgets: confirmSpend ? ['free_command', 'cheap_provider', 'spend_provider'] : ['free_command', 'cheap_provider'],
    interactive: false,
    mutating: false,
  }
}

/** Consent of someone who confirmed a repair. */
export const repairConsent: Consent = { budgets: ['interactive', 'mutating'], interactive: true, mutating: true }

/** Whether and how the credential of an account can be written back. */
export interface Writeback {
  readonly capability:
    | 'keychain_write'
    | 'sops_write'
    | 'unsupported'
    | 'readonly'
    | 'replace_file'
    | 'command_write'
    | 'store_write'
    | null
  readonly automatic_refresh_admitted: boolean
  readonly reason: WritebackReason
}

/** Why a credential is or is not refreshed by us. */
export type WritebackReason =
  | 'provider_repair_owned_by_upstream_cli'
  | 'provider_repair_owned_by_external_secret'
  | 'provider_repair_is_manual_only'
  | 'replace_file_writeback_available'
  | 'store_writeback_available'
  | 'secret_backend_is_readonly'
  | 'command_write_contract_missing'
  | 'keychain_write_not_implemented'
  | 'sops_write_not_implemented'
  | 'secret_backend_writeback_unsupported'
  | 'provider_not_configured'
  | 'account_not_configured'
  | 'secret_backend_invalid'

const writeClasses: Readonly<
  Record<SecretBackend['backend'] | 'store', readonly [NonNullable<Writeback['capability']>, WritebackReason]>
> = {
  keychain: ['keychain_write', 'keychain_write_not_implemented'],
  sops: ['sops_write', 'sops_write_not_implemented'],
  age: ['unsupported', 'secret_backend_writeback_unsupported'],
  env: ['readonly', 'secret_backend_is_readonly'],
  stdin: ['readonly', 'secret_backend_is_readonly'],
  file: ['replace_file', 'replace_file_writeback_available'],
  command: ['command_write', 'command_write_contract_missing'],
  store: ['store_write', 'store_writeback_available'],
}

/** Backends whose credential a refresh of ours can replace. */
const writable: readonly string[] = ['file', 'store']

/** Whether a refresh of ours may replace an account's credential: only where we own the repair and can write it whole. */
export function writebackFor(
  owner: ProviderDefinition['repair']['owner'],
  backend: SecretBackend['backend'] | 'store' | null,
): Writeback {
  const [capability, reason] = backend ? writeClasses[backend] : [null, 'secret_backend_invalid' as const]
  switch (owner) {
    case 'upstream_cli_login':
      return { capability, automatic_refresh_admitted: false, reason: 'provider_repair_owned_by_upstream_cli' }
    case 'external_secret_owner':
      return { capability, automatic_refresh_admitted: false, reason: 'provider_repair_owned_by_external_secret' }
    case 'manual_only':
      return { capability, automatic_refresh_admitted: false, reason: 'provider_repair_is_manual_only' }
    case 'oauth_mux_refresh':
      return { capability, automatic_refresh_admitted: backend !== null && writable.includes(backend), reason }
  }
}
