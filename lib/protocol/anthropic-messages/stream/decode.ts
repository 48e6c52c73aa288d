import type { Json, JsonObject } from '../../../base/mod.ts'
import type { StreamDecoder } from '../../codec.ts'
import type { InferenceEvent, PartHead } from '../../event.ts'
import { upstreamFailure } from '../../failure.ts'
import { isBlank, jsonOf, numberOf, objectOf, stringOf } from '../../read.ts'
import { Repeat } from '../../repeat.ts'
import { unpackReasoning } from '../../reasoning.ts'
import type { ReasoningProof } from '../../request.ts'
import { decodeFailure } from '../failure.ts'
import { decodeFinish, decodeToolUse, decodeUsage, unreadOf } from '../response.ts'

interface Block {
  readonly part: number
  readonly type: string
  value: JsonObject
  closed: boolean
  deltas: number
  /** JSON text of a native block's input. */
  input: string
  signature: string
  readonly citations: JsonObject[]
}

/** Where the words of a delta may stand. */
const wordFields = ['text', 'partial_json', 'thinking']

/** Reads message events, in the order that the protocol prescribes and no other. */
export function streamDecoder(_stem: string): StreamDecoder {
  const blocks = new Map<number, Block>()
  const repeat = new Repeat()
  /** The part that the last event was about. */
  let last = -1
  let started = false
  let done = false
  let hasCalls = false
  /** The highest block that has begun. */
  let top = -1
  let word: string | null = null
  let stopSequence: string | null = null
  let usage: JsonObject = {}
  /** What the events say of the message as a whole. */
  let told: JsonObject = {}

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
        return
      // The summary that stands for what was compacted comes as one.
      case 'compaction_delta': {
        const { type: _, ...summary } = value
        block.value = { ...block.value, ...summary }
      }
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
      if (repeat.fits(event.data)) return void out.push({ type: 'delta', part: last, text: repeat.text })
      repeat.forget()
      const data = objectOf(jsonOf(event.data))
      if (data === undefined) return isBlank(event.data) ? undefined : fail('an event of the stream is not JSON', out)
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
        told = message
        out.push({ type: 'start', id: stringOf(message.id), model: stringOf(message.model) })
        return count(message.usage, out)
      }
      if (!started && typeof type === 'string' && /^(content_block|message)_/.test(type)) {
        return fail(`${type} came before message_start`, out)
      }
      const index = numberOf(data.index) ?? (type === 'content_block_start' ? top + 1 : top)
      const block = blocks.get(index)
      switch (type) {
        case 'content_block_start': {
          const value = objectOf(data.content_block)
          if (word !== null) return fail('content came behind the stop_reason', out)
          if (index <= top || value === undefined) {
            return fail(`content block ${index} began twice, out of turn or empty`, out)
          }
          top = index
          return openBlock(index, value, out)
        }
        case 'content_block_delta': {
          const value = objectOf(data.delta)
          if (word !== null) return fail('content came behind the stop_reason', out)
          if (block === undefined || block.closed || value === undefined) {
            return fail(`a delta for content block ${index}, which is not open`, out)
          }
          const before = out.length
          delta(block, value, out)
          const said = out[before]
          if (said?.type !== 'delta') return
          last = said.part
          return repeat.learn(event.data, said.text, wordFields)
        }
        case 'content_block_stop':
          if (block === undefined || block.closed) return fail(`content block ${index} ended, which is not open`, out)
          return closeBlock(block, out)
        case 'message_delta': {
          const { type: _, delta: __, usage: ___, ...beside } = data
          const change = objectOf(data.delta)
          const reason = stringOf(change?.stop_reason)
          if (reason !== null && word !== null && reason !== word) {
            return fail('the message stopped for two reasons', out)
          }
          word ??= reason
          told = { ...told, ...change, ...beside }
          stopSequence = stringOf(change?.stop_sequence) ?? stopSequence
          return count(data.usage, out)
        }
        case 'message_stop': {
          for (const item of blocks.values()) if (!item.closed) closeBlock(item, out)
          const reason = decodeFinish(word, hasCalls)
          if (reason === null) return fail(`unknown stop_reason ${JSON.stringify(word)}`, out)
          done = true
          const content = [...blocks.values()].map(({ value }) => value)
          out.push({ type: 'finish', reason, stopSequence, unread: unreadOf({ ...told, content, usage }) })
        }
      }
    },
    get frame() {
      return repeat.frame
    },
    carried: () => repeat.used(),
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
      return decodeToolUse(block)
    default:
      return null
  }
}

function proofOf(kind: 'signature' | 'redacted', data: string): ReasoningProof | null {
  if (data === '') return null
  const packed = unpackReasoning(data)
  return packed === null ? { issuer: 'anthropic-messages', kind, data } : packed.proof
}
