import { Elysia } from 'elysia'
import { GwError } from '../../lib/base/mod.ts'
import { isGwError } from '../../lib/base/mod.ts'
import { errorResponse } from '../../lib/gateway/mod.ts'
import { principalOf } from '../call.ts'
import type { Door } from '../door.ts'

const metadata = '/.well-known/oauth-protected-resource'

/**
 * gw's own MCP server at `/mcp` (Streamable HTTP), and the metadata that tells a client where its tokens come from.
 *
 * @see RFC 9728
 */
export function mcpRoutes(door: Door) {
  const baseOf = (request: Request): string => {
    const { public_url } = door.gateway.rooms.config.current().config.server
    return (public_url ?? `http://${request.headers.get('host') ?? new URL(request.url).host}`).replace(/\/+$/, '')
  }
  const handle = async ({ request }: { request: Request }): Promise<Response> => {
    if (!door.mcp) throw new GwError('request.not_found', 'there is nothing at /mcp')
    try {
      return await door.mcp(request, await principalOf(door, request))
    } catch (error) {
      if (!isGwError(error) || error.status !== 401) throw error
      const answer = errorResponse(error, 'problem')
      answer.headers.set('www-authenticate', `Bearer realm="gw", resource_metadata="${baseOf(request)}${metadata}/mcp"`)
      return answer
    }
  }
  const describe = ({ request }: { request: Request }) =>
    Response.json({
      resource: `${baseOf(request)}/mcp`,
      bearer_methods_supported: ['header'],
      scopes_supported: ['read', 'route:read', 'tokens', 'repair', 'admin'],
      resource_name: 'gw',
      // Tokens are issued by gw itself, to its owner: there is no authorization server to send anybody to.
      authorization_servers: [],
    })
  const hook = { parse: 'none' as const, detail: { hide: true } }
  return new Elysia({ name: 'mcp' })
    .get('/mcp', handle, hook)
    .post('/mcp', handle, hook)
    .delete('/mcp', handle, hook)
    .get(metadata, describe, hook)
    .get(`${metadata}/mcp`, describe, hook)
}
