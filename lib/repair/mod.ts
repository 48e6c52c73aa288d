/**
 * Repair: why a route does not work, and the next step that would mend it.
 *
 * Owns the provider definitions, the admission policy, the explained plan, the probes and repairs it may run, their
 * events and handoffs, and stay-afloat, which takes one admitted step at a time. Does not decide how an account fares
 * (liveness) nor which target serves a request (routing). Start at {@link planRoutes}: it is pure.
 * @module
 */
export {
  type Admission,
  type AdmissionPolicy,
  type AdmissionReason,
  admit,
  type Consent,
  noConsent,
  probeConsent,
  repairConsent,
  type Step,
  type Writeback,
  writebackFor,
} from './admission.ts'
export type { ActionKind, RouteAction } from './action.ts'
export { type Classified, classify, type HintClass } from './classify.ts'
export { type Budget, budgets } from './definition/budget.ts'
export type { ProviderDefinition } from './definition/schema.ts'
export type { Problem } from './definition/rules.ts'
export type { Evidence, EvidenceView } from './evidence.ts'
export {
  type Explanation,
  explanation,
  planRoutes,
  type RouteReport,
  type RoutesPlan,
  type Selected,
} from './explain.ts'
export {
  formatInventory,
  formatProblem,
  type ParsedInventory,
  parseInventory,
  requireInventory,
} from './inventory/file.ts'
export { createInventory, type Inventory, type RouteAccount } from './inventory/inventory.ts'
export type { InventoryConfig } from './inventory/schema.ts'
export type { Scope } from './inventory/scope.ts'
export { detectShell, quoteAssignment, quoteLine, type Shell, shells } from './quote.ts'
export { createRuntimeCheck, type RuntimeCheck, type RuntimeState } from './runtime.ts'
export { createRepair, type Repair, type RepairOptions } from './repair.ts'
export type { InTheWay, NextReport } from './next.ts'
export type { ProbeReport, ProbeRequest } from './probe.ts'
export type { RefreshReport } from './refresh.ts'
export type { RepairRunReport, RepairRunRequest } from './run.ts'
export type { LoopReport } from './loop.ts'
export type { TickReport, TickRequest } from './tick.ts'
export type { Used, UseRequest } from './use.ts'
export { execWith, run as runInTerminal } from './exec.ts'
export type { Injection } from './inject.ts'
export { type Handoff, type HandoffKey, type HandoffReport } from './handoffs.ts'
export type { EventQuery, RepairEvent } from './events.ts'
export { createHost, type Host, type HostSettings } from './host.ts'
export { showGauges } from './gauges.ts'
export { relayRoutes } from './inventory/relay.ts'
export { type ToolServer, toolServerRoutes } from './inventory/tool-servers.ts'
export { withToolServers } from './tool-servers.ts'
export { relayAccounts } from './relay.ts'
export {
  type ConfigFacts,
  doctor,
  type DoctorReport,
  doctorRuntime,
  doctorsUnread,
  onboardingKind,
  type RuntimeReport,
} from './doctor.ts'
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
export { canary, type CanaryReport, liveQa, type LiveQaReport, loginStatus } from './live-qa.ts'
export { type ConfigImport, type HealthImport, importConfig, importHealth } from './import.ts'
