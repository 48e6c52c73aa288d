import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Connect } from './socket.ts'

/** Sockets of Node, and of Deno in Node's clothes. */
export const connectNode: Connect = (to, owner) => {
  let closed = false
  let failure: Error | null = null
  const { host, port, tls } = to
  const socket: Socket = tls
    ? connectTls({
      host,
      port,
      // SNI takes names only; the certificate is checked against the name or address either way.
      ...(isIP(tls.serverName) === 0 ? { servername: tls.serverName } : {}),
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: tls.verify,
      ...(tls.ca === null ? {} : { ca: tls.ca }),
    }, () => owner.connected())
    : connectTcp({ host, port, noDelay: true }, () => owner.connected())
  socket.on('data', (bytes: Uint8Array) => {
    if (!closed) owner.received(bytes as Uint8Array<ArrayBuffer>)
  })
  socket.on('error', (error) => failure = error)
  socket.on('close', () => {
    if (closed) return
    closed = true
    owner.lost(failure)
  })
  return {
    write: (bytes) => void socket.write(bytes),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close() {
      closed = true
      socket.destroy()
    },
  }
}
