/**
 * Repair: why a route does not work, and the next step that would mend it.
 *
 * Owns the provider definitions, the admission policy, the explained plan, the probes and repairs it may run, their
 * events and handoffs, and stay-afloat, which takes one admitted step at a time. Does not decide how an account fares
 * (liveness) nor which target serves a request (routing). Start at {@link createRepair}; the plan it acts on is pure, in
 * `explain.ts`.
 * @module
 */
export { type Consent, noConsent, probeConsent } from './admission.ts'
export type { Explanation } from './explain.ts'
export { formatInventory, formatProblem, requireInventory } from './inventory/file.ts'
export { createInventory, type Inventory } from './inventory/inventory.ts'
export type { Scope } from './inventory/scope.ts'
export { detectShell, quoteAssignment, quoteLine, type Shell, shells } from './quote.ts'
export { createRepair, type Repair } from './repair.ts'
export type { InTheWay } from './next.ts'
export type { RepairRunReport } from './run.ts'
export type { Used } from './use.ts'
export { execWith, run as runInTerminal } from './exec.ts'
export { createHost, type Host } from './host.ts'
export { showGauges } from './gauges.ts'
export type { ToolServer } from './inventory/tool-servers.ts'
export { withToolServers } from './tool-servers.ts'
export { relayAccounts } from './relay.ts'
export { doctor, doctorRuntime, doctorsUnread, onboardingKind } from './doctor.ts'
export { discover, health, listProviders, listRouteAccounts, status, supportReport } from './reports.ts'
export {
  bootstrapStores,
  type ConfigChange,
  enrollChange,
  enrollPlan,
  type EnrollRequest,
  mergeChanges,
  starterAccountNames,
  starterConfig,
  storeRoot,
} from './onboarding.ts'
export { canary, liveQa, loginStatus } from './live-qa.ts'
export { importConfig, importHealth } from './import.ts'
