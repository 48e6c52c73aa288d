import type { Json, JsonObject } from '../../base/mod.ts'
import { endOf, type InferenceEvent, opened, type PartHead } from '../event.ts'
import { type UpstreamFailure, upstreamFailure } from '../failure.ts'
import { type FinishReason, finishWords } from '../finish.ts'
import { readLogprobsResult, type TokenLogprob } from '../logprobs.ts'
import { objectOf, objectsOf, stringOf } from '../read.ts'
import type { PackedReasoning } from '../reasoning.ts'
import type { ReasoningProof } from '../request.ts'
import { addUnread, isAllRead } from '../unread.ts'
import { citationsOf } from './citations.ts'
import { isWord, nativeValue, proofOf, shownText } from './parts.ts'
import { callIdFor, onItself, onText, unpackSignature } from './signature.ts'

/** What the candidates of one answer have in common. */
export interface Shared {
  /** How many parts have been opened, and how many calls are among them. */
  parts: number
  calls: number
  /** Paths of what was said and is not read. */
  readonly unread: Set<string>
}

const candidateFields = new Set([
  ...[
    'content',
    'finishReason',
    'index',
    'logprobsResult',
    'groundingMetadata',
    'urlContextMetadata',
    'citationMetadata',
  ],
  // The middle of what the tokens are told one by one.
  'avgLogprobs',
])
const partFields = new Set(['text', 'thought', 'thoughtSignature', 'functionCall'])
const callFields = new Set(['id', 'name', 'args'])

const metadata = ['groundingMetadata', 'urlContextMetadata', 'citationMetadata'] as const

/** Reads what the pieces of an answer say of one candidate. */
export class CandidateReader {
  readonly #index: number
  readonly #path: string
  readonly #stem: string
  readonly #shared: Shared
  #hasCalls = false
  #open: { readonly part: number; readonly type: 'text' | 'reasoning' } | null = null
  /** What the open part has said. */
  #said = ''
  #proof: ReasoningProof | null = null
  #word: string | null = null
  /** Whether anything was said, whether a finish is no end here, and whether there was one that is. */
  #begun = false
  #loose = false
  #ended = false
  #why: string | null = null
  #beside: JsonObject = {}
  /** Of the piece that is being read, until its first text takes them. */
  #logprobs: readonly TokenLogprob[] | undefined

  constructor(index: number, stem: string, shared: Shared) {
    this.#index = index
    this.#path = `candidates[${index}]`
    this.#stem = stem
    this.#shared = shared
  }

  /** Whether a finish was named. */
  get ended(): boolean {
    return this.#word !== null
  }

  /** The prompt was refused. */
  block(why: string): void {
    this.#word = 'SAFETY'
    this.#why = why
  }

  /**
   * Reads a piece. False when it goes on after its finish: one that comes behind words is the end, but for a piece of the
   * same answer that names it once more. Some models name one in every piece, and some gateways one before the words.
   *
   * @param same whether the piece is of the answer that began the stream
   */
  read(candidate: JsonObject, out: InferenceEvent[], same = true): boolean {
    const parts = objectsOf(objectOf(candidate.content)?.parts)
    const says = parts.some(isWord)
    const word = stringOf(candidate.finishReason)
    if (says && this.#ended && (word === null || !same)) return false
    for (const name of metadata) {
      if (objectOf(candidate[name]) !== undefined) this.#beside = { ...this.#beside, [name]: candidate[name] as Json }
    }
    const { unread } = this.#shared
    addUnread(candidate, candidateFields, this.#path, unread)
    this.#logprobs = readLogprobsResult(candidate.logprobsResult)
    parts.forEach((part, i) => {
      this.#note(part, i)
      this.#part(part, out)
    })
    if (word !== null) {
      this.#word = word
      if (!this.#begun) this.#loose = true
      else if (!this.#loose) this.#ended = true
    } else if (says) this.#word = null
    this.#begun ||= says
    this.#why = stringOf(candidate.finishMessage) ?? this.#why
    return true
  }

  /** Takes down what a part says that is not read. One of another kind goes on whole, or is lost as that. */
  #note(part: JsonObject, index: number): void {
    const call = objectOf(part.functionCall)
    if (call === undefined && (typeof part.text !== 'string' || isAllRead(part, partFields))) return
    const path = `${this.#path}.content.parts[${index}]`
    addUnread(part, partFields, path, this.#shared.unread)
    addUnread(call, callFields, `${path}.functionCall`, this.#shared.unread)
  }

  /** Ends the candidate, or says why that is no end. */
  finish(out: InferenceEvent[]): UpstreamFailure | null {
    const reason = decodeFinish(this.#word, this.#hasCalls)
    if (reason === null) {
      const why = this.#why === null ? '' : `: ${this.#why}`
      return upstreamFailure('malformed', `the model ended with ${JSON.stringify(this.#word)}${why}`)
    }
    this.#close(out)
    for (const value of besideParts(this.#beside)) {
      out.push({ type: 'close', part: this.#begin({ type: 'native', value }, out) })
    }
    const end = endOf(this.#index, reason)
    out.push(end.type === 'finish' ? { ...end, unread: [...this.#shared.unread] } : end)
    return null
  }

  #begin(head: PartHead, out: InferenceEvent[]): number {
    const part = this.#shared.parts++
    const choice = this.#index
    out.push(opened(part, head, choice))
    return part
  }

  #close(out: InferenceEvent[]): void {
    if (this.#open === null) return
    const { type, part } = this.#open
    const more = type === 'reasoning' ? { proof: this.#proof } : { annotations: citationsIn(this.#beside, this.#said) }
    out.push({ type: 'close', part, ...more })
    this.#open = null
    this.#said = ''
    this.#proof = null
  }

  #enter(type: 'text' | 'reasoning', out: InferenceEvent[]): number {
    if (this.#open?.type === type && this.#proof === null) return this.#open.part
    this.#close(out)
    const part = this.#begin(type === 'text' ? { type } : { type, id: null }, out)
    this.#open = { part, type }
    return part
  }

  #say(type: 'text' | 'reasoning', text: string, out: InferenceEvent[]): void {
    if (text === '') return
    const part = this.#enter(type, out)
    if (type === 'text' && this.#logprobs !== undefined) {
      out.push({ type: 'delta', part, text, logprobs: this.#logprobs })
      this.#logprobs = undefined
    } else out.push({ type: 'delta', part, text })
    this.#said += text
  }

  /** A signature without words of its own. */
  #seal(id: string, data: string, out: InferenceEvent[]): void {
    this.#close(out)
    out.push({ type: 'close', part: this.#begin({ type: 'reasoning', id }, out), proof: proofOf(data) })
  }

  /** Reasoning that another gateway of this kind packed; its thoughts may have been shown just before. */
  #unpacked(packed: readonly PackedReasoning[], out: InferenceEvent[]): void {
    for (const item of packed) {
      if (this.#open?.type === 'reasoning' && this.#said === shownText(item)) {
        this.#proof = item.proof
        this.#close(out)
        continue
      }
      this.#close(out)
      const part = this.#begin({ type: 'reasoning', id: item.id }, out)
      item.summary.forEach((text, section) => out.push({ type: 'delta', part, text, summary: true, section }))
      item.content.forEach((text, section) => out.push({ type: 'delta', part, text, section }))
      out.push({ type: 'close', part, proof: item.proof })
    }
  }

  #part(part: JsonObject, out: InferenceEvent[]): void {
    const signature = stringOf(part.thoughtSignature)
    const packed = signature === null ? null : unpackSignature(signature)
    if (packed !== null) this.#unpacked(packed, out)
    const own = packed === null && signature !== '' ? signature : null
    const call = objectOf(part.functionCall)
    if (call !== undefined) return this.#call(call, own, out)
    const text = stringOf(part.text)
    if (text === null) {
      if (Object.keys(part).every((key) => key === 'thoughtSignature')) {
        if (own !== null) this.#seal(onItself, own, out)
        return
      }
      this.#close(out)
      out.push({ type: 'close', part: this.#begin({ type: 'native', value: nativeValue(part) }, out) })
      return
    }
    if (part.thought === true) {
      this.#say('reasoning', text, out)
      if (own !== null && this.#open?.type === 'reasoning') this.#proof = proofOf(own)
      return
    }
    this.#say('text', text, out)
    if (own !== null) this.#seal(text === '' ? onItself : onText, own, out)
  }

  #call(call: JsonObject, signature: string | null, out: InferenceEvent[]): void {
    // repair `missing-tool-id`
    const id = stringOf(call.id) || callIdFor(this.#stem, this.#shared.calls)
    this.#shared.calls++
    this.#hasCalls = true
    if (signature === null) this.#close(out)
    else this.#seal(id, signature, out)
    const name = stringOf(call.name) ?? ''
    const part = this.#begin({ type: 'tool-call', id, name, namespace: null, kind: 'function' }, out)
    out.push({ type: 'delta', part, text: JSON.stringify(objectOf(call.args) ?? {}) }, { type: 'close', part })
  }
}

/** A finish word, with the repairs `missing-finish` and `finish-mismatch`; `null` for a word that is no end. */
function decodeFinish(word: string | null, hasCalls: boolean): FinishReason | null {
  const reason = word === null ? 'stop' : finishWords.gemini[word] ?? null
  return reason === 'stop' && hasCalls ? 'tool-calls' : reason
}

/** Facts of a candidate that only this protocol knows, as parts that re-emerge here. */
function besideParts(candidate: JsonObject): JsonObject[] {
  return (['groundingMetadata', 'urlContextMetadata', 'citationMetadata'] as const).flatMap((name) => {
    const value = candidate[name]
    return objectOf(value) === undefined ? [] : [{ type: name, candidate: { [name]: value as Json } }]
  })
}

/** Citations of a text that a candidate's grounding names, in the form that the other protocols share. */
function citationsIn(candidate: JsonObject, text: string): JsonObject[] {
  const grounding = objectOf(candidate.groundingMetadata)
  return grounding === undefined ? [] : citationsOf(grounding, text)
}
