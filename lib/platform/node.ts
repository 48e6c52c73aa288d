import { createClient } from './http1/client.ts'
import { connectNode } from './http1/node-socket.ts'
import { openNodeSqlite } from './node-sqlite.ts'
import type { Platform } from './port.ts'

/** Node ≥ 22.18. Outbound addresses are resolved by the runtime, as on Deno. */
export const nodePlatform: Platform = {
  name: 'node',
  version: process.versions.node,
  openSqlite: openNodeSqlite,

  async serve(options) {
    const { serve } = await import('srvx/node')
    const server = serve({
      hostname: options.host,
      port: options.port,
      silent: true,
      gracefulShutdown: false,
      fetch: (request) => options.fetch(request, { address: request.ip ?? '' }),
    })
    await server.ready()
    return {
      host: options.host,
      port: Number(new URL(server.url!).port),
      stop: async (force) => {
        // Node closes connections that are idle now; one that becomes idle later would hold the end up for its keep-alive.
        const listener = server.node?.server
        const timer = setInterval(() => {
          if (listener && 'closeIdleConnections' in listener) listener.closeIdleConnections()
        }, 50)
        try {
          await server.close(force)
        } finally {
          clearInterval(timer)
        }
      },
    }
  },

  openDialer: (options = {}) => createClient({ connect: connectNode, ...options }),
}
