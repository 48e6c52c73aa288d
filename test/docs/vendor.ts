import { demoUpstream } from '../../lib/demo/mod.ts'

/** What stands for a vendor: a model behind keys, which can be revoked. */
export function vendor() {
  const revoked = new Set<string>()
  const served = new Map<string, number>()
  const demo = demoUpstream({ pieceDelayMs: 5 })
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      const key = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
      if (!/^sk-/.test(key) || revoked.has(key)) {
        const error = { message: 'Incorrect API key provided.', type: 'invalid_request_error', code: 'invalid_api_key' }
        return Response.json({ error }, { status: 401 })
      }
      served.set(key, (served.get(key) ?? 0) + 1)
      if (request.method !== 'POST') {
        return Response.json({ object: 'list', data: [{ id: 'gpt-5-mini', object: 'model' }] })
      }
      const body = await request.json() as object
      return demo.fetch(
        new Request(request.url, {
          method: 'POST',
          headers: request.headers,
          body: JSON.stringify({ ...body, model: 'demo-small' }),
        }),
      )
    },
  })
  return { url: server.url.origin, revoked, served, stop: () => server.stop(true) }
}

/** A port of this machine that is free now. */
export function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const { port } = server
  server.stop(true)
  return port!
}
