import { concat, GwError, type SseEvent, sseParser } from '../base/mod.ts'
import type { Call, Protocol, StreamDecoder, StreamEncoder } from './codec.ts'
import type { DeltaEvent, InferenceEvent } from './event.ts'
import { type UpstreamFailure, upstreamFailure } from './failure.ts'
import type { FinishReason } from './finish.ts'
import type { ProtocolId } from './id.ts'
import { endLosses, type Loss } from './loss.ts'
import { Reframe } from './reframe.ts'
import type { Restorer } from './restore.ts'
import { addTokens, noTokens, type TokenCounts } from './usage.ts'

/** An answer on its way from upstream bytes to client bytes. */
export interface TranslatedStream {
  /** Feeds upstream bytes, split anywhere; returns client bytes, as one piece or none. After the end it returns nothing. */
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
  /** A guess at the tokens said so far, for an upstream that counts none: one for each piece, or more for long ones. */
  readonly guessedTokens: number
  /** What the answer could not carry, so far. */
  readonly losses: readonly Loss[]
}

/** What ends the last event of an upstream that forgot it. */
export const blankLine = new Uint8Array([10, 10])

/** More parts than any answer has: an upstream that opens more never comes to an end. */
const maxParts = 10_000

const utf8 = new TextEncoder()

const silence: readonly Uint8Array[] = []

/** How many ways past are learned in vain before a stream is taken for one that has none. */
const maxVain = 3
/** How many events of a piece are read one by one in search of one: an answer's first words are behind a few others. */
const maxSingly = 8

const newline = 10

/** What a token takes in a text, about. */
const charactersPerToken = 4

/** A {@link TranslatedStream}: an object and no closures, for there are as many of it as there are streams. */
export class Stream implements TranslatedStream {
  readonly losses: Loss[] = []
  usage = noTokens
  failure: UpstreamFailure | null = null
  finish: FinishReason | null = null
  readonly #parser = sseParser()
  readonly #restorer: Restorer
  readonly #encoder: StreamEncoder
  readonly #client: ProtocolId
  readonly #source: StreamDecoder
  readonly #raw: InferenceEvent[] = []
  readonly #events: InferenceEvent[] = []
  /** The way past reading and writing, and the part it is for. */
  #reframe: Reframe | null = null
  #part = -1
  /** Whether all that came ended with an event. */
  #between = true
  /** How often the way past was learned without being gone since. */
  #vain = 0
  /** Pieces of what the model said, and UTF-16 units in them. */
  #pieces = 0
  #characters = 0
  readonly #maxKept: number
  /** At most how much of the answer is kept on the way, in characters: of words all, of other events their whole text. */
  #kept = 0
  #parts = 0

  constructor(near: Protocol, call: Call, restorer: Restorer, source: StreamDecoder, maxKept = 64 * 1024 * 1024) {
    this.#maxKept = maxKept
    this.#restorer = restorer
    this.#encoder = near.streamEncoder(call, (path, reason) => void this.losses.push({ path, reason }))
    this.#client = near.id
    this.#source = source
    if (source.frame === undefined || this.#encoder.frame === undefined) this.#vain = maxVain
  }

  push(bytes: Uint8Array): readonly Uint8Array[] {
    if (this.#over) return silence
    const out: Uint8Array[] = []
    let read = 0
    for (let at = 0; at < bytes.length && !this.#over;) {
      const reframe = this.#between ? this.#reframe : null
      if (reframe !== null) {
        if (reframe.told) reframe.follow(this.#source.number ?? -1, this.#encoder.number ?? 0)
        const carried = reframe.take(bytes, at)
        at = reframe.taken
        if (carried.length > 0) {
          this.#vain = 0
          out.push(carried)
          if (this.#kept + reframe.kept > this.#maxKept) {
            out.push(...this.fail(upstreamFailure('malformed', this.#tooMuch)))
          }
          continue
        }
      }
      // Where there may be a way past reading, it shows behind a single event.
      const to = this.#vain < maxVain && read++ < maxSingly ? pastBlankLine(bytes, at) : bytes.length
      const text = this.#translate(to - at === bytes.length ? bytes : bytes.subarray(at, to))
      if (text !== '') out.push(utf8.encode(text))
      at = to
    }
    return out.length < 2 ? out : [concat(out)]
  }

  keepAlive(): Uint8Array {
    if (this.#over) return new Uint8Array(0)
    this.#tell()
    return utf8.encode(this.#encoder.keepAlive())
  }

  fail(failure: UpstreamFailure): readonly Uint8Array[] {
    if (this.#over) return silence
    this.#tell()
    this.#raw.push({ type: 'failure', failure })
    return bytesOf(this.#write())
  }

  end(): readonly Uint8Array[] {
    if (this.#over) return silence
    this.#tell()
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

  get guessedTokens(): number {
    this.#tell()
    return Math.max(this.#pieces, Math.round(this.#characters / charactersPerToken))
  }

  get #over(): boolean {
    return this.failure !== null || this.finish !== null
  }

  /** Reads and writes a piece, and sees whether there is a way past that for the next. */
  #translate(bytes: Uint8Array): string {
    const between = this.#between
    this.#tell()
    const events = this.#read(bytes)
    this.#between = !this.#parser.pending
    const said = this.#raw.length === 1 && this.#raw[0]!.type === 'delta' ? this.#raw[0]! : null
    const text = this.#write()
    if (this.#reframe !== null && this.#source.frame !== this.#reframe.from) this.#reframe = null
    if (this.#reframe === null && said !== null && events === 1 && between && this.#between) this.#learn(bytes, said)
    return text
  }

  /** A way past reading and writing, behind a piece that was one event with words in it. */
  #learn(bytes: Uint8Array, { part }: DeltaEvent): void {
    const from = this.#source.frame ?? null
    const to = from === null || !this.#restorer.passes(part) ? null : this.#encoder.frame?.(part) ?? null
    if (from === null || to === null || this.#vain >= maxVain) return
    this.#vain++
    const text = new TextDecoder().decode(bytes)
    const lead = /^(?:event:[^\r\n]*\n)?data: ?/.exec(text)?.[0]
    if (lead === undefined || !text.startsWith(from.gaps[0]!.before, lead.length)) return
    this.#part = part
    this.#reframe = new Reframe(lead, from, to)
  }

  /** Reads what the upstream says, and returns in how many events. What cannot be read ends the stream. */
  #read(bytes: Uint8Array): number {
    try {
      const events = this.#parser.push(bytes)
      for (const event of events) this.#take(event)
      return events.length
    } catch (cause) {
      this.#raw.push({ type: 'failure', failure: upstreamFailure('malformed', (cause as Error).message) })
      return 0
    }
  }

  #take(event: SseEvent): void {
    const raw = this.#raw
    const before = raw.length
    this.#source.push(event, raw)
    const said = raw[before]
    this.#kept += said?.type === 'delta' && raw.length === before + 1 ? said.text.length : event.data.length
    if (this.#kept <= this.#maxKept) return
    throw new GwError('upstream.invalid', this.#tooMuch)
  }

  get #tooMuch(): string {
    return `more than ${this.#maxKept} characters of the answer would have to be kept`
  }

  /** The client's text for what was read. */
  #write(): string {
    const events = this.#events
    for (const event of this.#raw) this.#restorer.push(event, events)
    let text = ''
    for (const event of events) {
      if (this.#over) break
      if (event.type === 'usage') this.usage = addTokens(this.usage, event.tokens)
      else if (event.type === 'delta') this.#count(1, event.text.length)
      else if (event.type === 'failure') this.failure = event.failure
      else if (event.type === 'finish') {
        this.finish = event.reason
        this.losses.push(...endLosses(event, this.usage, this.#client))
      } else if (event.type === 'open' && ++this.#parts > maxParts) {
        this.failure = upstreamFailure('malformed', `the answer has more than ${maxParts} parts`)
        text += this.#encoder.write({ type: 'failure', failure: this.failure })
        break
      }
      text += this.#encoder.write(event)
    }
    this.#raw.length = 0
    events.length = 0
    return text
  }

  /** Tells the reader and the writer what went past them. */
  #tell(): void {
    if (this.#reframe === null || this.#reframe.told) return
    const carried = this.#reframe.tell()
    this.#source.carried?.(carried)
    this.#encoder.carried?.(this.#part, carried)
    this.#count(carried.events, carried.characters)
    this.#kept += carried.text.length
  }

  #count(pieces: number, characters: number): void {
    this.#pieces += pieces
    this.#characters += characters
  }
}

function bytesOf(text: string): readonly Uint8Array[] {
  return text === '' ? silence : [utf8.encode(text)]
}

/** Where the first blank line behind `from` ends; the end of the piece where there is none. */
function pastBlankLine(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(newline, from)
  while (at >= 0 && bytes[at + 1] !== newline) at = bytes.indexOf(newline, at + 1)
  return at < 0 ? bytes.length : at + 2
}
