import { GwError } from '../../base/mod.ts'
import type { Dialer, Dialling, DialReply, DialRequest, Via } from '../port.ts'
import { Connection, type ConnectionEvents, type Exchange } from './connection.ts'
import type { Connect, Destination } from './socket.ts'
import { connectThrough } from './tunnel.ts'

/** How connections are made and kept. */
export interface ClientOptions {
  readonly connect: Connect
  /** Certificates to trust instead of the system's, PEM. For tests and private upstreams. */
  readonly ca?: string | null
  /** False takes any certificate: whoever is on the way can read and change everything. Default true. */
  readonly verify?: boolean
  /** Longest wait for a connection, per address. */
  readonly connectMs?: number
  /** How long a connection is kept without work. Shorter than most servers keep theirs. */
  readonly idleMs?: number
  /** Idle connections kept per origin. */
  readonly maxIdle?: number
}

/**
 * gw's own HTTP/1.1 client: it connects to the address it is given, reads answers strictly and pushes their bodies.
 *
 * A request is repeated in one case only: on a kept connection that the server had already closed, as long as not a byte
 * of an answer has come.
 */
export function createClient(options: ClientOptions): Dialer {
  const { connect, ca = null, verify = true, connectMs = 10_000, idleMs = 15_000, maxIdle = 512 } = options
  const idle = new Map<string, Connection[]>()
  const open = new Set<Connection>()
  let sweeper: ReturnType<typeof setTimeout> | undefined
  let closed = false

  function keep(connection: Connection): void {
    const { key } = connection
    const kept = idle.get(key) ?? []
    if (closed || kept.length >= maxIdle) return connection.close()
    connection.idleSince = performance.now()
    kept.push(connection)
    if (kept.length === 1) idle.set(key, kept)
    if (sweeper === undefined) {
      sweeper = setTimeout(sweep, idleMs)
      ;(sweeper as { unref?: () => void }).unref?.()
    }
  }

  /** Closes what was not needed for a while; the newest are at the end. */
  function sweep(): void {
    sweeper = undefined
    const before = performance.now() - idleMs
    for (const [key, kept] of idle) {
      while (kept.length > 0 && kept[0]!.idleSince < before) kept.shift()!.close()
      if (kept.length === 0) idle.delete(key)
    }
    if (idle.size > 0 && !closed) {
      sweeper = setTimeout(sweep, idleMs)
      ;(sweeper as { unref?: () => void }).unref?.()
    }
  }

  function take(key: string): Connection | null {
    const kept = idle.get(key)
    while (kept && kept.length > 0) {
      const connection = kept.pop()!
      if (!connection.closed && performance.now() - connection.idleSince < idleMs) return connection
      connection.close()
    }
    return null
  }

  const events: ConnectionEvents = {
    idle: keep,
    gone(connection) {
      open.delete(connection)
      const kept = idle.get(connection.key)
      const at = kept?.indexOf(connection) ?? -1
      if (at >= 0) kept!.splice(at, 1)
    },
  }

  /** What every request to a URL needs of it; a URL is not changed once it has been dialled. */
  const places = new WeakMap<URL, Place>()

  function placeOf(url: URL): Place {
    let place = places.get(url)
    if (place === undefined) {
      const secure = url.protocol === 'https:'
      const host = url.hostname.replace(/^\[|\]$/g, '')
      place = {
        secure,
        port: url.port === '' ? secure ? 443 : 80 : Number(url.port),
        host,
        alone: [host],
        origin: url.origin,
      }
      places.set(url, place)
    }
    return place
  }

  const rules: Rules = { ca, verify, connectMs }
  const pool: Pool = {
    take,
    make(to, name, key, via) {
      const connection = new Connection({ connect: via ? connectThrough(via) : connect, to, name, key, events })
      open.add(connection)
      return connection
    },
  }

  function dial(request: DialRequest): Dialling {
    if (closed) return { reply: Promise.reject(new GwError('cancelled', 'gw is closing')), cancel() {} }
    return new Dial(request, placeOf(request.url), pool, rules)
  }

  return {
    dial,
    get idle() {
      let count = 0
      for (const kept of idle.values()) count += kept.length
      return count
    },
    close() {
      closed = true
      clearTimeout(sweeper)
      for (const connection of [...open]) connection.close()
    },
  }
}

/** Where connections come from. */
interface Pool {
  /** A kept connection, or `null`. */
  take(key: string): Connection | null
  make(to: Destination, name: string, key: string, via: Via | null): Connection
}

/** How new connections are made. */
interface Rules {
  readonly ca: string | null
  readonly verify: boolean
  readonly connectMs: number
}

/** One request on its way through the connections that may carry it. */
class Dial implements Dialling, Exchange {
  readonly reply: Promise<DialReply>
  readonly #request: DialRequest
  readonly #place: Place
  readonly #pool: Pool
  readonly #rules: Rules
  readonly #addresses: readonly string[]
  readonly #label: string
  #resolve!: (reply: DialReply) => void
  #reject!: (error: unknown) => void
  #current: Connection | null = null
  #cancelled = false

  constructor(
    request: DialRequest,
    place: Place,
    pool: Pool,
    rules: Rules,
  ) {
    const { via, addresses } = request
    this.#request = request
    this.#place = place
    this.#pool = pool
    this.#rules = rules
    this.#addresses = via ? place.alone : addresses ?? place.alone
    this.#label = via ? `${place.origin} via ${via.host}:${via.port}` : place.origin
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#begin()
  }

  cancel(): void {
    this.#cancelled = true
    this.#current?.close()
  }

  answered(reply: DialReply): void {
    this.#resolve(reply)
  }

  /** The kept connection that was tried first is lost. */
  failed(error: unknown): void {
    if (!isStale(error, this.#current!) || this.#cancelled) this.#reject(error)
    else this.#run().then(this.#resolve, this.#reject)
  }

  /** On a kept connection when there is one: the common case, and the cheap one. */
  #begin(): void {
    const first = this.#addresses[0]
    const kept = first === undefined ? null : this.#pool.take(`${this.#label} ${first}`)
    if (kept === null) return void this.#run().then(this.#resolve, this.#reject)
    this.#current = kept
    try {
      kept.send(this.#request, this)
    } catch (error) {
      kept.close()
      this.#reject(error)
    }
  }

  /** One address after the other. */
  async #run(): Promise<DialReply> {
    let failure: unknown
    const addresses = this.#addresses
    for (const address of addresses) {
      if (this.#cancelled) throw new GwError('cancelled', 'the request was given up')
      const key = `${this.#label} ${address}`
      // The first address's kept connection has been tried already.
      const kept = address === addresses[0] ? null : this.#pool.take(key)
      if (kept) {
        this.#current = kept
        try {
          return await sent(kept, this.#request)
        } catch (error) {
          if (!isStale(error, kept) || this.#cancelled) throw error
        }
      }
      try {
        return await this.#fresh(address, key)
      } catch (error) {
        failure = error
        // Only where nobody was there is the next address worth a try: a request that was sent is never sent twice.
        if (this.#cancelled || this.#current?.ready) throw error
      }
    }
    throw failure ?? new GwError('upstream.unreachable', `${this.#request.url.host} has no address`)
  }

  async #fresh(address: string, key: string): Promise<DialReply> {
    const { secure, port, host } = this.#place
    const { ca, verify, connectMs } = this.#rules
    const { url, via } = this.#request
    const name = via ? `${url.host} through the proxy ${via.host}:${via.port} (${via.namedBy})` : url.host
    const to = { host: address, port, tls: secure ? { serverName: host, ca, verify } : null }
    const connection = this.#current = this.#pool.make(to, name, key, via ?? null)
    const timer = setTimeout(() => {
      if (!connection.ready) connection.close()
    }, connectMs)
    try {
      return await sent(connection, this.#request)
    } catch (error) {
      if (this.#cancelled || connection.ready || !(error instanceof GwError) || error.code !== 'cancelled') throw error
      throw new GwError('upstream.unreachable', `could not connect to ${name} in ${connectMs} ms`)
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Sends a request on a connection. */
function sent(connection: Connection, request: DialRequest): Promise<DialReply> {
  return new Promise((resolve, reject) => {
    try {
      connection.send(request, { answered: resolve, failed: reject })
    } catch (error) {
      connection.close()
      reject(error)
    }
  })
}

/** What a URL says about where to connect. */
interface Place {
  readonly secure: boolean
  readonly port: number
  /** Without brackets. */
  readonly host: string
  /** The host as the only address there is. */
  readonly alone: readonly string[]
  readonly origin: string
}

/** Whether a kept connection had been closed by its server before it could have read the request. */
const isStale = (error: unknown, { answered }: Connection): boolean =>
  error instanceof GwError && error.code === 'upstream.unreachable' && !answered
