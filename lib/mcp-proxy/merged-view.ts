// @ts-types="@modelcontextprotocol/sdk/types"
import type { Prompt, Resource, ResourceTemplate, Tool } from '@modelcontextprotocol/sdk/types.js'
import { closedServer, decideTool, type Principal, ruleLayers } from '../access/mod.ts'
import type { McpCatalogue, ServerOffer } from './catalogue.ts'
import type { McpConfig } from './config.ts'
import { mergedName } from './names.ts'

/** Something of a server under the name that the merged endpoint gives it. */
export interface Merged<T> {
  /** Its name, or for resources its URI. */
  readonly name: string
  readonly server: string
  readonly item: T
}

/** What one principal sees of all servers: everything in the order of its names, the same at each start. */
export interface MergedView {
  tools(): Promise<Merged<Tool>[]>
  prompts(): Promise<Merged<Prompt>[]>
  resources(): Promise<Merged<Resource>[]>
  templates(): Promise<Merged<ResourceTemplate>[]>
  /** The server that has a resource, and its URI there; also for one that is only made from a template. */
  findResource(uri: string): Promise<{ server: string; uri: string } | null>
}

/** Names a resource of one server among several that use the same URI. */
const ownUri = (server: string, uri: string) => `gw-mcp://${server}/${uri}`
const ownPattern = /^gw-mcp:\/\/([A-Za-z0-9.-]+)\/(.+)$/s

/** The namespace of a server's names. */
export function namespaceOf(config: McpConfig, server: string): string {
  return config.servers[server]?.namespace ?? server.replaceAll('.', '-')
}

/** A {@link MergedView} of what the catalogue holds now. */
export function mergedView(
  principal: Principal,
  { config, catalogue }: { readonly config: () => McpConfig; readonly catalogue: McpCatalogue },
): MergedView {
  const layers = () => ruleLayers(config().permissions, principal.tools)

  function servers(): string[] {
    const rules = layers()
    return Object.entries(config().servers)
      .filter(([name, server]) => server.merge && closedServer(rules, name) === null)
      .map(([name]) => name)
      .sort()
  }

  /** A list made of what the servers offer; made again only when an offer or the configuration is another. */
  function listOf<T>(
    items: (offer: ServerOffer, server: string) => readonly T[],
    nameOf: (item: T, server: string, taken: ReadonlyMap<string, unknown>) => string,
  ): () => Promise<Merged<T>[]> {
    let made: { readonly of: readonly unknown[]; readonly list: Merged<T>[] } | null = null
    return async () => {
      const names = servers()
      const offers = await Promise.all(names.map((server) => catalogue.offer(server)))
      const of = [config(), ...offers]
      if (made?.of.length === of.length && made.of.every((one, i) => one === of[i])) return made.list
      // Two names that come out alike (an empty namespace, a long name's hash): the first server keeps it.
      const taken = new Map<string, Merged<T>>()
      for (const [i, server] of names.entries()) {
        const before = new Map(taken)
        for (const item of items(offers[i]!, server)) {
          const name = nameOf(item, server, before)
          if (!taken.has(name)) taken.set(name, { name, server, item })
        }
      }
      const list = [...taken.values()].sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
      made = { of, list }
      return list
    }
  }

  const named = (item: { readonly name: string }, server: string) =>
    mergedName(namespaceOf(config(), server), item.name)
  const uriOf = (uri: string, server: string, taken: ReadonlyMap<string, unknown>) =>
    taken.has(uri) ? ownUri(server, uri) : uri

  const view: MergedView = {
    tools: listOf(({ tools }, server) => {
      const rules = layers()
      return tools.filter((tool) => decideTool(rules, server, tool.name).action !== 'deny')
    }, named),
    prompts: listOf(({ prompts }) => prompts, named),
    resources: listOf(({ resources }) => resources, ({ uri }, server, taken) => uriOf(uri, server, taken)),
    templates: listOf(
      ({ templates }) => templates,
      ({ uriTemplate }, server, taken) => uriOf(uriTemplate, server, taken),
    ),
    async findResource(uri) {
      const own = ownPattern.exec(uri)
      if (own) return servers().includes(own[1]!) ? { server: own[1]!, uri: own[2]! } : null
      const exact = (await view.resources()).find(({ name }) => name === uri)
      if (exact) return { server: exact.server, uri }
      // The template whose fixed beginning is the longest is the one that fits best.
      let best: { server: string; length: number } | null = null
      for (const { name, server } of await view.templates()) {
        const fixed = name.split('{', 1)[0]!
        if (uri.startsWith(fixed) && fixed.length > (best?.length ?? 0)) best = { server, length: fixed.length }
      }
      return best && { server: best.server, uri }
    },
  }
  return view
}
