import { Elysia } from 'elysia'
import type { Door } from '../door.ts'
import { healthAnswer } from '../health.ts'

/** Liveness and readiness, and the probes that clients make before they begin. Open to everybody, and say nothing. */
export function health({ gateway }: Door) {
  const app = new Elysia({ name: 'health' })
  for (const path of ['/health', '/healthz', '/readyz']) {
    app.get(path, ({ request }) => healthAnswer(gateway, request, path)!)
  }
  return app
    .head('/', () => new Response(null))
    .head('/api/hello', () => new Response(null))
}
