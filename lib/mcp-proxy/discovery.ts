import { type Clock, GwError, type JsonObject, parseJsonObject, singleFlight } from '../base/mod.ts'
import type { McpFetch } from './upstream.ts'

/** A discovery document that clients ask for. */
export type DiscoveryKind = 'oauth-protected-resource' | 'oauth-authorization-server' | 'openid-configuration'

/** How a server wants to be logged in to. */
export interface McpAuthorization {
  /** The resource indicator to ask a token for. @see RFC 8707 */
  readonly resource: string
  readonly issuer: string
  /** Authorization server metadata. @see RFC 8414 §2 */
  readonly metadata: JsonObject
  readonly scopes: readonly string[]
}

/** Finds out how tool servers are protected, and answers the same question of clients. */
export interface McpDiscovery {
  /** The server's document of this kind with `resource` rewritten to `self`, or `null` when it has none. */
  document(server: string, kind: DiscoveryKind, self: string): Promise<JsonObject | null>
  /** @throws GwError `login.failed` when the server names no authorization server that answers */
  authorization(server: string): Promise<McpAuthorization>
}

const keptMs = 10 * 60_000
const timeoutMs = 5_000
const maxChars = 256 * 1024

/**
 * Where a request for a discovery document points, or `null` when its path is none.
 *
 * Takes the document's name before the endpoint's path (RFC 8414, RFC 9728) and after it, as clients do both.
 */
export function discoveryPath(path: string): { kind: DiscoveryKind; server: string; prefix: string } | null {
  const kinds = '(oauth-protected-resource|oauth-authorization-server|openid-configuration)'
  const endpoint = '((?:/api)?/v1/mcp)/([^/]+)'
  const match = new RegExp(`^/\\.well-known/${kinds}${endpoint}/?$`).exec(path)
  if (match) return { kind: match[1] as DiscoveryKind, prefix: match[2]!, server: decodeURIComponent(match[3]!) }
  const after = new RegExp(`^${endpoint}/\\.well-known/${kinds}$`).exec(path)
  return after && { kind: after[3] as DiscoveryKind, prefix: after[1]!, server: decodeURIComponent(after[2]!) }
}

/** {@link McpDiscovery} over the guarded fetch: these addresses come from strangers. */
export function mcpDiscovery(options: {
  readonly fetch: McpFetch
  readonly clock: Clock
  readonly server: (name: string) => { url: URL; local: boolean } | null
}): McpDiscovery {
  const known = new Map<string, { at: number; document: JsonObject | null }>()
  const flight = singleFlight<JsonObject | null>()

  async function load(url: URL, local: boolean): Promise<JsonObject | null> {
    const reply = await options.fetch({
      url,
      method: 'GET',
      headers: new Headers({ accept: 'application/json', 'mcp-protocol-version': '2025-11-25' }),
      body: null,
      signal: AbortSignal.timeout(timeoutMs),
      local,
    })
    if (!reply.ok) {
      await reply.body?.cancel().catch(() => {})
      return null
    }
    const text = await reply.text()
    return text.length > maxChars ? null : parseJsonObject(text, 'discovery document')
  }

  function get(url: URL, local: boolean): Promise<JsonObject | null> {
    const before = known.get(url.href)
    if (before && options.clock.monotonic() - before.at < keptMs) return Promise.resolve(before.document)
    return flight.run(url.href, async () => {
      const document = await load(url, local).catch(() => null)
      if (known.size > 500) known.clear()
      known.set(url.href, { at: options.clock.monotonic(), document })
      return document
    })
  }

  async function first(urls: readonly URL[], local: boolean, good: (document: JsonObject) => boolean) {
    for (const url of urls) {
      const document = await get(url, local)
      if (document && good(document)) return document
    }
    return null
  }

  const path = (url: URL) => url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '')
  const at = (base: URL, pathname: string) => new URL(pathname, base.origin)

  const resourceDocument = (url: URL, local: boolean) =>
    first(
      [at(url, `/.well-known/oauth-protected-resource${path(url)}`), at(url, '/.well-known/oauth-protected-resource')],
      local,
      (document) => typeof document.resource === 'string',
    )

  function serverDocument(issuer: URL, local: boolean, named: boolean): Promise<JsonObject | null> {
    const tail = path(issuer)
    const paths = tail === '' ? ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'] : [
      `/.well-known/oauth-authorization-server${tail}`,
      `${tail}/.well-known/oauth-authorization-server`,
      `/.well-known/openid-configuration${tail}`,
      `${tail}/.well-known/openid-configuration`,
    ]
    // Metadata that names another issuer could send the login to one server and its code to another (RFC 8414 §3.3).
    const same = (text: unknown) =>
      typeof text === 'string' && text.replace(/\/$/, '') === issuer.href.replace(/\/$/, '')
    const good = (document: JsonObject) =>
      (!named || same(document.issuer)) &&
      typeof document.authorization_endpoint === 'string' && typeof document.token_endpoint === 'string'
    return first(paths.map((pathname) => at(issuer, pathname)), local, good)
  }

  async function describe(name: string) {
    const server = options.server(name)
    if (!server) throw new GwError('request.not_found', `no MCP server ${name}`, { hint: 'gw mcp servers' })
    const resource = await resourceDocument(server.url, server.local)
    const listed = resource?.authorization_servers
    const issuers = Array.isArray(listed) ? listed.filter((issuer) => typeof issuer === 'string') : []
    // Servers from before RFC 9728 are their own authorization server.
    for (const issuer of issuers.length > 0 ? issuers : [server.url.origin]) {
      if (!URL.canParse(issuer)) continue
      const metadata = await serverDocument(new URL(issuer), server.local, issuers.length > 0)
      if (metadata) return { server, resource, issuer, metadata }
    }
    return { server, resource, issuer: null, metadata: null }
  }

  return {
    async document(name, kind, self) {
      const { resource, metadata } = await describe(name)
      if (kind !== 'oauth-protected-resource') return metadata
      return resource && { ...resource, resource: self }
    },
    async authorization(name) {
      const { server, resource, issuer, metadata } = await describe(name)
      if (!metadata) {
        throw new GwError('login.failed', `${name} names no authorization server that answers`, {
          hint: `if it takes a key, add an account for it and name it in mcp.servers.${name}.account`,
        })
      }
      const scopes = Array.isArray(resource?.scopes_supported) ? resource.scopes_supported : []
      return {
        resource: typeof resource?.resource === 'string' ? resource.resource : server.url.href,
        issuer,
        metadata,
        scopes: scopes.filter((scope): scope is string => typeof scope === 'string'),
      }
    },
  }
}
