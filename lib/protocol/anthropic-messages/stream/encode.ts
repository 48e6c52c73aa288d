import type { JsonObject } from '../../../base/mod.ts'
import type { Call, Lose, StreamEncoder } from '../../codec.ts'
import type { CloseEvent, DeltaEvent, InferenceEvent, PartHead } from '../../event.ts'
import { type FinishReason, finishTable } from '../../finish.ts'
import { objectOf } from '../../read.ts'
import { type Sections, showReasoning } from '../../sections.ts'
import { addTokens, noTokens } from '../../usage.ts'
import { encodeFailure } from '../failure.ts'
import { encodeCitations, encodeThinking, encodeUsage, signatureOf } from '../response.ts'

interface Draft extends Sections {
  readonly head: PartHead
  opened: boolean
  /** Characters of its text. */
  length: number
}

/**
 * Writes message events. Blocks stand one after another here, so the events of a part that opens while another is still
 * open wait until that one closes.
 */
export function streamEncoder(call: Call, lose: Lose): StreamEncoder {
  const own = call.upstream === 'anthropic-messages'
  const drafts: (Draft | undefined)[] = []
  /** Events of parts whose turn has not come, in the order the parts opened. */
  const waiting = new Map<number, InferenceEvent[]>()
  let current: number | null = null
  let tokens = noTokens
  let started = false
  let done = false
  let index = 0
  let deltaHead = headOf(index)

  const write = (type: string, json: string): string => `event: ${type}\ndata: ${json}\n\n`

  function start(): string {
    if (started) return ''
    started = true
    return write(
      'message_start',
      JSON.stringify({
        type: 'message_start',
        message: {
          id: `msg_${call.id}`,
          type: 'message',
          role: 'assistant',
          model: call.model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: encodeUsage(tokens),
        },
      }),
    )
  }
  function startBlock(draft: Draft, block: JsonObject): string {
    draft.opened = true
    return write('content_block_start', JSON.stringify({ type: 'content_block_start', index, content_block: block }))
  }
  function stopBlock(): string {
    const stopped = write('content_block_stop', `{"type":"content_block_stop","index":${index}}`)
    deltaHead = headOf(++index)
    return stopped
  }
  function blockDelta(json: string): string {
    return `${deltaHead}${json}}\n\n`
  }
  /** A block of this protocol's own: its input comes as a delta, as clients expect it. */
  function native(draft: Draft, value: JsonObject): string {
    if (objectOf(value.input) === undefined) return startBlock(draft, value)
    const partial = JSON.stringify(JSON.stringify(value.input))
    return startBlock(draft, { ...value, input: {} }) + blockDelta(`${inputDelta}${partial}}`)
  }
  function open(part: number, head: PartHead): string {
    current = part
    const draft: Draft = { head, opened: false, length: 0, content: [], summary: [] }
    drafts[part] = draft
    switch (head.type) {
      case 'tool-call':
        return startBlock(draft, { type: 'tool_use', id: head.id, name: head.name, input: {} })
      case 'native': {
        if (own) return native(draft, head.value)
        lose(`output[${part}]`, `anthropic-messages knows no ${String(head.value.type)}`)
        return ''
      }
      default:
        // Text and thinking open with their first words: an empty block says nothing.
        return ''
    }
  }
  function delta(event: DeltaEvent): string {
    const draft = drafts[event.part]
    if (draft === undefined || event.text === '') return ''
    switch (draft.head.type) {
      case 'tool-call':
        return blockDelta(`${inputDelta}${JSON.stringify(event.text)}}`)
      case 'native':
        return ''
      case 'reasoning': {
        const shown = showReasoning(draft, event)
        if (shown === null) return ''
        const opened = draft.opened ? '' : startBlock(draft, { type: 'thinking', thinking: '', signature: '' })
        return opened + blockDelta(`{"type":"thinking_delta","thinking":${JSON.stringify(shown)}}`)
      }
      default: {
        draft.length += event.text.length
        const opened = draft.opened ? '' : startBlock(draft, { type: 'text', text: '' })
        return opened + blockDelta(`${textDelta}${JSON.stringify(event.text)}}`)
      }
    }
  }
  function close(event: CloseEvent): string {
    const draft = drafts[event.part]
    current = null
    if (draft === undefined) return ''
    if (draft.head.type !== 'reasoning') {
      const text = { path: `output[${event.part}]`, length: draft.length }
      const citations = encodeCitations(event.annotations ?? [], text, own, lose)
      if (!draft.opened) return ''
      const cited = citations.map((citation) => blockDelta(JSON.stringify({ type: 'citations_delta', citation })))
      return cited.join('') + stopBlock()
    }
    const { content, summary } = draft
    const part = { type: 'reasoning', id: draft.head.id, content, summary, proof: event.proof ?? null } as const
    if (draft.opened) {
      const signature = JSON.stringify(signatureOf(part))
      return blockDelta(`{"type":"signature_delta","signature":${signature}}`) + stopBlock()
    }
    const whole = encodeThinking(part)[0]
    if (whole === undefined) return ''
    if (whole.type === 'redacted_thinking') return startBlock(draft, whole) + stopBlock()
    const opened = startBlock(draft, { type: 'thinking', thinking: '', signature: '' })
    return opened + blockDelta(JSON.stringify({ type: 'signature_delta', signature: whole.signature })) + stopBlock()
  }
  /** One event whose part has its turn, or that belongs to no part. */
  function step(event: InferenceEvent): string {
    switch (event.type) {
      case 'open':
        return open(event.part, event.head)
      case 'delta':
        return delta(event)
      case 'close':
        return close(event)
      default:
        return ''
    }
  }
  /** Writes the waiting parts, as far as they have come. */
  function drain(): string {
    let out = ''
    while (current === null && waiting.size > 0) {
      const [part, events] = waiting.entries().next().value!
      waiting.delete(part)
      for (const event of events) out += step(event)
    }
    return out
  }
  function settle(): string {
    let out = ''
    while (current !== null || waiting.size > 0) {
      if (current !== null) out += close({ type: 'close', part: current })
      out += drain()
    }
    return out
  }
  function finish(reason: FinishReason, stopSequence: string | null): string {
    const text = settle()
    done = true
    const delta = { stop_reason: finishTable[reason].anthropic, stop_sequence: stopSequence }
    return text + write('message_delta', JSON.stringify({ type: 'message_delta', delta, usage: encodeUsage(tokens) })) +
      write('message_stop', '{"type":"message_stop"}')
  }

  return {
    write(event) {
      if (done) return ''
      switch (event.type) {
        case 'start':
          return start()
        // Nobody can ask for several answers here.
        case 'ended':
          return ''
        case 'usage':
          tokens = addTokens(tokens, event.tokens)
          return ''
        case 'finish':
          return start() + finish(event.reason, event.stopSequence)
        case 'failure':
          done = true
          return write('error', JSON.stringify(encodeFailure(event.failure)))
        default: {
          const before = start()
          if (event.type === 'open' && (current !== null || waiting.size > 0)) {
            waiting.set(event.part, [event])
            return before
          }
          const queue = waiting.get(event.part)
          if (queue !== undefined) {
            queue.push(event)
            return before
          }
          const text = step(event)
          return event.type === 'close' ? before + text + drain() : before + text
        }
      }
    },
    frame(part) {
      const draft = drafts[part]
      if (part !== current || draft?.opened !== true) return null
      const { type } = draft.head
      const delta = type === 'tool-call' ? inputDelta : type === 'text' || type === 'refusal' ? textDelta : null
      return delta && { gaps: [{ kind: 'text', before: `${deltaHead}${delta}"` }], after: '"}}\n\n' }
    },
    carried(part, { characters }) {
      const draft = drafts[part]
      if (draft !== undefined) draft.length += characters
    },
    keepAlive() {
      return done ? '' : start() + write('ping', '{"type":"ping"}')
    },
  }
}

/** How a delta begins, up to its words. */
const textDelta = '{"type":"text_delta","text":'
const inputDelta = '{"type":"input_json_delta","partial_json":'

/** How every delta of a block begins. */
const headOf = (index: number): string =>
  `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":`
