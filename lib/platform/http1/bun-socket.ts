import type { Connect } from './socket.ts'

/** What is not yet with the kernel, piece by piece. */
interface State {
  unsent: Uint8Array[]
}

/** Sockets of Bun: the bytes of an answer come straight from its event loop, without a second thread. */
export const connectBun: Connect = (to, events) => {
  const { host, port, tls } = to
  let socket: Bun.Socket<State> | null = null
  let closed = false
  let paused = false

  function end(error: Error | null): void {
    if (closed) return
    closed = true
    events.closed(error)
  }

  function flush(target: Bun.Socket<State>): void {
    const { unsent } = target.data
    while (unsent.length > 0) {
      const piece = unsent[0]!
      const sent = target.write(piece)
      if (sent < 0) return
      if (sent < piece.length) {
        unsent[0] = piece.subarray(sent)
        return
      }
      unsent.shift()
    }
  }

  const begin = (target: Bun.Socket<State>): void => {
    if (closed) return void target.terminate()
    events.ready()
    if (paused) target.pause()
  }

  const handlers: Bun.SocketHandler<State> = {
    open(target) {
      socket = target
      if (closed) return void target.terminate()
      if (!tls) begin(target)
    },
    handshake(target, success, error) {
      if (!tls || closed) return
      if ((success && !error) || !tls.verify) return begin(target)
      end(error ?? new Error('the certificate was not accepted'))
      target.terminate()
    },
    data(_, bytes) {
      if (!closed) events.data(bytes as Buffer<ArrayBuffer>)
    },
    drain: flush,
    end: () => end(null),
    close: (_, error) => end(error ?? null),
    error: (_, error) => end(error),
    connectError: (_, error) => end(error),
  }
  Bun.connect<State>({
    hostname: host,
    port,
    data: { unsent: [] },
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
  } as Bun.TCPSocketConnectOptions<State>).catch((error: Error) => end(error))

  return {
    write(bytes) {
      if (closed || !socket) return
      socket.data.unsent.push(bytes)
      if (socket.data.unsent.length === 1) flush(socket)
    },
    pause() {
      paused = true
      socket?.pause()
    },
    resume() {
      if (!paused) return
      paused = false
      socket?.resume()
    },
    close() {
      closed = true
      socket?.terminate()
    },
  }
}
