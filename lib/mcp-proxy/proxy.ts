// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js'
import { type Approvals, closedServer, decideTool, type Principal, ruleLayers, type ToolAction } from '../access/mod.ts'
import { type Clock, GwError, isObject, type JsonObject, type Logger } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { AdmitContext } from './admit.ts'
import { admitMessage } from './admit.ts'
import { type McpCall, mcpCallLog } from './calls.ts'
import { mcpCatalogue } from './catalogue.ts'
import type { McpConfig, McpServerConfig } from './config.ts'
import { connectServer } from './connect.ts'
import { openToolTexts } from './descriptions.ts'
import { type McpDiscovery, mcpDiscovery } from './discovery.ts'
import { boundedEventStore } from './event-store.ts'
import { serveHttpServer } from './http-server.ts'
import { type MergedSession, mergedSession } from './merged.ts'
import { type McpLogins, mcpVendorId } from './logins.ts'
import { type Message, readMessage, rpcCodes, rpcError, writeMessage } from './message.ts'
import { mergedName } from './names.ts'
import { mcpSessions } from './sessions.ts'
import { openStdioBridge, type StdioBridge } from './stdio-bridge.ts'
import {
  type HttpServerLink,
  httpServerLink,
  type McpCredentials,
  type McpFetch,
  type McpObserver,
} from './upstream.ts'

/** What the proxy stands on. */
export interface McpProxyOptions {
  /** The current `[mcp]` section: read at each request, so that a reload is felt. */
  readonly config: () => McpConfig
  readonly fetch: McpFetch
  readonly credentials: McpCredentials
  /** Logins at servers that want OAuth. */
  readonly logins: Pick<McpLogins, 'prepare'>
  /** A client of gw's that its owner has registered by hand, by the vendor id of the server. */
  readonly clientId: (vendor: string) => string | null
  readonly approvals: Approvals
  /** Where the fate of each use of a server goes: tool servers live on the same board as model targets. */
  readonly observe: McpObserver
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly env: (name: string) => string | undefined
  /** Address of the page where a person answers an approval; `null` when nothing is served. */
  readonly approvalUrl: ((id: string) => string) | null
}

/** A tool as operators and agents see it. */
export interface McpToolInfo {
  readonly server: string
  readonly tool: string
  /** Its name in the merged endpoint. */
  readonly name: string
  readonly description: string
  readonly action: ToolAction
  readonly rule: string
  /** Whether its server changed its text and nobody has approved that yet. */
  readonly changed: boolean
}

/** The door to foreign tool servers. */
export interface McpProxy {
  /**
   * Serves one Streamable HTTP request of a client that has been authenticated and whose Host and Origin have been
   * checked. `server` null is the merged endpoint.
   */
  handle(request: Request, principal: Principal, server: string | null): Promise<Response>
  readonly discovery: McpDiscovery
  /**
   * Makes a server one can log in to: finds its authorization server and registers gw there.
   *
   * @returns the vendor to log in with
   * @throws GwError `request.not_found`, `login.failed`
   */
  prepareLogin(server: string): Promise<string>
  /** Names and kinds of the configured servers, and whether they answer (asks those not asked lately). */
  servers(): Promise<{ name: string; kind: 'http' | 'stdio'; merged: boolean; tools: number; error: string | null }[]>
  /** What the servers offer that are open to this principal, and what the rules say of each tool for it. */
  tools(principal: Principal): Promise<McpToolInfo[]>
  calls(options: { readonly limit: number; readonly server?: string }): Promise<McpCall[]>
  readonly openSessions: number
  close(): Promise<void>
}

const maxBodyBytes = 4 * 1024 * 1024
const bodyTimeoutMs = 30_000
const mergedKey = '*'

/** Makes the {@link McpProxy}. */
export async function createMcpProxy(options: McpProxyOptions): Promise<McpProxy> {
  const { config, storage, clock, logger, env } = options
  const texts = await openToolTexts({ storage, clock, logger })
  const calls = mcpCallLog({ storage, clock })
  const sessions = mcpSessions({
    clock,
    max: () => config().max_sessions,
    idleMs: () => config().session_idle_secs * 1_000,
  })
  const bridges = new Map<string, StdioBridge>()
  const merged = new Map<string, { session: MergedSession; transport: WebStandardStreamableHTTPServerTransport }>()
  const admit = (capabilities: JsonObject): AdmitContext => ({
    config: config(),
    approvals: options.approvals,
    texts,
    capabilities,
    approvalUrl: options.approvalUrl,
  })

  const layersOf = (principal: Principal) => ruleLayers(config().permissions, principal.tools)

  function settings(name: string): McpServerConfig {
    const found = config().servers[name]
    if (found) return found
    const names = Object.keys(config().servers)
    throw new GwError('request.not_found', `no MCP server ${name}`, {
      hint: names.length > 0 ? `there are: ${names.sort().join(', ')}` : `add [mcp.servers.${name}] to the config`,
    })
  }

  const link = (name: string): HttpServerLink =>
    httpServerLink(name, () => settings(name), {
      fetch: options.fetch,
      credentials: options.credentials,
      env,
      logger,
      clock,
      observe: options.observe,
    })

  const catalogue = mcpCatalogue({
    clock,
    logger,
    texts,
    connect: (name, prepare) =>
      connectServer({ name, config: settings(name), link: link(name), env, logger, capabilities: {}, prepare }),
    changed: () => {
      for (const { session } of merged.values()) session.changed()
    },
  })

  const discovery = mcpDiscovery({
    fetch: options.fetch,
    clock,
    server: (name) => {
      const found = config().servers[name]
      return found?.url ? { url: new URL(found.url), local: found.local } : null
    },
  })

  async function overStdio(request: Request, message: Message | null, principal: Principal, name: string) {
    const id = request.headers.get('mcp-session-id')
    if (id !== null) {
      const session = sessions.own(id, name, principal.id)
      const bridge = bridges.get(id)
      if (!bridge) throw new GwError('request.not_found', 'no such MCP session')
      if (message) {
        const [at, began] = [clock.now(), clock.monotonic()]
        const admission = await admitMessage(admit(session.capabilities), principal, name, message)
        const log = (outcome: string, responseBytes: number) => {
          if (message.kind !== 'request' || message.method !== 'tools/call') return
          const { action, rule } = admission.decision ?? { action: 'allow', rule: 'default' }
          calls.record({
            at,
            principal: principal.id,
            server: name,
            tool: String(message.params.name).slice(0, 128),
            action,
            rule,
            outcome,
            durationMs: clock.monotonic() - began,
            requestBytes: writeMessage(message).length,
            responseBytes,
          })
        }
        if (!admission.admitted) {
          log(admission.decision.action === 'ask' ? 'asked' : 'denied', 0)
          return Response.json(admission.answer)
        }
        if (message.kind === 'request') bridge.whenAnswered(message.id, log)
      }
      return bridge.handle(request, message && JSON.parse(writeMessage(message)) as JsonObject)
    }
    if (message?.kind !== 'request' || message.method !== 'initialize') {
      throw new GwError('request.invalid', 'a session begins with initialize')
    }
    const bridge = await openStdioBridge({
      name,
      config: settings(name),
      env,
      logger,
      clock,
      answered: (answer) => shownTools(principal, name, answer),
      closed: (sessionId) => {
        bridges.delete(sessionId)
        sessions.drop(sessionId)
      },
    })
    bridges.set(bridge.sessionId, bridge)
    sessions.bind({
      id: bridge.sessionId,
      server: name,
      principal: principal.id,
      capabilities: (isObject(message.params.capabilities) ? message.params.capabilities : {}) as JsonObject,
      end: () => bridge.close(),
    })
    return bridge.handle(request, JSON.parse(writeMessage(message)) as JsonObject)
  }

  /** An answer whose tool list, if it is one, has been noted and filtered. */
  function shownTools(principal: Principal, name: string, answer: JsonObject): JsonObject {
    if (!isObject(answer.result) || !Array.isArray(answer.result.tools)) return answer
    const layers = layersOf(principal)
    const tools = texts.note(name, answer.result.tools as JsonObject[])
      .filter((tool) => decideTool(layers, name, String(tool.name)).action !== 'deny')
    return { ...answer, result: { ...answer.result, tools } } as JsonObject
  }

  async function overMerged(request: Request, message: Message | null, principal: Principal) {
    const id = request.headers.get('mcp-session-id')
    const parsed = message ? { parsedBody: JSON.parse(writeMessage(message)) as JsonObject } : {}
    if (id !== null) {
      sessions.own(id, mergedKey, principal.id)
      const found = merged.get(id)
      if (!found) throw new GwError('request.not_found', 'no such MCP session')
      return found.transport.handleRequest(request, parsed)
    }
    if (message?.kind !== 'request' || message.method !== 'initialize') {
      throw new GwError('request.invalid', 'a session begins with initialize')
    }
    const sessionId = crypto.randomUUID()
    const session = mergedSession(principal, {
      config,
      catalogue,
      calls,
      clock,
      admit,
      connect: (name, capabilities, prepare) =>
        connectServer({ name, config: settings(name), link: link(name), env, logger, capabilities, prepare }),
    })
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => sessionId,
      eventStore: boundedEventStore(),
    })
    transport.onclose = () => sessions.drop(sessionId)
    // deno-lint-ignore no-explicit-any -- the SDK's transport types do not agree under exactOptionalPropertyTypes
    await session.server.connect(transport as any)
    merged.set(sessionId, { session, transport })
    sessions.bind({
      id: sessionId,
      server: mergedKey,
      principal: principal.id,
      capabilities: (isObject(message.params.capabilities) ? message.params.capabilities : {}) as JsonObject,
      end: () => {
        merged.delete(sessionId)
        session.close().catch(() => {})
      },
    })
    return transport.handleRequest(request, parsed)
  }

  return {
    discovery,
    async handle(request, principal, name) {
      sessions.sweep()
      let message: Message | null = null
      try {
        const server = name === null ? null : settings(name)
        checkVersion(request)
        if (request.method === 'POST') message = readMessage(await readBody(request), server?.extra_methods)
        const closed = name === null ? null : closedServer(layersOf(principal), name)
        if (closed) {
          const text = `the server ${name} is closed to this token (rule: ${closed.rule})`
          if (message?.kind !== 'request') throw new GwError('access.denied', text)
          return Response.json(rpcError(message.id, rpcCodes.denied, text, { rule: closed.rule }))
        }
        if (server === null) return await overMerged(request, message, principal)
        if (server.command) return await overStdio(request, message, principal, name!)
        return await serveHttpServer(request, message, principal, name!, link(name!), {
          clock,
          sessions,
          calls,
          admit,
          timeoutMs: () => server.call_timeout_secs * 1_000,
        })
      } catch (error) {
        const answer = protocolError(error, message)
        if (answer) return answer
        throw error
      }
    },
    async prepareLogin(name) {
      const { url, local } = settings(name)
      if (!url) {
        throw new GwError('login.failed', `${name} is a command on this machine: there is nobody to log in to`, {
          hint: `give it its secrets in mcp.servers.${name}.env`,
        })
      }
      const authorization = await discovery.authorization(name)
      const clientId = options.clientId(mcpVendorId(name))
      return (await options.logins.prepare({ name, url: new URL(url), local }, authorization, clientId)).id
    },
    async servers() {
      return await Promise.all(
        Object.entries(config().servers).sort(([a], [b]) => a < b ? -1 : 1).map(async ([name, server]) => {
          const offer = await catalogue.offer(name)
          return {
            name,
            kind: server.command ? 'stdio' as const : 'http' as const,
            merged: server.merge,
            tools: offer.tools.length,
            error: offer.error,
          }
        }),
      )
    },
    async tools(principal) {
      const layers = layersOf(principal)
      const names = Object.keys(config().servers).filter((name) => closedServer(layers, name) === null).sort()
      const lists = await Promise.all(names.map(async (name) =>
        (await catalogue.offer(name)).tools.map((tool) => ({
          server: name,
          tool: tool.name,
          name: mergedName(config().servers[name]!.namespace ?? name.replaceAll('.', '-'), tool.name),
          description: tool.description ?? '',
          ...decideTool(layers, name, tool.name),
          changed: texts.get(name, tool.name)?.changed ?? false,
        }))
      ))
      return lists.flat().sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
    },
    calls: (query) => calls.recent(query),
    get openSessions() {
      return sessions.size
    },
    async close() {
      sessions.close()
      await catalogue.close()
    },
  }
}

/**
 * Refuses a protocol version nobody here speaks.
 *
 * @see MCP 2025-11-25, transports: an invalid MCP-Protocol-Version is answered with 400
 */
function checkVersion(request: Request): void {
  const version = request.headers.get('mcp-protocol-version')
  if (version !== null && !SUPPORTED_PROTOCOL_VERSIONS.includes(version)) {
    throw new GwError('request.invalid', `protocol version ${version.slice(0, 40)} is not spoken here`, {
      hint: `spoken are: ${SUPPORTED_PROTOCOL_VERSIONS.join(', ')}`,
    })
  }
}

async function readBody(request: Request): Promise<string> {
  const type = (request.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
  if (type !== 'application/json') {
    throw new GwError('request.media_type', 'a message is sent as application/json')
  }
  if (!request.body) throw new GwError('request.invalid', 'the body is empty')
  const reader = request.body.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const timer = setTimeout(
    () => void reader.cancel(new GwError('request.timeout', 'the body came too slowly')),
    bodyTimeoutMs,
  )
  let text = ''
  let bytes = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return text + decoder.decode()
      bytes += value.length
      if (bytes > maxBodyBytes) {
        await reader.cancel().catch(() => {})
        throw new GwError('request.too_large', `a message is at most ${maxBodyBytes} bytes`)
      }
      text += decoder.decode(value, { stream: true })
    }
  } catch (error) {
    if (error instanceof TypeError) throw new GwError('request.invalid', 'the body is not UTF-8', { cause: error })
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** An error as a client of the protocol expects it; `null` for those that are about access and not about the message. */
function protocolError(error: unknown, message: Message | null): Response | null {
  if (!(error instanceof Error) || error.name !== 'GwError') return null
  const known = error as GwError
  if (known.code.startsWith('access.')) return null
  const id = message?.kind === 'request' ? message.id : null
  const own = known.details?.rpcCode
  const code = typeof own === 'number'
    ? own
    : known.code.startsWith('request.')
    ? known.message.includes('not acceptable JSON') ? rpcCodes.parse : rpcCodes.invalid
    : rpcCodes.upstream
  return Response.json(rpcError(id, code, known.message, known.hint ? { hint: known.hint } : undefined), {
    status: known.status,
  })
}
