import type { Call, Lose, StreamEncoder } from '../../codec.ts'
import type { CloseEvent, DeltaEvent, PartHead } from '../../event.ts'
import type { FinishReason } from '../../finish.ts'
import { compact } from '../../read.ts'
import { type Sections, showReasoning } from '../../sections.ts'
import { addTokens, noTokens } from '../../usage.ts'
import { errorObject } from '../failure.ts'
import { encodeReasoningDetails } from '../reasoning.ts'
import { chatAnnotations, encodeFinish, encodeLogprobs, encodeUsage } from '../response.ts'

interface Written extends Sections {
  readonly head: PartHead
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
  const head = `data: ${base},"choices":[{"index":0,"delta":`
  const ending = ',"finish_reason":null}]}\n\n'
  const tail = `,"logprobs":null${ending}`
  const parts: (Written | undefined)[] = []
  let tokens = noTokens
  let started = false
  let done = false
  let calls = 0
  let said = 0
  let details = 0

  const chunk = (delta: unknown): string => `${head}${JSON.stringify(delta)}${tail}`

  function start(): string {
    if (started) return ''
    started = true
    return `${head}{"role":"assistant","content":"","refusal":null}${tail}`
  }
  function openPart(part: number, item: PartHead): string {
    const index = item.type === 'tool-call' ? calls++ : -1
    parts[part] = { head: item, call: index, content: [], summary: [], before: said, length: 0 }
    if (item.type === 'native') {
      lose(`output[${part}]`, `openai-chat knows no ${String(item.value.type)}`)
      return ''
    }
    if (item.type !== 'tool-call') return ''
    const body = item.kind === 'custom'
      ? { type: 'custom', custom: { name: item.name, input: '' } }
      : { type: 'function', function: { name: item.name, arguments: '' } }
    return chunk({ tool_calls: [{ index, id: item.id, ...body }] })
  }
  function deltaText(event: DeltaEvent): string {
    const written = parts[event.part]
    if (written === undefined) return ''
    const text = JSON.stringify(event.text)
    switch (written.head.type) {
      case 'text':
        said += event.text.length
        written.length += event.text.length
        return event.logprobs === undefined
          ? `${head}{"content":${text}}${tail}`
          : `${head}{"content":${text}},"logprobs":${JSON.stringify(encodeLogprobs(event.logprobs))}${ending}`
      case 'refusal':
        return `${head}{"refusal":${text}}${tail}`
      case 'tool-call': {
        const field = written.head.kind === 'custom' ? `"custom":{"input":${text}}` : `"function":{"arguments":${text}}`
        return `${head}{"tool_calls":[{"index":${written.call},${field}}]}${tail}`
      }
      case 'reasoning': {
        const plain = showReasoning(written, event)
        if (plain === null) return ''
        const shown = plain === event.text ? text : JSON.stringify(plain)
        // Signed thoughts go back as they came, so they are said in the field that comes back.
        const signed = call.upstream === 'anthropic-messages'
          ? `,"reasoning_details":[{"type":"reasoning.text","text":${shown},"format":"anthropic-claude-v1","index":${details}}]`
          : ''
        return `${head}{"reasoning_content":${shown}${signed}}${tail}`
      }
      case 'native':
        return ''
    }
  }
  function closePart(event: CloseEvent): string {
    const written = parts[event.part]
    if (written === undefined) return ''
    if (written.head.type === 'reasoning') {
      const { content, summary } = written
      const entries = encodeReasoningDetails(
        { type: 'reasoning', id: written.head.id, content, summary, proof: event.proof ?? null },
        details,
      )
      const index = details
      details += Math.max(1, entries.length)
      const first = entries[0]
      if (first === undefined) return ''
      if (first.type !== 'reasoning.text' || call.upstream !== 'anthropic-messages') {
        return chunk({ reasoning_details: entries })
      }
      const { text: _, ...signature } = first
      return chunk({ reasoning_details: [{ ...signature, index }] })
    }
    if (event.annotations === undefined || event.annotations.length === 0) return ''
    const { before, length } = written
    const annotations = chatAnnotations(event.annotations, { path: `output[${event.part}]`, before, length }, lose)
    return annotations.length === 0 ? '' : chunk({ annotations })
  }
  function finish(reason: FinishReason): string {
    done = true
    const usage = encodeUsage(tokens)
    const last = `data: ${base},"choices":[${
      JSON.stringify({ index: 0, delta: {}, logprobs: null, ...encodeFinish(reason) })
    }]}\n\n`
    const counted = call.request.includeUsage
      ? `data: ${base},"choices":[],"usage":${
        JSON.stringify(compact(usage ?? { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }))
      }}\n\n`
      : ''
    return `${last}${counted}data: [DONE]\n\n`
  }

  return {
    write(event) {
      if (done) return ''
      switch (event.type) {
        case 'start':
          return start()
        case 'open':
          return start() + openPart(event.part, event.head)
        case 'delta':
          return deltaText(event)
        case 'close':
          return closePart(event)
        case 'usage':
          tokens = addTokens(tokens, event.tokens)
          return ''
        case 'finish':
          return start() + finish(event.reason)
        case 'failure':
          done = true
          return `data: ${JSON.stringify({ error: errorObject(event.failure) })}\n\ndata: [DONE]\n\n`
      }
    },
    keepAlive() {
      return done ? '' : start() + `${head}{}${tail}`
    },
  }
}
