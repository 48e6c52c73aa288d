// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import type { Principal } from '../access/mod.ts'
import { GwError, isObject, type JsonObject } from '../base/mod.ts'
import { boundedEventStore } from './event-store.ts'
import { type MergedRooms, type MergedSession, mergedSession } from './merged.ts'
import { type MergedView, mergedView } from './merged-view.ts'
import { type Message, messageJson } from './message.ts'
import type { McpSessions } from './sessions.ts'

/** Sessions that see every server at once. */
export interface MergedEndpoint {
  handle(request: Request, message: Message | null, principal: Principal): Promise<Response>
  /** Tells every client that the lists have changed. */
  changed(): void
}

/** Stands in the list of sessions where others name their server. */
const everyServer = '*'

/** Makes a {@link MergedEndpoint}. */
export function mergedEndpoint(rooms: MergedRooms, sessions: McpSessions): MergedEndpoint {
  const open = new Map<string, { session: MergedSession; transport: WebStandardStreamableHTTPServerTransport }>()

  const views = new WeakMap<Principal, MergedView>()

  return {
    async handle(request, message, principal) {
      const id = request.headers.get('mcp-session-id')
      const parsed = message ? { parsedBody: messageJson(message) } : {}
      if (id !== null) {
        sessions.own(id, everyServer, principal.id)
        const found = open.get(id)
        if (!found) throw new GwError('request.not_found', 'no such MCP session', { hint: 'begin one with initialize' })
        return await found.transport.handleRequest(request, parsed)
      }
      if (message?.kind !== 'request' || message.method !== 'initialize') {
        throw new GwError('request.invalid', 'a session begins with initialize')
      }
      const sessionId = crypto.randomUUID()
      // What a principal sees is worked out once for all its sessions.
      const view = views.get(principal) ?? mergedView(principal, rooms)
      views.set(principal, view)
      const session = mergedSession(principal, view, rooms)
      const transport = new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: () => sessionId,
        eventStore: boundedEventStore(),
      })
      transport.onclose = () => sessions.drop(sessionId)
      // deno-lint-ignore no-explicit-any -- the SDK's transport types do not agree under exactOptionalPropertyTypes
      await session.server.connect(transport as any)
      open.set(sessionId, { session, transport })
      sessions.bind({
        id: sessionId,
        server: everyServer,
        principal: principal.id,
        capabilities: (isObject(message.params.capabilities) ? message.params.capabilities : {}) as JsonObject,
        end: () => {
          open.delete(sessionId)
          session.close().catch(() => {})
        },
      })
      return await transport.handleRequest(request, parsed)
    },
    changed() {
      for (const { session } of open.values()) session.changed()
    },
  }
}
