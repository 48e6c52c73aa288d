// @ts-types="@modelcontextprotocol/sdk/client/index"
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
// @ts-types="@modelcontextprotocol/sdk/server/index"
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
// @ts-types="@modelcontextprotocol/sdk/shared/protocol"
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolRequestSchema,
  type CallToolResult,
  CallToolResultSchema,
  type ClientCapabilities,
  CreateMessageRequestSchema,
  CreateMessageResultSchema,
  ElicitRequestSchema,
  ElicitResultSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  type ServerNotification,
  type ServerRequest,
  type Tool,
} from '@modelcontextprotocol/sdk/types.js'
import { closedServer, decideTool, type Principal, ruleLayers } from '../access/mod.ts'
import type { Clock, JsonObject } from '../base/mod.ts'
import { type AdmitContext, admitMessage } from './admit.ts'
import type { McpCallLog } from './calls.ts'
import type { McpCatalogue } from './catalogue.ts'
import type { McpConfig } from './config.ts'
import { rpcCodes, RpcError } from './message.ts'
import { mergedName } from './names.ts'
import { searchTools } from './search.ts'

/** What the merged endpoint is made of. */
export interface MergedRooms {
  readonly config: () => McpConfig
  readonly catalogue: McpCatalogue
  readonly calls: McpCallLog
  readonly clock: Clock
  readonly admit: (capabilities: JsonObject) => AdmitContext
  readonly connect: (
    server: string,
    capabilities: ClientCapabilities,
    prepare: (client: Client) => void,
  ) => Promise<Client>
}

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

interface MergedTool {
  readonly name: string
  readonly server: string
  readonly tool: Tool
}

/** One client's view of every server it may use, as a single MCP server. */
export interface MergedSession {
  readonly server: Server
  /** Tells the client that the lists have changed. */
  changed(): void
  close(): Promise<void>
}

const searchTool = 'search_tools'
const callTool = 'call_tool'

/** Makes a {@link MergedSession} for a principal. Its connections to servers are opened by their first call. */
export function mergedSession(principal: Principal, rooms: MergedRooms): MergedSession {
  const server = new Server({ name: 'gw', version: '1' }, {
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true },
    },
  })
  const clients = new Map<string, Promise<Client>>()

  const namespaceOf = (name: string) => rooms.config().servers[name]?.namespace ?? name.replaceAll('.', '-')
  const layers = () => ruleLayers(rooms.config().permissions, principal.tools)
  const servers = () =>
    Object.entries(rooms.config().servers)
      .filter(([name, config]) => config.merge && closedServer(layers(), name) === null)
      .map(([name]) => name)
      .sort()

  /** The tools of every server that this caller may use, in the order of their names: the same at each start. */
  async function tools(): Promise<MergedTool[]> {
    const offers = await Promise.all(
      servers().map(async (name) => ({ name, offer: await rooms.catalogue.offer(name) })),
    )
    const rules = layers()
    return offers
      .flatMap(({ name, offer }) =>
        offer.tools
          .filter((tool) => decideTool(rules, name, tool.name).action !== 'deny')
          .map((tool) => ({ name: mergedName(namespaceOf(name), tool.name), server: name, tool }))
      )
      .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  }

  function searching(count: number): boolean {
    const { search, search_above } = rooms.config()
    return search === 'on' || (search === 'auto' && count > search_above)
  }

  function client(name: string): Promise<Client> {
    const open = clients.get(name)
    if (open) return open
    const can = server.getClientCapabilities() ?? {}
    const capabilities: ClientCapabilities = {
      ...(can.sampling ? { sampling: can.sampling } : {}),
      ...(can.elicitation ? { elicitation: can.elicitation } : {}),
    }
    const made = rooms.connect(name, capabilities, (peer) => {
      if (can.sampling) {
        peer.setRequestHandler(
          CreateMessageRequestSchema,
          (request, extra) => server.request(request, CreateMessageResultSchema, { signal: extra.signal }),
        )
      }
      if (can.elicitation) {
        peer.setRequestHandler(
          ElicitRequestSchema,
          (request, extra) => server.request(request, ElicitResultSchema, { signal: extra.signal }),
        )
      }
      peer.onclose = () => clients.delete(name)
    })
    clients.set(name, made)
    made.catch(() => clients.delete(name))
    return made
  }

  async function call(found: MergedTool, args: Record<string, unknown>, extra: Extra): Promise<CallToolResult> {
    const at = rooms.clock.now()
    const began = rooms.clock.monotonic()
    const admission = await admitMessage(
      rooms.admit(server.getClientCapabilities() as JsonObject ?? {}),
      principal,
      found.server,
      {
        kind: 'request',
        id: extra.requestId,
        method: 'tools/call',
        params: { name: found.tool.name, arguments: args as JsonObject },
      },
    )
    const { action, rule } = admission.decision ?? { action: 'allow', rule: 'default' }
    const log = (outcome: string, responseBytes: number) =>
      rooms.calls.record({
        at,
        principal: principal.id,
        server: found.server,
        tool: found.tool.name,
        action,
        rule,
        outcome,
        durationMs: rooms.clock.monotonic() - began,
        requestBytes: JSON.stringify(args).length,
        responseBytes,
      })
    if (!admission.admitted) {
      log(action === 'ask' ? 'asked' : 'denied', 0)
      const { code, message, data } = admission.answer.error as { code: number; message: string; data?: unknown }
      throw new RpcError(code, message, data)
    }
    try {
      const token = extra._meta?.progressToken
      const result = await (await client(found.server)).request(
        { method: 'tools/call', params: { name: found.tool.name, arguments: args } },
        CallToolResultSchema,
        {
          signal: extra.signal,
          timeout: (rooms.config().servers[found.server]?.call_timeout_secs ?? 300) * 1_000,
          resetTimeoutOnProgress: true,
          ...(token === undefined ? {} : {
            onprogress: (progress) =>
              void extra.sendNotification({
                method: 'notifications/progress',
                params: { ...progress, progressToken: token },
              }).catch(() => {}),
          }),
        },
      )
      log(result.isError ? 'error' : 'ok', JSON.stringify(result).length)
      return result
    } catch (error) {
      log('failed', 0)
      if (error instanceof McpError && error.code !== -32001 && error.code !== -32000) throw error
      throw new RpcError(
        rpcCodes.upstream,
        `${found.server} did not answer: ${error instanceof Error ? error.message : error}`,
      )
    }
  }

  async function find(name: string): Promise<MergedTool> {
    const found = (await tools()).find((tool) => tool.name === name)
    if (found) return found
    throw new RpcError(rpcCodes.params, `no tool ${name.slice(0, 80)}`)
  }

  server.setRequestHandler(ListToolsRequestSchema, async () => {
    const all = await tools()
    if (searching(all.length)) return { tools: searchInterface(all.length) }
    return { tools: all.map(({ name, tool }) => ({ ...tool, name })) }
  })

  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const args = params.arguments ?? {}
    const all = await tools()
    if (searching(all.length) && params.name === searchTool) {
      const limit = typeof args.limit === 'number' ? Math.min(Math.max(1, Math.trunc(args.limit)), 20) : 5
      const found = searchTools(
        all.map(({ name, tool }) => ({ name, description: tool.description ?? '', tool })),
        String(args.query ?? ''),
        limit,
      )
      const text = found.map(({ name, description, tool }) =>
        JSON.stringify({ name, description, inputSchema: tool.inputSchema })
      ).join('\n')
      return { content: [{ type: 'text', text: text || 'no tool fits: try other words' }] }
    }
    if (searching(all.length) && params.name === callTool) {
      const inner = typeof args.arguments === 'object' && args.arguments !== null ? args.arguments : {}
      return call(await find(String(args.name ?? '')), inner as Record<string, unknown>, extra)
    }
    return call(await find(params.name), args, extra)
  })

  server.setRequestHandler(ListPromptsRequestSchema, async () => {
    const lists = await Promise.all(
      servers().map(async (name) =>
        (await rooms.catalogue.offer(name)).prompts.map((prompt) => ({
          ...prompt,
          name: mergedName(namespaceOf(name), prompt.name),
        }))
      ),
    )
    return { prompts: lists.flat().sort((a, b) => a.name < b.name ? -1 : 1) }
  })

  server.setRequestHandler(GetPromptRequestSchema, async ({ params }, extra) => {
    for (const name of servers()) {
      const prompt = (await rooms.catalogue.offer(name)).prompts
        .find((prompt) => mergedName(namespaceOf(name), prompt.name) === params.name)
      if (prompt) return (await client(name)).getPrompt({ ...params, name: prompt.name }, { signal: extra.signal })
    }
    throw new RpcError(rpcCodes.params, `no prompt ${params.name.slice(0, 80)}`)
  })

  server.setRequestHandler(ListResourcesRequestSchema, async () => {
    const lists = await Promise.all(servers().map(async (name) => (await rooms.catalogue.offer(name)).resources))
    return { resources: lists.flat() }
  })

  server.setRequestHandler(ListResourceTemplatesRequestSchema, async () => {
    const lists = await Promise.all(servers().map(async (name) => (await rooms.catalogue.offer(name)).templates))
    return { resourceTemplates: lists.flat() }
  })

  server.setRequestHandler(ReadResourceRequestSchema, async ({ params }, extra) => {
    const names = servers()
    const offers = await Promise.all(names.map((name) => rooms.catalogue.offer(name)))
    const exact = names.filter((_, i) => offers[i]!.resources.some((resource) => resource.uri === params.uri))
    const scheme = `${params.uri.split(':')[0]}:`
    const like = names.filter((_, i) =>
      offers[i]!.templates.some((template) => template.uriTemplate.startsWith(scheme))
    )
    for (const name of [...exact, ...like]) {
      return (await client(name)).readResource(params, { signal: extra.signal })
    }
    throw new RpcError(-32002, `no server offers ${params.uri.slice(0, 200)}`)
  })

  return {
    server,
    changed() {
      server.sendToolListChanged().catch(() => {})
      server.sendPromptListChanged().catch(() => {})
      server.sendResourceListChanged().catch(() => {})
    },
    async close() {
      const open = [...clients.values()]
      clients.clear()
      await Promise.all(open.map((peer) => peer.then((client) => client.close()).catch(() => {})))
      await server.close().catch(() => {})
    },
  }
}

/** The two tools that stand for all: the whole list would cost the model more than the work. */
function searchInterface(count: number): Tool[] {
  return [
    {
      name: callTool,
      description: `Call a tool found with ${searchTool}.`,
      inputSchema: {
        type: 'object',
        properties: {
          name: { type: 'string', description: `name as ${searchTool} gave it` },
          arguments: { type: 'object', description: "arguments after the tool's own inputSchema" },
        },
        required: ['name'],
      },
    },
    {
      name: searchTool,
      description: `Find among ${count} tools by what they do; gives names, descriptions and input schemas.`,
      inputSchema: {
        type: 'object',
        properties: {
          query: { type: 'string', description: 'words for what you want to do' },
          limit: { type: 'integer', minimum: 1, maximum: 20, description: 'how many tools at most; 5 if not given' },
        },
        required: ['query'],
      },
      annotations: { readOnlyHint: true },
    },
  ]
}
