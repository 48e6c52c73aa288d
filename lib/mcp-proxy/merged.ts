// @ts-types="@modelcontextprotocol/sdk/client/index"
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
// @ts-types="@modelcontextprotocol/sdk/server/index"
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolRequestSchema,
  type ClientCapabilities,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  type Prompt,
  ReadResourceRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  type Tool,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'
import type { Principal } from '../access/mod.ts'
import type { McpCatalogue } from './catalogue.ts'
import { mergedCaller, type MergedCallRooms, peerError } from './merged-call.ts'
import { type CallExtra, mergedPeers } from './merged-peers.ts'
import { type Merged, type MergedView, namespaceOf } from './merged-view.ts'
import { rpcCodes, RpcError } from './message.ts'
import { mergedName } from './names.ts'
import { searchTools } from './search.ts'

/** What the merged endpoint is made of. */
export interface MergedRooms extends MergedCallRooms {
  readonly catalogue: McpCatalogue
  readonly connect: (
    server: string,
    capabilities: ClientCapabilities,
    prepare: (client: Client) => void,
  ) => Promise<Client>
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
export function mergedSession(principal: Principal, view: MergedView, rooms: MergedRooms): MergedSession {
  const server = new Server({ name: 'gw', version: '1' }, {
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    },
  })
  const namespace = (name: string) => namespaceOf(rooms.config(), name)
  const peers = mergedPeers(server, { connect: rooms.connect, namespace })
  const call = mergedCaller(principal, server, peers, rooms)

  function searching(count: number): boolean {
    const { search, search_above } = rooms.config()
    return search === 'on' || (search === 'auto' && count > search_above)
  }

  /** Runs `work` on a server, and says so as an answer to the client when that fails. */
  async function at<T>(name: string, extra: CallExtra, work: (peer: Client) => Promise<T>): Promise<T> {
    try {
      return await peers.use(name, extra, work)
    } catch (error) {
      throw peerError(name, error)
    }
  }

  const toolNamed = (tools: readonly Merged<Tool>[], name: string): Merged<Tool> => {
    const found = tools.find((tool) => tool.name === name)
    if (found) return found
    throw new RpcError(rpcCodes.params, `no tool ${name.slice(0, 80)}`)
  }

  const promptNamed = async (name: string): Promise<Merged<Prompt>> => {
    const found = (await view.prompts()).find((prompt) => prompt.name === name)
    if (found) return found
    throw new RpcError(rpcCodes.params, `no prompt ${name.slice(0, 80)}`)
  }

  const resourceAt = async (uri: string): Promise<{ server: string; uri: string }> => {
    const found = await view.findResource(uri)
    if (found) return found
    throw new RpcError(-32002, `no server offers ${uri.slice(0, 200)}`, { uri: uri.slice(0, 2_000) })
  }

  server.setRequestHandler(ListToolsRequestSchema, async () => {
    const all = await view.tools()
    if (searching(all.length)) return { tools: searchInterface(all.length) }
    return { tools: all.map(({ name, item }) => ({ ...item, name })) }
  })

  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const args = params.arguments ?? {}
    const all = await view.tools()
    if (searching(all.length) && params.name === searchTool) {
      const limit = typeof args.limit === 'number' ? Math.min(Math.max(1, Math.trunc(args.limit)), 20) : 5
      const found = searchTools(
        all.map(({ name, item }) => ({ name, description: item.description ?? '', tool: item })),
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
      return call(toolNamed(all, String(args.name ?? '')), inner as Record<string, unknown>, extra)
    }
    return call(toolNamed(all, params.name), args, extra)
  })

  server.setRequestHandler(
    ListPromptsRequestSchema,
    async () => ({ prompts: (await view.prompts()).map(({ name, item }) => ({ ...item, name })) }),
  )

  server.setRequestHandler(GetPromptRequestSchema, async ({ params }, extra) => {
    const { server: name, item } = await promptNamed(params.name)
    return await at(name, extra, (peer) => peer.getPrompt({ ...params, name: item.name }, { signal: extra.signal }))
  })

  server.setRequestHandler(ListResourcesRequestSchema, async () => ({
    resources: (await view.resources()).map(({ name: uri, server, item }) => ({
      ...item,
      uri,
      name: mergedName(namespace(server), item.name),
    })),
  }))

  server.setRequestHandler(ListResourceTemplatesRequestSchema, async () => ({
    resourceTemplates: (await view.templates()).map(({ name: uriTemplate, server, item }) => ({
      ...item,
      uriTemplate,
      name: mergedName(namespace(server), item.name),
    })),
  }))

  server.setRequestHandler(ReadResourceRequestSchema, async ({ params }, extra) => {
    const { server: name, uri } = await resourceAt(params.uri)
    const result = await at(name, extra, (peer) => peer.readResource({ ...params, uri }, { signal: extra.signal }))
    const prefix = params.uri.slice(0, params.uri.length - uri.length)
    return prefix === ''
      ? result
      : { ...result, contents: result.contents.map((content) => ({ ...content, uri: prefix + content.uri })) }
  })

  server.setRequestHandler(SubscribeRequestSchema, async ({ params }, extra) => {
    const { server: name, uri } = await resourceAt(params.uri)
    await peers.subscribe(name, uri, params.uri, extra).catch((error) => {
      throw peerError(name, error)
    })
    return {}
  })

  server.setRequestHandler(UnsubscribeRequestSchema, async ({ params }, extra) => {
    const { server: name, uri } = await resourceAt(params.uri)
    await peers.unsubscribe(name, uri, extra).catch((error) => {
      throw peerError(name, error)
    })
    return {}
  })

  server.setRequestHandler(CompleteRequestSchema, async ({ params }, extra) => {
    const { ref } = params
    if (ref.type === 'ref/prompt') {
      const { server: name, item } = await promptNamed(ref.name)
      const mine = { ...params, ref: { ...ref, name: item.name } }
      return await at(name, extra, (peer) => peer.complete(mine, { signal: extra.signal }))
    }
    const template = (await view.templates()).find(({ name }) => name === ref.uri)
    const { server: name, uri } = template
      ? { server: template.server, uri: template.item.uriTemplate }
      : await resourceAt(ref.uri)
    return await at(name, extra, (peer) => peer.complete({ ...params, ref: { ...ref, uri } }, { signal: extra.signal }))
  })

  server.setRequestHandler(SetLevelRequestSchema, async ({ params }) => {
    await peers.setLevel(params.level)
    return {}
  })

  return {
    server,
    changed() {
      server.sendToolListChanged().catch(() => {})
      server.sendPromptListChanged().catch(() => {})
      server.sendResourceListChanged().catch(() => {})
    },
    async close() {
      await peers.close()
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
