/**
 * Access: our clients and what they may do.
 *
 * Owns the access tokens (issue, verify, revoke), their scopes, limits and budgets, and the principal that a request
 * acts as. Knows nothing of upstream credentials. Start at {@link createAccess}; what a request may do is its
 * {@link Principal}.
 * @module
 */
export { type Approval, type ApprovalCall, type Approvals, createApprovals } from './approvals.ts'
export { type Access, type AccessEvent, type AccessOptions, createAccess, type Revocable } from './access.ts'
export type { Origin } from './authenticate.ts'
export type { AccessConfig } from './config.ts'
export type { Grant, GrantRequest, TokenLimits } from './grant.ts'
export type { ImportedTokens, IssuedToken, IssueRequest } from './issuer.ts'
export type { KeyStore, SigningKey } from './keys.ts'
export type { HashStore } from './shared-token.ts'
export type { BudgetState, Claim, Reservation, Used } from './limiter.ts'
export { readRouterTokens } from './mirror.ts'
export { type Presented, presentedToken, tokenHeader } from './present.ts'
export { allowsModel, allowsProvider, operator, type Principal, requireScope } from './principal.ts'
export { decodeBin, decodeLino, encodeBin, encodeLino, type RouterToken } from './router-files.ts'
export { type Scope, scopes } from './scope.ts'
export type { AccessToken, TokenPage, TokenQuery } from './store.ts'
export {
  closedServer,
  decideTool,
  isPlainToolName,
  type RuleLayer,
  ruleLayers,
  type ToolAction,
  type ToolDecision,
  toolRuleName,
  type ToolRules,
} from './tool-rules.ts'
export { toolRule, toolRulesConfig } from './tool-rules-config.ts'
