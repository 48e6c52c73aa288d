// @ts-types="@modelcontextprotocol/sdk/client/index"
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  type Prompt,
  PromptListChangedNotificationSchema,
  type Resource,
  ResourceListChangedNotificationSchema,
  type ResourceTemplate,
  type Tool,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { type Clock, type JsonObject, type Logger, singleFlight } from '../base/mod.ts'
import type { ToolTexts } from './descriptions.ts'

/** What one server offers. */
export interface ServerOffer {
  readonly tools: readonly Tool[]
  readonly prompts: readonly Prompt[]
  readonly resources: readonly Resource[]
  readonly templates: readonly ResourceTemplate[]
  /** Why it could not be asked; its lists are then the last known ones. */
  readonly error: string | null
}

/** What the servers offer, asked once and remembered until they say it changed. */
export interface McpCatalogue {
  /** The offer of a server; asks it when nothing is remembered or the memory is old. Never rejects. */
  offer(server: string): Promise<ServerOffer>
  close(): Promise<void>
}

const keptMs = 10 * 60_000
const failedKeptMs = 15_000
const listTimeoutMs = 15_000
const maxPages = 50

/** An {@link McpCatalogue}; `changed` is called when a server says that its lists have changed. */
export function mcpCatalogue(options: {
  readonly clock: Clock
  readonly logger: Logger
  readonly texts: ToolTexts
  readonly connect: (server: string, prepare: (client: Client) => void) => Promise<Client>
  readonly changed: (server: string) => void
}): McpCatalogue {
  const { clock, logger } = options
  const offers = new Map<string, { offer: ServerOffer; at: number }>()
  const clients = new Map<string, Client>()
  const flight = singleFlight<ServerOffer>()

  async function client(server: string): Promise<Client> {
    const open = clients.get(server)
    if (open) return open
    const made = await options.connect(server, (client) => {
      const changed = () => {
        offers.delete(server)
        options.changed(server)
      }
      client.setNotificationHandler(ToolListChangedNotificationSchema, changed)
      client.setNotificationHandler(PromptListChangedNotificationSchema, changed)
      client.setNotificationHandler(ResourceListChangedNotificationSchema, changed)
      client.onclose = () => clients.delete(server)
    })
    clients.set(server, made)
    return made
  }

  async function ask(server: string): Promise<ServerOffer> {
    const before = offers.get(server)?.offer
    let offer: ServerOffer
    try {
      const peer = await client(server)
      const can = peer.getServerCapabilities() ?? {}
      const timeout = { timeout: listTimeoutMs }
      offer = {
        tools: can.tools ? noted(server, await pages((cursor) => peer.listTools({ cursor }, timeout), 'tools')) : [],
        prompts: can.prompts ? await pages((cursor) => peer.listPrompts({ cursor }, timeout), 'prompts') : [],
        resources: can.resources ? await pages((cursor) => peer.listResources({ cursor }, timeout), 'resources') : [],
        templates: can.resources
          ? await pages<'resourceTemplates', ResourceTemplate>(
            (cursor) => peer.listResourceTemplates({ cursor }, timeout),
            'resourceTemplates',
          ).catch(
            () => [],
          )
          : [],
        error: null,
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      logger.log('warn', 'mcp.list_failed', { server, error: message })
      await clients.get(server)?.close().catch(() => {})
      clients.delete(server)
      offer = { tools: [], prompts: [], resources: [], templates: [], ...before, error: message }
    }
    offers.set(server, { offer, at: clock.monotonic() })
    return offer
  }

  const noted = (server: string, tools: Tool[]): Tool[] =>
    options.texts.note(server, tools as unknown as JsonObject[]) as unknown as Tool[]

  return {
    offer(server) {
      const known = offers.get(server)
      const life = known?.offer.error ? failedKeptMs : keptMs
      if (known && clock.monotonic() - known.at < life) return Promise.resolve(known.offer)
      return flight.run(server, () => ask(server))
    },
    async close() {
      await Promise.all([...clients.values()].map((peer) => peer.close().catch(() => {})))
    },
  }
}

/** Every page of a list, up to a bound. */
async function pages<K extends string, T>(
  ask: (cursor: string | undefined) => Promise<{ nextCursor?: string | undefined } & Record<K, T[]>>,
  key: K,
): Promise<T[]> {
  const all: T[] = []
  let cursor: string | undefined
  for (let page = 0; page < maxPages; page++) {
    const answer = await ask(cursor)
    all.push(...answer[key])
    cursor = answer.nextCursor
    if (cursor === undefined) break
  }
  return all
}
