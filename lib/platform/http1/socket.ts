/** A connected byte pipe, as the HTTP client needs it from a runtime. */
export interface RawSocket {
  /** Queues bytes; the runtime sends them in order. */
  write(bytes: Uint8Array): void
  pause(): void
  resume(): void
  /** Closes at once, in any phase. Nothing is reported afterwards. */
  close(): void
}

/** What a socket reports. `closed` comes once, last, with what went wrong or `null` for a proper end. */
export interface SocketEvents {
  /** Connected and, for TLS, the certificate accepted. */
  ready(): void
  data(bytes: Uint8Array<ArrayBuffer>): void
  closed(error: Error | null): void
}

/** Where to connect. */
export interface Destination {
  /** An address, or a name that the runtime resolves. */
  readonly host: string
  readonly port: number
  /** Name that the certificate must be for; `null` for plain TCP. */
  readonly tls: { readonly serverName: string; readonly ca: string | null; readonly verify: boolean } | null
}

/** Opens a socket; never throws, failures come through `closed`. */
export type Connect = (to: Destination, events: SocketEvents) => RawSocket
