import type { ByteSource, OpenDownstream } from '../base/mod.ts'

/** A prepared statement, in the shape Kysely's SQLite dialect asks for. */
export interface SqliteStatement {
  /** Whether it returns rows. */
  readonly reader: boolean
  all(parameters: readonly unknown[]): unknown[]
  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint }
  iterate(parameters: readonly unknown[]): IterableIterator<unknown>
}

/** An open SQLite database. */
export interface SqliteConnection {
  prepare(sql: string): SqliteStatement
  exec(sql: string): void
  close(): void
}

/** The other end of a connection that is served. */
export interface ServedPeer {
  /** Looked up when it is read, which costs. */
  readonly address: string
  /** The server's own way to send an answer in pieces, where it has one. */
  readonly openDownstream?: OpenDownstream
}

/** How to listen. */
export interface ServeOptions {
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  readonly fetch: (request: Request, peer: ServedPeer) => Response | Promise<Response>
  /** Largest request body the runtime lets through, bytes; far above gw's own limit, which answers in the caller's words. */
  readonly maxBodyBytes: number
}

/** A listening server. */
export interface HttpServer {
  readonly host: string
  readonly port: number
  /** Stops accepting; resolves when open requests have ended, or cuts them when `force`. */
  stop(force: boolean): Promise<void>
}

/** An HTTP proxy on the way. */
export interface Via {
  readonly host: string
  readonly port: number
  /** The variable or setting that names it, for people. */
  readonly namedBy: string
  /** What `proxy-authorization` says; `null` is nothing. Secret. */
  readonly authorization: string | null
}

/** One outbound request whose address has been decided. */
export interface DialRequest {
  /** Not changed once it has been dialled: what it says is remembered with it. */
  readonly url: URL
  /**
   * The addresses to connect to, in order; the host of `url` still goes into Host and SNI. `null` leaves resolving to
   * the runtime.
   */
  readonly addresses: readonly string[] | null
  /** Through which proxy: it is given the name of the host, and connects to whatever that is for it. */
  readonly via?: Via | null
  readonly method: string
  /** As they go out, names in lower case; without Host, Content-Length and Connection, which are the client's own work. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array<ArrayBuffer> | null
}

/** The header fields of an answer. `Headers` is one; the socket client has a cheaper one. */
export interface ReplyHeaders {
  /** All values of a field joined by `, `, or `null`. */
  get(name: string): string | null
  forEach(visit: (value: string, name: string) => void): void
}

/** The head of an answer, and its body on the way. */
export interface DialReply {
  readonly status: number
  readonly headers: ReplyHeaders
  /** Content-Length, when there was one. */
  readonly length: number | null
  readonly body: ByteSource
}

/** A request under way. */
export interface Dialling {
  /** Rejects with a GwError (`upstream.unreachable`, `upstream.invalid`, `cancelled`) when no proper head arrives. */
  readonly reply: Promise<DialReply>
  /** Gives up: closes the connection in any phase, and cancels the body. */
  cancel(): void
}

/** How to open a {@link Dialer}. */
export interface DialerOptions {
  /** Certificates to trust instead of the system's, PEM. */
  readonly ca?: string | null
  /** False takes any certificate: whoever is on the way can read and change everything. Default true. */
  readonly verify?: boolean
}

/** An HTTP client that goes exactly where it is told. */
export interface Dialer {
  /** Sends one request to the decided address. Never follows redirects and never decodes what comes back. */
  dial(request: DialRequest): Dialling
  /** Connections kept for the next request. */
  readonly idle: number
  /** Closes everything, what is under way too. */
  close(): void
}

/** What differs between runtimes. Chosen once, at the composition root. */
export interface Platform {
  readonly name: 'bun' | 'deno' | 'node'
  readonly version: string
  /** Opens or creates a database file; `:memory:` works. */
  openSqlite(path: string): Promise<SqliteConnection>
  serve(options: ServeOptions): Promise<HttpServer>
  /** Opens the way out: one HTTP client with its kept connections. */
  openDialer(options?: DialerOptions): Dialer
}
