// @ts-types="@modelcontextprotocol/sdk/types"
import { LATEST_PROTOCOL_VERSION } from '@modelcontextprotocol/sdk/types.js'
import { type Clock, GwError, isGwError, parseRetryAfter, readHead } from '../base/mod.ts'
import type { HttpServerLink } from './upstream.ts'

const maxHintBytes = 64 * 1024

/** Begins a session with a server and ends it again; see {@link McpProxy.probe}. */
export async function probeServer(
  name: string,
  link: HttpServerLink,
  timeoutMs: number,
  clock: Clock,
): Promise<{ status: number; waitMs: number | null; hint: string }> {
  const late = new AbortController()
  const timer = setTimeout(
    () => late.abort(new GwError('upstream.timeout', `${name} did not answer in ${timeoutMs} ms`)),
    timeoutMs,
  )
  const params = {
    protocolVersion: LATEST_PROTOCOL_VERSION,
    capabilities: {},
    clientInfo: { name: 'gw', version: '1' },
  }
  try {
    const reply = await link.send({
      method: 'POST',
      headers: new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' }),
      body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }),
      signal: late.signal,
    })
    const { status, headers } = reply
    const session = headers.get('mcp-session-id')
    const said = reply.ok ? '' : await readHead(reply, maxHintBytes)
    if (reply.ok) await reply.body?.cancel().catch(() => {})
    if (session !== null) {
      const own = new Headers({ 'mcp-session-id': session, 'mcp-protocol-version': LATEST_PROTOCOL_VERSION })
      const ended = await link.send({ method: 'DELETE', headers: own, body: null, signal: late.signal }).catch(() =>
        null
      )
      await ended?.body?.cancel().catch(() => {})
    }
    return {
      status,
      waitMs: parseRetryAfter(headers.get('retry-after'), clock.now()) ?? null,
      hint: [headers.get('www-authenticate') ?? '', said].filter(Boolean).join('\n'),
    }
  } catch (error) {
    if (late.signal.aborted) throw late.signal.reason
    if (isGwError(error)) throw error
    throw new GwError('upstream.unreachable', `${name} cannot be reached`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}
