import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request that a vendor got. */
export interface VendorRequest {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Record<string, string>
  readonly json: boolean
}

/** What a vendor answers: a status and a JSON body. */
export type VendorAnswer = readonly [status: number, body: unknown]

/** A vendor's OAuth endpoints on a loopback port, answering by path; requests are kept. */
export interface FakeVendor {
  readonly url: string
  readonly requests: VendorRequest[]
  /** Answers of a path, in order; the last repeats. */
  on(path: string, ...answers: (VendorAnswer | ((request: VendorRequest) => VendorAnswer))[]): void
  close(): Promise<void>
}

/** Starts one. What is not answered by name is 404. */
export async function fakeVendor(): Promise<FakeVendor> {
  const requests: VendorRequest[] = []
  const answers = new Map<string, (VendorAnswer | ((request: VendorRequest) => VendorAnswer))[]>()
  const server = createServer((incoming, response) => {
    let text = ''
    incoming.on('data', (chunk) => text += chunk)
    incoming.on('end', () => {
      const path = new URL(incoming.url!, 'http://x').pathname
      const json = incoming.headers['content-type']?.includes('json') ?? false
      const body = json ? JSON.parse(text || '{}') : Object.fromEntries(new URLSearchParams(text))
      const request: VendorRequest = { path, headers: incoming.headers, body, json }
      requests.push(request)
      const queue = answers.get(path) ?? [[404, { error: 'not_found' }]]
      const next = queue.length > 1 ? queue.shift()! : queue[0]!
      const [status, document] = typeof next === 'function' ? next(request) : next
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    on: (path, ...list) => void answers.set(path, list),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** An unsigned JWT with these claims: what a client may read, and must never trust. */
export function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.sig`
}
