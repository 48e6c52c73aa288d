// @ts-types="@modelcontextprotocol/sdk/client/stdio"
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js'
import { type Clock, GwError, isObject, type JsonObject, type Logger } from '../base/mod.ts'
import type { McpServerConfig } from './config.ts'
import { boundedEventStore } from './event-store.ts'
import { rpcCodes, rpcError } from './message.ts'
import { expand } from './upstream.ts'

/** One client session on one process of a stdio server. */
export interface StdioBridge {
  readonly sessionId: string
  /** Serves one HTTP request of the session; `parsed` is what policy saw of a POST. */
  handle(request: Request, parsed: JsonObject | null): Promise<Response>
  /** Calls back once when the call of this id has been answered, by the server or for it. */
  whenAnswered(id: RequestId, ended: (outcome: string, responseBytes: number) => void): void
  close(): void
}

/** Hooks of a bridge. */
export interface StdioBridgeOptions {
  readonly name: string
  readonly config: McpServerConfig
  readonly env: (name: string) => string | undefined
  readonly logger: Logger
  readonly clock: Clock
  /** Gets each answer of the server before the client does, and returns it as it may be shown. */
  readonly answered: (message: JsonObject) => JsonObject
  readonly closed: (sessionId: string) => void
}

/** Starts the server's process and joins it to a Streamable HTTP session. */
export async function openStdioBridge(options: StdioBridgeOptions): Promise<StdioBridge> {
  const { name, config, env, logger } = options
  const child = openStdio(name, config, env, logger)
  const sessionId = crypto.randomUUID()
  const client = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => sessionId,
    eventStore: boundedEventStore(),
  })
  /** Calls the server has not answered: where a request of the server itself belongs, and what dies with it. */
  const open = new Map<RequestId, ReturnType<typeof setTimeout>>()
  const progress = new Map<string | number, RequestId>()
  const waiting = new Map<RequestId, (outcome: string, responseBytes: number) => void>()
  let closed = false

  function answer(id: RequestId, message: JsonObject): void {
    const code = isObject(message.error) ? message.error.code : null
    const failed = code === rpcCodes.upstream || code === rpcCodes.timeout
    const error = code !== null || (isObject(message.result) && message.result.isError === true)
    waiting.get(id)?.(failed ? 'failed' : error ? 'error' : 'ok', JSON.stringify(message).length)
    waiting.delete(id)
    clearTimeout(open.get(id))
    open.delete(id)
    for (const [token, call] of progress) if (call === id) progress.delete(token)
    client.send(message as unknown as JSONRPCMessage, { relatedRequestId: id }).catch(() => {})
  }

  function close(): void {
    if (closed) return
    closed = true
    for (const id of [...open.keys()]) {
      answer(id, rpcError(id, rpcCodes.upstream, `${name} ended in the middle of a call`))
    }
    child.close().catch(() => {})
    // The answers above are on their way to the client: let them go out before its streams end.
    setTimeout(() => client.close().catch(() => {}), 50)
    options.closed(sessionId)
  }

  client.onmessage = (message) => {
    const { id, method, params } = message as { id?: RequestId; method?: string; params?: JsonObject }
    if (id !== undefined && method !== undefined) {
      const timer = setTimeout(
        () => answer(id, rpcError(id, rpcCodes.timeout, `${name} did not answer in time`)),
        config.call_timeout_secs * 1_000,
      )
      ;(timer as { unref?: () => void }).unref?.()
      open.set(id, timer)
      const token = isObject(params?._meta) ? params._meta.progressToken : undefined
      if (typeof token === 'string' || typeof token === 'number') progress.set(token, id)
    }
    child.send(message).catch(() => close())
  }
  child.onmessage = (message) => {
    const { id, method, params } = message as { id?: RequestId; method?: string; params?: JsonObject }
    if (method === undefined) {
      if (id !== undefined && open.has(id)) answer(id, options.answered(message as unknown as JsonObject))
      return
    }
    const token = params?.progressToken
    const related = typeof token === 'string' || typeof token === 'number'
      ? progress.get(token)
      : [...open.keys()].at(-1)
    client.send(message, related === undefined ? {} : { relatedRequestId: related }).catch(() => {})
  }
  child.onclose = close
  child.onerror = (error) => logger.log('warn', 'mcp.stdio_error', { server: name, error: error.message })
  client.onclose = close

  await client.start()
  try {
    await child.start()
  } catch (cause) {
    throw new GwError('upstream.unreachable', `${name}: ${config.command![0]} could not be started`, {
      hint: `check mcp.servers.${name}.command`,
      cause,
    })
  }
  return {
    sessionId,
    whenAnswered: (id, ended) => void waiting.set(id, ended),
    handle: (request, parsed) => client.handleRequest(request, parsed ? { parsedBody: parsed } : {}),
    close,
  }
}

/** The process of a stdio server, not yet started. It sees a short environment and what the config gives it. */
export function openStdio(
  name: string,
  config: McpServerConfig,
  env: (name: string) => string | undefined,
  logger: Logger,
): StdioClientTransport {
  const [command, ...args] = config.command!
  const given: Record<string, string> = {}
  for (const variable of ['PATH', 'HOME', 'LANG', 'TMPDIR', 'USER', 'SHELL', 'TERM']) {
    const value = env(variable)
    if (value !== undefined) given[variable] = value
  }
  for (const [variable, value] of Object.entries(config.env)) given[variable] = expand(value, env, name)
  const transport = new StdioClientTransport({
    command: command!,
    args,
    env: given,
    stderr: 'pipe',
    ...(config.cwd ? { cwd: config.cwd } : {}),
  })
  let lines = 0
  transport.stderr?.on('data', (chunk: Uint8Array) => {
    if (++lines <= 200) logger.log('debug', 'mcp.stdio_stderr', { server: name, text: new TextDecoder().decode(chunk) })
  })
  return transport
}
