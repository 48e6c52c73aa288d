import type { Call, Lose, StreamEncoder } from '../../codec.ts'
import type { CloseEvent, DeltaEvent, FinishEvent, OpenEvent, PartHead } from '../../event.ts'
import type { FinishReason } from '../../finish.ts'
import { compact } from '../../read.ts'
import { type Sections, showReasoning } from '../../sections.ts'
import { addTokens, noTokens } from '../../usage.ts'
import { errorObject } from '../failure.ts'
import { encodeReasoningDetails } from '../reasoning.ts'
import { chatAnnotations, encodeFinish, encodeLogprobs, encodeUsage } from '../response.ts'

/** What has been written of one choice. */
interface WrittenChoice {
  readonly index: number
  /** How each of its chunks begins, up to the delta. */
  readonly head: string
  calls: number
  /** Characters of its text. */
  said: number
  details: number
}

interface Written extends Sections {
  readonly head: PartHead
  readonly choice: WrittenChoice
  /** Index among the tool calls. */
  readonly call: number
  /** Characters of text that stood before it, and its own. */
  readonly before: number
  length: number
}

/** Writes `chat.completion.chunk` events: role first, then deltas, one finish chunk, usage if asked for, `[DONE]`. */
export function streamEncoder(call: Call, lose: Lose): StreamEncoder {
  const base = JSON.stringify({
    id: `chatcmpl-${call.id}`,
    object: 'chat.completion.chunk',
    created: call.createdAt,
    model: call.model,
  }).slice(0, -1)
  const choiceOf = (index: number): WrittenChoice => ({
    index,
    head: `data: ${base},"choices":[{"index":${index},"delta":`,
    calls: 0,
    said: 0,
    details: 0,
  })
  const ending = ',"finish_reason":null}]}\n\n'
  const tail = `,"logprobs":null${ending}`
  const role = `{"role":"assistant","content":"","refusal":null}${tail}`
  const parts: (Written | undefined)[] = []
  const first = choiceOf(0)
  const others: WrittenChoice[] = []
  let tokens = noTokens
  let started = false
  let done = false

  const chunk = ({ head }: WrittenChoice, delta: unknown): string => `${head}${JSON.stringify(delta)}${tail}`

  function start(): string {
    if (started) return ''
    started = true
    return first.head + role
  }
  function openPart({ part, head: item, choice: index = 0 }: OpenEvent): string {
    let choice = index === 0 ? first : others.find((other) => other.index === index)
    let begun = ''
    if (choice === undefined) {
      others.push(choice = choiceOf(index))
      begun = choice.head + role
    }
    const at = item.type === 'tool-call' ? choice.calls++ : -1
    parts[part] = { head: item, choice, call: at, content: [], summary: [], before: choice.said, length: 0 }
    if (item.type === 'native') {
      lose(`output[${part}]`, `openai-chat knows no ${String(item.value.type)}`)
      return begun
    }
    if (item.type !== 'tool-call') return begun
    const body = item.kind === 'custom'
      ? { type: 'custom', custom: { name: item.name, input: '' } }
      : { type: 'function', function: { name: item.name, arguments: '' } }
    return begun + chunk(choice, { tool_calls: [{ index: at, id: item.id, ...body }] })
  }
  function deltaText(event: DeltaEvent): string {
    const written = parts[event.part]
    if (written === undefined) return ''
    const { choice } = written
    if (written.head.type === 'reasoning') return thought(written, event)
    const field = fieldOf(written)
    if (field === null) return ''
    if (written.head.type === 'text') {
      choice.said += event.text.length
      written.length += event.text.length
    }
    const said = `${choice.head}{${field.before}${JSON.stringify(event.text)}${field.after}}`
    return event.logprobs === undefined
      ? said + tail
      : `${said},"logprobs":${JSON.stringify(encodeLogprobs(event.logprobs))}${ending}`
  }
  function thought(written: Written, event: DeltaEvent): string {
    const plain = showReasoning(written, event)
    if (plain === null) return ''
    const shown = JSON.stringify(plain)
    const { choice } = written
    // Signed thoughts go back as they came, so they are said in the field that comes back.
    const signed = call.upstream === 'anthropic-messages'
      ? `,"reasoning_details":[{"type":"reasoning.text","text":${shown},"format":"anthropic-claude-v1","index":${choice.details}}]`
      : ''
    return `${choice.head}{"reasoning_content":${shown}${signed}}${tail}`
  }
  function closePart(event: CloseEvent): string {
    const written = parts[event.part]
    if (written === undefined) return ''
    const { choice } = written
    if (written.head.type === 'reasoning') {
      const { content, summary } = written
      const entries = encodeReasoningDetails(
        { type: 'reasoning', id: written.head.id, content, summary, proof: event.proof ?? null },
        choice.details,
      )
      const index = choice.details
      choice.details += Math.max(1, entries.length)
      const entry = entries[0]
      if (entry === undefined) return ''
      if (entry.type !== 'reasoning.text' || call.upstream !== 'anthropic-messages') {
        return chunk(choice, { reasoning_details: entries })
      }
      const { text: _, ...signature } = entry
      return chunk(choice, { reasoning_details: [{ ...signature, index }] })
    }
    if (event.annotations === undefined || event.annotations.length === 0) return ''
    const { before, length } = written
    const annotations = chatAnnotations(event.annotations, { path: `output[${event.part}]`, before, length }, lose)
    return annotations.length === 0 ? '' : chunk(choice, { annotations })
  }
  function finishChoice(index: number, reason: FinishReason, tier: string | null = null): string {
    const choice = { index, delta: {}, logprobs: null, ...encodeFinish(reason) }
    const served = tier === null ? '' : `,"service_tier":${JSON.stringify(tier)}`
    return `data: ${base}${served},"choices":[${JSON.stringify(choice)}]}\n\n`
  }
  function finish({ reason, tier }: FinishEvent): string {
    done = true
    const usage = encodeUsage(tokens)
    // What nobody counted is not told: a 0 would be believed.
    const counted = call.request.includeUsage && usage !== undefined
      ? `data: ${base},"choices":[],"usage":${JSON.stringify(compact(usage))}}\n\n`
      : ''
    return `${finishChoice(0, reason, tier)}${counted}data: [DONE]\n\n`
  }

  return {
    write(event) {
      if (done) return ''
      switch (event.type) {
        case 'start':
          return start()
        case 'open':
          return start() + openPart(event)
        case 'delta':
          return deltaText(event)
        case 'close':
          return closePart(event)
        case 'ended':
          return start() + finishChoice(event.choice, event.reason)
        case 'usage':
          tokens = addTokens(tokens, event.tokens)
          return ''
        case 'finish':
          return start() + finish(event)
        case 'failure':
          done = true
          return `data: ${JSON.stringify({ error: errorObject(event.failure) })}\n\ndata: [DONE]\n\n`
      }
    },
    frame(part) {
      const written = parts[part]
      const field = written === undefined ? null : fieldOf(written)
      return field && {
        gaps: [{ kind: 'text', before: `${written!.choice.head}{${field.before}"` }],
        after: `"${field.after}}${tail}`,
      }
    },
    carried(part, { characters }) {
      const written = parts[part]
      if (written?.head.type !== 'text') return
      written.choice.said += characters
      written.length += characters
    },
    keepAlive() {
      return done ? '' : start() + `${first.head}{}${tail}`
    },
  }
}

/** What stands around the words of a delta in its chunk; `null` for parts that have no words, or keep them. */
function fieldOf({ head, call }: Written): { readonly before: string; readonly after: string } | null {
  switch (head.type) {
    case 'text':
      return { before: '"content":', after: '' }
    case 'refusal':
      return { before: '"refusal":', after: '' }
    case 'tool-call': {
      const field = head.kind === 'custom' ? '"custom":{"input":' : '"function":{"arguments":'
      return { before: `"tool_calls":[{"index":${call},${field}`, after: '}}]' }
    }
    default:
      return null
  }
}
