import {
  type Choice,
  type EndedEvent,
  type InferenceEvent,
  type InferenceResponse,
  opened,
  type PartHead,
  type ResponsePart,
} from './event.ts'
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
  readonly choice: number
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
  let tier: string | null = null
  let unread: readonly string[] = []
  let failure: UpstreamFailure | null = null
  const ends: EndedEvent[] = []
  const partsOf = (choice: number): ResponsePart[] =>
    drafts.flatMap((draft) => draft?.choice === choice ? [finishDraft(draft)] : [])
  const others = (): Choice[] =>
    ends.map(({ choice, reason, stopSequence }) => ({ parts: partsOf(choice), finish: reason, stopSequence }))

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
            choice: event.choice ?? 0,
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
        case 'ended':
          ends.push(event)
          return
        case 'finish':
          finish = event.reason
          stopSequence = event.stopSequence
          tier = event.tier ?? null
          unread = event.unread ?? []
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
      const first = {
        id,
        model,
        parts: partsOf(0),
        finish: finish ?? 'stop',
        stopSequence,
        tokens,
        tier,
        unread,
      } as const
      return ends.length === 0 ? first : { ...first, others: others() }
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
  let parts = replayParts(response, 0, 0, out)
  response.others?.forEach((other, i) => {
    const choice = i + 1
    parts = replayParts(other, choice, parts, out)
    out.push({ type: 'ended', choice, reason: other.finish, stopSequence: other.stopSequence })
  })
  out.push({ type: 'usage', tokens: response.tokens })
  const { finish: reason, stopSequence, tier = null, unread = [] } = response
  out.push({ type: 'finish', reason, stopSequence, tier, unread })
  return out
}

/** Adds the parts of one answer, numbered from `first` on. Returns the number of the next one. */
function replayParts({ parts }: Choice, choice: number, first: number, out: InferenceEvent[]): number {
  const open = (part: number, head: PartHead): void => {
    out.push(opened(part, head, choice))
  }
  parts.forEach((item, i) => {
    const part = first + i
    switch (item.type) {
      case 'text':
        open(part, { type: 'text' })
        if (item.text !== '') {
          const { text, logprobs } = item
          out.push(logprobs === undefined ? { type: 'delta', part, text } : { type: 'delta', part, text, logprobs })
        }
        out.push({ type: 'close', part, annotations: item.annotations })
        return
      case 'refusal':
        open(part, { type: 'refusal' })
        if (item.text !== '') out.push({ type: 'delta', part, text: item.text })
        out.push({ type: 'close', part })
        return
      case 'reasoning':
        open(part, { type: 'reasoning', id: item.id })
        item.summary.forEach((text, section) => out.push({ type: 'delta', part, text, summary: true, section }))
        item.content.forEach((text, section) => out.push({ type: 'delta', part, text, section }))
        out.push({ type: 'close', part, proof: item.proof })
        return
      case 'tool-call': {
        const { input, ...head } = item
        open(part, head)
        if (input !== '') out.push({ type: 'delta', part, text: input })
        out.push({ type: 'close', part })
        return
      }
      case 'native':
        open(part, item)
        out.push({ type: 'close', part })
    }
  })
  return first + parts.length
}
