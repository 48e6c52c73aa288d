import { Buffer } from 'node:buffer'
import { GwError } from '../../base/mod.ts'
import type { DialRequest } from '../port.ts'

/** What would end a line, or is no byte: in a request line or a header it would write a second request. */
// deno-lint-ignore no-control-regex
const unsafe = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/
const namePattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Fields that this client writes itself, or that would change the framing. */
const ownFields = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'expect',
  'upgrade',
  'te',
  'trailer',
])

/**
 * A request as it goes on the wire, head and body in one piece.
 *
 * @throws GwError `request.invalid` for a header that cannot be sent
 */
export function serialize({ method, url, headers, body }: DialRequest): Uint8Array {
  let head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n`
  let names = ''
  let values = ''
  for (const [name, value] of headers) {
    if (ownFields.has(name)) continue
    names += name
    values += value
    head += `${name}: ${value}\r\n`
  }
  // One look at all of them together: each by itself would cost more than the rest of this function.
  if (unsafe.test(values) || (names !== '' && !namePattern.test(names))) throw badField(headers)
  const size = body?.length ?? 0
  head += size > 0 || (method !== 'GET' && method !== 'HEAD') ? `content-length: ${size}\r\n\r\n` : '\r\n'
  const bytes = Buffer.allocUnsafe(head.length + size)
  bytes.write(head, 0, 'latin1')
  if (body) bytes.set(body, head.length)
  return bytes
}

function badField(headers: DialRequest['headers']): GwError {
  const [name] = headers.find(([name, value]) => unsafe.test(value) || !namePattern.test(name)) ?? ['']
  return new GwError('request.invalid', `the header ${name.slice(0, 64)} holds characters that cannot be sent`)
}
