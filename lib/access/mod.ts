/**
 * Access: our clients and what they may do.
 *
 * Owns the access tokens (issue, verify, revoke), their scopes, limits and budgets, and the principal that a request
 * acts as. Knows nothing of upstream credentials. Start at {@link createAccess}; what a request may do is its
 * {@link Principal}.
 * @module
 */
export { type Approval, type Approvals, createApprovals } from './approvals.ts'
export { type Access, createAccess, type Revocable } from './access.ts'
export type { IssueRequest } from './issuer.ts'
export { readRouterTokens } from './mirror.ts'
export { presentedToken, tokenHeader } from './present.ts'
export { allowsModel, allowsProvider, operator, type Principal, requireScope } from './principal.ts'
export type { RouterToken } from './router-files.ts'
export { type Scope, scopes } from './scope.ts'
export type { AccessToken } from './store.ts'
export {
  closedServer,
  decideTool,
  isPlainToolName,
  type RuleLayer,
  ruleLayers,
  type ToolAction,
  type ToolDecision,
  toolRuleName,
} from './tool-rules.ts'
export { toolRule, toolRulesConfig } from './tool-rules-config.ts'
