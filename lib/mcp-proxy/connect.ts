// @ts-types="@modelcontextprotocol/sdk/client/index"
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
// @ts-types="@modelcontextprotocol/sdk/client/streamableHttp"
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
// @ts-types="@modelcontextprotocol/sdk/shared/transport"
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import type { ClientCapabilities } from '@modelcontextprotocol/sdk/types.js'
import { GwError, type Logger } from '../base/mod.ts'
import type { McpServerConfig } from './config.ts'
import { openStdio } from './stdio-bridge.ts'
import type { HttpServerLink } from './upstream.ts'

const connectTimeoutMs = 15_000

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
  const transport = config.command ? openStdio(name, config, options.env, options.logger) : overHttp(config, link)
  const client = new Client({ name: 'gw', version: '1' }, { capabilities: options.capabilities })
  client.onerror = (error) => options.logger.log('debug', 'mcp.client_error', { server: name, error: error.message })
  options.prepare?.(client)
  try {
    await client.connect(transport, { timeout: connectTimeoutMs })
    return client
  } catch (cause) {
    await client.close().catch(() => {})
    throw new GwError('upstream.unreachable', `the MCP server ${name} cannot be reached`, { cause })
  }
}

function overHttp(config: McpServerConfig, link: HttpServerLink): Transport {
  const transport = new StreamableHTTPClientTransport(new URL(config.url!), {
    fetch: (_url, init) =>
      link.send({
        method: init?.method ?? 'GET',
        headers: new Headers(init?.headers as HeadersInit),
        body: typeof init?.body === 'string' ? init.body : null,
        signal: init?.signal ?? new AbortController().signal,
      }),
  })
  return transport as Transport
}
