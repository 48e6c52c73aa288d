import { Buffer } from 'node:buffer'
import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Via } from '../port.ts'
import type { Connect, RawSocket } from './socket.ts'

/** Longest answer of a proxy to CONNECT. */
const maxHeadBytes = 16 * 1024

/**
 * Sockets through an HTTP proxy: a tunnel by CONNECT, and TLS to the destination inside it, so that the proxy sees the
 * destination's name and nothing of what is said. The sockets of Node, which every runtime here has.
 *
 * @see RFC 9110 §9.3.6
 */
export function connectThrough(via: Via): Connect {
  return (to, owner) => {
    let closed = false
    let failure: Error | null = null
    let inner: RawSocket | null = null
    const socket = connectTcp({ host: via.host, port: via.port, noDelay: true })
    let head = Buffer.alloc(0)

    function end(error: Error | null): void {
      if (closed) return
      closed = true
      socket.destroy()
      owner.lost(error)
    }

    function begin(): void {
      socket.removeListener('data', read)
      const { tls } = to
      const stream = tls === null ? socket : connectTls({
        socket,
        ...(isIP(tls.serverName) === 0 ? { servername: tls.serverName } : {}),
        host: tls.serverName,
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: tls.verify,
        ...(tls.ca === null ? {} : { ca: tls.ca }),
      }, () => closed || owner.connected())
      stream.on('data', (bytes: Uint8Array) => {
        if (!closed) owner.received(bytes as Uint8Array<ArrayBuffer>)
      })
      if (stream !== socket) {
        stream.on('error', (error: Error) => failure = error)
        stream.on('close', () => end(failure))
      }
      inner = {
        write: (bytes) => void stream.write(bytes),
        pause: () => void stream.pause(),
        resume: () => void stream.resume(),
        close: () => void stream.destroy(),
      }
      if (stream === socket) owner.connected()
    }

    function read(bytes: Buffer): void {
      head = Buffer.concat([head, bytes])
      const over = head.indexOf('\r\n\r\n')
      if (over < 0) return head.length > maxHeadBytes ? end(new Error('the proxy does not speak HTTP')) : undefined
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(head.toString('latin1', 0, over))?.[1]
      if (status === undefined) return end(new Error('the proxy does not speak HTTP'))
      if (!status.startsWith('2')) return end(new Error(`the proxy refused with ${status}`))
      // Nobody may speak in a tunnel before we do.
      if (head.length > over + 4) return end(new Error('the proxy sent more than its answer'))
      begin()
    }

    socket.on('connect', () => {
      const host = to.host.includes(':') ? `[${to.host}]` : to.host
      const proof = via.authorization === null ? '' : `proxy-authorization: ${via.authorization}\r\n`
      socket.write(`CONNECT ${host}:${to.port} HTTP/1.1\r\nhost: ${host}:${to.port}\r\n${proof}\r\n`)
    })
    socket.on('data', read)
    socket.on('error', (error) => failure = error)
    socket.on('close', () => end(failure))
    return {
      write: (bytes) => inner?.write(bytes),
      pause: () => inner?.pause(),
      resume: () => inner?.resume(),
      close() {
        closed = true
        inner?.close()
        socket.destroy()
      },
    }
  }
}
