import { createClient } from './http1/client.ts'
import { connectBun } from './http1/bun-socket.ts'
import type { HttpServer, Platform } from './port.ts'

/** Bun: the runtime gw is tuned for. */
export const bunPlatform: Platform = {
  name: 'bun',
  version: Bun.version,

  async openSqlite(path) {
    const { Database } = await import('bun:sqlite')
    const database = new Database(path, { create: true, readwrite: true, strict: false })
    return {
      prepare(sql) {
        const statement = database.query(sql)
        return {
          reader: statement.columnNames.length > 0,
          all: (parameters) => statement.all(...(parameters as never[])),
          run: (parameters) => statement.run(...(parameters as never[])),
          iterate: (parameters) => statement.iterate(...(parameters as never[])),
        }
      },
      exec: (sql) => void database.run(sql),
      close: () => database.close(),
    }
  },

  serve(options) {
    const server = Bun.serve({
      hostname: options.host,
      port: options.port,
      // Bun's own idle timer cuts quiet streams (10 s by default, 255 s at most): gw keeps its own deadlines.
      idleTimeout: 0,
      maxRequestBodySize: options.maxBodyBytes,
      fetch: (request, server) =>
        options.fetch(request, {
          get address() {
            return server.requestIP(request)?.address ?? ''
          },
        }),
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
