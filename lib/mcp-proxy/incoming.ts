// @ts-types="@modelcontextprotocol/sdk/types"
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js'
import { GwError } from '../base/mod.ts'
import { type Message, rpcCodes, rpcError } from './message.ts'

const maxBodyBytes = 4 * 1024 * 1024
const bodyTimeoutMs = 30_000

/**
 * Refuses a protocol version nobody here speaks.
 *
 * @throws GwError `request.invalid`
 * @see MCP 2025-11-25, transports: an invalid MCP-Protocol-Version is answered with 400
 */
export function checkVersion(request: Request): void {
  const version = request.headers.get('mcp-protocol-version')
  if (version !== null && !SUPPORTED_PROTOCOL_VERSIONS.includes(version)) {
    throw new GwError('request.invalid', `protocol version ${version.slice(0, 40)} is not spoken here`, {
      hint: `spoken are: ${SUPPORTED_PROTOCOL_VERSIONS.join(', ')}`,
    })
  }
}

/**
 * The text of a POST, bounded in size and time.
 *
 * @throws GwError `request.media_type`, `request.timeout`, `request.too_large`, `request.invalid`
 */
export async function readBody(request: Request): Promise<string> {
  const type = (request.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
  if (type !== 'application/json') {
    throw new GwError('request.media_type', 'a message is sent as application/json')
  }
  if (!request.body) throw new GwError('request.invalid', 'the body is empty')
  const reader = request.body.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let late = false
  const timer = setTimeout(() => {
    late = true
    reader.cancel().catch(() => {})
  }, bodyTimeoutMs)
  let text = ''
  let bytes = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (late) throw new GwError('request.timeout', 'the body came too slowly')
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
export function protocolError(error: unknown, message: Message | null): Response | null {
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
    // A call that reached its server and failed there is answered; only what is wrong with the request is an HTTP error.
    status: id !== null && !known.code.startsWith('request.') ? 200 : known.status,
  })
}
