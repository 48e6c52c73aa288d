/** The least that a compiled Elysia server can be: what a start of gw is measured beside. Takes the port to listen on. */
import { Elysia } from 'elysia'
import { z } from 'zod'

const app = new Elysia({ aot: false })
  .get('/healthz', () => ({ status: 'ok' }))
  .get('/echo', ({ query }) => query.text, { query: z.object({ text: z.string().optional() }) })

const port = process.argv[2]
if (port !== undefined) app.listen({ hostname: '127.0.0.1', port: Number(port) })
