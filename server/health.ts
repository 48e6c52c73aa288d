import type { Gateway } from '../lib/create-gateway.ts'

/**
 * Liveness and readiness, which are asked before anything else is: open to everybody, and they say nothing.
 *
 * @returns the answer to a GET, or `null` for any other path
 */
export function healthAnswer({ rooms }: Gateway, request: Request, path: string): Response | null {
  switch (path) {
    case '/health':
      // LR answered with two bytes, and its callers compare them.
      return /\bapplication\/json\b/i.test(request.headers.get('accept') ?? '')
        ? alive()
        : new Response('ok', { headers: { 'content-type': 'text/plain; charset=utf-8' } })
    case '/healthz':
      return alive()
    case '/readyz': {
      const why = rooms.system.notReady()
      return why === null
        ? Response.json({ status: 'ready' })
        : Response.json({ status: 'not ready', reason: why }, { status: 503, headers: { 'retry-after': '1' } })
    }
    default:
      return null
  }
}

const alive = (): Response => Response.json({ status: 'ok' })
