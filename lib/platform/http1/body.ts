import type { ByteSink, ByteSource } from '../../base/mod.ts'

/** What a body may ask of the connection that carries it, as long as it does. */
export interface BodyControl {
  pause(): void
  resume(): void
  /** Closes the connection. */
  close(): void
}

/** What may wait for a reader that has not begun. */
const maxUnread = 256 * 1024

/** The body of one answer: filled by its connection, read through {@link ByteSource}. */
export class Body implements ByteSource {
  #control: BodyControl | null
  #sink: ByteSink | null = null
  #unread: Uint8Array<ArrayBuffer>[] = []
  #unreadBytes = 0
  #end: { readonly error: unknown } | 'whole' | null = null
  #cancelled = false

  constructor(control: BodyControl) {
    this.#control = control
  }

  /** Takes the next piece. */
  push(piece: Uint8Array<ArrayBuffer>): void {
    if (this.#cancelled || piece.length === 0) return
    if (this.#sink) return this.#sink.chunk(piece)
    this.#unread.push(piece)
    this.#unreadBytes += piece.length
    if (this.#unreadBytes > maxUnread) this.#control?.pause()
  }

  /** It is whole: the connection is no longer its own. */
  finish(): void {
    this.#control = null
    this.#end = 'whole'
    if (!this.#cancelled) this.#sink?.end()
  }

  /** It broke off. */
  fail(error: unknown): void {
    this.#control = null
    this.#end = { error }
    if (!this.#cancelled) this.#sink?.fail(error)
  }

  start(sink: ByteSink): void {
    const unread = this.#unread
    this.#unread = []
    this.#sink = sink
    if (this.#unreadBytes > maxUnread) this.#control?.resume()
    for (const piece of unread) if (!this.#cancelled) sink.chunk(piece)
    if (this.#cancelled || this.#end === null) return
    if (this.#end === 'whole') sink.end()
    else sink.fail(this.#end.error)
  }

  pause(): void {
    this.#control?.pause()
  }

  resume(): void {
    this.#control?.resume()
  }

  cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    this.#unread = []
    this.#control?.close()
  }
}
