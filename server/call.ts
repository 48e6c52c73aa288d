import type { Principal } from '../lib/access/mod.ts'
import { GwError, type Json, type JsonObject, parseJson, schemaType, type TypedSchema } from '../lib/base/mod.ts'
import { operationContext } from '../lib/operation-context.ts'
import type { OperationContext, OperationDescription, Surface } from '../lib/operations/mod.ts'
import type { Door } from './door.ts'

/** Largest body of an administrative call. */
const largestBody = 1024 * 1024
/** How long its bytes may take. */
const bodyMs = 15_000

/** Who calls. @throws GwError `access.missing`, `access.invalid`, `access.expired`, `access.revoked` */
export function principalOf({ gateway, peerOf }: Door, request: Request): Promise<Principal> {
  return gateway.rooms.access.authenticate(request.headers, peerOf(request))
}

/** What an operation is given when it is called for a principal through a surface. */
export function contextFor(
  { gateway }: Door,
  { principal, surface, signal }: { principal: Principal; surface: Surface; signal: AbortSignal },
): OperationContext {
  return operationContext(gateway.rooms, gateway.rooms.system, { principal, surface, signal })
}

/**
 * The JSON body of an administrative call; an empty one is `{}`.
 *
 * A page in a browser can send a form or plain text to any origin without asking; JSON it cannot. So nothing else is
 * taken, whatever it holds.
 *
 * @throws GwError `request.media_type`, `request.too_large`, `request.timeout`, `request.invalid`
 */
export async function readJsonBody(request: Request): Promise<Json> {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  const text = await readText(request)
  if (type !== 'application/json' && !(text === '' && type === undefined)) {
    throw new GwError('request.media_type', 'the body must be JSON', { hint: 'content-type: application/json' })
  }
  return text.trim() === '' ? {} : parseJson(text)
}

async function readText(request: Request): Promise<string> {
  if (!request.body) return ''
  const reader = request.body.getReader()
  const parts: Uint8Array[] = []
  let size = 0
  let late = false
  const timer = setTimeout(() => {
    late = true
    reader.cancel().catch(() => {})
  }, bodyMs)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.length
      if (size > largestBody) {
        await reader.cancel().catch(() => {})
        throw new GwError('request.too_large', `the body is larger than ${largestBody} bytes`)
      }
      parts.push(value)
    }
  } finally {
    clearTimeout(timer)
  }
  if (late) throw new GwError('request.timeout', `the body took longer than ${bodyMs / 1000} s`)
  const bytes = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new GwError('request.invalid', 'the body is not UTF-8')
  }
}

/**
 * The input that a query string means, by the types of the operation's schema. What does not fit stays a text, and the
 * schema then says what is wrong with it.
 *
 * @throws GwError `request.invalid` for a single value that is given twice
 */
export function inputFromQuery(operation: OperationDescription, query: URLSearchParams): JsonObject {
  const properties = (operation.input.properties ?? {}) as Record<string, TypedSchema>
  const out: Record<string, Json> = {}
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name)
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined
    const type = schema && schemaType(schema)
    if (type === 'array') {
      out[name] = values.length === 1 && values[0]!.startsWith('[') ? json(values[0]!) : values
      continue
    }
    if (values.length > 1) throw new GwError('request.invalid', `${name}: given more than once`, { param: name })
    const [text] = values as [string]
    const value = type === 'string' ? text : type === undefined || type === 'object' ? json(text) : scalar(type, text)
    Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true })
  }
  return out
}

function scalar(type: string, text: string): Json {
  if (type === 'boolean') {
    return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text
  }
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}

function json(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}
