import { Buffer } from 'node:buffer'
import { concat, GwError } from '../../base/mod.ts'
import type { DialReply, DialRequest } from '../port.ts'
import { Body, type BodyControl } from './body.ts'
import { ChunkedDecoder } from './chunked.ts'
import { type Framing, framingOf, type Head, maxHeadBytes, parseHead } from './head.ts'
import { serialize } from './serialize.ts'
import type { Connect, Destination, RawSocket, SocketOwner } from './socket.ts'

/** What a connection tells the pool. */
export interface ConnectionEvents {
  /** Its answer is whole and it can take another request. */
  idle(connection: Connection): void
  /** It is gone. */
  gone(connection: Connection): void
}

/** Where a connection goes, and whose it is. */
export interface ConnectionPlace {
  readonly connect: Connect
  readonly to: Destination
  /** Of the server, for messages. */
  readonly name: string
  readonly key: string
  readonly events: ConnectionEvents
}

/** Who waits for the answer to a request. One of the two is called, once. */
export interface Exchange {
  answered(reply: DialReply): void
  failed(error: unknown): void
}

/** In the place of who waited, while the body comes: a stream holds no request. */
const answering: Exchange = { answered() {}, failed() {} }

/** Answers of the 1xx kind that are passed over before the real one. */
const maxInterim = 8

const unreachable = (message: string, cause?: unknown): GwError =>
  new GwError('upstream.unreachable', message, { cause })

/**
 * One HTTP/1.1 connection: one request at a time, its answer pushed as it arrives.
 *
 * Ends the connection whenever it is in doubt where an answer ends: nothing of one answer can be taken for another's.
 */
export class Connection implements BodyControl, SocketOwner {
  /** Under which the pool keeps it. */
  readonly key: string
  /** Monotonic milliseconds since when it is idle. */
  idleSince = 0
  /** Whether it has carried an answer before. */
  used = false
  /** Whether a byte of the current answer has come. */
  answered = false
  readonly #events: ConnectionEvents
  readonly #name: string
  readonly #socket: RawSocket
  #ready = false
  #closed = false
  #unsent: Uint8Array | null = null
  #exchange: Exchange | null = null
  #method = ''
  /** What is there of a head that is not whole. */
  #head: Uint8Array<ArrayBuffer> | null = null
  #interim = 0
  #framing: Framing | null = null
  #left = 0
  #chunked: ChunkedDecoder | null = null
  #keepAlive = true
  #body: Body | null = null

  constructor({ connect, to, name, key, events }: ConnectionPlace) {
    this.#events = events
    this.#name = name
    this.key = key
    this.#socket = connect(to, this)
  }

  connected(): void {
    this.#ready = true
    if (this.#unsent) this.#socket.write(this.#unsent)
    this.#unsent = null
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Whether it is connected. */
  get ready(): boolean {
    return this.#ready
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Sends a request. The connection must be idle.
   *
   * @throws GwError `request.invalid` for a header that cannot be sent; the connection is idle still
   */
  send(request: DialRequest, exchange: Exchange): void {
    this.answered = false
    this.#head = null
    this.#interim = 0
    this.#framing = null
    this.#keepAlive = true
    this.#body = null
    const bytes = serialize(request)
    this.#exchange = exchange
    this.#method = request.method
    if (this.#ready) this.#socket.write(bytes)
    else this.#unsent = bytes
  }

  /** Ends it at once. A request without an answer is rejected, a body that is under way just stops. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.close()
    const exchange = this.#exchange
    this.#exchange = null
    if (exchange && this.#framing === null) exchange.failed(new GwError('cancelled', 'the request was given up'))
    this.#events.gone(this)
  }

  lost(error: Error | null): void {
    if (this.#closed) return
    const framing = this.#framing
    if (this.#exchange && framing?.is === 'close' && error === null) {
      this.#keepAlive = false
      this.#finish()
      return
    }
    this.#fail(
      framing === null
        ? unreachable(
          this.#ready
            ? `${this.#name} closed the connection before it answered`
            : `could not connect to ${this.#name}${error ? `: ${error.message}` : ''}`,
          error,
        )
        : unreachable(`${this.#name} broke off in mid-answer`, error),
    )
  }

  #fail(error: unknown): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.close()
    const exchange = this.#exchange
    this.#exchange = null
    if (exchange && this.#framing === null) exchange.failed(error)
    else if (exchange) this.#body?.fail(error)
    this.#events.gone(this)
  }

  received(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#closed) return
    // Bytes that nobody asked for: what follows could be taken for the next answer.
    if (!this.#exchange) return this.close()
    try {
      this.answered = true
      if (this.#framing === null) this.#readHead(bytes)
      else this.#readBody(bytes)
    } catch (error) {
      this.#fail(error)
    }
  }

  #readHead(bytes: Uint8Array<ArrayBuffer>): void {
    const held = this.#head
    const all = held === null ? bytes : concat([held, bytes], held.length + bytes.length)
    const end = blankLine(all, held === null ? 0 : Math.max(0, held.length - 3))
    if (end < 0 ? all.length > maxHeadBytes : end > maxHeadBytes) {
      throw new GwError(
        'upstream.invalid',
        `the head of the answer of ${this.#name} is larger than ${maxHeadBytes} bytes`,
      )
    }
    if (end < 0) {
      if (!mayBegin(all)) throw new GwError('upstream.invalid', `${this.#name} does not speak HTTP`)
      this.#head = all
      return
    }
    const text = Buffer.from(all.buffer, all.byteOffset, end).toString('latin1')
    const head = parseHead(text)
    const rest = new Uint8Array(all.buffer, all.byteOffset + end + 4, all.length - end - 4)
    this.#head = null
    if (head.status < 200) return this.#skipInterim(head, rest)
    this.#begin(head, rest)
  }

  #skipInterim(head: Head, rest: Uint8Array<ArrayBuffer>): void {
    if (head.status === 101 || ++this.#interim > maxInterim) {
      throw new GwError('upstream.invalid', `${this.#name} answered with an unasked ${head.status}`)
    }
    if (rest.length > 0) this.#readHead(rest)
  }

  #begin(head: Head, rest: Uint8Array<ArrayBuffer>): void {
    const exchange = this.#exchange!
    const framing = framingOf(head, this.#method)
    const connection = head.headers.get('connection')?.toLowerCase() ?? ''
    this.#keepAlive = framing.is !== 'close' &&
      (head.modern ? !connection.includes('close') : connection.includes('keep-alive'))
    this.#framing = framing
    this.#left = framing.is === 'length' ? framing.bytes : 0
    this.#chunked = framing.is === 'chunked' ? new ChunkedDecoder() : null
    const body = this.#body = new Body(this)
    this.#exchange = answering
    exchange.answered({
      status: head.status,
      headers: head.headers,
      length: framing.is === 'length' ? framing.bytes : framing.is === 'none' ? 0 : null,
      body,
    })
    if (framing.is === 'none') {
      if (rest.length > 0) this.#keepAlive = false
      this.#finish()
    } else if (rest.length > 0) this.#readBody(rest)
  }

  #readBody(bytes: Uint8Array<ArrayBuffer>): void {
    switch (this.#framing!.is) {
      case 'length': {
        const take = Math.min(bytes.length, this.#left)
        this.#left -= take
        if (this.#left === 0 && take < bytes.length) this.#keepAlive = false
        this.#body!.push(take === bytes.length ? bytes : bytes.subarray(0, take))
        if (this.#left === 0) this.#finish()
        return
      }
      case 'chunked': {
        const chunked = this.#chunked!
        const { body, taken } = chunked.feed(bytes)
        this.#body!.push(body)
        if (chunked.failure) throw chunked.failure
        if (!chunked.done) return
        if (taken < bytes.length) this.#keepAlive = false
        return this.#finish()
      }
      case 'close':
        return this.#body!.push(bytes)
      case 'none':
        return this.close()
    }
  }

  /** The answer is whole. */
  #finish(): void {
    const body = this.#body
    this.#exchange = null
    this.#body = null
    this.used = true
    // A reader that held the last answer back must not keep the next one waiting.
    if (this.#keepAlive && !this.#closed) {
      this.#socket.resume()
      this.#events.idle(this)
    } else if (!this.#closed) {
      this.#closed = true
      this.#socket.close()
      this.#events.gone(this)
    }
    body?.finish()
  }
}

const httpMark = 'HTTP/1.'

/** Whether these first bytes can still become a status line. */
function mayBegin(bytes: Uint8Array): boolean {
  for (let at = 0; at < httpMark.length && at < bytes.length; at++) {
    if (bytes[at] !== httpMark.charCodeAt(at)) return false
  }
  return true
}

/** Where CR LF CR LF begins, at or behind `from`; -1 when it is not there. */
function blankLine(bytes: Uint8Array, from: number): number {
  let at = from
  for (;;) {
    at = bytes.indexOf(13, at)
    if (at < 0 || at + 3 >= bytes.length) return -1
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at
    at++
  }
}
