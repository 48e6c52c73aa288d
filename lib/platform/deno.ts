import { createClient } from './http1/client.ts'
import { connectNode } from './http1/node-socket.ts'
import { openNodeSqlite } from './node-sqlite.ts'
import type { Platform } from './port.ts'

interface DenoServer {
  readonly addr: { readonly hostname: string; readonly port: number }
  shutdown(): Promise<void>
  readonly finished: Promise<void>
}

/** The part of Deno's namespace that is used here; `tsc` does not know it. */
declare const Deno: {
  readonly version: { readonly deno: string }
  serve(
    options: { hostname: string; port: number; onListen: () => void; signal: AbortSignal },
    handler: (request: Request, info: { remoteAddr: { hostname?: string } }) => Response | Promise<Response>,
  ): DenoServer
}

/** Deno. Outbound addresses are resolved by the runtime: what is checked is the name's addresses, not the socket. */
export const denoPlatform: Platform = {
  name: 'deno',
  version: Deno.version.deno,
  openSqlite: openNodeSqlite,

  serve(options) {
    const abort = new AbortController()
    const server = Deno.serve(
      { hostname: options.host, port: options.port, onListen: () => {}, signal: abort.signal },
      (request, info) => options.fetch(request, { address: info.remoteAddr.hostname ?? '' }),
    )
    let stopped: Promise<void> | null = null
    return Promise.resolve({
      host: options.host,
      port: server.addr.port,
      stop: async (force) => {
        // A shutdown that has begun cannot be made harder here: aborting it throws outside any promise.
        if (stopped !== null && force) return
        if (force) abort.abort()
        await (stopped ??= force ? server.finished : server.shutdown())
      },
    })
  },

  openDialer: (options = {}) => createClient({ connect: connectNode, ...options }),
}
