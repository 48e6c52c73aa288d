import { Buffer } from 'node:buffer'
import { concat, GwError, type JsonObject, type Ticker, type Watcher } from '../base/mod.ts'
import { boundaryOf, parseSpan, scanFields, scanForm, type Span, splice } from '../protocol/mod.ts'
import type { Limits } from './limits.ts'

/** A caller's body: its own bytes, with the few fields gw reads found in them. */
export interface Body {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Whether it is JSON; else it is a form. */
  readonly json: boolean
  /** As the caller wrote it; `null` when it names none. */
  readonly model: string | null
  /** Whether the caller asked for a stream. */
  readonly stream: boolean
  /** Whether a top-level field is there. */
  has(name: string): boolean
  /** Whether these very characters stand anywhere in it. */
  mentions(text: string): boolean
  /** A top-level field, parsed when first asked for; `undefined` when absent or a file. */
  field(name: string): unknown
  /**
   * All of it, parsed when first asked for; nobody may change it.
   *
   * @throws GwError `request.invalid` when it is no JSON after all
   */
  parsed(): JsonObject
  /** Where the value of a top-level field lies. */
  span(name: string): Span | undefined
  /** Names of the top-level fields. */
  names(): Iterable<string>
  /** The same bytes with another model name, and without the fields that were meant for gw alone. */
  rewrite(model: string, without?: readonly string[]): Uint8Array<ArrayBuffer>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Bodies up to this size are also parsed, so that what is malformed deep inside is refused here. Costs 2 µs per KB. */
const parsedBytes = 16 * 1024
/** Bodies that say they are no longer than this are awaited whole; the others are counted as they come. */
const wholeBytes = 256 * 1024
/** Above the first 30 s a sender must have managed this many bytes per second. */
const slowestBytesPerMs = 8

/**
 * Reads a request's body whole, bounded in size and time.
 *
 * @throws GwError `request.too_large` (413), `request.timeout` (408)
 */
export function readBytes(request: Request, limits: Limits, ticker: Ticker): Promise<Uint8Array<ArrayBuffer>> {
  const declared = request.headers.get('content-length')
  const length = declared === null ? null : Number(declared)
  if (length !== null && length > limits.bodyBytes) throw tooLarge(limits.bodyBytes)
  // Touching `body` makes a stream of it, and costs as much as all the rest of a request.
  const whole = length !== null && length <= wholeBytes
  if (!whole && !request.body) return Promise.resolve(new Uint8Array())
  return new Reading(request, whole, limits, ticker).bytes
}

/** A body that is being read: all that comes of it, or the reason why it does not. */
class Reading implements Watcher {
  readonly bytes: Promise<Uint8Array<ArrayBuffer>>
  readonly #since: number
  readonly #limits: Limits
  readonly #ticker: Ticker
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null
  #received = 0
  #resolve!: (bytes: Uint8Array<ArrayBuffer>) => void
  #reject!: (reason: GwError) => void

  constructor(request: Request, whole: boolean, limits: Limits, ticker: Ticker) {
    this.#since = ticker.now
    this.#limits = limits
    this.#ticker = ticker
    this.#reader = whole ? null : request.body!.getReader()
    this.bytes = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    ticker.watch(this)
    if (this.#reader) this.#drain(this.#reader).catch((error) => this.#fail(error))
    else request.arrayBuffer().then((buffer) => this.#finish(new Uint8Array(buffer)), (error) => this.#fail(error))
  }

  beat(now: number): void {
    const waited = now - this.#since
    const { bodyMs } = this.#limits
    if (waited < bodyMs || this.#received / slowestBytesPerMs > waited - bodyMs) return
    this.#fail(new GwError('request.timeout', `the request body did not arrive in ${Math.round(waited / 1000)} s`))
  }

  async #drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const chunks: Uint8Array[] = []
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return this.#finish(concat(chunks, this.#received))
      this.#received += value.length
      if (this.#received > this.#limits.bodyBytes) return this.#fail(tooLarge(this.#limits.bodyBytes))
      chunks.push(value)
    }
  }

  #finish(bytes: Uint8Array<ArrayBuffer>): void {
    this.#ticker.unwatch(this)
    this.#resolve(bytes)
  }

  #fail(error: unknown): void {
    this.#ticker.unwatch(this)
    const left = (): GwError => new GwError('cancelled', 'the caller left in mid-request', { cause: error })
    this.#reject(error instanceof GwError ? error : left())
    this.#reader?.cancel().catch(() => {})
  }
}

const tooLarge = (limit: number): GwError =>
  new GwError('request.too_large', `the request body is larger than ${limit} bytes`, {
    hint: 'the limit is limits.body_bytes',
  })

/**
 * A JSON body as gw needs it.
 *
 * @throws GwError `request.invalid` when it is no JSON object, or when two readers could understand it differently
 */
export function jsonBody(bytes: Uint8Array<ArrayBuffer>): Body {
  return new JsonBody(bytes)
}

class JsonBody implements Body {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly json = true
  readonly model: string | null
  readonly stream: boolean
  readonly #fields: ReadonlyMap<string, Span>
  #whole: JsonObject | null

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    if (bytes.length === 0) throw new GwError('request.invalid', 'the request has no body; it must be a JSON object')
    const scan = scanFields(bytes)
    if (!scan.ok) throw malformed(bytes, `${scan.reason} at byte ${scan.at}`)
    this.bytes = bytes
    this.#fields = scan.fields
    this.#whole = bytes.length <= parsedBytes ? parse(bytes) : null
    for (const name of scan.fields.keys()) {
      // A reader that ignores case would take its model from here, past every rule about models.
      if (name !== 'model' && name.length === 5 && name.toLowerCase() === 'model') {
        throw new GwError('request.invalid', `the field "${name}" can be mistaken for "model"`, { param: name })
      }
    }
    const model = this.field('model')
    if (model !== undefined && model !== null && typeof model !== 'string') {
      throw new GwError('request.invalid', '"model" must be a string', { param: 'model' })
    }
    const stream = this.field('stream')
    if (stream !== undefined && stream !== null && typeof stream !== 'boolean') {
      throw new GwError('request.invalid', '"stream" must be true or false', { param: 'stream' })
    }
    this.model = model ? model : null
    this.stream = stream === true
  }

  has(name: string): boolean {
    return this.#fields.has(name)
  }

  span(name: string): Span | undefined {
    return this.#fields.get(name)
  }

  names(): Iterable<string> {
    return this.#fields.keys()
  }

  mentions(text: string): boolean {
    const { bytes } = this
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(text)
  }

  field(name: string): unknown {
    const span = this.#fields.get(name)
    return span && parseSpan(this.bytes, span)
  }

  parsed(): JsonObject {
    return this.#whole ??= parse(this.bytes)
  }

  rewrite(name: string, without: readonly string[] = []): Uint8Array<ArrayBuffer> {
    const { bytes, model } = this
    let out = bytes
    const drops = without.filter((field) => this.#fields.has(field))
    if (drops.length > 0) out = withoutFields(out, drops)
    if (name === model) return out
    const at = out === bytes ? this.#fields : fieldsOf(out)
    const value = encoder.encode(JSON.stringify(name))
    const span = at.get('model')
    return span ? splice(out, span, value) : withField(out, 'model', value)
  }
}

function fieldsOf(bytes: Uint8Array): ReadonlyMap<string, Span> {
  const scan = scanFields(bytes)
  return scan.ok ? scan.fields : new Map()
}

/** Cuts fields out, commas and all. Rare: only where a field was meant for gw. */
function withoutFields(bytes: Uint8Array<ArrayBuffer>, names: readonly string[]): Uint8Array<ArrayBuffer> {
  const kept = [...fieldsOf(bytes)].filter(([name]) => !names.includes(name))
  const pieces: Uint8Array[] = [encoder.encode('{')]
  kept.forEach(([name, span], i) => {
    pieces.push(encoder.encode(`${i > 0 ? ',' : ''}${JSON.stringify(name)}:`), bytes.subarray(span.start, span.end))
  })
  pieces.push(encoder.encode('}'))
  return concat(pieces)
}

/** The same body asking for a stream. */
export function streaming(body: Body): Body {
  if (body.stream) return body
  const { bytes } = body
  const yes = encoder.encode('true')
  const span = body.span('stream')
  return jsonBody(span ? splice(bytes, span, yes) : withField(bytes, 'stream', yes))
}

function withField(bytes: Uint8Array<ArrayBuffer>, name: string, value: Uint8Array): Uint8Array<ArrayBuffer> {
  const open = bytes.indexOf(123) + 1
  const comma = fieldsOf(bytes).size > 0 ? ',' : ''
  return concat([
    bytes.subarray(0, open),
    encoder.encode(`${JSON.stringify(name)}:`),
    value,
    encoder.encode(comma),
    bytes.subarray(open),
  ])
}

/** The object that a scan has found to be one. */
function parse(bytes: Uint8Array): JsonObject {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    throw new GwError('request.invalid', 'the request body is not valid UTF-8')
  }
  try {
    return JSON.parse(text) as JsonObject
  } catch (cause) {
    throw malformed(bytes, (cause as Error).message)
  }
}

const malformed = (bytes: Uint8Array, reason: string): GwError =>
  new GwError('request.invalid', `the request body is not a valid JSON object: ${reason}`, {
    details: { bytes: bytes.length },
  })

/**
 * A multipart form as gw needs it.
 *
 * @throws GwError `request.media_type` when it is no form, `request.invalid` when it does not hold together
 */
export function formBody(bytes: Uint8Array<ArrayBuffer>, contentType: string | null): Body {
  const boundary = boundaryOf(contentType ?? '')
  if (boundary === null) throw new GwError('request.media_type', 'this path takes multipart/form-data')
  const fields = scanForm(bytes, boundary)
  if (!fields) throw new GwError('request.invalid', 'the multipart body does not hold together')
  const spans = new Map(fields.map(({ name, value }) => [name, value]))
  if (fields.filter(({ name }) => name === 'model').length > 1) {
    throw new GwError('request.invalid', 'the field "model" occurs twice', { param: 'model' })
  }
  const text = (span: Span): string => new TextDecoder().decode(bytes.subarray(span.start, span.end))
  const field = (name: string): unknown => {
    const span = spans.get(name)
    return span && text(span)
  }
  const model = field('model') as string | undefined
  return {
    bytes,
    json: false,
    model: model ? model : null,
    stream: field('stream') === 'true',
    has: (name) => spans.has(name),
    span: (name) => spans.get(name),
    names: () => spans.keys(),
    mentions: () => false,
    field,
    parsed() {
      throw new GwError('request.media_type', 'the request is a form and no JSON')
    },
    rewrite(name) {
      const span = spans.get('model')
      if (name === model) return bytes
      if (span) return splice(bytes, span, encoder.encode(name))
      return concat([
        encoder.encode(`--${boundary}\r\ncontent-disposition: form-data; name="model"\r\n\r\n${name}\r\n`),
        bytes,
      ])
    },
  }
}
