import { streamOf } from '../base/mod.ts'
import type { Egress } from '../egress/mod.ts'
import type { McpFetch } from './upstream.ts'

/** Statuses whose answers have no body. @see RFC 9110 §6.4.1 */
const bodiless = new Set([204, 205, 304])

/** The guarded way out as this room asks for it: unbounded in time, because event streams are. */
export function mcpFetchOver(egress: Pick<Egress, 'open'>): McpFetch {
  return async ({ url, method, headers, body, signal, local }) => {
    signal.throwIfAborted()
    const sending = egress.open({
      url,
      method,
      headers: [...headers],
      body: body === null ? null : new TextEncoder().encode(body),
      local,
    })
    const cancel = () => sending.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      const reply = await sending.reply
      const seen = new Headers()
      reply.headers.forEach((value, name) => seen.append(name, value))
      if (bodiless.has(reply.status)) {
        cancel()
        return new Response(null, { status: reply.status, headers: seen })
      }
      return new Response(streamOf(reply.body), { status: reply.status, headers: seen })
    } catch (error) {
      signal.removeEventListener('abort', cancel)
      throw error
    }
  }
}
