/** A connected byte pipe, as the HTTP client needs it from a runtime. */
export interface RawSocket {
  /** Queues bytes; the runtime sends them in order. */
  write(bytes: Uint8Array): void
  pause(): void
  resume(): void
  /** Closes at once, in any phase. Nothing is reported afterwards. */
  close(): void
}

/** Who is told of a socket. `lost` comes once, last, with what went wrong or `null` for a proper end. */
export interface SocketOwner {
  /** Connected and, for TLS, the certificate accepted. */
  connected(): void
  /** The bytes are the owner's own: nobody else reads or writes them. */
  received(bytes: Uint8Array<ArrayBuffer>): void
  lost(error: Error | null): void
}

/** Where to connect. */
export interface Destination {
  /** An address, or a name that the runtime resolves. */
  readonly host: string
  readonly port: number
  /** Name that the certificate must be for; `null` for plain TCP. */
  readonly tls: { readonly serverName: string; readonly ca: string | null; readonly verify: boolean } | null
}

/** Opens a socket; never throws, failures come through `lost`, and never before this has returned. */
export type Connect = (to: Destination, owner: SocketOwner) => RawSocket
