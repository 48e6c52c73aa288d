import type { Json, JsonObject } from '../../base/mod.ts'
import type { InferenceEvent } from '../event.ts'
import { type UpstreamFailure, upstreamFailure } from '../failure.ts'
import { type FinishReason, finishWords } from '../finish.ts'
import { readLogprobsResult, type TokenLogprob } from '../logprobs.ts'
import { numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import type { PackedReasoning } from '../reasoning.ts'
import type { ReasoningProof } from '../request.ts'
import type { TokenCounts } from '../usage.ts'
import { citationsOf } from './citations.ts'
import { nativeValue, proofOf, shownText } from './parts.ts'
import { callIdFor, onItself, onText, unpackSignature } from './signature.ts'

/** Reads the pieces of one answer, whole or streamed: a stream's pieces are whole answers that hold a bit each. */
export interface Reader {
  read(piece: JsonObject, out: InferenceEvent[]): void
  /** The upstream closed; `whole` when nothing more could have come. */
  finish(out: InferenceEvent[], whole: boolean): void
  readonly done: boolean
}

/**
 * A {@link Reader}. Only the first candidate: gw asks for one.
 *
 * Some models name a finish in every piece, and the usage may come behind it: the answer ends with the stream.
 */
export function createReader(stem: string): Reader {
  let started = false
  let done = false
  let parts = 0
  let calls = 0
  let open: { readonly part: number; readonly type: 'text' | 'reasoning' } | null = null
  /** What the open part has said. */
  let said = ''
  let proof: ReasoningProof | null = null
  let word: string | null = null
  let why: string | null = null
  let beside: JsonObject = {}
  /** Of the piece that is being read, until its first text takes them. */
  let logprobs: readonly TokenLogprob[] | undefined

  function fail(failure: UpstreamFailure, out: InferenceEvent[]): void {
    done = true
    out.push({ type: 'failure', failure })
  }
  function close(out: InferenceEvent[]): void {
    if (open === null) return
    const more = open.type === 'reasoning' ? { proof } : { annotations: citationsIn(beside, said) }
    out.push({ type: 'close', part: open.part, ...more })
    open = null
    said = ''
    proof = null
  }
  function enter(type: 'text' | 'reasoning', out: InferenceEvent[]): number {
    if (open?.type === type && proof === null) return open.part
    close(out)
    open = { part: parts++, type }
    out.push({ type: 'open', part: open.part, head: type === 'text' ? { type } : { type, id: null } })
    return open.part
  }
  function say(type: 'text' | 'reasoning', text: string, out: InferenceEvent[]): void {
    if (text === '') return
    const part = enter(type, out)
    if (type === 'text' && logprobs !== undefined) {
      out.push({ type: 'delta', part, text, logprobs })
      logprobs = undefined
    } else out.push({ type: 'delta', part, text })
    said += text
  }
  /** A signature without words of its own. */
  function seal(id: string, data: string, out: InferenceEvent[]): void {
    close(out)
    const part = parts++
    out.push({ type: 'open', part, head: { type: 'reasoning', id } }, { type: 'close', part, proof: proofOf(data) })
  }
  /** Reasoning that another gateway of this kind packed; its thoughts may have been shown just before. */
  function unpacked(packed: readonly PackedReasoning[], out: InferenceEvent[]): void {
    for (const item of packed) {
      if (open?.type === 'reasoning' && said === shownText(item)) {
        proof = item.proof
        close(out)
        continue
      }
      close(out)
      const part = parts++
      out.push({ type: 'open', part, head: { type: 'reasoning', id: item.id } })
      item.summary.forEach((text, section) => out.push({ type: 'delta', part, text, summary: true, section }))
      item.content.forEach((text, section) => out.push({ type: 'delta', part, text, section }))
      out.push({ type: 'close', part, proof: item.proof })
    }
  }
  function readPart(part: JsonObject, out: InferenceEvent[]): void {
    const signature = stringOf(part.thoughtSignature)
    const packed = signature === null ? null : unpackSignature(signature)
    if (packed !== null) unpacked(packed, out)
    const own = packed === null && signature !== '' ? signature : null
    const call = objectOf(part.functionCall)
    if (call !== undefined) {
      // repair `missing-tool-id`
      const id = stringOf(call.id) || callIdFor(stem, calls)
      calls++
      if (own === null) close(out)
      else seal(id, own, out)
      const at = parts++
      out.push({
        type: 'open',
        part: at,
        head: { type: 'tool-call', id, name: stringOf(call.name) ?? '', namespace: null, kind: 'function' },
      })
      out.push({ type: 'delta', part: at, text: JSON.stringify(objectOf(call.args) ?? {}) }, {
        type: 'close',
        part: at,
      })
      return
    }
    const text = stringOf(part.text)
    if (text === null) {
      if (Object.keys(part).every((key) => key === 'thoughtSignature')) {
        if (own !== null) seal(onItself, own, out)
        return
      }
      close(out)
      const at = parts++
      out.push({ type: 'open', part: at, head: { type: 'native', value: nativeValue(part) } }, {
        type: 'close',
        part: at,
      })
      return
    }
    if (part.thought === true) {
      say('reasoning', text, out)
      if (own !== null && open?.type === 'reasoning') proof = proofOf(own)
      return
    }
    say('text', text, out)
    if (own !== null) seal(text === '' ? onItself : onText, own, out)
  }

  return {
    read(piece, out) {
      if (done) return
      if (!started) {
        started = true
        out.push({ type: 'start', id: stringOf(piece.responseId), model: stringOf(piece.modelVersion) })
      }
      const usage = objectOf(piece.usageMetadata)
      if (usage !== undefined) out.push({ type: 'usage', tokens: decodeUsage(usage) })
      const blocked = stringOf(objectOf(piece.promptFeedback)?.blockReason)
      if (blocked !== null) {
        word = 'SAFETY'
        why = blocked
      }
      const candidate = objectsOf(piece.candidates).find((item) => (item.index ?? 0) === 0)
      if (candidate === undefined) return
      for (const name of ['groundingMetadata', 'urlContextMetadata', 'citationMetadata'] as const) {
        if (objectOf(candidate[name]) !== undefined) beside = { ...beside, [name]: candidate[name] } as JsonObject
      }
      logprobs = readLogprobsResult(candidate.logprobsResult)
      for (const part of objectsOf(objectOf(candidate.content)?.parts)) readPart(part, out)
      word = stringOf(candidate.finishReason) ?? word
      why = stringOf(candidate.finishMessage) ?? why
    },
    finish(out, whole) {
      if (done) return
      if (!started) return fail(upstreamFailure('empty', 'the stream ended before it began'), out)
      if (word === null && !whole) {
        return fail(upstreamFailure('truncated', 'the stream broke off before its finishReason'), out)
      }
      const reason = decodeFinish(word, calls > 0)
      if (reason === null) {
        const message = `the model ended with ${JSON.stringify(word)}${why === null ? '' : `: ${why}`}`
        return fail(upstreamFailure('malformed', message), out)
      }
      close(out)
      for (const value of besideParts(beside)) {
        const part = parts++
        out.push({ type: 'open', part, head: { type: 'native', value } }, { type: 'close', part })
      }
      done = true
      out.push({ type: 'finish', reason, stopSequence: null })
    },
    get done() {
      return done
    },
  }
}

/** A finish word, with the repairs `missing-finish` and `finish-mismatch`; `null` for a word that is no end. */
function decodeFinish(word: string | null, hasCalls: boolean): FinishReason | null {
  const reason = word === null ? 'stop' : finishWords.gemini[word] ?? null
  return reason === 'stop' && hasCalls ? 'tool-calls' : reason
}

/**
 * Usage in neutral counts. Here thoughts stand beside the answer and what tools of the provider read beside the prompt;
 * neutral counts include both. Cached tokens are part of the prompt here as there.
 */
function decodeUsage(usage: JsonObject | undefined): Partial<TokenCounts> {
  if (usage === undefined) return {}
  const prompt = numberOf(usage.promptTokenCount)
  const tools = numberOf(usage.toolUsePromptTokenCount)
  const said = numberOf(usage.candidatesTokenCount)
  const thought = numberOf(usage.thoughtsTokenCount)
  return {
    inputTokens: prompt === null && tools === null ? null : (prompt ?? 0) + (tools ?? 0),
    outputTokens: said === null && thought === null ? null : (said ?? 0) + (thought ?? 0),
    cachedInputTokens: numberOf(usage.cachedContentTokenCount),
    reasoningTokens: thought,
  }
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
