// @ts-types="@modelcontextprotocol/sdk/server"
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import { CallToolRequestSchema, ErrorCode, ListToolsRequestSchema, McpError } from '@modelcontextprotocol/sdk/types.js'
import type { Principal } from '../lib/access/mod.ts'
import { isGwError } from '../lib/base/mod.ts'
import type { OperationContext } from '../lib/operations/mod.ts'
import { version } from '../lib/version.ts'
import { callTool, toolsFor } from './tools.ts'

/** Makes what an operation is given, for one call; rejects where the caller may call no more. */
export type ContextOf = (principal: Principal, signal: AbortSignal) => OperationContext | Promise<OperationContext>

const instructions =
  'gw is the gateway to the model accounts of its owner. Read tools show routes, quota, usage and accounts; tools that ' +
  'change something are recorded, and some wait for the approval of a person: make the same call again once it is given.'

/** gw's MCP server for one caller: it sees and runs what the caller's scopes allow and nothing more. */
export function mcpServerFor(principal: Principal, contextOf: ContextOf): Server {
  const server = new Server({ name: 'gw', version }, { capabilities: { tools: {} }, instructions })
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: toolsFor(principal) }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
    try {
      return await callTool(params.name, params.arguments ?? {}, await contextOf(principal, signal))
    } catch (error) {
      if (!isGwError(error)) throw error
      throw new McpError(ErrorCode.InvalidParams, error.message)
    }
  })
  return server
}
