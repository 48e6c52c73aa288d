import type { Json, JsonObject } from '../../base/mod.ts'
import type { Call, Lose, StreamDecoder, StreamEncoder } from '../codec.ts'
import type { InferenceEvent, PartHead } from '../event.ts'
import { upstreamFailure } from '../failure.ts'
import { type FinishReason, finishTable } from '../finish.ts'
import { jsonOf, numberOf, objectOf, stringOf } from '../read.ts'
import { unpackReasoning } from '../reasoning.ts'
import type { ReasoningProof } from '../request.ts'
import { addTokens, noTokens } from '../usage.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { decodeFinish, decodeUsage, encodeThinking, encodeUsage, loseAnnotations, signatureOf } from './response.ts'

// ---- decode ---------------------------------------------------------------------------------------------------------

interface Block {
  readonly part: number
  readonly type: string
  readonly value: JsonObject
  closed: boolean
  deltas: number
  /** JSON text of a native block's input. */
  input: string
  signature: string
  readonly citations: JsonObject[]
}

/** Reads message events, in the order that the protocol prescribes and no other. */
export function streamDecoder(_stem: string): StreamDecoder {
  const blocks = new Map<number, Block>()
  let started = false
  let done = false
  let hasCalls = false
  let word: string | null = null
  let stopSequence: string | null = null
  let usage: JsonObject = {}

  function fail(message: string, out: InferenceEvent[]): void {
    done = true
    out.push({ type: 'failure', failure: upstreamFailure('malformed', message) })
  }
  function count(value: unknown, out: InferenceEvent[]): void {
    const more = objectOf(value)
    if (more === undefined) return
    const merged: Record<string, Json | undefined> = { ...usage }
    for (const key in more) if (more[key] !== null) merged[key] = more[key]
    usage = merged
    out.push({ type: 'usage', tokens: decodeUsage(usage) })
  }
  function openBlock(index: number, value: JsonObject, out: InferenceEvent[]): void {
    const type = stringOf(value.type) ?? ''
    const block: Block = {
      part: blocks.size,
      type,
      value,
      closed: false,
      deltas: 0,
      input: '',
      signature: stringOf(value.signature) ?? '',
      citations: [],
    }
    blocks.set(index, block)
    const head = headOf(value)
    // A native block is whole only when it closes.
    if (head === null) return
    hasCalls ||= head.type === 'tool-call'
    out.push({ type: 'open', part: block.part, head })
    const first = stringOf(type === 'text' ? value.text : type === 'thinking' ? value.thinking : null)
    if (first) out.push({ type: 'delta', part: block.part, text: first })
  }
  function delta(block: Block, value: JsonObject, out: InferenceEvent[]): void {
    const part = block.part
    switch (value.type) {
      case 'text_delta':
        out.push({ type: 'delta', part, text: stringOf(value.text) ?? '' })
        return
      case 'input_json_delta': {
        const text = stringOf(value.partial_json) ?? ''
        if (block.type !== 'tool_use') block.input += text
        else if (text !== '') {
          block.deltas++
          out.push({ type: 'delta', part, text })
        }
        return
      }
      case 'thinking_delta':
        out.push({ type: 'delta', part, text: stringOf(value.thinking) ?? '' })
        return
      case 'signature_delta':
        block.signature += stringOf(value.signature) ?? ''
        return
      case 'citations_delta':
        if (objectOf(value.citation)) block.citations.push(objectOf(value.citation)!)
    }
  }
  function closeBlock(block: Block, out: InferenceEvent[]): void {
    block.closed = true
    const { part, type, value } = block
    switch (type) {
      case 'text':
        out.push({ type: 'close', part, annotations: block.citations })
        return
      case 'tool_use': {
        const input = objectOf(value.input)
        // Arguments that came whole with the start of the block.
        if (block.deltas === 0 && input !== undefined && Object.keys(input).length > 0) {
          out.push({ type: 'delta', part, text: JSON.stringify(input) })
        }
        out.push({ type: 'close', part })
        return
      }
      case 'thinking':
        out.push({ type: 'close', part, proof: proofOf('signature', block.signature) })
        return
      case 'redacted_thinking':
        out.push({ type: 'close', part, proof: proofOf('redacted', stringOf(value.data) ?? '') })
        return
      default: {
        const whole = block.input === '' ? value : { ...value, input: (jsonOf(block.input) ?? block.input) as Json }
        out.push({ type: 'open', part, head: { type: 'native', value: whole } }, { type: 'close', part })
      }
    }
  }

  return {
    push(event, out) {
      if (done) return
      const data = objectOf(jsonOf(event.data))
      if (data === undefined) return fail('an event of the stream is not JSON', out)
      const type = data.type ?? event.event
      if (type === 'error') {
        done = true
        out.push({ type: 'failure', failure: decodeFailure(null, data) })
        return
      }
      if (type === 'ping') return
      if (type === 'message_start') {
        const message = objectOf(data.message)
        if (started || message === undefined) return fail('message_start came twice or empty', out)
        started = true
        out.push({ type: 'start', id: stringOf(message.id), model: stringOf(message.model) })
        return count(message.usage, out)
      }
      if (!started && typeof type === 'string' && /^(content_block|message)_/.test(type)) {
        return fail(`${type} came before message_start`, out)
      }
      const index = numberOf(data.index) ?? -1
      const block = blocks.get(index)
      switch (type) {
        case 'content_block_start': {
          const value = objectOf(data.content_block)
          if (block !== undefined || value === undefined) {
            return fail(`content block ${index} began twice or empty`, out)
          }
          return openBlock(index, value, out)
        }
        case 'content_block_delta': {
          const value = objectOf(data.delta)
          if (block === undefined || block.closed || value === undefined) {
            return fail(`a delta for content block ${index}, which is not open`, out)
          }
          return delta(block, value, out)
        }
        case 'content_block_stop':
          if (block === undefined || block.closed) return fail(`content block ${index} ended, which is not open`, out)
          return closeBlock(block, out)
        case 'message_delta': {
          const change = objectOf(data.delta)
          word = stringOf(change?.stop_reason) ?? word
          stopSequence = stringOf(change?.stop_sequence) ?? stopSequence
          return count(data.usage, out)
        }
        case 'message_stop': {
          for (const item of blocks.values()) if (!item.closed) closeBlock(item, out)
          const reason = decodeFinish(word, hasCalls)
          if (reason === null) return fail(`unknown stop_reason ${JSON.stringify(word)}`, out)
          done = true
          out.push({ type: 'finish', reason, stopSequence })
        }
      }
    },
    end(out) {
      if (done) return
      done = true
      const kind = started ? 'truncated' : 'empty'
      const message = started ? 'the stream broke off before message_stop' : 'the stream ended before it began'
      out.push({ type: 'failure', failure: upstreamFailure(kind, message) })
    },
  }
}

function headOf(block: JsonObject): PartHead | null {
  switch (block.type) {
    case 'text':
      return { type: 'text' }
    case 'thinking':
    case 'redacted_thinking': {
      const packed = unpackReasoning(stringOf(block.type === 'thinking' ? block.signature : block.data) ?? '')
      return { type: 'reasoning', id: packed?.id ?? null }
    }
    case 'tool_use':
      return {
        type: 'tool-call',
        id: stringOf(block.id) ?? '',
        name: stringOf(block.name) ?? '',
        namespace: null,
        kind: 'function',
      }
    default:
      return null
  }
}

function proofOf(kind: 'signature' | 'redacted', data: string): ReasoningProof | null {
  if (data === '') return null
  const packed = unpackReasoning(data)
  return packed === null ? { issuer: 'anthropic-messages', kind, data } : packed.proof
}

// ---- encode ---------------------------------------------------------------------------------------------------------

interface Draft {
  readonly head: PartHead
  opened: boolean
  readonly content: string[]
  readonly summary: string[]
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
    return write('content_block_stop', `{"type":"content_block_stop","index":${index++}}`)
  }
  function blockDelta(json: string): string {
    return write('content_block_delta', `{"type":"content_block_delta","index":${index},"delta":${json}}`)
  }
  /** A block of this protocol's own: its input comes as a delta, as clients expect it. */
  function native(draft: Draft, value: JsonObject): string {
    if (objectOf(value.input) === undefined) return startBlock(draft, value)
    const partial = JSON.stringify(JSON.stringify(value.input))
    return startBlock(draft, { ...value, input: {} }) +
      blockDelta(`{"type":"input_json_delta","partial_json":${partial}}`)
  }
  function open(part: number, head: PartHead): string {
    current = part
    const draft: Draft = { head, opened: false, content: [], summary: [] }
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
  function delta(event: Extract<InferenceEvent, { type: 'delta' }>): string {
    const draft = drafts[event.part]
    if (draft === undefined || event.text === '') return ''
    switch (draft.head.type) {
      case 'tool-call':
        return blockDelta(`{"type":"input_json_delta","partial_json":${JSON.stringify(event.text)}}`)
      case 'native':
        return ''
      case 'reasoning': {
        const sections = event.summary === true ? draft.summary : draft.content
        const section = event.section ?? 0
        const gap = sections.length > 0 && section >= sections.length ? '\n\n' : ''
        while (sections.length <= section) sections.push('')
        sections[section] += event.text
        if (event.summary === true && draft.content.length > 0) return ''
        const opened = draft.opened ? '' : startBlock(draft, { type: 'thinking', thinking: '', signature: '' })
        return opened + blockDelta(`{"type":"thinking_delta","thinking":${JSON.stringify(gap + event.text)}}`)
      }
      default: {
        const opened = draft.opened ? '' : startBlock(draft, { type: 'text', text: '' })
        return opened + blockDelta(`{"type":"text_delta","text":${JSON.stringify(event.text)}}`)
      }
    }
  }
  function close(event: Extract<InferenceEvent, { type: 'close' }>): string {
    const draft = drafts[event.part]
    current = null
    if (draft === undefined) return ''
    const citations = event.annotations ?? []
    if (!own) loseAnnotations(citations, `output[${event.part}]`, lose)
    if (draft.head.type !== 'reasoning') {
      if (!draft.opened) return ''
      const cited = own
        ? citations.map((citation) => blockDelta(JSON.stringify({ type: 'citations_delta', citation })))
        : []
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
    keepAlive() {
      return done ? '' : start() + write('ping', '{"type":"ping"}')
    },
  }
}
