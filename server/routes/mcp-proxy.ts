import { Elysia } from 'elysia'
import { requireScope } from '../../lib/access/mod.ts'
import { GwError } from '../../lib/base/mod.ts'
import { discoveryPath } from '../../lib/mcp-proxy/mod.ts'
import type { Door } from '../door.ts'

/**
 * Foreign tool servers: one at `/v1/mcp/<server>`, all of them at `/v1/mcp`, and the discovery documents that clients ask
 * for before they have a token. The same under `/api`.
 */
export function mcpProxy({ gateway, peerOf }: Door) {
  const { rooms } = gateway

  async function handle(request: Request, server: string | null): Promise<Response> {
    const principal = await rooms.access.authenticate(request.headers, peerOf(request))
    requireScope(principal, 'mcp')
    return (await rooms.mcp()).handle(request, principal, server)
  }

  async function document(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const found = discoveryPath(url.pathname)
    const known = found !== null && Object.hasOwn(rooms.config.current().config.mcp.servers, found.server)
    const self = found && `${url.origin}${found.prefix}/${encodeURIComponent(found.server)}`
    const body = known ? await (await rooms.mcp()).discovery.document(found.server, found.kind, self!) : null
    if (!body) throw new GwError('request.not_found', `there is no discovery document at ${url.pathname.slice(0, 200)}`)
    return Response.json(body, { headers: { 'cache-control': 'max-age=300' } })
  }

  // Described by hand in the documentation: one path answers many methods.
  const raw = { parse: 'none', detail: { hide: true } } as const
  const hidden = { detail: { hide: true } }
  const app = new Elysia({ name: 'mcp-proxy' })
  for (const prefix of ['/v1/mcp', '/api/v1/mcp']) {
    app
      .all(prefix, ({ request }) => handle(request, null), raw)
      .all(`${prefix}/:server`, ({ request, params }) => handle(request, params.server), raw)
      .get(`${prefix}/:server/.well-known/*`, ({ request }) => document(request), hidden)
    for (const kind of ['oauth-protected-resource', 'oauth-authorization-server', 'openid-configuration']) {
      app.get(`/.well-known/${kind}${prefix}/:server`, ({ request }) => document(request), hidden)
    }
  }
  return app
}
