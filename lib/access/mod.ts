/**
 * Access: our clients and what they may do.
 *
 * Owns the access tokens (issue, verify, revoke), their scopes, limits and budgets, and the principal that a request
 * acts as. Knows nothing of upstream credentials. Start at {@link Principal}.
 * @module
 */
export { type Approval, type ApprovalCall, type Approvals, createApprovals } from './approvals.ts'
export type { Principal } from './principal.ts'
export { type Scope, scopes } from './scope.ts'
