// @ts-types="@modelcontextprotocol/sdk/client/index"
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
// @ts-types="@modelcontextprotocol/sdk/client/streamableHttp"
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
// @ts-types="@modelcontextprotocol/sdk/shared/transport"
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import type { ClientCapabilities } from '@modelcontextprotocol/sdk/types.js'
import { GwError, isGwError, type JsonObject, type Logger } from '../base/mod.ts'
import type { McpServerConfig } from './config.ts'
import { guardedReply } from './guarded-reply.ts'
import { deliverInOrder } from './in-order.ts'
import { openStdio } from './stdio-bridge.ts'
import type { HttpServerLink } from './upstream.ts'

const connectTimeoutMs = 15_000
const lateMs = 5_000

/** Connects to a server as its client, over whichever transport its config names. */
export async function connectServer(options: {
  readonly name: string
  readonly config: McpServerConfig
  readonly link: HttpServerLink
  readonly env: (name: string) => string | undefined
  readonly logger: Logger
  readonly capabilities: ClientCapabilities
  readonly prepare?: (client: Client) => void
}): Promise<Client> {
  const { name, config, link } = options
  const transport = config.command ? openStdio(name, config, options.env, options.logger) : overHttp(name, config, link)
  const client = new Client({ name: 'gw', version: '1' }, { capabilities: options.capabilities })
  const failed = (error: Error) =>
    options.logger.log('debug', 'mcp.client_error', { server: name, error: error.message })
  client.onerror = failed
  options.prepare?.(client)
  try {
    await client.connect(transport, { timeout: connectTimeoutMs })
    deliverInOrder(transport, failed)
    return client
  } catch (cause) {
    await client.close().catch(() => {})
    if (isGwError(cause) && cause.code !== 'upstream.unreachable') throw cause
    throw new GwError('upstream.unreachable', `the MCP server ${name} cannot be reached`, { cause })
  }
}

/** The library's own transport over the guarded way out; what it would take on trust is checked here. */
function overHttp(name: string, config: McpServerConfig, link: HttpServerLink): Transport {
  let session: string | null = null
  const transport = new StreamableHTTPClientTransport(new URL(config.url!), {
    async fetch(_url, init) {
      const method = init?.method ?? 'GET'
      const body = typeof init?.body === 'string' ? init.body : null
      const call = method === 'POST' && body !== null ? JSON.parse(body) as JsonObject : {}
      const id = 'method' in call && (typeof call.id === 'string' || typeof call.id === 'number') ? call.id : null
      // The library gives up on a call after its time, but leaves its request open.
      const late = method === 'POST' ? AbortSignal.timeout(config.call_timeout_secs * 1_000 + lateMs) : null
      const signals = [init?.signal, late].filter((signal) => signal != null)
      const reply = await link.send({
        method,
        headers: new Headers(init?.headers as HeadersInit),
        body,
        signal: AbortSignal.any(signals),
      })
      const given = reply.headers.get('mcp-session-id')
      const changed = given !== null && session !== null && given !== session
      if (call.method === 'initialize') session = given
      if (changed && call.method !== 'initialize') {
        await reply.body?.cancel().catch(() => {})
        throw new GwError('upstream.invalid', `${name} changed the session id in the middle of a session`)
      }
      if (reply.status === 401 || reply.status === 403) {
        await reply.body?.cancel().catch(() => {})
        throw new GwError('upstream.failed', `${name} refuses the credential that gw holds for it (${reply.status})`, {
          hint: `gw auth login mcp ${name}`,
        })
      }
      if (reply.ok) return guardedReply(reply, id, name)
      // The client makes its error, and our log line, of a refusal's text: there a server may repeat its token.
      await reply.body?.cancel().catch(() => {})
      return new Response(null, { status: reply.status, headers: reply.headers })
    },
  })
  return transport as Transport
}
