import { decideTool, type Principal, type RuleLayer } from '../access/mod.ts'
import { type Clock, GwError, isObject, type JsonObject, type Logger } from '../base/mod.ts'
import type { McpAdmission } from './admit.ts'
import { callRecorder, type McpCallLog } from './calls.ts'
import type { McpServerConfig } from './config.ts'
import type { ToolTexts } from './descriptions.ts'
import { type Message, messageJson } from './message.ts'
import type { McpSessions } from './sessions.ts'
import { openStdioBridge, type StdioBridge } from './stdio-bridge.ts'

/** What serving stdio servers takes. */
export interface StdioServerRooms {
  readonly clock: Clock
  readonly logger: Logger
  readonly sessions: McpSessions
  readonly calls: McpCallLog
  readonly texts: ToolTexts
  readonly env: (name: string) => string | undefined
  readonly settings: (name: string) => McpServerConfig
  readonly layers: (principal: Principal) => readonly RuleLayer[]
}

/** Serves one message of a client to the process of its session; the first one starts the process. */
export type StdioServers = (
  request: Request,
  message: Message | null,
  principal: Principal,
  server: string,
  admission: McpAdmission | null,
) => Promise<Response>

/** Makes {@link StdioServers}. */
export function stdioServers(rooms: StdioServerRooms): StdioServers {
  const { clock, logger, sessions, env } = rooms
  const bridges = new Map<string, StdioBridge>()

  /** An answer whose tool list, if it is one, has been noted and filtered. */
  function shownTools(principal: Principal, server: string, answer: JsonObject): JsonObject {
    if (!isObject(answer.result) || !Array.isArray(answer.result.tools)) return answer
    const layers = rooms.layers(principal)
    const tools = rooms.texts.note(server, answer.result.tools as JsonObject[])
      .filter((tool) => decideTool(layers, server, String(tool.name)).action !== 'deny')
    return { ...answer, result: { ...answer.result, tools } } as JsonObject
  }

  async function begin(request: Request, message: Message | null, principal: Principal, server: string) {
    if (message?.kind !== 'request' || message.method !== 'initialize') {
      throw new GwError('request.invalid', 'a session begins with initialize')
    }
    const bridge = await openStdioBridge({
      name: server,
      config: rooms.settings(server),
      env,
      logger,
      clock,
      answered: (answer) => shownTools(principal, server, answer),
      closed: (sessionId) => {
        bridges.delete(sessionId)
        sessions.drop(sessionId)
      },
    })
    bridges.set(bridge.sessionId, bridge)
    sessions.bind({
      id: bridge.sessionId,
      server,
      principal: principal.id,
      capabilities: (isObject(message.params.capabilities) ? message.params.capabilities : {}) as JsonObject,
      end: () => bridge.close(),
    })
    return bridge.handle(request, messageJson(message))
  }

  return async (request, message, principal, server, admission) => {
    const id = request.headers.get('mcp-session-id')
    if (id === null) return await begin(request, message, principal, server)
    const bridge = bridges.get(id)
    if (!bridge) throw new GwError('request.not_found', 'no such MCP session', { hint: 'begin one with initialize' })
    const parsed = message && messageJson(message)
    if (message && admission) {
      const bytes = message.kind === 'request' && message.method === 'tools/call' ? JSON.stringify(parsed).length : 0
      const end = callRecorder(rooms, principal, server, message, bytes)
      if (!admission.admitted) {
        end(admission.decision.action === 'ask' ? 'asked' : 'denied', admission.decision, 0)
        return Response.json(admission.answer)
      }
      if (message.kind === 'request') {
        bridge.whenAnswered(message.id, (outcome, size) => end(outcome, admission.decision, size))
      }
    }
    return await bridge.handle(request, parsed)
  }
}
