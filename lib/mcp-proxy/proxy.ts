import { type Approvals, closedServer, decideTool, type Principal, ruleLayers, type ToolAction } from '../access/mod.ts'
import { type Clock, GwError, type JsonObject, type Logger, toGwError } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { type AdmitContext, admitMessage, type McpAdmission, questionForm } from './admit.ts'
import { type McpCall, mcpCallLog } from './calls.ts'
import { mcpCatalogue } from './catalogue.ts'
import type { McpConfig, McpServerConfig } from './config.ts'
import { connectServer } from './connect.ts'
import { openToolTexts } from './descriptions.ts'
import { approvalForm, createDialogs, takeAnswer } from './dialog.ts'
import { type McpDiscovery, mcpDiscovery } from './discovery.ts'
import { adoptSession, serveHttpServer } from './http-server.ts'
import { checkVersion, protocolError, readBody } from './incoming.ts'
import type { McpLogins } from './logins.ts'
import { mcpVendorId } from './look.ts'
import { mergedEndpoint } from './merged-endpoint.ts'
import { namespaceOf } from './merged-view.ts'
import { type Message, readMessage, rpcCodes, rpcError } from './message.ts'
import { mergedName } from './names.ts'
import { probeServer } from './probe.ts'
import { mcpSessions } from './sessions.ts'
import { stdioServers } from './stdio-server.ts'
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
  readonly approvalUrl: ((id: string) => string | null) | null
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
  /**
   * Begins a session with a server over HTTP and ends it again, with the credential that calls get.
   *
   * @returns its status and what it says when it refuses
   * @throws GwError `upstream.unreachable`, `upstream.timeout`, `credential.…`: nothing about the server itself
   */
  probe(server: string, timeoutMs: number): Promise<{ status: number; waitMs: number | null; hint: string }>
  /** Names and kinds of the configured servers, and whether they answer (asks those not asked lately). */
  servers(): Promise<{ name: string; kind: 'http' | 'stdio'; merged: boolean; tools: number; error: string | null }[]>
  /** What the servers offer that are open to this principal, and what the rules say of each tool for it. */
  tools(principal: Principal): Promise<McpToolInfo[]>
  calls(options: { readonly limit: number; readonly server?: string }): Promise<McpCall[]>
  readonly openSessions: number
  close(): Promise<void>
}

/**
 * What the connections that only ask for lists say they can do: all of it. Servers keep things from those who cannot use
 * them, and the list is for every client; a call goes over a connection that says what its own client can.
 */
const everyCapability = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } }

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
  const dialogs = createDialogs(clock)
  const admit = (capabilities: JsonObject): AdmitContext => ({
    config: config(),
    approvals: options.approvals,
    texts,
    capabilities,
    approvalUrl: options.approvalUrl,
  })

  const layersOf = (principal: Principal) => ruleLayers(config().permissions, principal.tools)

  function settings(name: string): McpServerConfig {
    const { servers } = config()
    if (Object.hasOwn(servers, name)) return servers[name]!
    const names = Object.keys(config().servers)
    throw new GwError('request.not_found', `no MCP server ${name}`, {
      hint: names.length > 0 ? `there are: ${names.sort().join(', ')}` : `add [mcp.servers.${name}] to the config`,
    })
  }

  const link = (name: string, observe: McpObserver = options.observe): HttpServerLink =>
    httpServerLink(name, () => settings(name), {
      fetch: options.fetch,
      credentials: options.credentials,
      env,
      logger,
      clock,
      observe,
    })

  const catalogue = mcpCatalogue({
    clock,
    logger,
    texts,
    connect: (name, prepare) =>
      connectServer({
        name,
        config: settings(name),
        link: link(name),
        env,
        logger,
        capabilities: everyCapability,
        prepare,
      }),
    changed: () => merged.changed(),
  })

  const discovery = mcpDiscovery({
    fetch: options.fetch,
    clock,
    server: (name) => {
      const found = config().servers[name]
      return found?.url ? { url: new URL(found.url), local: found.local } : null
    },
  })

  const merged = mergedEndpoint({
    config,
    catalogue,
    calls,
    clock,
    approvals: options.approvals,
    admit,
    connect: (name, capabilities, prepare) =>
      connectServer({ name, config: settings(name), link: link(name), env, logger, capabilities, prepare }),
  }, sessions)
  const overStdio = stdioServers({ clock, logger, sessions, calls, texts, env, settings, layers: layersOf })

  /** One server alone: the message is judged, and where a person has to be asked first, asked. */
  async function direct(request: Request, message: Message | null, principal: Principal, name: string) {
    const server = settings(name)
    const id = request.headers.get('mcp-session-id')
    const session = id === null
      ? null
      : server.command
      ? sessions.own(id, name, principal.id)
      : adoptSession(id, name, principal, sessions)
    if (message?.kind === 'response' && id !== null && dialogs.answer(id, message.body)) {
      return new Response(null, { status: 202 })
    }
    const capabilities = session?.capabilities ?? {}
    const judge = () => message && admitMessage(admit(capabilities), principal, name, message)
    const forward = (admission: McpAdmission | null) =>
      server.command
        ? overStdio(request, message, principal, name, admission)
        : serveHttpServer(request, message, principal, name, link(name), admission, {
          clock,
          sessions,
          calls,
          admit,
          timeoutMs: () => server.call_timeout_secs * 1_000,
        })
    const admission = await judge()
    const approval = admission && !admission.admitted ? admission.approval : null
    if (!approval || id === null || message?.kind !== 'request' || questionForm(capabilities) !== 'form') {
      return await forward(admission)
    }
    return dialogs.respond({
      request,
      sessionId: id,
      question: (id) => ({
        jsonrpc: '2.0',
        id,
        method: 'elicitation/create',
        params: approvalForm(approval, options.approvalUrl?.(approval.id) ?? null, config()),
      }),
      untilMs: approval.expiresAt - clock.now(),
      call: async (answer) => {
        const again = await takeAnswer(answer?.result, {
          approval,
          principal,
          approvals: options.approvals,
          config: config(),
        })
        return await forward(again ? await judge() : admission)
      },
      failed: (error) => rpcError(message.id, rpcCodes.upstream, toGwError(error).message),
    })
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
        return name === null
          ? await merged.handle(request, message, principal)
          : await direct(request, message, principal, name)
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
    probe: (name, timeoutMs) => probeServer(name, link(name, () => {}), timeoutMs, clock),
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
          name: mergedName(namespaceOf(config(), name), tool.name),
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
