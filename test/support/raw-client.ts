import { connect } from 'node:net'
import { gauge } from './wait.ts'

/** A client that writes what it likes: for requests that no HTTP library would send. */
export interface RawClient extends Disposable {
  write(bytes: string | Uint8Array): Promise<void>
  /** Everything received so far, as latin-1: one character per byte. */
  readonly received: string
  /** Resolves when `text` was received, up to `ms` (5 s). */
  sees(text: string, ms?: number): Promise<void>
  /** Resolves with everything received when the peer has closed, up to `ms` (5 s). */
  closed(ms?: number): Promise<string>
  /** Stops reading, so that the peer's writes back up; `resume` goes on. */
  pause(): void
  resume(): void
  /** Leaves with a TCP reset. */
  reset(): void
  /** Leaves with a FIN. */
  hangUp(): void
}

/** Connects to the host and port of `url`. */
export async function rawClient(url: string): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  let received = ''
  const size = gauge()
  const ended = gauge()
  const socket = connect({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen: true })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => {})
  socket.on('data', (bytes: Uint8Array) => {
    received += new TextDecoder('latin1').decode(bytes)
    size.set(received.length)
  })
  socket.on('end', () => {
    socket.end()
    ended.set(1)
  })
  socket.on('close', () => ended.set(1))
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => void socket.write(bytes, (error) => error ? reject(error) : resolve())),
    get received() {
      return received
    },
    sees: (text, ms = 5000) => size.until(() => received.includes(text), ms, `${JSON.stringify(text)} to be received`),
    async closed(ms = 5000) {
      await ended.until((n) => n === 1, ms, 'the peer to close')
      return received
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    reset: () => void socket.resetAndDestroy(),
    hangUp: () => void socket.destroy(),
    [Symbol.dispose]: () => void socket.destroy(),
  }
}
