import { demoServer } from '../support/demo-server.ts'
import { plantedKey, providerAt, startGateway } from '../support/gateway.ts'

/** What the model behind gw speaks. */
export const upstreamProtocols = ['openai-chat', 'openai-responses', 'anthropic-messages'] as const

/** One of {@link upstreamProtocols}. */
export type UpstreamProtocol = typeof upstreamProtocols[number]

/** Where agents are sent. */
export interface OpenDoor extends AsyncDisposable {
  readonly url: string
  readonly token: string
  /** The home of the gateway, for commands that act on it. */
  readonly home: string
  /** What stands before the demo's model names. */
  readonly prefix: string
}

/** gw before a demo upstream of which it uses one protocol only, and before a tool server where one is given. */
export async function openDoor(protocol: UpstreamProtocol, toolServer?: string): Promise<OpenDoor> {
  const upstream = demoServer({ key: plantedKey })
  const tools = toolServer === undefined ? {} : { 'mcp.servers.fixture': { url: toolServer, local: true } }
  const gateway = await startGateway({ mcp: true, settings: { ...providerAt(upstream.url, protocol), ...tools } })
  return {
    url: gateway.url,
    token: gateway.token,
    home: gateway.home,
    prefix: 'up/',
    async [Symbol.asyncDispose]() {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}
