/**
 * Protocol: the wire formats that clients and upstreams speak.
 *
 * Owns the protocol ids, what each one's bodies, events, usage and failures mean, and the translation between them.
 * Knows no provider, no account and no socket: everything here is data in, data out. Start at {@link ProtocolId}.
 * @module
 */
export { type FailureKind, type FailureScope, type QuotaWindow, type UpstreamFailure } from './failure.ts'
export { type ProtocolId, protocolIds } from './id.ts'
export type { Loss } from './loss.ts'
export { addTokens, noTokens, type TokenCounts } from './usage.ts'
export { type EventScanner, eventScanner } from './wire/event-scanner.ts'
export { type FieldScan, parseSpan, scanFields, type Span, splice } from './wire/json-fields.ts'
export { boundaryOf, type FormField, scanForm } from './wire/multipart.ts'
export { wires } from './wire/registry.ts'
export type { EventRole, StreamFailure, StreamTracker, Wire } from './wire/wire.ts'
