import type { Gateway } from '../lib/create-gateway.ts'
import type { Principal } from '../lib/access/mod.ts'
import type { Peer } from '../lib/gateway/mod.ts'

/** Answers a request of the MCP protocol for somebody who has been let in. */
export type McpHandler = (request: Request, principal: Principal) => Promise<Response>

/** What a group of routes is made of: `export const things = ({ gateway, peerOf }: Door) => new Elysia()…`. */
export interface Door {
  readonly gateway: Gateway
  /** gw's own MCP server; `null` when it is not served. */
  readonly mcp: McpHandler | null
  /** Where a request came from. */
  readonly peerOf: (request: Request) => Peer
}

/** What the documentation says about an operation, by its name: a part of an OpenAPI document. */
export type Documented = (operation: string) => Record<string, unknown>
