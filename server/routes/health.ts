import { Elysia } from 'elysia'
import type { Door } from '../door.ts'

/** Liveness and readiness, and the probes that clients make before they begin. Open to everybody, and say nothing. */
export function health({ gateway }: Door) {
  const { system } = gateway.rooms
  const alive = () => Response.json({ status: 'ok' })
  return new Elysia({ name: 'health' })
    // LR answered with two bytes, and its callers compare them.
    .get(
      '/health',
      ({ request }) =>
        /\bapplication\/json\b/i.test(request.headers.get('accept') ?? '')
          ? alive()
          : new Response('ok', { headers: { 'content-type': 'text/plain; charset=utf-8' } }),
    )
    .get('/healthz', alive)
    .get('/readyz', () => {
      const why = system.notReady()
      return why === null
        ? Response.json({ status: 'ready' })
        : Response.json({ status: 'not ready', reason: why }, { status: 503, headers: { 'retry-after': '1' } })
    })
    .head('/', () => new Response(null))
    .head('/api/hello', () => new Response(null))
}
