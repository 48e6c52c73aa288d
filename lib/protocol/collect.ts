import type { InferenceEvent, InferenceResponse, PartHead, ResponsePart } from './event.ts'
import type { UpstreamFailure } from './failure.ts'
import type { FinishReason } from './finish.ts'
import type { TokenLogprob } from './logprobs.ts'
import type { ReasoningProof } from './request.ts'
import { addToSection, type Sections } from './sections.ts'
import { addTokens, noTokens, type TokenCounts } from './usage.ts'
import type { JsonObject } from '../base/mod.ts'

/** Puts the events of an answer together into the whole of it. */
export interface Collector {
  push(event: InferenceEvent): void
  readonly tokens: TokenCounts
  /** Set when a failure was among the events. */
  readonly failure: UpstreamFailure | null
  /** Whether the answer finished. */
  readonly finished: boolean
  /** The whole answer so far. */
  response(): InferenceResponse
}

interface Draft extends Sections {
  readonly head: PartHead
  text: string
  proof: ReasoningProof | null
  annotations: readonly JsonObject[]
  logprobs: TokenLogprob[] | null
}

/** A collector for one answer. Linear in its events. */
export function createCollector(): Collector {
  const drafts: (Draft | undefined)[] = []
  let id: string | null = null
  let model: string | null = null
  let tokens = noTokens
  let finish: FinishReason | null = null
  let stopSequence: string | null = null
  let failure: UpstreamFailure | null = null

  return {
    push(event) {
      switch (event.type) {
        case 'start':
          id = event.id
          model = event.model
          return
        case 'open':
          drafts[event.part] = {
            head: event.head,
            text: '',
            content: [],
            summary: [],
            proof: null,
            annotations: [],
            logprobs: null,
          }
          return
        case 'delta': {
          const draft = drafts[event.part]
          if (draft === undefined) return
          if (draft.head.type !== 'reasoning') {
            draft.text += event.text
            if (event.logprobs !== undefined) (draft.logprobs ??= []).push(...event.logprobs)
            return
          }
          addToSection(draft, event)
          return
        }
        case 'close': {
          const draft = drafts[event.part]
          if (draft === undefined) return
          draft.proof = event.proof ?? draft.proof
          draft.annotations = event.annotations ?? draft.annotations
          return
        }
        case 'usage':
          tokens = addTokens(tokens, event.tokens)
          return
        case 'finish':
          finish = event.reason
          stopSequence = event.stopSequence
          return
        case 'failure':
          failure = event.failure
      }
    },
    get tokens() {
      return tokens
    },
    get failure() {
      return failure
    },
    get finished() {
      return finish !== null
    },
    response() {
      const parts = drafts.flatMap((draft) => draft === undefined ? [] : [finishDraft(draft)])
      return { id, model, parts, finish: finish ?? 'stop', stopSequence, tokens }
    },
  }
}

function finishDraft(draft: Draft): ResponsePart {
  const head = draft.head
  switch (head.type) {
    case 'text':
      return {
        type: 'text',
        text: draft.text,
        annotations: draft.annotations,
        ...(draft.logprobs === null ? {} : { logprobs: draft.logprobs }),
      }
    case 'refusal':
      return { type: 'refusal', text: draft.text }
    case 'reasoning':
      return { type: 'reasoning', id: head.id, content: draft.content, summary: draft.summary, proof: draft.proof }
    case 'tool-call':
      return { ...head, input: draft.text }
    case 'native':
      return head
  }
}

/** The events that a whole answer would have come as. */
export function replay(response: InferenceResponse): InferenceEvent[] {
  const out: InferenceEvent[] = [{ type: 'start', id: response.id, model: response.model }]
  response.parts.forEach((item, part) => {
    switch (item.type) {
      case 'text':
        out.push({ type: 'open', part, head: { type: 'text' } })
        if (item.text !== '') {
          const { text, logprobs } = item
          out.push(logprobs === undefined ? { type: 'delta', part, text } : { type: 'delta', part, text, logprobs })
        }
        out.push({ type: 'close', part, annotations: item.annotations })
        return
      case 'refusal':
        out.push({ type: 'open', part, head: { type: 'refusal' } })
        if (item.text !== '') out.push({ type: 'delta', part, text: item.text })
        out.push({ type: 'close', part })
        return
      case 'reasoning':
        out.push({ type: 'open', part, head: { type: 'reasoning', id: item.id } })
        item.summary.forEach((text, section) => out.push({ type: 'delta', part, text, summary: true, section }))
        item.content.forEach((text, section) => out.push({ type: 'delta', part, text, section }))
        out.push({ type: 'close', part, proof: item.proof })
        return
      case 'tool-call': {
        const { input, ...head } = item
        out.push({ type: 'open', part, head })
        if (input !== '') out.push({ type: 'delta', part, text: input })
        out.push({ type: 'close', part })
        return
      }
      case 'native':
        out.push({ type: 'open', part, head: item }, { type: 'close', part })
    }
  })
  out.push({ type: 'usage', tokens: response.tokens })
  out.push({ type: 'finish', reason: response.finish, stopSequence: response.stopSequence })
  return out
}
