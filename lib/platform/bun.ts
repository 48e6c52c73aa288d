import { openBunSqlite } from './bun-sqlite.ts'
import { createClient } from './http1/client.ts'
import { connectBun } from './http1/bun-socket.ts'
import { openDirect } from './bun-downstream.ts'
import type { HttpServer, Platform, ServedPeer } from './port.ts'

/** Bun: the runtime gw is tuned for. */
export const bunPlatform: Platform = {
  name: 'bun',
  version: Bun.version,

  openSqlite: openBunSqlite,

  serve(options) {
    const server = Bun.serve({
      hostname: options.host,
      port: options.port,
      // Bun's own idle timer cuts quiet streams (10 s by default, 255 s at most): gw keeps its own deadlines.
      idleTimeout: 0,
      maxRequestBodySize: options.maxBodyBytes,
      fetch: (request, server) => options.fetch(request, new BunPeer(request, server)),
      error: () => new Response(null, { status: 500 }),
    })
    const handle: HttpServer = {
      host: options.host,
      port: server.port!,
      stop: async (force) => {
        await server.stop(force)
      },
    }
    return Promise.resolve(handle)
  },

  openDialer: (options = {}) => createClient({ connect: connectBun, ...options }),
}

class BunPeer implements ServedPeer {
  readonly #request: Request
  readonly #server: Bun.Server<undefined>

  constructor(request: Request, server: Bun.Server<undefined>) {
    this.#request = request
    this.#server = server
  }

  get address(): string {
    return this.#server.requestIP(this.#request)?.address ?? ''
  }

  get openDownstream(): typeof openDirect {
    return openDirect
  }
}
