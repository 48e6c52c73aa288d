import { GwError, isObject, type JsonObject } from '../base/mod.ts'
import { parseStrictJson } from './strict-json.ts'

/** What kind of JSON-RPC message it is. */
export type Message =
  | { readonly kind: 'request'; readonly id: string | number; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'response'; readonly id: string | number; readonly body: JsonObject }

/** What a client may ask of a server, as the specification lists it. Anything else is refused. */
const requests = new Set([
  'initialize',
  'ping',
  'tools/list',
  'tools/call',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/list',
  'tasks/cancel',
  'tasks/result',
])

const notifications = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
  'notifications/tasks/status',
])

/** JSON-RPC error codes used here. @see https://www.jsonrpc.org/specification#error_object */
export const rpcCodes = {
  parse: -32700,
  invalid: -32600,
  unknownMethod: -32601,
  params: -32602,
  internal: -32603,
  /** In the range the specification leaves to servers. */
  denied: -32003,
  approval: -32004,
  upstream: -32010,
  timeout: -32011,
} as const

/** An error that the SDK's server answers a call with, word for word (its own class puts the code into the sentence). */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  readonly data: unknown

  constructor(code: number, message: string, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** A JSON-RPC error answer, with the id of the call it answers. */
export function rpcError(
  id: string | number | null,
  code: number,
  message: string,
  data?: Readonly<Record<string, unknown>>,
): JsonObject {
  return { jsonrpc: '2.0', id, error: { code, message, ...(data ? { data: data as JsonObject } : {}) } }
}

/** How large and deep a message from a client may be. */
const limits = { maxChars: 4 * 1024 * 1024, maxDepth: 128 }

/**
 * Reads the one message of a POST. What comes out is what is forwarded, serialised anew: policy and upstream cannot see
 * two different things.
 *
 * @param extraMethods methods beyond the specification that the owner allowed for this server
 * @throws GwError `request.invalid` for bad JSON, a batch, a wrong envelope or an unknown method
 */
export function readMessage(text: string, extraMethods: readonly string[] = []): Message {
  const value = parseStrictJson(text, limits)
  if (Array.isArray(value)) {
    throw new GwError('request.invalid', 'batches are not part of the protocol since 2025-06-18: send one message', {
      hint: 'send each call in a POST of its own',
    })
  }
  if (!isObject(value)) throw new GwError('request.invalid', 'a message must be a JSON object')
  const message = value as JsonObject
  for (const key of Object.keys(message)) {
    if (!['jsonrpc', 'id', 'method', 'params', 'result', 'error'].includes(key)) {
      throw new GwError('request.invalid', `a message has no member ${JSON.stringify(key)}`)
    }
  }
  if (message.jsonrpc !== '2.0') throw new GwError('request.invalid', 'jsonrpc must be "2.0"')
  const { id, method, params } = message
  if (id !== undefined && typeof id !== 'string' && !(typeof id === 'number' && Number.isSafeInteger(id))) {
    throw new GwError('request.invalid', 'id must be a string or a whole number')
  }
  if (method === undefined) {
    if (id === undefined || ('result' in message) === ('error' in message)) {
      throw new GwError('request.invalid', 'an answer needs an id and either a result or an error')
    }
    return { kind: 'response', id: id as string | number, body: message }
  }
  if (typeof method !== 'string') throw new GwError('request.invalid', 'method must be a string')
  if (params !== undefined && !isObject(params)) throw new GwError('request.invalid', 'params must be an object')
  if ('result' in message || 'error' in message) {
    throw new GwError('request.invalid', 'a call has no result and no error')
  }
  const known = id === undefined ? notifications : requests
  if (!known.has(method) && !extraMethods.includes(method)) {
    throw new GwError('request.invalid', `the method ${JSON.stringify(method.slice(0, 80))} is not forwarded`, {
      hint: 'methods beyond the specification are allowed by their name in mcp.servers.<name>.extra_methods',
      details: { rpcCode: rpcCodes.unknownMethod },
    })
  }
  const given = (params ?? {}) as JsonObject
  return id === undefined
    ? { kind: 'notification', method, params: given }
    : { kind: 'request', id: id as string | number, method, params: given }
}

/** The message as it is sent on. */
export function messageJson(message: Message): JsonObject {
  if (message.kind === 'response') return message.body
  const params = Object.keys(message.params).length > 0 ? { params: message.params } : {}
  const id = message.kind === 'request' ? { id: message.id } : {}
  return { jsonrpc: '2.0', ...id, method: message.method, ...params }
}

/** {@link messageJson} as text. */
export function writeMessage(message: Message): string {
  return JSON.stringify(messageJson(message))
}
