import type { Connect, Destination, RawSocket, SocketOwner } from './socket.ts'

/** Sockets of Bun: the bytes of an answer come straight from its event loop, without a second thread. */
export const connectBun: Connect = (to, owner) => new BunSocket(to, owner)

/** One set of functions for all sockets; which of them it is about lies in its `data`. */
const handlers: Bun.SocketHandler<BunSocket> = {
  open: (socket) => socket.data.opened(socket),
  handshake: (socket, success, error) => socket.data.shaken(socket, success && !error ? null : error),
  data: (socket, bytes) => socket.data.received(bytes as Buffer<ArrayBuffer>),
  drain: (socket) => socket.data.flush(),
  end: (socket) => socket.data.end(null),
  close: (socket, error) => socket.data.end(error ?? null),
  error: (socket, error) => socket.data.end(error),
}

class BunSocket implements RawSocket {
  readonly #owner: SocketOwner
  readonly #tls: Destination['tls']
  #socket: Bun.Socket<BunSocket> | null = null
  /** What is not yet with the kernel, piece by piece. */
  #unsent: Uint8Array[] | null = null
  #closed = false
  #paused = false

  constructor({ host, port, tls }: Destination, owner: SocketOwner) {
    this.#owner = owner
    this.#tls = tls
    Bun.connect<BunSocket>({
      hostname: host,
      port,
      data: this,
      socket: handlers,
      ...(tls
        ? {
          tls: {
            serverName: tls.serverName,
            rejectUnauthorized: tls.verify,
            ALPNProtocols: 'http/1.1',
            ...(tls.ca === null ? {} : { ca: tls.ca }),
          },
        }
        : {}),
    } as Bun.TCPSocketConnectOptions<BunSocket>).catch((error: Error) => this.end(error))
  }

  opened(socket: Bun.Socket<BunSocket>): void {
    this.#socket = socket
    if (this.#closed) return void socket.terminate()
    if (!this.#tls) this.#begin(socket)
  }

  shaken(socket: Bun.Socket<BunSocket>, error: Error | null): void {
    if (!this.#tls || this.#closed) return
    if (error === null || !this.#tls.verify) return this.#begin(socket)
    this.end(error)
    socket.terminate()
  }

  received(bytes: Uint8Array<ArrayBuffer>): void {
    if (!this.#closed) this.#owner.received(bytes)
  }

  end(error: Error | null): void {
    if (this.#closed) return
    this.#closed = true
    this.#owner.lost(error)
  }

  write(bytes: Uint8Array): void {
    if (this.#closed || !this.#socket) return
    if (this.#unsent) return void this.#unsent.push(bytes)
    this.#unsent = [bytes]
    this.flush()
  }

  flush(): void {
    const unsent = this.#unsent
    while (unsent && unsent.length > 0) {
      const piece = unsent[0]!
      const sent = this.#socket!.write(piece)
      if (sent < 0) return
      if (sent < piece.length) {
        unsent[0] = piece.subarray(sent)
        return
      }
      unsent.shift()
    }
    this.#unsent = null
  }

  pause(): void {
    this.#paused = true
    this.#socket?.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#socket?.resume()
  }

  close(): void {
    this.#closed = true
    this.#socket?.terminate()
  }

  #begin(socket: Bun.Socket<BunSocket>): void {
    this.#owner.connected()
    if (this.#paused) socket.pause()
  }
}
