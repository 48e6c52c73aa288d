import type { McpProxy, McpProxyOptions } from './proxy.ts'

/**
 * Makes the {@link McpProxy}. The protocol's library is loaded here and not with the room's door: a gateway that has no
 * tool servers never pays for it.
 */
export async function openMcpProxy(options: McpProxyOptions): Promise<McpProxy> {
  const { createMcpProxy } = await import('./proxy.ts')
  return createMcpProxy(options)
}
