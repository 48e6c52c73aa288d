import { sseParser } from '../base/mod.ts'
import type { Call, Protocol, StreamDecoder, StreamEncoder } from './codec.ts'
import type { InferenceEvent } from './event.ts'
import { type UpstreamFailure, upstreamFailure } from './failure.ts'
import type { FinishReason } from './finish.ts'
import type { Loss } from './loss.ts'
import type { Restorer } from './restore.ts'
import { addTokens, noTokens, type TokenCounts } from './usage.ts'

/** An answer on its way from upstream bytes to client bytes. */
export interface TranslatedStream {
  /** Feeds upstream bytes, split anywhere; returns client bytes. After the end it returns nothing. */
  push(bytes: Uint8Array): readonly Uint8Array[]
  /** A data-bearing sign of life, legal at this point. Opens the client's stream with gw's own start event if need be. */
  keepAlive(): Uint8Array
  /** Ends the client's stream with its protocol's error event. */
  fail(failure: UpstreamFailure): readonly Uint8Array[]
  /** The upstream closed: ends the client's stream properly, or with an error event when the answer was cut. */
  end(): readonly Uint8Array[]
  readonly usage: TokenCounts
  /** `open` until the model has said something; then nothing else may answer this request. */
  readonly state: 'open' | 'content' | 'done' | 'failed'
  readonly failure: UpstreamFailure | null
  readonly finish: FinishReason | null
  /** What the answer could not carry, so far. */
  readonly losses: readonly Loss[]
}

/** What ends the last event of an upstream that forgot it. */
export const blankLine = new Uint8Array([10, 10])

const utf8 = new TextEncoder()

const silence: readonly Uint8Array[] = []

/** A {@link TranslatedStream}: an object and no closures, for there are as many of it as there are streams. */
export class Stream implements TranslatedStream {
  readonly losses: Loss[] = []
  usage = noTokens
  failure: UpstreamFailure | null = null
  finish: FinishReason | null = null
  readonly #parser = sseParser()
  readonly #restorer: Restorer
  readonly #encoder: StreamEncoder
  readonly #source: StreamDecoder
  readonly #raw: InferenceEvent[] = []
  readonly #events: InferenceEvent[] = []

  constructor(near: Protocol, call: Call, restorer: Restorer, source: StreamDecoder) {
    this.#restorer = restorer
    this.#encoder = near.streamEncoder(call, (path, reason) => void this.losses.push({ path, reason }))
    this.#source = source
  }

  push(bytes: Uint8Array): readonly Uint8Array[] {
    if (this.#over) return silence
    this.#read(bytes)
    return bytesOf(this.#write())
  }

  keepAlive(): Uint8Array {
    return this.#over ? new Uint8Array(0) : utf8.encode(this.#encoder.keepAlive())
  }

  fail(failure: UpstreamFailure): readonly Uint8Array[] {
    if (this.#over) return silence
    this.#raw.push({ type: 'failure', failure })
    return bytesOf(this.#write())
  }

  end(): readonly Uint8Array[] {
    if (this.#over) return silence
    // The last event of some upstreams lacks its blank line.
    this.#read(blankLine)
    const rest = this.#write()
    if (this.#over) return bytesOf(rest)
    this.#source.end(this.#raw)
    return bytesOf(rest + this.#write())
  }

  get state(): TranslatedStream['state'] {
    if (this.failure !== null) return 'failed'
    if (this.finish !== null) return 'done'
    return this.#restorer.hasContent ? 'content' : 'open'
  }

  get #over(): boolean {
    return this.failure !== null || this.finish !== null
  }

  /** Reads what the upstream says. What cannot be read ends the stream. */
  #read(bytes: Uint8Array): void {
    try {
      for (const event of this.#parser.push(bytes)) this.#source.push(event, this.#raw)
    } catch (cause) {
      this.#raw.push({ type: 'failure', failure: upstreamFailure('malformed', (cause as Error).message) })
    }
  }

  /** The client's text for what was read. */
  #write(): string {
    const events = this.#events
    for (const event of this.#raw) this.#restorer.push(event, events)
    let text = ''
    for (const event of events) {
      if (this.#over) break
      if (event.type === 'usage') this.usage = addTokens(this.usage, event.tokens)
      else if (event.type === 'failure') this.failure = event.failure
      else if (event.type === 'finish') this.finish = event.reason
      text += this.#encoder.write(event)
    }
    this.#raw.length = 0
    events.length = 0
    return text
  }
}

function bytesOf(text: string): readonly Uint8Array[] {
  return text === '' ? silence : [utf8.encode(text)]
}
