import { GwError } from '../../base/mod.ts'
import type { Dialer, Dialling, DialReply, DialRequest } from '../port.ts'
import { Connection } from './connection.ts'
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

  function keep(key: string, connection: Connection): void {
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

  function make(connect: Connect, key: string, to: Destination, name: string): Connection {
    const connection = new Connection(connect, to, name, {
      idle: (connection) => keep(key, connection),
      gone: (connection) => {
        open.delete(connection)
        const kept = idle.get(key)
        const at = kept?.indexOf(connection) ?? -1
        if (at >= 0) kept!.splice(at, 1)
      },
    })
    open.add(connection)
    return connection
  }

  /** What every request to a URL needs of it; a URL is not changed once it has been dialled. */
  const places = new WeakMap<URL, Place>()

  function placeOf(url: URL): Place {
    let place = places.get(url)
    if (place === undefined) {
      const secure = url.protocol === 'https:'
      place = {
        secure,
        port: url.port === '' ? secure ? 443 : 80 : Number(url.port),
        host: url.hostname.replace(/^\[|\]$/g, ''),
        origin: url.origin,
      }
      places.set(url, place)
    }
    return place
  }

  function dial(request: DialRequest): Dialling {
    let current: Connection | null = null
    let cancelled = false
    const { url } = request
    const { secure, port, host, origin } = placeOf(url)
    const { via } = request
    const addresses = via ? [host] : request.addresses ?? [host]
    const label = via ? `${origin} via ${via.host}:${via.port}` : origin

    async function fresh(address: string, key: string): Promise<DialReply> {
      const to = { host: address, port, tls: secure ? { serverName: host, ca, verify } : null }
      const connection = current = make(via ? connectThrough(via) : connect, key, to, url.host)
      const reply = connection.send(request)
      const timer = setTimeout(() => {
        if (!connection.ready) connection.close()
      }, connectMs)
      try {
        return await reply
      } catch (error) {
        if (cancelled || connection.ready || !(error instanceof GwError) || error.code !== 'cancelled') throw error
        throw new GwError('upstream.unreachable', `could not connect to ${url.host} in ${connectMs} ms`)
      } finally {
        clearTimeout(timer)
      }
    }

    async function run(): Promise<DialReply> {
      let failure: unknown
      for (const address of addresses) {
        if (cancelled) throw new GwError('cancelled', 'the request was given up')
        const key = `${label} ${address}`
        // The first address's kept connection has been tried already.
        const kept = address === addresses[0] ? null : take(key)
        if (kept) {
          current = kept
          try {
            return await kept.send(request)
          } catch (error) {
            if (!isStale(error, kept) || cancelled) throw error
          }
        }
        try {
          return await fresh(address, key)
        } catch (error) {
          failure = error
          // Only where nobody was there is the next address worth a try: a request that was sent is never sent twice.
          if (cancelled || (current as Connection | null)?.ready) throw error
        }
      }
      throw failure ?? new GwError('upstream.unreachable', `${url.host} has no address`)
    }

    /** On a kept connection when there is one: the common case, and the cheap one. */
    function begin(): Promise<DialReply> {
      const kept = addresses.length === 0 ? null : take(`${label} ${addresses[0]!}`)
      if (kept === null) return run()
      current = kept
      return kept.send(request).catch((error) => {
        if (!isStale(error, kept) || cancelled) throw error
        return run()
      })
    }

    return {
      reply: closed ? Promise.reject(new GwError('cancelled', 'gw is closing')) : begin(),
      cancel() {
        cancelled = true
        current?.close()
      },
    }
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

/** What a URL says about where to connect. */
interface Place {
  readonly secure: boolean
  readonly port: number
  /** Without brackets. */
  readonly host: string
  readonly origin: string
}

/** Whether a kept connection had been closed by its server before it could have read the request. */
const isStale = (error: unknown, { answered }: Connection): boolean =>
  error instanceof GwError && error.code === 'upstream.unreachable' && !answered
