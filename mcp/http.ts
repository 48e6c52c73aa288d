// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import type { Principal } from '../lib/access/mod.ts'
import { type Clock, GwError, isGwError, parseJson } from '../lib/base/mod.ts'
import { boundedEventStore, mcpSessions } from '../lib/mcp-proxy/mod.ts'
import { type ContextOf, mcpServerFor } from './server.ts'

const largestBody = 1024 * 1024
const mostSessions = 1_000
const idleMs = 3_600_000
/** All sessions are of gw's own server. */
const name = 'gw'

/** What answers at `/mcp`. */
export interface McpHttp {
  /** Answers one request of a caller who has been let in; Host and Origin have been checked. */
  handle(request: Request, principal: Principal): Promise<Response>
  readonly openSessions: number
  close(): void
}

/**
 * gw's MCP server over Streamable HTTP: sessions that belong to the token that opened them, streams that can be resumed,
 * JSON-RPC errors for what is no MCP.
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
 */
export function createMcpHttp({ contextOf, clock }: { contextOf: ContextOf; clock: Clock }): McpHttp {
  const sessions = mcpSessions({ clock, max: () => mostSessions, idleMs: () => idleMs })
  const transports = new Map<string, WebStandardStreamableHTTPServerTransport>()

  async function begin(principal: Principal): Promise<WebStandardStreamableHTTPServerTransport> {
    sessions.sweep()
    const server = mcpServerFor(principal, contextOf)
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      eventStore: boundedEventStore(),
      onsessioninitialized(id) {
        transports.set(id, transport)
        sessions.bind({
          id,
          server: name,
          principal: principal.id,
          capabilities: {},
          end() {
            transports.delete(id)
            server.close().catch(() => {})
          },
        })
      },
      onsessionclosed: (id) => sessions.drop(id),
    })
    await server.connect(transport)
    return transport
  }

  return {
    async handle(request, principal) {
      try {
        const body = request.method === 'POST' ? await readMessage(request) : undefined
        const id = request.headers.get('mcp-session-id')
        if (id !== null) sessions.own(id, name, principal.id)
        const transport = id === null ? null : transports.get(id)
        if (!transport && !(body && 'method' in body && body.method === 'initialize')) {
          throw new GwError('request.invalid', 'a session begins with initialize; send its id in mcp-session-id')
        }
        return await (transport ?? await begin(principal)).handleRequest(request, { parsedBody: body })
      } catch (error) {
        if (!isGwError(error)) throw error
        return rpcError(error)
      }
    },
    get openSessions() {
      return sessions.size
    },
    close: () => sessions.close(),
  }
}

async function readMessage(request: Request): Promise<Record<string, unknown>> {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new GwError('request.media_type', 'the body must be application/json')
  if (Number(request.headers.get('content-length') ?? 0) > largestBody) throw tooLarge()
  const text = await request.text()
  if (text.length > largestBody) throw tooLarge()
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GwError('request.invalid', 'one JSON-RPC message at a time')
  }
  return value as Record<string, unknown>
}

const tooLarge = (): GwError => new GwError('request.too_large', `the body is larger than ${largestBody} bytes`)

/** A refusal before any session: clients read the status, and the message where they show one. */
function rpcError(error: GwError): Response {
  const code = error.code === 'request.invalid' ? -32600 : -32000
  return Response.json(
    { jsonrpc: '2.0', id: null, error: { code, message: error.message } },
    { status: error.status },
  )
}
