import type { Approval, Approvals, Principal } from '../access/mod.ts'
import { type Clock, isObject, type JsonObject } from '../base/mod.ts'
import type { McpConfig } from './config.ts'

/** Questions that gw itself puts to the clients of sessions, beside those of the servers behind it. */
export interface Dialogs {
  /** Takes a client's answer; `false` when it answers no question of ours. */
  answer(sessionId: string, message: JsonObject): boolean
  /**
   * Answers a call with a stream that first asks the client for its person, waits, and then brings what `call` gives.
   *
   * @param question what to ask; its id is the dialog's own
   */
  respond(options: {
    readonly request: Request
    readonly sessionId: string
    readonly question: (id: string) => JsonObject
    readonly untilMs: number
    readonly call: (answer: JsonObject | null) => Promise<Response>
    readonly failed: (error: unknown) => JsonObject
  }): Response
}

const keepAliveMs = 15_000

/** {@link Dialogs}; one at a time for each call, as many as there are calls. */
export function createDialogs(clock: Clock): Dialogs {
  const open = new Map<string, (answer: JsonObject) => void>()
  const keyOf = (sessionId: string, id: string) => `${sessionId}\n${id}`

  return {
    answer(sessionId, message) {
      if (typeof message.id !== 'string') return false
      const key = keyOf(sessionId, message.id)
      const take = open.get(key)
      open.delete(key)
      take?.(message)
      return take !== undefined
    },
    respond({ request, sessionId, question, untilMs, call, failed }) {
      const id = `gw-${crypto.randomUUID()}`
      const key = keyOf(sessionId, id)
      const encoder = new TextEncoder()
      const over = new AbortController()
      const signal = AbortSignal.any([request.signal, over.signal])
      const event = (message: unknown) => encoder.encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`)

      async function answered(): Promise<JsonObject | null> {
        const late = new AbortController()
        const answer = new Promise<JsonObject>((resolve) => open.set(key, resolve))
        const end = clock.sleep(Math.max(1, untilMs), AbortSignal.any([signal, late.signal])).then(
          () => null,
          () => null,
        )
        const first = await Promise.race([answer, end])
        late.abort()
        open.delete(key)
        return first
      }

      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          const alive = setInterval(() => controller.enqueue(encoder.encode(': waiting\n\n')), keepAliveMs)
          try {
            controller.enqueue(event(question(id)))
            const answer = await answered()
            clearInterval(alive)
            const reply = signal.aborted ? null : await call(answer)
            if (reply?.headers.get('content-type')?.startsWith('text/event-stream') && reply.body) {
              for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) controller.enqueue(chunk)
            } else if (reply) {
              controller.enqueue(event(await reply.json()))
            }
          } catch (error) {
            if (!signal.aborted) controller.enqueue(event(failed(error)))
          } finally {
            clearInterval(alive)
            try {
              controller.close()
            } catch {
              // the client has left already
            }
          }
        },
        cancel: () => over.abort(),
      })
      return new Response(body, {
        headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' },
      })
    },
  }
}

/** What the person at the client is shown. Their yes is the approval itself only where the owner says so. */
export function approvalForm(approval: Approval, url: string | null, config: McpConfig): JsonObject {
  const what = `${approval.subject} ${approval.preview}`
  const message = config.approve_in_client
    ? `Allow this call once? ${what}`
    : `This call needs an approval: ${what}\nGive it with: gw approvals approve ${approval.id}${
      url ? ` (or at ${url})` : ''
    }\nThen accept here.`
  return { message, requestedSchema: { type: 'object', properties: {} } }
}

/** What a client's answer to {@link approvalForm} means: `true` when the call may be tried again. */
export async function takeAnswer(
  result: unknown,
  { approval, principal, approvals, config }: {
    approval: Approval
    principal: Principal
    approvals: Approvals
    config: McpConfig
  },
): Promise<boolean> {
  const action = isObject(result) ? result.action : null
  if (action === 'accept') {
    if (config.approve_in_client) await approvals.confirm(approval.id, principal.id).catch(() => {})
    return true
  }
  if (action === 'decline') await approvals.decide(approval.id, 'denied', principal).catch(() => {})
  return false
}
