import { Elysia } from 'elysia'
import { once } from '../../lib/base/mod.ts'
import type { Door } from '../door.ts'
import { referencePage } from '../pages/reference.ts'

const script = '/docs/reference.js'

/** What the page may load: its own script and its own description, nothing from anywhere else. */
const policy =
  "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The documentation page at `/docs` and the OpenAPI document at `/docs/json`; nothing of it comes from elsewhere. */
export function docsRoutes(door: Door) {
  const app = new Elysia({ name: 'docs' })
  if (!door.gateway.rooms.config.current().config.server.docs) return app
  // Drawn up when somebody first reads it: describing everything takes longer than starting does.
  const drawn = once(async () => (await import('../documentation.ts')).documentation(door, script))
  const handle = async ({ request }: { request: Request }) => (await drawn()).fetch(request)
  return app
    .get(script, () =>
      new Response(referencePage, {
        headers: { 'content-type': 'text/javascript; charset=utf-8', 'x-content-type-options': 'nosniff' },
      }))
    .get('/docs', handle)
    .get('/docs/json', handle)
}

/** Adds what a page in a browser needs to the answers under `/docs`. */
export function withPagePolicy(response: Response): Response {
  const headers = new Headers(response.headers)
  headers.set('content-security-policy', policy)
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'no-referrer')
  headers.set('x-frame-options', 'DENY')
  return new Response(response.body, { status: response.status, headers })
}
