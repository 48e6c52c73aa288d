// @ts-types="@modelcontextprotocol/sdk/client/index"
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
// @ts-types="@modelcontextprotocol/sdk/server/index"
import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
// @ts-types="@modelcontextprotocol/sdk/shared/protocol"
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  type ClientCapabilities,
  CreateMessageRequestSchema,
  CreateMessageResultSchema,
  ElicitationCompleteNotificationSchema,
  ElicitRequestSchema,
  ElicitResultSchema,
  ListRootsRequestSchema,
  ListRootsResultSchema,
  type LoggingLevel,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  RootsListChangedNotificationSchema,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js'

/** What the SDK hands a handler beside the request. */
export type CallExtra = RequestHandlerExtra<ServerRequest, ServerNotification>

/** The connections of one merged session to servers, each opened by its first use. */
export interface MergedPeers {
  /**
   * Runs a call on the connection to a server. What the server asks or tells meanwhile goes to the client on the stream
   * of that call. A server that has forgotten its session is connected to once more.
   */
  use<T>(server: string, extra: CallExtra, work: (peer: Client) => Promise<T>): Promise<T>
  subscribe(server: string, uri: string, shown: string, extra: CallExtra): Promise<void>
  unsubscribe(server: string, uri: string, extra: CallExtra): Promise<void>
  /** Applies to the servers that are connected and those that will be. */
  setLevel(level: LoggingLevel): Promise<void>
  close(): Promise<void>
}

/** Makes {@link MergedPeers} for the client of `server`. */
export function mergedPeers(
  server: Server,
  { connect, namespace }: {
    readonly connect: (
      server: string,
      capabilities: ClientCapabilities,
      prepare: (client: Client) => void,
    ) => Promise<Client>
    readonly namespace: (server: string) => string
  },
): MergedPeers {
  const clients = new Map<string, Promise<Client>>()
  const calls = new Map<string, Set<CallExtra>>()
  /** By server and its URI, the URI that the client knows. */
  const subscriptions = new Map<string, Map<string, string>>()
  let level: LoggingLevel | null = null

  /** The youngest open call of a server: what it says now belongs there most likely. */
  const callOf = (name: string): CallExtra | undefined => [...calls.get(name) ?? []].at(-1)
  const tell = (name: string, notification: ServerNotification): void => {
    const call = callOf(name)
    const sent = call ? call.sendNotification(notification) : server.notification(notification)
    sent.catch(() => {})
  }

  function prepare(name: string, peer: Client): void {
    const can = server.getClientCapabilities() ?? {}
    const asker = (signal: AbortSignal) => {
      const call = callOf(name)
      const options = { signal }
      return {
        // deno-lint-ignore no-explicit-any -- the schema of the result is what tells its type
        request: (request: ServerRequest, schema: any): Promise<any> =>
          call ? call.sendRequest(request, schema, options) : server.request(request, schema, options),
      }
    }
    if (can.sampling) {
      peer.setRequestHandler(
        CreateMessageRequestSchema,
        ({ method, params }, { signal }) => asker(signal).request({ method, params }, CreateMessageResultSchema),
      )
    }
    if (can.elicitation) {
      peer.setRequestHandler(
        ElicitRequestSchema,
        ({ method, params }, { signal }) => asker(signal).request({ method, params }, ElicitResultSchema),
      )
    }
    if (can.roots) {
      peer.setRequestHandler(
        ListRootsRequestSchema,
        ({ method }, { signal }) => asker(signal).request({ method }, ListRootsResultSchema),
      )
    }
    peer.setNotificationHandler(LoggingMessageNotificationSchema, ({ method, params }) => {
      const logger = params.logger ? `${namespace(name)}/${params.logger}` : namespace(name)
      tell(name, { method, params: { ...params, logger } })
    })
    peer.setNotificationHandler(ElicitationCompleteNotificationSchema, ({ method, params }) => {
      tell(name, { method, params })
    })
    peer.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ method, params }) => {
      const uri = subscriptions.get(name)?.get(params.uri) ?? params.uri
      server.notification({ method, params: { ...params, uri } }).catch(() => {})
    })
  }

  function client(name: string): Promise<Client> {
    const open = clients.get(name)
    if (open) return open
    const { sampling, elicitation, roots } = server.getClientCapabilities() ?? {}
    const capabilities: ClientCapabilities = {
      ...(sampling ? { sampling } : {}),
      ...(elicitation ? { elicitation } : {}),
      ...(roots ? { roots } : {}),
    }
    const made: Promise<Client> = connect(name, capabilities, (peer) => prepare(name, peer)).then(async (peer) => {
      // Only its own place is given up: another connection may stand there by then.
      peer.onclose = () => void (clients.get(name) === made && clients.delete(name))
      if (level !== null && peer.getServerCapabilities()?.logging) await peer.setLoggingLevel(level).catch(() => {})
      // A connection that was lost takes its subscriptions with it.
      for (const uri of subscriptions.get(name)?.keys() ?? []) await peer.subscribeResource({ uri }).catch(() => {})
      return peer
    })
    clients.set(name, made)
    made.catch(() => clients.delete(name))
    return made
  }

  async function drop(name: string): Promise<void> {
    const open = clients.get(name)
    clients.delete(name)
    await open?.then((peer) => peer.close()).catch(() => {})
  }

  async function use<T>(name: string, extra: CallExtra, work: (peer: Client) => Promise<T>): Promise<T> {
    const open = calls.get(name) ?? new Set()
    calls.set(name, open)
    open.add(extra)
    try {
      try {
        return await work(await client(name))
      } catch (error) {
        // @see MCP 2025-11-25, session management: 404 means that a new session has to be begun
        if ((error as { code?: unknown }).code !== 404) throw error
        await drop(name)
        return await work(await client(name))
      }
    } finally {
      open.delete(extra)
    }
  }

  server.setNotificationHandler(RootsListChangedNotificationSchema, async () => {
    for (const open of clients.values()) await open.then((peer) => peer.sendRootsListChanged()).catch(() => {})
  })

  return {
    use,
    async subscribe(name, uri, shown, extra) {
      const known = subscriptions.get(name) ?? new Map<string, string>()
      subscriptions.set(name, known)
      known.set(uri, shown)
      try {
        await use(name, extra, (peer) => peer.subscribeResource({ uri }, { signal: extra.signal }))
      } catch (error) {
        known.delete(uri)
        throw error
      }
    },
    async unsubscribe(name, uri, extra) {
      subscriptions.get(name)?.delete(uri)
      await use(name, extra, (peer) => peer.unsubscribeResource({ uri }, { signal: extra.signal }))
    },
    async setLevel(given) {
      level = given
      await Promise.all([...clients.values()].map((open) =>
        open.then(async (peer) => {
          if (peer.getServerCapabilities()?.logging) await peer.setLoggingLevel(given)
        }).catch(() => {})
      ))
    },
    async close() {
      await Promise.all([...clients.keys()].map(drop))
    },
  }
}
