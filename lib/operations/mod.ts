/**
 * Operations: everything that can be asked of gw or done to it, once.
 *
 * Owns the name, the schemas, the scope and the effect of each operation, the audit record of each change, and how their
 * errors look. HTTP, tRPC, MCP and the command line are made from {@link describeOperations} and call through
 * {@link callOperation}, so that none of them can skip a check. It decides nothing that a room decides. The whole list is
 * behind a door of its own, `router.ts`: one call needs only its own area. Start at {@link callOperation}.
 * @module
 */
export { approvalPage } from './approval-page.ts'
export { type AuditLog, createAuditLog, recorded } from './audit.ts'
export { callOperation } from './call.ts'
export type { OperationContext, OperationRooms, Surface, SystemFacts } from './context.ts'
export { describeOperations, type OperationDescription } from './describe.ts'
export { described } from './described.ts'
export { toTrpc } from './errors.ts'
export { approvalGate } from './gate.ts'
export type { Operations } from './router.ts'
