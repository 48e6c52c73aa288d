import {
  type ByteSink,
  type ByteSource,
  concat,
  GwError,
  isGwError,
  isObject,
  type Json,
  type Ticker,
  type Watcher,
} from '../base/mod.ts'
import {
  noTokens,
  parseSpan,
  scanFields,
  type TokenCounts,
  type UpstreamFailure,
  upstreamFailure,
  type Wire,
} from '../protocol/mod.ts'
import { type Answer, type AnswerField, respond, type Serving } from './answer.ts'
import { type Limits, wordlessMs } from './limits.ts'

/** What {@link relayWhole} works with. */
export interface WholeParts {
  readonly source: ByteSource
  /** Content-Length of the answer, when it said. */
  readonly length: number | null
  readonly wire: Wire | null
  /** Whether it must be JSON. */
  readonly json: boolean
  readonly answer: Answer
  readonly status: number
  readonly fields: readonly AnswerField[]
  readonly limits: Limits
  readonly ticker: Ticker
  /** What an error means that the upstream reports inside its answer. */
  readonly reported: (said: unknown) => UpstreamFailure
  /** Sends every byte on at once, for answers that nobody here can read. */
  readonly eager?: boolean
  /**
   * Takes over an answer that turns out to be an event stream, whatever its label said.
   *
   * @returns `null` at the commit, or the failure that came before it
   */
  readonly asEvents?: ((source: ByteSource) => Promise<UpstreamFailure | null>) | null
  /**
   * The answer as a stream, where the caller asked for one: needed once its stream has been opened.
   *
   * @throws GwError `upstream.invalid` when it is no answer
   */
  readonly asStream: ((bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) | null
  readonly committed: () => void
  /** Called once after the commit. */
  readonly ended: (
    end: {
      readonly failure: UpstreamFailure | null
      readonly tokens: TokenCounts
      readonly bytes: number /** The answer's own id. */
      readonly id: string | null
    },
  ) => void
}

/** Answers up to this size are held until they are complete, so that a broken one can still be replaced. */
const heldBytes = 1024 * 1024
/** Of a longer answer this much of its end is kept, where the usage stands. */
const tailBytes = 64 * 1024

/**
 * Passes an answer on that is no stream. One that fits into a megabyte is checked first: cut, garbled or empty, it counts
 * as a failure and another target may serve. A longer one flows through.
 *
 * @returns `null` at the commit, or the failure that came before it
 */
export function relayWhole(parts: WholeParts): Promise<UpstreamFailure | null> {
  return new Promise((resolve) => new WholeRelay(parts, resolve).start())
}

class WholeRelay implements ByteSink, Serving, Watcher {
  readonly #parts: WholeParts
  readonly #resolve: (failure: UpstreamFailure | null | Promise<UpstreamFailure | null>) => void
  #chunks: Uint8Array<ArrayBuffer>[] = []
  #size = 0
  /** How much of it is in {@link #chunks}, once it flows. */
  #kept = 0
  #flowing = false
  #over = false
  #lastIn: number
  readonly #since: number
  /** Whether the answer is an event stream; `null` until its first character has come. */
  #events: boolean | null
  /** Who gets the rest, once it is one. */
  #heir: ByteSink | null = null

  constructor(parts: WholeParts, resolve: (failure: UpstreamFailure | null | Promise<UpstreamFailure | null>) => void) {
    this.#parts = parts
    this.#resolve = resolve
    this.#lastIn = this.#since = parts.ticker.now
    this.#events = parts.asEvents ? null : false
  }

  start(): void {
    const { source, answer, limits, length, ticker } = this.#parts
    ticker.watch(this)
    answer.serve(this)
    if (length !== null && length > limits.replyBytes) return this.#stop(tooLong(limits))
    source.start(this)
  }

  beat(now: number): void {
    const { answer, limits } = this.#parts
    if (answer.down?.full) this.#lastIn = now
    if (now - this.#lastIn > limits.idleMs || (!this.#flowing && now - this.#since > wordlessMs(limits))) {
      this.#stop(upstreamFailure('timeout', 'the provider stopped in mid-answer'))
    }
  }

  left(): void {
    this.#stop(upstreamFailure('cancelled', this.#parts.answer.because?.message ?? 'the caller left'))
  }

  drained(): void {
    this.#parts.source.resume()
  }

  chunk(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#heir) return this.#heir.chunk(bytes)
    if (this.#over) return
    const { source, answer, limits, ticker, eager } = this.#parts
    this.#lastIn = ticker.now
    this.#size += bytes.length
    if (this.#size > limits.replyBytes) return this.#stop(tooLong(limits))
    // A source that is still reading says so with nothing.
    if (bytes.length > 0) this.#chunks.push(bytes)
    this.#events ??= isEventStream(bytes)
    if (this.#events) return this.#handOver()
    if (this.#flowing) {
      answer.down!.write(bytes)
      this.#kept += bytes.length
      while (this.#kept - this.#chunks[0]!.length > tailBytes) this.#kept -= this.#chunks.shift()!.length
    } else if (eager || (this.#size > heldBytes && !answer.opened)) this.#flow()
    if (answer.down?.full) source.pause()
  }

  end(): void {
    if (this.#heir) return this.#heir.end()
    if (this.#over) return
    const parts = this.#parts
    const size = this.#size
    const { answer, wire } = parts
    if (this.#flowing) {
      this.#close()
      answer.down!.end()
      return parts.ended({ failure: null, tokens: tailUsage(concat(this.#chunks), wire), bytes: size, id: null })
    }
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : concat(this.#chunks, size)
    this.#chunks = []
    const read = parts.json ? readWhole(bytes, wire, parts.reported) : nothingRead
    if ('failure' in read) return this.#stop(read.failure)
    if (answer.opened && !this.#stream(bytes)) return
    this.#close()
    parts.committed()
    answer.whole(respond(bytes, parts.status, parts.fields))
    this.#resolve(null)
    parts.ended({ failure: null, tokens: read.tokens, bytes: size, id: read.id })
  }

  fail(error: unknown): void {
    if (this.#heir) return this.#heir.fail(error)
    const message = error instanceof GwError ? error.message : 'the connection broke off'
    this.#stop(upstreamFailure('truncated', message))
  }

  #close(): void {
    this.#over = true
    this.#parts.ticker.unwatch(this)
  }

  #stop(failure: UpstreamFailure): void {
    if (this.#over) return
    this.#close()
    const { source, answer, ended } = this.#parts
    source.cancel()
    if (!this.#flowing) return this.#resolve(failure)
    // JSON has no way to say that it broke: the connection does.
    answer.down!.break(new GwError('upstream.invalid', failure.message))
    ended({ failure, tokens: noTokens, bytes: this.#size, id: null })
  }

  /** The rest is a stream's to relay: nothing of it has gone out yet. */
  #handOver(): void {
    this.#close()
    const { source, asEvents } = this.#parts
    const rest: ByteSource = {
      start: (sink) => {
        this.#heir = sink
        for (const chunk of this.#chunks.splice(0)) sink.chunk(chunk)
      },
      pause: () => source.pause(),
      resume: () => source.resume(),
      cancel: () => source.cancel(),
    }
    this.#resolve(asEvents!(rest))
  }

  #flow(): void {
    const { answer, committed, length, fields, status } = this.#parts
    answer.commit()
    this.#flowing = true
    this.#kept = this.#size
    committed()
    const down = answer.open(status, length === null ? fields : [...fields, ['content-length', String(length)]])
    for (const chunk of this.#chunks) down.write(chunk)
    this.#resolve(null)
  }

  /** Gives the whole answer to a caller that has seen its stream begin. */
  #stream(bytes: Uint8Array<ArrayBuffer>): boolean {
    const { answer, asStream } = this.#parts
    try {
      if (!asStream) throw new GwError('upstream.invalid', 'the provider did not answer with a stream')
      const events = asStream(bytes)
      const rest = answer.own?.continuation()
      answer.commit()
      answer.down!.write(rest ? rest.take(events) : events)
      answer.down!.end()
      return true
    } catch (error) {
      this.#stop(upstreamFailure('malformed', isGwError(error) ? error.message : 'the answer could not be read'))
      return false
    }
  }
}

/** Whether bytes begin a field or a comment of an event stream, which no JSON begins with; `null` for white space alone. */
function isEventStream(bytes: Uint8Array): boolean | null {
  for (const byte of bytes) {
    if (byte === 32 || byte === 9 || byte === 10 || byte === 13 || byte === 0xef || byte === 0xbb || byte === 0xbf) {
      continue
    }
    // :, data, event, id, retry
    return byte === 58 || byte === 100 || byte === 101 || byte === 105 || byte === 114
  }
  return null
}

const nothingRead = { tokens: noTokens, id: null }

const tooLong = ({ replyBytes }: Limits): UpstreamFailure =>
  upstreamFailure('malformed', `the answer is larger than ${replyBytes} bytes`)

/** Fields of which a real answer has one. */
const answerFields = ['choices', 'output', 'content', 'data', 'candidates', 'promptFeedback']

/** The usage in a whole JSON answer, or what is wrong with it. */
function readWhole(
  bytes: Uint8Array,
  wire: Wire | null,
  reported: WholeParts['reported'],
): { readonly tokens: TokenCounts; readonly id: string | null } | { readonly failure: UpstreamFailure } {
  const answer = fieldsOf(bytes)
  if (typeof answer === 'string') {
    return {
      failure: bytes.length === 0
        ? upstreamFailure('empty', 'the answer was empty')
        : upstreamFailure('malformed', `the answer is no JSON object: ${answer}`),
    }
  }
  // An answer that is nothing but an error, sent as a success.
  const said = answerFields.some((name) => answer(name) !== undefined) ? undefined : answer('error')
  if (typeof said === 'object' && said !== null) return { failure: reported(said) }
  // Only what the protocol's usage reader looks at is parsed.
  const field = wire?.usageField ?? 'usage'
  const usage = answer(field)
  const counted = answer('input_tokens')
  const body: Record<string, unknown> = {}
  if (usage !== undefined) body[field] = usage
  if (counted !== undefined) body['input_tokens'] = counted
  const named = answer('id') ?? answer('responseId')
  const tokens = wire?.usage(body as never) ?? noTokens
  if (!tokens.outputTokens && bytes.length <= emptyBytes && saysNothing(answer)) {
    return { failure: upstreamFailure('empty', 'the answer was empty') }
  }
  return { tokens, id: typeof named === 'string' ? named : null }
}

/** Up to here an answer is parsed as a whole, which is quicker than looking for its fields. */
const parsedBytes = 16 * 1024

/** The top-level fields of an answer, by name; else why it is no JSON object. */
function fieldsOf(bytes: Uint8Array): ((name: string) => unknown) | string {
  if (bytes.length <= parsedBytes) {
    const value = parsed(bytes)
    if (isObject(value)) return (name) => Object.hasOwn(value, name) ? value[name] : undefined
  }
  const scan = scanFields(bytes)
  if (!scan.ok) return scan.reason
  return (name) => {
    const span = scan.fields.get(name)
    return span && parseSpan(bytes, span)
  }
}

const utf8 = new TextDecoder()

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch {
    return null
  }
}

/** An answer longer than this says something. */
const emptyBytes = 16 * 1024

/**
 * Whether an answer ended of itself with nothing in it. One that was cut by a limit or a filter is an answer, and one
 * that is still being worked on is too.
 */
function saysNothing(read: (name: string) => unknown): boolean {
  const choices = read('choices')
  if (Array.isArray(choices)) return choices.every(isEmptyChoice)
  const candidates = read('candidates')
  if (Array.isArray(candidates)) return candidates.every(isEmptyCandidate)
  const output = read('output')
  if (Array.isArray(output)) return (read('status') ?? 'completed') === 'completed' && output.every(isEmptyBlock)
  const content = read('content')
  return Array.isArray(content) && (read('stop_reason') ?? 'end_turn') === 'end_turn' && content.every(isEmptyBlock)
}

const hasNothing = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.every(isEmptyBlock))

function isEmptyChoice(choice: unknown): boolean {
  if (!isObject(choice) || (choice.finish_reason ?? 'stop') !== 'stop') return false
  if (!isObject(choice.message)) return choice.text === ''
  return Object.entries(choice.message).every(([name, value]) => name === 'role' || hasNothing(value))
}

function isEmptyCandidate(candidate: unknown): boolean {
  if (!isObject(candidate) || (candidate.finishReason ?? 'STOP') !== 'STOP') return false
  const parts = isObject(candidate.content) ? candidate.content.parts : undefined
  return !Array.isArray(parts) ||
    parts.every((part) => isObject(part) && Object.keys(part).every((name) => name === 'text') && hasNothing(part.text))
}

/** A text block or a message item without text; anything else, such as a tool call, is something. */
function isEmptyBlock(block: unknown): boolean {
  if (!isObject(block)) return false
  if (block.type === 'message') return hasNothing(block.content)
  return (block.type === 'text' || block.type === 'output_text') && hasNothing(block.text)
}

/** The last `"usage":{…}` of an answer too long to hold. */
function tailUsage(tail: Uint8Array, wire: Wire | null): TokenCounts {
  const text = new TextDecoder().decode(tail)
  const field = wire?.usageField ?? 'usage'
  const mark = `"${field}":`
  const at = text.lastIndexOf(mark)
  const open = at < 0 ? -1 : text.indexOf('{', at)
  if (open < 0 || text.slice(at + mark.length, open).trim() !== '') return noTokens
  const scan = scanFields(new TextEncoder().encode(objectAt(text, open)))
  if (!scan.ok) return noTokens
  try {
    return wire?.usage({ [field]: JSON.parse(objectAt(text, open)) as Json }) ?? noTokens
  } catch {
    return noTokens
  }
}

/** The text of the object that opens at `from`; usage objects hold no strings with braces. */
function objectAt(text: string, from: number): string {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    if (text[at] === '{') depth++
    else if (text[at] === '}' && --depth === 0) return text.slice(from, at + 1)
  }
  return text.slice(from)
}
