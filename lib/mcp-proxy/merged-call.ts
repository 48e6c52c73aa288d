// @ts-types="@modelcontextprotocol/sdk/server/index"
import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  type CallToolResult,
  CallToolResultSchema,
  ElicitResultSchema,
  McpError,
  type ServerRequest,
  type Tool,
} from '@modelcontextprotocol/sdk/types.js'
import type { Approval, Approvals, Principal } from '../access/mod.ts'
import { type Clock, isGwError, type JsonObject } from '../base/mod.ts'
import { type AdmitContext, admitMessage, type McpAdmission, questionForm } from './admit.ts'
import { callRecorder, type McpCallLog } from './calls.ts'
import type { McpConfig } from './config.ts'
import { approvalForm, takeAnswer } from './dialog.ts'
import type { CallExtra, MergedPeers } from './merged-peers.ts'
import type { Merged } from './merged-view.ts'
import { type Message, rpcCodes, RpcError } from './message.ts'

/** What calling a tool through the merged endpoint takes. */
export interface MergedCallRooms {
  readonly config: () => McpConfig
  readonly calls: McpCallLog
  readonly clock: Clock
  readonly approvals: Approvals
  readonly admit: (capabilities: JsonObject) => AdmitContext
}

/** Calls a tool of a server for the session of `server`, when the rules and, where they ask, a person let it through. */
export function mergedCaller(principal: Principal, server: Server, peers: MergedPeers, rooms: MergedCallRooms) {
  const capabilities = () => (server.getClientCapabilities() ?? {}) as JsonObject

  /** Asks in the client's own dialog, and judges again when that may have helped. */
  async function inDialog(
    approval: Approval,
    judge: () => Promise<McpAdmission>,
    refused: McpAdmission,
    extra: CallExtra,
  ): Promise<McpAdmission> {
    const url = rooms.admit({}).approvalUrl?.(approval.id) ?? null
    const params = approvalForm(approval, url, rooms.config())
    const timeout = Math.max(1, approval.expiresAt - rooms.clock.now())
    const answer = await extra.sendRequest(
      { method: 'elicitation/create', params } as ServerRequest,
      ElicitResultSchema,
      { signal: extra.signal, timeout },
    ).catch(() => null)
    const { approvals, config } = rooms
    return await takeAnswer(answer, { approval, principal, approvals, config: config() }) ? await judge() : refused
  }

  /** Tells a client that was sent to the page when somebody has answered there. */
  function tellWhenAnswered({ id, expiresAt }: Approval): void {
    const notify = server.createElicitationCompletionNotifier(id)
    const signal = AbortSignal.timeout(Math.max(1, expiresAt - rooms.clock.now()))
    rooms.approvals.settled(id, signal).then(() => notify()).catch(() => {})
  }

  return async function call(
    { server: name, item: tool }: Merged<Tool>,
    args: Record<string, unknown>,
    extra: CallExtra,
  ): Promise<CallToolResult> {
    const message: Message = {
      kind: 'request',
      id: extra.requestId,
      method: 'tools/call',
      params: { name: tool.name, arguments: args as JsonObject },
    }
    const end = callRecorder(rooms, principal, name, message, JSON.stringify(args).length)
    const judge = () => admitMessage(rooms.admit(capabilities()), principal, name, message)
    let admission = await judge()
    if (!admission.admitted && admission.approval) {
      const form = questionForm(capabilities())
      if (form === 'form') admission = await inDialog(admission.approval, judge, admission, extra)
      else if (form === 'url') tellWhenAnswered(admission.approval)
    }
    if (!admission.admitted) {
      end(admission.decision.action === 'ask' ? 'asked' : 'denied', admission.decision, 0)
      const { code, message, data } = admission.answer.error as { code: number; message: string; data?: unknown }
      throw new RpcError(code, message, data)
    }
    const { decision } = admission
    try {
      const token = extra._meta?.progressToken
      const result = await peers.use(name, extra, (peer) =>
        peer.request(
          { method: 'tools/call', params: { name: tool.name, arguments: args } },
          CallToolResultSchema,
          {
            signal: extra.signal,
            timeout: (rooms.config().servers[name]?.call_timeout_secs ?? 300) * 1_000,
            ...(token === undefined ? {} : {
              onprogress: (progress) =>
                void extra.sendNotification({
                  method: 'notifications/progress',
                  params: { ...progress, progressToken: token },
                }).catch(() => {}),
            }),
          },
        ))
      end(result.isError ? 'error' : 'ok', decision, JSON.stringify(result).length)
      return result
    } catch (error) {
      end('failed', decision, 0)
      throw peerError(name, error)
    }
  }
}

const sdkTimeout = -32001
const sdkClosed = -32000

/** What went wrong between gw and a server, as the answer to the client's call. What the server itself said stays. */
export function peerError(server: string, error: unknown): RpcError {
  if (error instanceof RpcError) return error
  if (error instanceof McpError) {
    if (error.code === sdkTimeout) return new RpcError(rpcCodes.timeout, `${server} did not answer in time`, { server })
    const text = error.message.replace(/^MCP error -?\d+: /, '')
    if (error.code !== sdkClosed) return new RpcError(error.code, text, error.data)
    return new RpcError(rpcCodes.upstream, `${server} ended in the middle of a call`, { server })
  }
  const known = isGwError(error) ? error : causeOf(error)
  const text = known?.message ?? `${server} did not answer: ${error instanceof Error ? error.message : error}`
  return new RpcError(rpcCodes.upstream, text, { server, ...(known?.hint ? { hint: known.hint } : {}) })
}

function causeOf(error: unknown) {
  const cause = error instanceof Error ? error.cause : undefined
  return isGwError(cause) ? cause : null
}
