import { type Clock, GwError, type JsonObject, type PrincipalId } from '../base/mod.ts'

/** A conversation between one client and one server (or the merged endpoint). */
export interface McpSession {
  readonly id: string
  readonly server: string
  readonly principal: PrincipalId
  /** What the client said it can do, from its `initialize`. */
  readonly capabilities: JsonObject
  usedAt: number
  /** Ends what gw holds for it. */
  readonly end: () => void
}

/** Who holds which session. Knowing an id is not enough: it must be one's own. */
export interface McpSessions {
  /** Remembers a session; the longest idle one makes room when there are too many. */
  bind(session: Omit<McpSession, 'usedAt'>): McpSession
  /**
   * The session of this id, if it is this principal's and this server's.
   *
   * @throws GwError `request.not_found` otherwise: another's session looks like none
   */
  own(id: string, server: string, principal: PrincipalId): McpSession
  find(id: string): McpSession | undefined
  drop(id: string): void
  /** Ends those that have been idle too long. */
  sweep(): void
  readonly size: number
  close(): void
}

/** {@link McpSessions} with a bound on their number and idle time. */
export function mcpSessions(
  { clock, max, idleMs }: { clock: Clock; max: () => number; idleMs: () => number },
): McpSessions {
  // Insertion order is order of use: a used session is put at the end.
  const sessions = new Map<string, McpSession>()

  function drop(id: string): void {
    const session = sessions.get(id)
    if (!session) return
    sessions.delete(id)
    session.end()
  }

  return {
    bind(given) {
      const session: McpSession = { ...given, usedAt: clock.monotonic() }
      drop(session.id)
      while (sessions.size >= max()) drop(sessions.keys().next().value!)
      sessions.set(session.id, session)
      return session
    },
    own(id, server, principal) {
      const session = sessions.get(id)
      if (!session || session.server !== server || session.principal !== principal) {
        throw new GwError('request.not_found', 'no such MCP session', {
          hint: 'initialize again, without a session id',
        })
      }
      session.usedAt = clock.monotonic()
      sessions.delete(id)
      sessions.set(id, session)
      return session
    },
    find: (id) => sessions.get(id),
    drop,
    sweep() {
      const before = clock.monotonic() - idleMs()
      for (const session of sessions.values()) {
        if (session.usedAt > before) break
        drop(session.id)
      }
    },
    get size() {
      return sessions.size
    },
    close() {
      for (const id of [...sessions.keys()]) drop(id)
    },
  }
}
