/**
 * MCP: gw's own server for agents.
 *
 * Owns how operations look as tools and the two transports they are offered over. It contains no decision: scopes, audit
 * and approvals are those of the operations. Foreign tool servers are proxied elsewhere. Start at {@link mcpServerFor}.
 * @module
 */
export { createMcpHttp, type McpHttp } from './http.ts'
export { type ContextOf, mcpServerFor } from './server.ts'
export { serveStdio } from './stdio.ts'
export { callTool, toolsFor } from './tools.ts'
