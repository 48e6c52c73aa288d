/**
 * MCP proxy: foreign tool servers behind the same door.
 *
 * Owns the forwarding of Streamable HTTP to servers over HTTP and stdio, the merged endpoint, the tool rules, and the
 * memory of what foreign tools say of themselves. Does not own credentials or approvals: it uses them. What policy saw
 * is exactly what is forwarded: parsed once, strictly, and serialised anew. Start at {@link openMcpProxy}.
 * @module
 */
export { discoveryPath } from './discovery.ts'
export { mcpFetchOver } from './egress-fetch.ts'
export { type McpLogins, openMcpLogins } from './logins.ts'
export { mcpVendorId } from './look.ts'
export { openMcpProxy } from './open.ts'
export type { McpProxy } from './proxy.ts'
export type { McpCredentials, McpFetch } from './upstream.ts'
export { boundedEventStore } from './event-store.ts'
export { mcpSessions } from './sessions.ts'
