import { decideTool, type Principal, ruleLayers } from '../access/mod.ts'
import { type Clock, GwError, isObject, type Json, type JsonObject, toGwError } from '../base/mod.ts'
import type { AdmitContext, McpAdmission } from './admit.ts'
import { callRecorder, type McpCallLog } from './calls.ts'
import { toolsOf } from './descriptions.ts'
import { type Message, rpcCodes, rpcError, writeMessage } from './message.ts'
import { rawEventSplitter } from './raw-events.ts'
import type { McpSession, McpSessions } from './sessions.ts'
import { type HttpServerLink, returned } from './upstream.ts'

/** What serving one HTTP tool server takes. */
export interface HttpServerRooms {
  readonly clock: Clock
  readonly sessions: McpSessions
  readonly calls: McpCallLog
  readonly admit: (capabilities: JsonObject) => AdmitContext
  readonly timeoutMs: () => number
}

const maxAnswerBytes = 32 * 1024 * 1024
const maxEventChars = 16 * 1024 * 1024
const headTimeoutMs = 30_000

/** Forwards one client request to the server behind `link` and brings back its answer. */
export async function serveHttpServer(
  request: Request,
  message: Message | null,
  principal: Principal,
  server: string,
  link: HttpServerLink,
  admission: McpAdmission | null,
  rooms: HttpServerRooms,
): Promise<Response> {
  const sessionId = request.headers.get('mcp-session-id')
  if (request.method === 'GET') return stream(request, principal, server, link, rooms)
  if (request.method === 'DELETE') {
    const reply = await link.send({ method: 'DELETE', headers: request.headers, body: null, signal: request.signal })
    if (sessionId) rooms.sessions.drop(sessionId)
    return new Response(reply.body, { status: reply.status, headers: pick(reply.headers) })
  }
  if (!message || !admission) throw new GwError('request.invalid', 'a message is needed')
  const body = writeMessage(message)
  const log = callRecorder(rooms, principal, server, message, body.length)
  if (!admission.admitted) {
    log(admission.decision.action === 'ask' ? 'asked' : 'denied', admission.decision, 0)
    return Response.json(admission.answer)
  }

  const deadline = new AbortController()
  const timer = setTimeout(
    () => deadline.abort(new GwError('upstream.timeout', `${server} did not answer in time`)),
    message.kind === 'request' ? rooms.timeoutMs() : headTimeoutMs,
  )
  const signal = AbortSignal.any([deadline.signal, request.signal])
  const id = message.kind === 'request' ? message.id : null
  const failed = (error: unknown): Response => {
    clearTimeout(timer)
    log('failed', admission.decision, 0)
    return failureAnswer(error, id, server, deadline.signal)
  }

  let reply: Response
  try {
    reply = await link.send({ method: 'POST', headers: request.headers, body, signal })
  } catch (error) {
    return failed(error)
  }
  const headers = pick(reply.headers)
  const type = (reply.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
  if (reply.status === 404 && sessionId) {
    rooms.sessions.drop(sessionId)
    clearTimeout(timer)
    return new Response(reply.body, { status: 404, headers })
  }
  if (reply.status === 401 || reply.status === 403) {
    await reply.body?.cancel().catch(() => {})
    return failed(
      new GwError('upstream.failed', `${server} refuses the credential that gw holds for it (${reply.status})`, {
        hint: `gw auth login mcp ${server}`,
      }),
    )
  }
  const changed = reply.headers.get('mcp-session-id')
  if (message.kind === 'request' && message.method === 'initialize' && reply.ok && changed) {
    rooms.sessions.bind({
      id: changed,
      server,
      principal: principal.id,
      capabilities: (isObject(message.params.capabilities) ? message.params.capabilities : {}) as JsonObject,
      end: () => {},
    })
  } else if (changed && sessionId && changed !== sessionId) {
    await reply.body?.cancel().catch(() => {})
    rooms.sessions.drop(sessionId)
    return failed(new GwError('upstream.invalid', `${server} changed the session id in the middle of a session`))
  }

  if (reply.ok && type === 'text/event-stream' && reply.body) {
    return relayEvents(reply, headers, {
      id,
      rewrite: (data) => rewriteResult(data, message, principal, server, rooms),
      ended: (outcome, bytes) => {
        clearTimeout(timer)
        log(outcome, admission.decision, bytes)
      },
      failure: (error) => failureMessage(error, id, server, deadline.signal),
      signal,
    })
  }
  try {
    const text = await readText(reply, maxAnswerBytes)
    clearTimeout(timer)
    if (text === '' && id === null) return new Response(null, { status: reply.status, headers })
    const parsed = parse(text)
    if (!isObject(parsed) || parsed.jsonrpc !== '2.0') {
      if (!reply.ok) throw new GwError('upstream.failed', `${server} answered with status ${reply.status}`)
      throw new GwError(
        'upstream.invalid',
        `${server} answered with ${type || 'no content type'} and no JSON-RPC message`,
      )
    }
    if (id !== null && reply.ok && parsed.id !== id) {
      throw new GwError('upstream.invalid', `${server} answered another call than the one it was asked`)
    }
    log(isError(parsed) ? 'error' : 'ok', admission.decision, text.length)
    headers.set('content-type', 'application/json')
    return new Response(rewriteResult(text, message, principal, server, rooms) ?? text, {
      status: reply.status,
      headers,
    })
  } catch (error) {
    return failed(error)
  }
}

/** A GET: the server's own stream of notifications and requests, open for as long as both want it. */
async function stream(
  request: Request,
  principal: Principal,
  server: string,
  link: HttpServerLink,
  rooms: HttpServerRooms,
): Promise<Response> {
  const reply = await link.send({ method: 'GET', headers: request.headers, body: null, signal: request.signal })
  const headers = pick(reply.headers)
  if (reply.status === 401 || reply.status === 403) {
    await reply.body?.cancel().catch(() => {})
    throw new GwError('upstream.failed', `${server} refuses the credential that gw holds for it (${reply.status})`, {
      hint: `gw auth login mcp ${server}`,
    })
  }
  const type = (reply.headers.get('content-type') ?? '').toLowerCase()
  if (!reply.ok || !reply.body || !type.startsWith('text/event-stream')) {
    const sessionId = request.headers.get('mcp-session-id')
    if (reply.status === 404 && sessionId) rooms.sessions.drop(sessionId)
    if (reply.ok) throw new GwError('upstream.invalid', `${server} opened no event stream`)
    return new Response(reply.body, { status: reply.status, headers })
  }
  return relayEvents(reply, headers, {
    id: null,
    // A resumed stream may bring the answer to an earlier call.
    rewrite: (data) => rewriteResult(data, null, principal, server, rooms),
    ended: () => {},
    failure: () => null,
    signal: request.signal,
  })
}

interface RelayOptions {
  /** The call that the stream has to answer; `null` when there is none. */
  readonly id: string | number | null
  /** Another text for an event's data, or `undefined` to leave it as it is. */
  readonly rewrite: (data: string) => string | undefined
  readonly ended: (outcome: string, bytes: number) => void
  /** The message that tells the client that the stream broke; `null` when nobody waits for one. */
  readonly failure: (error: unknown) => JsonObject | null
  readonly signal: AbortSignal
}

/** Passes events on as they come, each whole and unchanged; a stream that breaks ends with an answer to its call. */
function relayEvents(reply: Response, headers: Headers, options: RelayOptions): Response {
  const reader = reply.body!.getReader()
  const splitter = rawEventSplitter(maxEventChars)
  const encoder = new TextEncoder()
  let answered = options.id === null
  let outcome = 'ok'
  let bytes = 0
  let over = false
  let resumable = false

  function finish(): void {
    if (over) return
    over = true
    options.ended(answered || outcome === 'resumed' ? outcome : 'failed', bytes)
  }
  // The deadline has to reach a stream that says nothing.
  const stop = () => void reader.cancel(options.signal.reason).catch(() => {})
  options.signal.addEventListener('abort', stop, { once: true })

  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (;;) {
          const { done, value } = await reader.read()
          if (options.signal.aborted) throw options.signal.reason
          if (done) break
          bytes += value.length
          const events = splitter.push(value)
          if (events.length === 0) continue
          for (const event of events) {
            if (event.data !== '' && options.id !== null && !answered) {
              const parsed = parse(event.data)
              if (isObject(parsed) && parsed.id === options.id && ('result' in parsed || 'error' in parsed)) {
                answered = true
                if (isError(parsed as JsonObject)) outcome = 'error'
              }
            }
            resumable ||= /^id:/m.test(event.raw)
            const other = event.data === '' ? undefined : options.rewrite(event.data)
            const raw = other === undefined ? event.raw : event.raw.replace(/^data:[^\r\n]*/m, () => `data: ${other}`)
            controller.enqueue(encoder.encode(raw))
          }
          return
        }
        // One that ended well after events with ids may be taken up again: its answer comes on another stream.
        if (!answered && !resumable) throw new GwError('upstream.invalid', 'the stream ended without an answer')
        if (!answered) outcome = 'resumed'
        controller.close()
        finish()
      } catch (error) {
        const message = answered ? null : options.failure(error)
        if (message) controller.enqueue(encoder.encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`))
        finish()
        await reader.cancel().catch(() => {})
        try {
          controller.close()
        } catch {
          // the client has left already
        }
      } finally {
        if (over) options.signal.removeEventListener('abort', stop)
      }
    },
    cancel(reason) {
      finish()
      return reader.cancel(reason).catch(() => {})
    },
  })
  headers.set('content-type', 'text/event-stream')
  headers.set('cache-control', 'no-cache')
  headers.set('x-accel-buffering', 'no')
  return new Response(body, { status: reply.status, headers })
}

/** A tool list without the tools that are denied and with their texts noted; `undefined` when nothing changes. */
function rewriteResult(
  text: string,
  message: Message | null,
  principal: Principal,
  server: string,
  rooms: HttpServerRooms,
): string | undefined {
  if (message && !(message.kind === 'request' && message.method === 'tools/list')) return undefined
  const parsed = parse(text)
  if (!isObject(parsed) || !isObject(parsed.result)) return undefined
  const tools = toolsOf(parsed.result)
  if (tools.length === 0) return undefined
  const context = rooms.admit({})
  const layers = ruleLayers(context.config.permissions, principal.tools)
  const shown = context.texts.note(server, tools)
    .filter((tool) => decideTool(layers, server, String(tool.name)).action !== 'deny')
  const same = shown.length === tools.length && shown.every((tool, i) => tool === tools[i])
  return same ? undefined : JSON.stringify({ ...parsed, result: { ...parsed.result, tools: shown } })
}

/**
 * A session that is this principal's. One that gw does not know (it was restarted, the server was not) is taken up for
 * the principal that names it; from then on it is nobody else's.
 */
export function adoptSession(id: string, server: string, principal: Principal, sessions: McpSessions): McpSession {
  if (!/^[\x21-\x7e]{1,255}$/.test(id)) throw new GwError('request.invalid', 'not a session id')
  if (sessions.find(id)) return sessions.own(id, server, principal.id)
  return sessions.bind({ id, server, principal: principal.id, capabilities: {}, end: () => {} })
}

function isError(message: JsonObject): boolean {
  return 'error' in message || (isObject(message.result) && message.result.isError === true)
}

function pick(headers: Headers): Headers {
  const out = new Headers()
  for (const name of returned) {
    const value = headers.get(name)
    if (value !== null) out.set(name, value)
  }
  return out
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

async function readText(reply: Response, maxBytes: number): Promise<string> {
  if (!reply.body) return ''
  const decoder = new TextDecoder()
  const reader = reply.body.getReader()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.length
    if (bytes > maxBytes) {
      await reader.cancel().catch(() => {})
      throw new GwError('upstream.invalid', `the answer is larger than ${maxBytes} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** The JSON-RPC error for a call whose server failed. Never a 401: that would end the client's session with gw. */
function failureMessage(
  error: unknown,
  id: string | number | null,
  server: string,
  deadline: AbortSignal,
): JsonObject | null {
  if (id === null) return null
  const known = deadline.aborted ? toGwError(deadline.reason) : toGwError(error)
  const code = known.code === 'upstream.timeout' ? rpcCodes.timeout : rpcCodes.upstream
  const text = known.code === 'internal' || known.code === 'cancelled' ? `${server} cannot be reached` : known.message
  return rpcError(id, code, text, { server, ...(known.hint ? { hint: known.hint } : {}) })
}

function failureAnswer(error: unknown, id: string | number | null, server: string, deadline: AbortSignal): Response {
  const known = deadline.aborted ? toGwError(deadline.reason) : toGwError(error)
  const message = failureMessage(error, id, server, deadline) ?? rpcError(null, rpcCodes.upstream, known.message)
  const status = known.code === 'upstream.timeout' ? 504 : known.code.startsWith('credential.') ? 503 : 502
  return Response.json(message, { status: id === null ? status : 200 })
}
