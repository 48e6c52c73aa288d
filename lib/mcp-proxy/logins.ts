import { type Clock, GwError, isObject, type Json, type JsonObject, parseJsonObject, Secret } from '../base/mod.ts'
import { type FoundVendor, type Vendor, vendorDefaults } from '../credentials/mod.ts'
import type { SecretStore } from '../secrets/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { factPrefix, mcpVendorId } from './look.ts'
import type { McpAuthorization } from './discovery.ts'
import type { McpFetch } from './upstream.ts'

/** Logins at tool servers: each protected server is a vendor like any other, found by discovery instead of by hand. */
export interface McpLogins {
  /** The servers that gw has prepared a login for. */
  list(): readonly FoundVendor[]
  /** Whether there is one for a server; looks for what another process has prepared, at most every two seconds. */
  knows(server: string): Promise<boolean>
  /**
   * Registers gw as a client where the server's authorization server lets it, and remembers server and client.
   *
   * @param clientId a client that its owner has registered by hand; then nothing is registered
   * @throws GwError `login.failed`
   */
  prepare(server: McpLoginServer, authorization: McpAuthorization, clientId: string | null): Promise<Vendor>
}

/** A server to log in to. */
export interface McpLoginServer {
  readonly name: string
  readonly url: URL
  readonly local: boolean
}

/**
 * Registered with every authorization server: two, so that one may be taken. RFC 8252 §7.3 would let the port vary from
 * login to login, but a registration names its addresses, and many servers compare them letter by letter.
 */
const ports = [14033, 14034]
const timeoutMs = 15_000
const rereadMs = 2_000
const maxChars = 64 * 1024

/** Opens {@link McpLogins}: what was prepared before is there. */
export async function openMcpLogins(
  { storage, secrets, clock, fetch, changed }: {
    storage: Storage
    secrets: SecretStore
    clock: Clock
    fetch: McpFetch
    /** Called when the list has grown or changed. */
    changed: () => void
  },
): Promise<McpLogins> {
  const found = new Map<string, FoundVendor>()
  let readAt = -Infinity

  async function read(): Promise<void> {
    readAt = clock.monotonic()
    const rows = await storage.db.selectFrom('facts').selectAll().where('key', 'like', `${factPrefix}%`).execute()
    for (const row of rows) {
      const kept = parseJsonObject(row.value, row.key)
      const vendor = { ...vendorDefaults, ...kept } as unknown as Vendor
      found.set(vendor.id, { vendor, clientSecret: await secrets.get(secretRef(vendor.id)) })
    }
  }
  await read()

  return {
    list: () => [...found.values()],
    async knows(server) {
      const id = mcpVendorId(server)
      if (!found.has(id) && clock.monotonic() - readAt > rereadMs) {
        await read()
        if (found.has(id)) changed()
      }
      return found.has(id)
    },
    async prepare(server, authorization, clientId) {
      const id = mcpVendorId(server.name)
      const before = found.get(id)
      const client = clientId !== null
        ? { id: clientId, secret: null, auth: 'none' as const }
        : before && before.vendor.tokenUrl === authorization.metadata.token_endpoint && before.vendor.clientId !== null
        ? { id: before.vendor.clientId, secret: before.clientSecret, auth: before.vendor.clientAuth }
        : await register(server, authorization, fetch)
      const { metadata, resource } = authorization
      const text = (name: string) => typeof metadata[name] === 'string' ? metadata[name] : null
      const row: Partial<Vendor> & Pick<Vendor, 'id'> = {
        id,
        name: `MCP server ${server.name}`,
        file: id,
        docs: server.url.href,
        clientId: client.id,
        clientAuth: client.auth,
        // An answer of another server than the one that is asked for the token ends the login.
        answersAs: text('issuer') ?? authorization.issuer,
        authorizeUrl: text('authorization_endpoint'),
        authorizeParams: { resource },
        tokenUrl: text('token_endpoint'),
        tokenParams: { resource },
        revokeUrl: text('revocation_endpoint'),
        redirect: { host: '127.0.0.1', ports, path: '/callback', hosted: null },
        scopes: authorization.scopes,
        audience: [server.url.origin],
        uses: [{
          use: 'api',
          entitlement: 'documented',
          page: server.url.href,
          note: 'a token that this server issued for this use',
        }],
      }
      if (client.secret) await secrets.put(secretRef(id), client.secret)
      const values = { key: factPrefix + id, value: JSON.stringify(row), updated_ms: clock.now() }
      await storage.write((tx) =>
        tx.insertInto('facts').values(values).onConflict((at) => at.column('key').doUpdateSet(values)).execute()
      )
      const vendor: Vendor = { ...vendorDefaults, ...row } as Vendor
      found.set(id, { vendor, clientSecret: client.secret })
      changed()
      return vendor
    },
  }
}

const secretRef = (id: string) => `mcp/${id}/client-secret`

/**
 * Registers gw as a client.
 *
 * @see RFC 7591 §3.1
 */
async function register(server: McpLoginServer, { issuer, metadata, scopes }: McpAuthorization, fetch: McpFetch) {
  const endpoint = metadata.registration_endpoint
  if (typeof endpoint !== 'string') {
    throw new GwError('login.failed', `${issuer} does not register clients by itself`, {
      hint: `register gw there by hand (redirect ${redirects()[0]}) and set client_id in [logins.${
        mcpVendorId(server.name)
      }]`,
    })
  }
  const supported = strings(metadata.token_endpoint_auth_methods_supported)
  const method = supported.length === 0 || supported.includes('none')
    ? 'none'
    : supported.includes('client_secret_basic')
    ? 'client_secret_basic'
    : 'client_secret_post'
  const asked: JsonObject = {
    client_name: 'gw',
    application_type: 'native',
    redirect_uris: redirects(),
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: method,
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
  }
  const reply = await fetch({
    url: new URL(endpoint),
    method: 'POST',
    headers: new Headers({ 'content-type': 'application/json', accept: 'application/json' }),
    body: JSON.stringify(asked),
    signal: AbortSignal.timeout(timeoutMs),
    local: server.local,
  })
  const text = (await reply.text()).slice(0, maxChars)
  const answer: Json = reply.ok ? parseJsonObject(text, 'registration') : null
  if (!isObject(answer) || typeof answer.client_id !== 'string') {
    throw new GwError('login.failed', `${issuer} refused to register gw as a client (${reply.status})`, {
      hint: `register gw there by hand (redirect ${redirects()[0]}) and set client_id in [logins.${
        mcpVendorId(server.name)
      }]`,
    })
  }
  const secret = typeof answer.client_secret === 'string' ? new Secret(answer.client_secret) : null
  const given = answer.token_endpoint_auth_method ?? method
  const auth = secret === null ? 'none' as const : given === 'client_secret_post' ? 'post' as const : 'basic' as const
  return { id: answer.client_id, secret, auth }
}

const redirects = (): string[] => ports.map((port) => `http://127.0.0.1:${port}/callback`)

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []
}
