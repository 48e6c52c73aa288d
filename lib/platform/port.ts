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

/** How to listen. */
export interface ServeOptions {
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  readonly fetch: (request: Request, peer: { readonly address: string }) => Response | Promise<Response>
  /** Largest request body the runtime itself may buffer, bytes; gw's own limit is lower and answers first. */
  readonly maxBodyBytes: number
}

/** A listening server. */
export interface HttpServer {
  readonly host: string
  readonly port: number
  /** Stops accepting; resolves when open requests have ended, or cuts them when `force`. */
  stop(force: boolean): Promise<void>
}

/** One outbound request whose address has been decided. */
export interface DialRequest {
  readonly url: URL
  /** The address to connect to; the host of `url` still goes into Host and SNI. `null` leaves resolving to the runtime. */
  readonly address: string | null
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer> | string | null
  readonly signal: AbortSignal | null
}

/** What differs between runtimes. Chosen once, at the composition root. */
export interface Platform {
  readonly name: 'bun' | 'deno' | 'node'
  readonly version: string
  /** Opens or creates a database file; `:memory:` works. */
  openSqlite(path: string): Promise<SqliteConnection>
  serve(options: ServeOptions): Promise<HttpServer>
  /**
   * Sends one request to the decided address. Never follows redirects, never decodes into more than the caller reads,
   * rejects with an Error when no answer head arrives.
   */
  dial(request: DialRequest): Promise<Response>
  /** Whether {@link dial} connects to `address` itself, so that what was checked is what is dialled. */
  readonly pinsAddress: boolean
}
