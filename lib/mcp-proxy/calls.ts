import { type Clock, newId, type PrincipalId } from '../base/mod.ts'
import type { Principal, ToolDecision } from '../access/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { Message } from './message.ts'

/** One call of a foreign tool, without its arguments. */
export interface McpCall {
  readonly id: string
  readonly at: number
  readonly principal: PrincipalId
  readonly server: string
  readonly tool: string
  readonly action: string
  readonly rule: string
  /**
   * `ok`, `error` (the tool said so), `denied`, `asked`, `failed` (the server did not answer well), `resumed` (it closed
   * the stream and answers on another, as the protocol lets it).
   */
  readonly outcome: string
  readonly durationMs: number
  readonly requestBytes: number
  readonly responseBytes: number
}

/** The log of calls: who called what, by which rule, how it ended. Kept 30 days. */
export interface McpCallLog {
  record(call: Omit<McpCall, 'id'>): void
  recent(options: { readonly limit: number; readonly server?: string }): Promise<McpCall[]>
}

const keptMs = 30 * 86_400_000

/** {@link McpCallLog} in the database, written by the batch. */
export function mcpCallLog({ storage, clock }: { storage: Storage; clock: Clock }): McpCallLog {
  let sinceSweep = 0
  return {
    record(call) {
      storage.batch.queue(
        'insert into mcp_calls (id, at_ms, principal, server, tool, action, rule, outcome, duration_ms, request_bytes, response_bytes) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        [
          newId<string>('mcl', call.at),
          call.at,
          call.principal,
          call.server,
          call.tool,
          call.action,
          call.rule,
          call.outcome,
          Math.round(call.durationMs),
          call.requestBytes,
          call.responseBytes,
        ],
      )
      if (++sinceSweep >= 1_000) {
        sinceSweep = 0
        storage.batch.queue('delete from mcp_calls where at_ms < ?', [clock.now() - keptMs])
      }
    },
    async recent({ limit, server }) {
      let query = storage.db.selectFrom('mcp_calls').selectAll()
      if (server) query = query.where('server', '=', server)
      const rows = await query.orderBy('at_ms', 'desc').limit(Math.min(limit, 500)).execute()
      return rows.map((row) => ({
        id: row.id,
        at: row.at_ms,
        principal: row.principal as PrincipalId,
        server: row.server,
        tool: row.tool,
        action: row.action,
        rule: row.rule,
        outcome: row.outcome,
        durationMs: row.duration_ms,
        requestBytes: row.request_bytes,
        responseBytes: row.response_bytes,
      }))
    },
  }
}

/** Says how a call ended, once. */
export type CallEnd = (outcome: string, decision: ToolDecision | null, responseBytes: number) => void

/** Begins the record of a message; what is no tool call is not recorded. */
export function callRecorder(
  { calls, clock }: { readonly calls: McpCallLog; readonly clock: Clock },
  principal: Principal,
  server: string,
  message: Message | null,
  requestBytes: number,
): CallEnd {
  if (message?.kind !== 'request' || message.method !== 'tools/call') return () => {}
  const { params } = message
  const [at, began] = [clock.now(), clock.monotonic()]
  return (outcome, decision, responseBytes) =>
    calls.record({
      at,
      principal: principal.id,
      server,
      tool: String(params.name).slice(0, 128),
      action: decision?.action ?? 'allow',
      rule: decision?.rule ?? 'default',
      outcome,
      durationMs: clock.monotonic() - began,
      requestBytes,
      responseBytes,
    })
}
