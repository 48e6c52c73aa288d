/** A request as it came over the wire. */
export interface RecordedRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** The path alone. */
  readonly path: string
  /** By lower-case name; several values joined by `, `. */
  readonly headers: ReadonlyMap<string, string>
  /** As sent: order, case and repetition kept. */
  readonly rawHeaders: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
  /** The body as UTF-8. */
  text(): string
  /** The body as JSON. */
  json(): Record<string, unknown>
}

/** Reads requests from the bytes of one connection. */
export interface RequestReader {
  /** Feeds bytes; returns the requests they completed. */
  push(bytes: Uint8Array): RecordedRequest[]
}

const blank = new TextEncoder().encode('\r\n\r\n')

/**
 * An HTTP/1.1 request reader for well-behaved peers: Content-Length and chunked bodies, pipelining.
 *
 * @param onContinue called when a peer waits for `100 Continue`
 */
export function requestReader(onContinue: () => void): RequestReader {
  let held: Uint8Array = new Uint8Array(0)
  let asked = false

  function one(): RecordedRequest | undefined {
    const end = indexOf(held, blank, 0)
    if (end < 0) return undefined
    const [first = '', ...lines] = new TextDecoder('latin1').decode(held.subarray(0, end)).split('\r\n')
    const [method = '', target = ''] = first.split(' ')
    const rawHeaders = lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
    })
    const headers = new Map<string, string>()
    for (const [name, value] of rawHeaders) {
      const key = name.toLowerCase()
      const before = headers.get(key)
      headers.set(key, before === undefined ? value : `${before}, ${value}`)
    }
    const start = end + 4
    const found = headers.get('transfer-encoding') === 'chunked'
      ? chunked(held, start)
      : sized(held, start, Number(headers.get('content-length') ?? 0))
    if (!found) {
      if (headers.get('expect')?.toLowerCase() === '100-continue' && !asked) {
        asked = true
        onContinue()
      }
      return undefined
    }
    held = held.subarray(found.next)
    asked = false
    const { body } = found
    const text = (): string => new TextDecoder().decode(body)
    return {
      method,
      target,
      path: target.split('?')[0]!,
      headers,
      rawHeaders,
      body,
      text,
      json: () => JSON.parse(text()) as Record<string, unknown>,
    }
  }

  return {
    push(bytes) {
      const joined = new Uint8Array(held.length + bytes.length)
      joined.set(held)
      joined.set(bytes, held.length)
      held = joined
      const out: RecordedRequest[] = []
      for (let next = one(); next; next = one()) out.push(next)
      return out
    },
  }
}

function sized(bytes: Uint8Array, start: number, length: number): { body: Uint8Array; next: number } | undefined {
  return bytes.length < start + length ? undefined : { body: bytes.slice(start, start + length), next: start + length }
}

function chunked(bytes: Uint8Array, start: number): { body: Uint8Array; next: number } | undefined {
  const parts: Uint8Array[] = []
  const line = new TextEncoder().encode('\r\n')
  for (let at = start;;) {
    const end = indexOf(bytes, line, at)
    if (end < 0) return undefined
    const size = parseInt(new TextDecoder().decode(bytes.subarray(at, end)), 16)
    if (bytes.length < end + 2 + size + 2) return undefined
    if (size === 0) {
      const body = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
      let offset = 0
      for (const part of parts) {
        body.set(part, offset)
        offset += part.length
      }
      return { body, next: end + 4 }
    }
    parts.push(bytes.slice(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

function indexOf(bytes: Uint8Array, needle: Uint8Array, from: number): number {
  outer: for (let i = from; i <= bytes.length - needle.length; i++) {
    for (let j = 0; j < needle.length; j++) if (bytes[i + j] !== needle[j]) continue outer
    return i
  }
  return -1
}
