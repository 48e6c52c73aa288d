import { createServer, type Socket } from 'node:net'
import { type RecordedRequest, requestReader } from './http-reader.ts'
import { gauge, within } from './wait.ts'

/** One request and everything that can be done to it, byte for byte. */
export interface Exchange {
  readonly request: RecordedRequest
  /** Which connection it came on, from 1. */
  readonly connection: number
  /** Which request on that connection it is, from 1: tells a kept-alive connection from a fresh one. */
  readonly turn: number
  /** Which request of the upstream it is, from 1. */
  readonly count: number
  /** Writes bytes as they are: no framing is added. Resolves when the kernel has taken them. */
  raw(bytes: string | Uint8Array): Promise<void>
  /** Writes a response head; chunked unless a Content-Length or Transfer-Encoding is given. */
  head(status: number, headers?: Readonly<Record<string, string>>): Promise<void>
  /** Writes one chunk of a chunked body. */
  chunk(bytes: string | Uint8Array): Promise<void>
  /** Ends a chunked body; the connection stays open for the next request. */
  end(): Promise<void>
  /** A whole JSON answer with a Content-Length. */
  json(value: unknown, options?: { status?: number; headers?: Readonly<Record<string, string>> }): Promise<void>
  /** The head of an event stream. Write events with {@link Exchange.event}, finish with {@link Exchange.end}. */
  sse(headers?: Readonly<Record<string, string>>): Promise<void>
  /** One event as one chunk; objects as JSON. */
  event(data: unknown, name?: string): Promise<void>
  /** Writes byte by byte (or `size` bytes at a time) as chunks, each in its own packet. */
  drip(text: string | Uint8Array, size?: number): Promise<void>
  /** Ends the connection with a TCP reset. */
  reset(): void
  /** Ends the connection with a FIN, whatever was promised. */
  hangUp(): void
  /** Resolves when the peer has closed the connection, or we have. */
  readonly gone: Promise<void>
}

/** What to do with a request. A promise that never settles leaves the peer waiting. */
export type Step = (exchange: Exchange) => void | Promise<void>

/** A scripted server on 127.0.0.1. */
export interface FakeUpstream extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without a path. */
  readonly url: string
  readonly port: number
  /** Every request so far, in order of completion. */
  readonly requests: readonly RecordedRequest[]
  /** Connections open now. */
  readonly connections: number
  /** Requests whose step runs and whose peer is there. */
  readonly inFlight: number
  /** Connections ever accepted. */
  readonly accepted: number
  /** Errors thrown by steps: a test that expects none should say so. */
  readonly faults: readonly unknown[]
  /** Resolves with request number `count` (from 1), waiting up to `ms` (5 s). */
  request(count?: number, ms?: number): Promise<RecordedRequest>
  /** Resolves when so many connections are open, up to `ms` (5 s). */
  connectionsAre(count: number, ms?: number): Promise<void>
  /** Resolves when so many requests are in flight, up to `ms` (5 s). */
  inFlightIs(count: number, ms?: number): Promise<void>
  /** Replaces the script for requests that come from now on. */
  follow(script: Step | readonly Step[]): void
  close(): Promise<void>
}

const reasons: Readonly<Record<number, string>> = { 200: 'OK', 429: 'Too Many Requests', 500: 'Internal Server Error' }

/**
 * Starts a scripted upstream on a free port. A list of steps is taken one per request, the last one repeating.
 *
 * @example
 * const upstream = await fakeUpstream(async (exchange) => {
 *   await exchange.sse()
 *   await exchange.event({ choices: [] })
 *   await held.opened // pace by promises, not by time
 *   exchange.reset()
 * })
 */
export async function fakeUpstream(script: Step | readonly Step[]): Promise<FakeUpstream> {
  let steps: readonly Step[] = typeof script === 'function' ? [script] : script
  let taken = 0
  const requests: RecordedRequest[] = []
  const seen = gauge()
  const connections = gauge()
  const inFlight = gauge()
  const sockets = new Set<Socket>()
  const faults: unknown[] = []
  let accepted = 0

  const server = createServer((socket) => {
    const connection = ++accepted
    let turn = 0
    sockets.add(socket)
    connections.add(1)
    const closed = Promise.withResolvers<void>()
    socket.setNoDelay(true)
    socket.on('error', () => {})
    // A half-close is how a client hangs up: nothing can reach it any more.
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      sockets.delete(socket)
      connections.add(-1)
      closed.resolve()
    })
    const reader = requestReader(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'))
    let line = Promise.resolve()
    socket.on('data', (bytes: Uint8Array) => {
      for (const request of reader.push(bytes)) {
        requests.push(request)
        seen.set(requests.length)
        const step = steps[Math.min(taken++, steps.length - 1)]
        const exchange = exchangeOn(socket, request, {
          connection,
          turn: ++turn,
          count: requests.length,
          gone: closed.promise,
        })
        inFlight.add(1)
        line = line.then(async () => {
          try {
            if (!step) throw new Error('the script is empty')
            await Promise.race([step(exchange), closed.promise])
          } catch (fault) {
            if (!socket.destroyed) faults.push(fault)
            socket.destroy()
          } finally {
            inFlight.add(-1)
          }
        })
      }
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the fake upstream has no port')
  const { port } = address

  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of sockets) socket.destroy()
    await within(5000, 'the fake upstream to close', closed)
  }

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    faults,
    get connections() {
      return connections.value
    },
    get inFlight() {
      return inFlight.value
    },
    get accepted() {
      return accepted
    },
    async request(count = 1, ms = 5000) {
      await seen.until((n) => n >= count, ms, `${count} requests`)
      return requests[count - 1]!
    },
    connectionsAre: (count, ms = 5000) => connections.until((n) => n === count, ms, `${count} open connections`),
    inFlightIs: (count, ms = 5000) => inFlight.until((n) => n === count, ms, `${count} requests in flight`),
    follow(next) {
      steps = typeof next === 'function' ? [next] : next
      taken = 0
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function exchangeOn(
  socket: Socket,
  request: RecordedRequest,
  place: Pick<Exchange, 'connection' | 'turn' | 'count' | 'gone'>,
): Exchange {
  const raw = (bytes: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      if (socket.destroyed) return reject(new Error('the peer is gone'))
      socket.write(bytes, (error) => error ? reject(error) : resolve())
    })
  const head: Exchange['head'] = (status, headers = {}) => {
    const names = Object.keys(headers).map((name) => name.toLowerCase())
    const sized = names.includes('content-length') || names.includes('transfer-encoding')
    const lines = Object.entries(sized ? headers : { ...headers, 'transfer-encoding': 'chunked' })
    return raw(
      `HTTP/1.1 ${status} ${reasons[status] ?? 'Status'}\r\n${lines.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`,
    )
  }
  const chunk: Exchange['chunk'] = (bytes) => {
    const body = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
    if (body.length === 0) return Promise.resolve()
    const size = new TextEncoder().encode(`${body.length.toString(16)}\r\n`)
    const framed = new Uint8Array(size.length + body.length + 2)
    framed.set(size)
    framed.set(body, size.length)
    framed.set([13, 10], size.length + body.length)
    return raw(framed)
  }
  return {
    ...place,
    request,
    raw,
    head,
    chunk,
    end: () => raw('0\r\n\r\n'),
    async json(value, { status = 200, headers = {} } = {}) {
      const body = new TextEncoder().encode(JSON.stringify(value))
      await head(status, { 'content-type': 'application/json', ...headers, 'content-length': String(body.length) })
      await raw(body)
    },
    sse: (headers = {}) => head(200, { 'content-type': 'text/event-stream', ...headers }),
    event: (data, name) =>
      chunk(
        `${name === undefined ? '' : `event: ${name}\n`}data: ${
          typeof data === 'string' ? data : JSON.stringify(data)
        }\n\n`,
      ),
    async drip(text, size = 1) {
      const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
      for (let at = 0; at < bytes.length; at += size) {
        await chunk(bytes.subarray(at, at + size))
        // Let the event loop send what was written, so that each piece is its own packet.
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    reset: () => void socket.resetAndDestroy(),
    hangUp: () => void socket.destroySoon(),
  }
}
