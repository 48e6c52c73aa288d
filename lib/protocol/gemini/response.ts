import type { Json, JsonObject } from '../../base/mod.ts'
import type { Call, DecodedResponse, Lose } from '../codec.ts'
import { createCollector } from '../collect.ts'
import type { Choice, InferenceEvent, InferenceResponse, ResponsePart } from '../event.ts'
import { upstreamFailure } from '../failure.ts'
import { finishTable } from '../finish.ts'
import { writeLogprobsResult } from '../logprobs.ts'
import { compact, objectOf, objectsOf } from '../read.ts'
import { argumentsObject } from '../tools.ts'
import type { TokenCounts } from '../usage.ts'
import { groundingOf } from './citations.ts'
import { decodeFailure } from './failure.ts'
import { shownText } from './parts.ts'
import { Reader } from './reader.ts'
import { onItself, onText, packSignature } from './signature.ts'

// ---- decode ---------------------------------------------------------------------------------------------------------

/** A whole answer in neutral form; one that came as a list of its pieces is put together. */
export function decodeResponse(body: unknown, stem: string): DecodedResponse {
  const pieces = Array.isArray(body) ? objectsOf(body) : [objectOf(body)]
  if (objectOf(pieces.at(-1)?.error) !== undefined) return { ok: false, failure: decodeFailure(null, pieces.at(-1)) }
  if (!pieces.some((piece) => Array.isArray(piece?.candidates) || objectOf(piece?.promptFeedback) !== undefined)) {
    return { ok: false, failure: upstreamFailure('malformed', 'the answer is no content: candidates are missing') }
  }
  const reader = new Reader(stem)
  const collector = createCollector()
  const events: InferenceEvent[] = []
  for (const piece of pieces) if (piece !== undefined) reader.read(piece, events)
  reader.finish(events, true)
  for (const event of events) collector.push(event)
  return collector.failure === null
    ? { ok: true, response: collector.response() }
    : { ok: false, failure: collector.failure }
}

// ---- encode ---------------------------------------------------------------------------------------------------------

/** A whole answer for the caller. */
export function encodeResponse(response: InferenceResponse, call: Call, lose: Lose): JsonObject {
  const candidates = [response, ...response.others ?? []].map((choice, index) =>
    encodeCandidate(choice, index, call, (path, why) => lose(index === 0 ? path : `candidates[${index}].${path}`, why))
  )
  return envelopeOf(call, candidates, encodeUsage(response.tokens))
}

function encodeCandidate(choice: Choice, index: number, call: Call, lose: Lose): JsonObject {
  const writer = createWriter(call, lose)
  const parts: JsonObject[] = []
  choice.parts.forEach((part, i) => {
    const last = parts.at(-1)
    const written = writer.part(part, i)
    const alone = part.type === 'reasoning' && part.id === onText ? written.at(-1)?.thoughtSignature : undefined
    if (alone === undefined || typeof last?.text !== 'string' || last.thoughtSignature !== undefined) {
      parts.push(...written)
    } else parts[parts.length - 1] = { ...last, thoughtSignature: alone }
  })
  parts.push(...writer.rest())
  const logprobs = choice.parts.flatMap((part) => part.type === 'text' ? part.logprobs ?? [] : [])
  return {
    content: { parts: parts.length > 0 ? parts : [{ text: '' }], role: 'model' },
    finishReason: finishTable[choice.finish].gemini,
    index,
    ...(logprobs.length === 0 ? {} : { logprobsResult: writeLogprobsResult(logprobs) }),
    ...writer.beside(),
  }
}

/** What is around candidates. */
export function envelopeOf(call: Call, candidates: JsonObject[], usage: JsonObject | undefined): JsonObject {
  return compact({ candidates, usageMetadata: usage, modelVersion: call.model, responseId: call.id })
}

/** Usage in this protocol's terms; `undefined` when the upstream said nothing. */
export function encodeUsage(tokens: TokenCounts): JsonObject | undefined {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = tokens
  if (inputTokens === null && outputTokens === null) return undefined
  const thoughts = Math.min(reasoningTokens ?? 0, outputTokens ?? 0)
  return compact({
    promptTokenCount: inputTokens ?? 0,
    candidatesTokenCount: (outputTokens ?? 0) - thoughts,
    totalTokenCount: (inputTokens ?? 0) + (outputTokens ?? 0),
    cachedContentTokenCount: cachedInputTokens === null ? undefined : cachedInputTokens,
    thoughtsTokenCount: reasoningTokens === null ? undefined : thoughts,
  })
}

/** Writes the parts of one answer, and keeps signatures until there is a part to put them on. */
export interface Writer {
  part(part: ResponsePart, index: number): JsonObject[]
  /** A piece of text, with the signature that waits for it. */
  text(text: string): JsonObject
  /** A piece of thought; `null` when the caller did not ask for thoughts. */
  thought(text: string): JsonObject | null
  /** Takes the proof of reasoning; gives a part for one that stands on its own. */
  seal(part: Extract<ResponsePart, { type: 'reasoning' }>): JsonObject[]
  call(part: Extract<ResponsePart, { type: 'tool-call' }>, index: number): JsonObject
  native(value: JsonObject, index: number): JsonObject[]
  annotations(list: readonly JsonObject[], text: string, index: number): void
  /** What waits for a part that does not come. */
  rest(): JsonObject[]
  /** What stands beside the content. */
  beside(): JsonObject
}

/**
 * A {@link Writer}. Reasoning of another issuer waits, packed, for the part behind it, where this protocol has its
 * signatures too. Thoughts are shown to callers who ask for them, as the API does.
 */
export function createWriter(call: Call, lose: Lose): Writer {
  const own = call.upstream === 'gemini'
  const shows = call.request.reasoning?.summary === 'auto'
  const waiting: Extract<ResponsePart, { type: 'reasoning' }>[] = []
  const onCalls = new Map<string, string>()
  let beside: Record<string, Json | undefined> = {}

  /** The part with the signature of its call, or with what waits. */
  function signed(part: Record<string, unknown>, id: string | null): JsonObject {
    const own = id === null ? undefined : onCalls.get(id)
    if (id !== null) onCalls.delete(id)
    const signature = own ?? (waiting.length > 0 ? packSignature(waiting.splice(0)) : undefined)
    return (signature === undefined ? part : { ...part, thoughtSignature: signature }) as JsonObject
  }

  const writer: Writer = {
    part(part, index) {
      switch (part.type) {
        case 'text':
          writer.annotations(part.annotations, part.text, index)
          return part.text === '' ? [] : [writer.text(part.text)]
        case 'refusal':
          return part.text === '' ? [] : [writer.text(part.text)]
        case 'reasoning': {
          const text = shownText(part)
          const shown = text === '' ? null : writer.thought(text)
          return [...(shown === null ? [] : [shown]), ...writer.seal(part)]
        }
        case 'tool-call':
          return [writer.call(part, index)]
        case 'native':
          return writer.native(part.value, index)
      }
    },
    text: (text) => signed({ text }, null),
    thought: (text) => shows ? { text, thought: true } : null,
    seal(part) {
      const { proof } = part
      if (proof === null) return []
      if (proof.issuer !== 'gemini') waiting.push(part)
      else if (part.id === onText || part.id === onItself || part.id === null) {
        return [{ text: '', thoughtSignature: proof.data }]
      } else onCalls.set(part.id, proof.data)
      return []
    },
    call(part, index) {
      const { value, broken } = argumentsObject(part.input)
      if (broken) lose(`output[${index}]`, 'the arguments are no JSON object: wrapped in one')
      return signed({ functionCall: { id: part.id, name: part.name, args: value } }, part.id)
    },
    native(value, index) {
      const part = objectOf(value.part)
      if (own && part !== undefined) return [part]
      if (own && objectOf(value.candidate) !== undefined) beside = { ...beside, ...objectOf(value.candidate) }
      else lose(`output[${index}]`, `gemini knows no ${String(value.type)}`)
      return []
    },
    annotations(list, text, index) {
      if (list.length === 0 || own) return
      const grounding = groundingOf(list, text, (i, quote) => {
        const path = `output[${index}].annotations[${i}]`
        if (quote) lose(`${path}.cited_text`, 'gemini quotes no sources')
        else lose(path, `gemini knows no ${String(list[i]!.type)}`)
      })
      if (grounding !== null) beside = { ...beside, groundingMetadata: grounding }
    },
    rest: () => waiting.length > 0 ? [signed({ text: '' }, null)] : [],
    beside: () => beside as JsonObject,
  }
  return writer
}
