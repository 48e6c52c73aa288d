import type { JsonObject } from '../../base/mod.ts'
import type { Call, Lose, StreamDecoder, StreamEncoder } from '../codec.ts'
import type { CloseEvent, DeltaEvent, InferenceEvent, PartHead } from '../event.ts'
import { upstreamFailure } from '../failure.ts'
import { type FinishReason, finishTable } from '../finish.ts'
import { type TokenLogprob, writeLogprobsResult } from '../logprobs.ts'
import { isBlank, jsonOf, objectOf } from '../read.ts'
import { type Sections, showReasoning } from '../sections.ts'
import { addTokens, noTokens } from '../usage.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { Reader } from './reader.ts'
import { createWriter, encodeUsage, envelopeOf, type Writer } from './response.ts'

// ---- decode ---------------------------------------------------------------------------------------------------------

/** Fields of which a piece of an answer has one. */
const pieceFields = ['candidates', 'usageMetadata', 'promptFeedback', 'modelVersion', 'responseId']

/** Reads the events of a stream, each of which is an answer with a bit in it. */
export function streamDecoder(stem: string): StreamDecoder {
  const reader = new Reader(stem)
  let broken = false

  function fail(failure: ReturnType<typeof upstreamFailure>, out: InferenceEvent[]): void {
    broken = true
    out.push({ type: 'failure', failure })
  }

  return {
    push(event, out) {
      if (broken || reader.done) return
      // Written by gateways whose other streams end so.
      if (event.data === '[DONE]' || isBlank(event.data)) return
      const piece = objectOf(jsonOf(event.data))
      if (piece === undefined) return fail(upstreamFailure('malformed', 'an event of the stream is not JSON'), out)
      if (piece.error != null || event.event === 'error') return fail(decodeFailure(null, piece), out)
      if (!pieceFields.some((name) => piece[name] !== undefined)) {
        return fail(upstreamFailure('malformed', 'an event of the stream is no piece of an answer'), out)
      }
      reader.read(piece, out)
    },
    end(out) {
      if (!broken) reader.finish(out, false)
    },
  }
}

// ---- encode ---------------------------------------------------------------------------------------------------------

/** What has been written of one candidate. */
interface Written {
  readonly index: number
  readonly writer: Writer
}

interface Draft extends Sections {
  readonly head: PartHead
  readonly candidate: Written
  text: string
}

/** Writes the events of a stream. Calls are written whole, when their arguments are there: here they have no deltas. */
export function streamEncoder(call: Call, lose: Lose): StreamEncoder {
  const first: Written = { index: 0, writer: createWriter(call, lose) }
  const others: Written[] = []
  const tail = `,"modelVersion":${JSON.stringify(call.model)},"responseId":${JSON.stringify(call.id)}}\n\n`
  const drafts: (Draft | undefined)[] = []
  let tokens = noTokens
  let done = false

  function candidateOf(index: number): Written {
    if (index === 0) return first
    const known = others.find((other) => other.index === index)
    if (known !== undefined) return known
    const added: Written = { index, writer: createWriter(call, lose) }
    others.push(added)
    return added
  }
  /** One event with some parts. Written by hand: there is one for each piece of text. */
  function chunk({ index }: Written, parts: readonly JsonObject[], logprobs?: readonly TokenLogprob[]): string {
    if (parts.length === 0) return ''
    const chances = logprobs === undefined ? '' : `,"logprobsResult":${JSON.stringify(writeLogprobsResult(logprobs))}`
    return `${chunkHead}${JSON.stringify(parts)}${closeOf(index)}${chances}}]${tail}`
  }
  function delta(event: DeltaEvent): string {
    const draft = drafts[event.part]
    if (draft === undefined || event.text === '') return ''
    const { candidate, candidate: { writer } } = draft
    switch (draft.head.type) {
      case 'text':
        draft.text += event.text
        return chunk(candidate, [writer.text(event.text)], event.logprobs)
      case 'refusal':
        return chunk(candidate, [writer.text(event.text)])
      case 'tool-call':
        draft.text += event.text
        return ''
      case 'native':
        return ''
      case 'reasoning': {
        const text = showReasoning(draft, event)
        const shown = text === null ? null : writer.thought(text)
        return shown === null ? '' : chunk(candidate, [shown])
      }
    }
  }
  function close(event: CloseEvent): string {
    const draft = drafts[event.part]
    if (draft === undefined) return ''
    drafts[event.part] = undefined
    const { head, candidate, candidate: { writer } } = draft
    switch (head.type) {
      case 'text':
        writer.annotations(event.annotations ?? [], draft.text, event.part)
        return ''
      case 'refusal':
        return ''
      case 'reasoning': {
        const { content, summary } = draft
        const part = { type: 'reasoning', id: head.id, content, summary, proof: event.proof ?? null } as const
        return chunk(candidate, writer.seal(part))
      }
      case 'tool-call':
        return chunk(candidate, [writer.call({ ...head, input: draft.text }, event.part)])
      case 'native':
        return chunk(candidate, writer.native(head.value, event.part))
    }
  }
  /** The last event of a candidate; with the usage, that of all. */
  function finish(candidate: Written, reason: FinishReason, usage?: JsonObject): string {
    let out = ''
    drafts.forEach((draft, part) => {
      if (draft?.candidate === candidate) out += close({ type: 'close', part })
    })
    const { index, writer } = candidate
    const rest = writer.rest()
    const last = {
      content: { parts: rest.length > 0 ? rest : [{ text: '' }], role: 'model' },
      finishReason: finishTable[reason].gemini,
      index,
      ...writer.beside(),
    }
    return `${out}data: ${JSON.stringify(envelopeOf(call, [last], usage))}\n\n`
  }

  return {
    write(event) {
      if (done) return ''
      switch (event.type) {
        case 'start':
          return ''
        case 'open': {
          const candidate = candidateOf(event.choice ?? 0)
          drafts[event.part] = { head: event.head, candidate, text: '', content: [], summary: [] }
          return ''
        }
        case 'delta':
          return delta(event)
        case 'close':
          return close(event)
        case 'ended':
          return finish(candidateOf(event.choice), event.reason)
        case 'usage':
          tokens = addTokens(tokens, event.tokens)
          return ''
        case 'finish':
          done = true
          return finish(first, event.reason, encodeUsage(tokens))
        case 'failure':
          done = true
          return `data: ${JSON.stringify(encodeFailure(event.failure))}\n\n`
      }
    },
    frame(part) {
      const draft = drafts[part]
      return draft?.head.type === 'text' || draft?.head.type === 'refusal'
        ? {
          gaps: [{ kind: 'text', before: `${chunkHead}[{"text":"` }],
          after: `"}]${closeOf(draft.candidate.index)}}]${tail}`,
          keeps: true,
        }
        : null
    },
    carried(part, { text }) {
      const draft = drafts[part]
      if (draft !== undefined) draft.text += text
    },
    // A piece without parts, or with no candidate, is an invalid answer to the official clients.
    keepAlive: () => done ? '' : chunk(first, [{ text: '' }]),
  }
}

/** How an event with content begins, and what stands behind its parts. */
const chunkHead = 'data: {"candidates":[{"content":{"parts":'
const closeOf = (index: number): string => `,"role":"model"},"index":${index}`
