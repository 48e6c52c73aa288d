/**
 * MCP proxy: foreign tool servers behind the same door.
 *
 * Owns the forwarding of Streamable HTTP to servers over HTTP and stdio, the merged endpoint, the tool rules, and the
 * memory of what foreign tools say of themselves. Does not own credentials or approvals: it uses them. What policy saw
 * is exactly what is forwarded: parsed once, strictly, and serialised anew. Start at {@link openMcpProxy}.
 * @module
 */
export type { McpCall } from './calls.ts'
export type { McpConfig, McpServerConfig } from './config.ts'
export { type DiscoveryKind, discoveryPath, type McpAuthorization, type McpDiscovery } from './discovery.ts'
export { mcpFetchOver } from './egress-fetch.ts'
export { type McpLogins, openMcpLogins } from './logins.ts'
export { mcpVendorId } from './look.ts'
export { openMcpProxy } from './open.ts'
export type { McpProxy, McpProxyOptions, McpToolInfo } from './proxy.ts'
export type { McpCredentials, McpFetch, McpObserver } from './upstream.ts'
export { boundedEventStore } from './event-store.ts'
export { type McpSession, mcpSessions } from './sessions.ts'
