import type { JsonObject } from '../../../base/mod.ts'
import { type DeltaEvent, endOf, type InferenceEvent, opened, type PartHead } from '../../event.ts'
import { type UpstreamFailure, upstreamFailure } from '../../failure.ts'
import { readLogprobs } from '../../logprobs.ts'
import { numberOf, objectOf, objectsOf, stringOf } from '../../read.ts'
import type { ReasoningProof } from '../../request.ts'
import { decodeReasoningDetail } from '../reasoning.ts'
import { addUnreadChoice, decodeFinish } from '../response.ts'

interface OpenCall {
  readonly index: number
  /** `-1` until the name is known and the part is open. */
  part: number
  id: string
  name: string
  custom: boolean
  /** Arguments that came before the name. */
  held: string
}

/** What the choices of one answer have in common. */
export interface Shared {
  /** How many parts have been opened. */
  parts: number
  tier: string | null
  /** Paths of what was said and is not read. */
  readonly unread: Set<string>
}

/** More calls than any answer has: an upstream that makes more never comes to an end. */
const maxCalls = 1024

type Said = 'text' | 'refusal' | 'reasoning'

/** Reads the chunks of one choice. */
export class ChoiceReader {
  /** Why the model stopped, in its own word. */
  word: string | null = null
  readonly #index: number
  readonly #stem: string
  readonly #shared: Shared
  readonly #calls: OpenCall[] = []
  /** Whether anything has been said. */
  #said = false
  /** repair `finish-everywhere`: a finish before the words, or with the first of them, stands in every chunk. */
  #loose = false
  #open: { readonly part: number; readonly type: Said } | null = null
  #proof: ReasoningProof | null = null
  #thoughts = ''
  #part = -1
  #annotations: JsonObject[] = []

  constructor(index: number, stem: string, shared: Shared) {
    this.#index = index
    this.#stem = index === 0 ? stem : `${stem}c${index}x`
    this.#shared = shared
  }

  /** Reads what one chunk says of this choice; what is wrong with it, or `null`. */
  read(choice: JsonObject, out: InferenceEvent[]): string | null {
    const change = objectOf(choice.delta) ?? objectOf(choice.message)
    const before = out.length
    addUnreadChoice(choice, change, this.#shared.unread)
    if (change !== undefined) this.#change(change, objectOf(choice.logprobs), out)
    const says = out.length > before
    if (says && this.word !== null && !this.#loose) return 'the stream went on after its finish_reason'
    if (this.#calls.length > maxCalls) return `the answer has more than ${maxCalls} calls`
    const word = stringOf(choice.finish_reason) || null
    if (word !== null && !this.#said) this.#loose = true
    if (this.#loose) this.word = word ?? (says ? null : this.word)
    else this.word ??= word
    this.#said ||= says
    return null
  }

  /** Whether a chunk was nothing but words of a part that is still open, so that {@link ChoiceReader.more} may follow. */
  mayGoOn(event: InferenceEvent): event is DeltaEvent {
    if (event.type !== 'delta' || event.logprobs !== undefined || event.summary !== undefined) return false
    this.#part = event.part
    return this.word === null
  }

  /** Whether the words of the part that is open are needed again at its end. */
  get keepsWords(): boolean {
    return this.#open?.type === 'reasoning'
  }

  /** More words of the part that the last chunk was about. */
  more(text: string, out: InferenceEvent[]): void {
    if (this.keepsWords) this.#thoughts += text
    out.push({ type: 'delta', part: this.#part, text })
  }

  /** Ends the choice, or says why that is no end. */
  finish(out: InferenceEvent[]): UpstreamFailure | null {
    const said = decodeFinish(this.word, this.#calls.length > 0)
    if (said === null) return upstreamFailure('malformed', `unknown finish_reason ${JSON.stringify(this.word)}`)
    const reason = this.#open?.type === 'refusal' && said === 'stop' ? 'refusal' : said
    this.#close(out)
    for (const call of this.#calls) {
      if (call.part < 0) return upstreamFailure('malformed', 'a tool call without a name')
      out.push({ type: 'close', part: call.part })
    }
    const end = endOf(this.#index, reason)
    const { tier, unread } = this.#shared
    out.push(end.type === 'finish' ? { ...end, tier, unread: [...unread] } : end)
    return null
  }

  #close(out: InferenceEvent[]): void {
    if (this.#open === null) return
    const { type, part } = this.#open
    const more = type === 'reasoning'
      ? { proof: this.#proof }
      : type === 'text'
      ? { annotations: this.#annotations }
      : {}
    out.push({ type: 'close', part, ...more })
    this.#open = null
    this.#proof = null
    this.#thoughts = ''
    this.#annotations = []
  }

  #begin(head: PartHead, out: InferenceEvent[]): number {
    const part = this.#shared.parts++
    const choice = this.#index
    out.push(opened(part, head, choice))
    return part
  }

  #enter(type: Said, out: InferenceEvent[], id: string | null = null): number {
    if (this.#open?.type === type) return this.#open.part
    this.#close(out)
    const part = this.#begin(type === 'reasoning' ? { type, id } : { type }, out)
    this.#open = { part, type }
    return part
  }

  #change(value: JsonObject, logprobs: JsonObject | undefined, out: InferenceEvent[]): void {
    const details = value.reasoning_details
    if (Array.isArray(details) && details.length > 0) {
      for (const detail of objectsOf(details)) this.#reasoningDetail(detail, out)
    } else {
      const thought = stringOf(value.reasoning_content) ?? stringOf(value.reasoning)
      if (thought) this.#think(this.#enter('reasoning', out), thought, out)
    }
    const content = value.content
    if (typeof content === 'string') {
      if (content !== '') this.#say(content, logprobs, out)
    } else if (Array.isArray(content)) {
      for (const item of objectsOf(content)) {
        const text = stringOf(item.text)
        if (text) out.push({ type: 'delta', part: this.#enter('text', out), text })
      }
    }
    if (Array.isArray(value.annotations)) this.#annotations.push(...objectsOf(value.annotations))
    const refusal = stringOf(value.refusal)
    if (refusal) out.push({ type: 'delta', part: this.#enter('refusal', out), text: refusal })
    if (Array.isArray(value.tool_calls)) { for (const call of objectsOf(value.tool_calls)) this.#toolCall(call, out) }
    const legacy = objectOf(value.function_call)
    if (legacy !== undefined) this.#toolCall({ index: 0, function: legacy }, out)
  }

  #say(text: string, logprobs: JsonObject | undefined, out: InferenceEvent[]): void {
    const part = this.#enter('text', out)
    const chances = logprobs === undefined ? undefined : readLogprobs(logprobs.content)
    out.push(chances === undefined ? { type: 'delta', part, text } : { type: 'delta', part, text, logprobs: chances })
  }

  #think(part: number, text: string, out: InferenceEvent[]): void {
    if (text === '') return
    this.#thoughts += text
    out.push({ type: 'delta', part, text })
  }

  #reasoningDetail(detail: JsonObject, out: InferenceEvent[]): void {
    const decoded = decodeReasoningDetail(detail, '')
    if (detail.type === 'reasoning.encrypted') {
      // Packed by another gateway of this kind, whose deltas have said the text already.
      const shown = decoded.content.length > 0 ? decoded.content : decoded.summary
      if (this.#open?.type === 'reasoning' && detail.format === 'gw-v1' && shown.join('\n\n') === this.#thoughts) {
        this.#proof = decoded.proof
        return this.#close(out)
      }
      this.#close(out)
      const part = this.#enter('reasoning', out, decoded.id)
      decoded.summary.forEach((text, section) => out.push({ type: 'delta', part, text, summary: true, section }))
      decoded.content.forEach((text, section) => out.push({ type: 'delta', part, text, section }))
      this.#proof = decoded.proof
      return this.#close(out)
    }
    if (this.#open?.type === 'reasoning' && this.#proof !== null && decoded.proof === null) this.#close(out)
    const part = this.#enter('reasoning', out, decoded.id)
    // A signed detail may say the whole text once more.
    const again = decoded.proof !== null && decoded.content[0] === this.#thoughts
    if (!again) { for (const text of decoded.content) this.#think(part, text, out) }
    for (const text of decoded.summary) if (text !== '') out.push({ type: 'delta', part, text, summary: true })
    this.#proof = decoded.proof ?? this.#proof
  }

  #toolCall(delta: JsonObject, out: InferenceEvent[]): void {
    const custom = objectOf(delta.custom)
    const fn = custom ?? objectOf(delta.function) ?? {}
    const call = this.#callOf(delta, stringOf(delta.id), stringOf(fn.name))
    const raw = custom ? fn.input : fn.arguments
    const text = typeof raw === 'string' ? raw : raw == null ? '' : JSON.stringify(raw)
    if (call.part < 0) {
      if (call.name === '') {
        call.held += text
        return
      }
      this.#close(out)
      // repair `missing-tool-id`
      if (call.id === '') call.id = `call_${this.#stem}${this.#calls.indexOf(call)}`
      const { id, name } = call
      const kind = call.custom ? 'custom' : 'function'
      call.part = this.#begin({ type: 'tool-call', id, name, namespace: null, kind }, out)
    }
    const whole = call.held + text
    call.held = ''
    if (whole !== '') out.push({ type: 'delta', part: call.part, text: whole })
  }

  /** The call that a delta belongs to. */
  #callOf(delta: JsonObject, id: string | null, name: string | null): OpenCall {
    const calls = this.#calls
    const index = numberOf(delta.index)
    let call = index === null ? this.#missingIndex(id) : calls.findLast((item) => item.index === index)
    // repair `duplicate-index`: another id and a name under a used index is another call
    if (call !== undefined && id !== null && id !== '' && call.id !== '' && call.id !== id && name) call = undefined
    // One more than that ends the stream.
    if (call === undefined && calls.length > maxCalls) return calls.at(-1)!
    if (call === undefined) {
      const custom = objectOf(delta.custom) !== undefined
      call = { index: index ?? calls.length, part: -1, id: '', name: '', custom, held: '' }
      calls.push(call)
    }
    if (call.id === '' && id) call.id = id
    // repair `repeated-name`: the first one counts
    if (call.name === '' && name) call.name = name
    return call
  }

  /** repair `missing-index`: by id, else the call that is being written. */
  #missingIndex(id: string | null): OpenCall | undefined {
    return id === null || id === '' ? this.#calls.at(-1) : this.#calls.find((item) => item.id === id)
  }
}
