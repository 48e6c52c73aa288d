import type { JsonObject } from '../../base/mod.ts'
import type { Call, Lose, StreamDecoder, StreamEncoder } from '../codec.ts'
import type { CloseEvent, DeltaEvent, InferenceEvent, PartHead } from '../event.ts'
import { upstreamFailure } from '../failure.ts'
import { type FinishReason, finishTable } from '../finish.ts'
import { type TokenLogprob, writeLogprobsResult } from '../logprobs.ts'
import { jsonOf, objectOf } from '../read.ts'
import { type Sections, showReasoning } from '../sections.ts'
import { addTokens, noTokens } from '../usage.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { createReader } from './reader.ts'
import { createWriter, encodeUsage, envelopeOf } from './response.ts'

// ---- decode ---------------------------------------------------------------------------------------------------------

/** Fields of which a piece of an answer has one. */
const pieceFields = ['candidates', 'usageMetadata', 'promptFeedback', 'modelVersion', 'responseId']

/** Reads the events of a stream, each of which is an answer with a bit in it. */
export function streamDecoder(stem: string): StreamDecoder {
  const reader = createReader(stem)
  let broken = false

  function fail(failure: ReturnType<typeof upstreamFailure>, out: InferenceEvent[]): void {
    broken = true
    out.push({ type: 'failure', failure })
  }

  return {
    push(event, out) {
      if (broken || reader.done) return
      // Written by gateways whose other streams end so.
      if (event.data === '[DONE]') return
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

interface Draft extends Sections {
  readonly head: PartHead
  text: string
}

/** Writes the events of a stream. Calls are written whole, when their arguments are there: here they have no deltas. */
export function streamEncoder(call: Call, lose: Lose): StreamEncoder {
  const writer = createWriter(call, lose)
  const tail = `,"modelVersion":${JSON.stringify(call.model)},"responseId":${JSON.stringify(call.id)}}\n\n`
  const drafts: (Draft | undefined)[] = []
  let tokens = noTokens
  let done = false

  /** One event with some parts. Written by hand: there is one for each piece of text. */
  function chunk(parts: readonly JsonObject[], logprobs?: readonly TokenLogprob[]): string {
    if (parts.length === 0) return ''
    const chances = logprobs === undefined ? '' : `,"logprobsResult":${JSON.stringify(writeLogprobsResult(logprobs))}`
    return `data: {"candidates":[{"content":{"parts":${
      JSON.stringify(parts)
    },"role":"model"},"index":0${chances}}]${tail}`
  }
  function delta(event: DeltaEvent): string {
    const draft = drafts[event.part]
    if (draft === undefined || event.text === '') return ''
    switch (draft.head.type) {
      case 'text':
        draft.text += event.text
        return chunk([writer.text(event.text)], event.logprobs)
      case 'refusal':
        return chunk([writer.text(event.text)])
      case 'tool-call':
        draft.text += event.text
        return ''
      case 'native':
        return ''
      case 'reasoning': {
        const text = showReasoning(draft, event)
        const shown = text === null ? null : writer.thought(text)
        return shown === null ? '' : chunk([shown])
      }
    }
  }
  function close(event: CloseEvent): string {
    const draft = drafts[event.part]
    if (draft === undefined) return ''
    drafts[event.part] = undefined
    const { head } = draft
    switch (head.type) {
      case 'text':
        writer.annotations(event.annotations ?? [], draft.text, event.part)
        return ''
      case 'refusal':
        return ''
      case 'reasoning': {
        const { content, summary } = draft
        return chunk(writer.seal({ type: 'reasoning', id: head.id, content, summary, proof: event.proof ?? null }))
      }
      case 'tool-call':
        return chunk([writer.call({ ...head, input: draft.text }, event.part)])
      case 'native':
        return chunk(writer.native(head.value, event.part))
    }
  }
  function finish(reason: FinishReason): string {
    let out = ''
    drafts.forEach((draft, part) => {
      if (draft !== undefined) out += close({ type: 'close', part })
    })
    done = true
    const rest = writer.rest()
    const candidate = {
      content: { parts: rest.length > 0 ? rest : [{ text: '' }], role: 'model' },
      finishReason: finishTable[reason].gemini,
      index: 0,
      ...writer.beside(),
    }
    return `${out}data: ${JSON.stringify(envelopeOf(call, candidate, encodeUsage(tokens)))}\n\n`
  }

  return {
    write(event) {
      if (done) return ''
      switch (event.type) {
        case 'start':
          return ''
        case 'open':
          drafts[event.part] = { head: event.head, text: '', content: [], summary: [] }
          return ''
        case 'delta':
          return delta(event)
        case 'close':
          return close(event)
        case 'usage':
          tokens = addTokens(tokens, event.tokens)
          return ''
        case 'finish':
          return finish(event.reason)
        case 'failure':
          done = true
          return `data: ${JSON.stringify(encodeFailure(event.failure))}\n\n`
      }
    },
    // A piece without parts, or with no candidate, is an invalid answer to the official clients.
    keepAlive: () => done ? '' : chunk([{ text: '' }]),
  }
}
