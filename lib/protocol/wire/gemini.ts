import { formatSse } from '../../base/mod.ts'
import { isWord } from '../gemini/parts.ts'
import { addTokens, noTokens, type TokenCounts } from '../usage.ts'
import { dataStart, endsLikeObject, isGarbage, Marks, notJson, readData } from './events.ts'
import { count, maxChoices, member, text } from './numbers.ts'
import { errorOf, ownGemini } from './own-gemini.ts'
import type { EventRole, StreamFailure, StreamTracker, Wire } from './wire.ts'

const encoder = new TextEncoder()

/**
 * Counts of an answer. Thoughts stand beside the answer and what the provider's tools read beside the prompt: both are
 * added. Where tokens are only counted, the total is all there is.
 *
 * @see https://ai.google.dev/api/generate-content#UsageMetadata
 */
function contentUsage(usage: unknown): Partial<TokenCounts> {
  if (typeof usage !== 'object' || usage === null) return {}
  const prompt = count(member(usage, 'promptTokenCount'))
  const tools = count(member(usage, 'toolUsePromptTokenCount'))
  const said = count(member(usage, 'candidatesTokenCount'))
  const thought = count(member(usage, 'thoughtsTokenCount'))
  return {
    inputTokens: prompt === null && tools === null ? null : (prompt ?? 0) + (tools ?? 0),
    outputTokens: said === null && thought === null ? null : (said ?? 0) + (thought ?? 0),
    cachedInputTokens: count(member(usage, 'cachedContentTokenCount')),
    reasoningTokens: thought,
  }
}

/** Whether a part is the model's work: anything but an empty text. */
function isContent(part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return false
  return Object.entries(part).some(([name, value]) => name !== 'thought' && (name !== 'text' || value !== ''))
}

/** What an event holds that must be opened although the model has begun. */
const marks = new Marks('"finishReason"', '"error"', '"blockReason"')

/**
 * Reads the first pieces, each that names a finish, and all that come behind one. Of the others it reads that they begin
 * and end like an object.
 */
class GeminiTracker implements StreamTracker {
  failure: StreamFailure | null = null
  fault: string | null = null
  #tokens = noTokens
  #content = false
  #ended = false
  /** The candidates that have finished with words before; `null` while there are none. */
  #finished: Set<number> | null = null
  /** Whether a finish is no end to this upstream: some models name one in every piece. */
  #loose = false
  #id = ''
  #model = ''
  /** The piece that was searched last, and where its next mark is. */
  #piece: Uint8Array | null = null
  #mark = Infinity
  /** Every event says the counts so far: only those of the last one are read, when they are asked for. */
  #last: Uint8Array | null = null
  #lastStart = 0
  #lastEnd = 0

  get tokens(): TokenCounts {
    if (this.#last === null) return this.#tokens
    const piece = readData(this.#last, this.#lastStart, this.#lastEnd)
    this.#last = null
    if (piece) this.#tokens = addTokens(this.#tokens, contentUsage(piece['usageMetadata']))
    return this.#tokens
  }

  get id(): string | null {
    return this.#id === '' ? null : this.#id
  }

  get finished(): boolean {
    return this.#ended && (this.#content || (this.tokens.outputTokens ?? 0) > 0)
  }

  read(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): EventRole {
    const data = dataStart(bytes, start, end)
    if (data < 0) return 'idle'
    if (this.#piece !== bytes || this.#mark < start) {
      this.#piece = bytes
      this.#mark = marks.next(bytes, start)
    }
    // Once the model has begun, an event is opened only for what it may say besides.
    if (
      this.#content && this.#mark >= end && this.#finished === null && bytes[data] === 123 &&
      endsLikeObject(bytes, start, end)
    ) {
      this.#last = bytes
      this.#lastStart = start
      this.#lastEnd = end
      // A finish before the words was none.
      this.#ended = false
      return 'content'
    }
    this.#last = null
    const piece = readData(bytes, start, end)
    if (!piece) {
      return isGarbage(bytes, start, end) ? this.#wrong(notJson) : this.#content ? 'content' : 'idle'
    }
    const error = piece['error']
    if (error !== undefined && error !== null) {
      this.failure = {
        type: text(error, 'status'),
        code: typeof member(error, 'code') === 'number' ? String(member(error, 'code')) : text(error, 'code'),
        message: text(error, 'message') ?? 'the upstream reported an error',
      }
      return 'failure'
    }
    const id = text(piece, 'responseId') ?? ''
    this.#id ||= id
    this.#model ||= text(piece, 'modelVersion') ?? ''
    this.#tokens = addTokens(this.#tokens, contentUsage(piece['usageMetadata']))
    const blocked = text(piece['promptFeedback'], 'blockReason')
    const candidates = piece['candidates']
    const begun = this.#content
    for (const candidate of Array.isArray(candidates) ? candidates as unknown[] : []) {
      const index = count(member(candidate, 'index')) ?? 0
      const reason = text(candidate, 'finishReason')
      const parts = member(member(candidate, 'content'), 'parts')
      const list = Array.isArray(parts) ? parts as unknown[] : []
      const says = list.some(isWord)
      // A finish may be named once more, by the same answer.
      if (says && this.#finished?.has(index) && (reason === null || (id !== '' && id !== this.#id))) {
        return this.#wrong('the stream went on after its finishReason')
      }
      if (list.some(isContent)) this.#content = true
      // Stopping of itself with nothing said is no answer yet; any other reason is one.
      if (reason !== null && reason !== 'STOP') this.#content = true
      if (reason === null) {
        if (says) this.#ended = false
        continue
      }
      this.#ended = true
      if (!begun) this.#loose = true
      else if (!this.#loose && index < maxChoices) (this.#finished ??= new Set()).add(index)
    }
    if (blocked !== null) this.#content = this.#ended = true
    return this.#content ? 'content' : 'opening'
  }

  #wrong(fault: string): EventRole {
    this.fault = fault
    return 'fault'
  }

  keepAlive(): Uint8Array<ArrayBuffer> {
    return encoder.encode(formatSse({
      data: JSON.stringify({
        candidates: [{ content: { parts: [{ text: '' }], role: 'model' }, index: 0 }],
        modelVersion: this.#model,
        ...(this.#id === '' ? {} : { responseId: this.#id }),
      }),
    }))
  }

  failureEvent({ type, code, message }: StreamFailure): Uint8Array<ArrayBuffer> {
    return encoder.encode(formatSse({ data: JSON.stringify({ error: errorOf(type, code, message) }) }))
  }
}

/** generateContent and its stream of the same objects. */
export const geminiWire: Wire = {
  protocol: 'gemini',
  usageField: 'usageMetadata',
  own: ownGemini,
  tracker: () => new GeminiTracker(),
  usage: (body) => addTokens(noTokens, contentUsage(body['usageMetadata'])),
}
