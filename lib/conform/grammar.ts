import { GwError, sseParser } from '../base/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'

/** What one answer said, and how it ended. */
export interface Said {
  text: string
  reasoning: string
  refusal: string
  calls: { id: string; name: string; input: string }[]
  /** The stop word, or `null` when an error event ended the stream. */
  stop: string | null
}

/** What a stream said, and how it ended. */
export interface Heard extends Said {
  /** The other answers, where the caller asked for several to choose from. */
  others: Said[]
  error: string | null
  usage: Record<string, unknown> | null
  events: number
}

/** JSON of a stranger: whatever is read of it is checked on the spot. */
type Loose = ReturnType<typeof JSON.parse>

function fault(condition: unknown, message: string): asserts condition {
  if (!condition) throw new GwError('upstream.invalid', `grammar: ${message}`)
}

/**
 * Reads a whole stream of a protocol and checks it against that protocol's grammar, which is written here from the public
 * documentation and shares nothing with the encoders.
 *
 * @throws GwError `upstream.invalid` at the first fault
 */
export function hear(protocol: ProtocolId, wire: string): Heard {
  const parser = sseParser()
  const events = parser.push(new TextEncoder().encode(wire))
  fault(!parser.pending, 'bytes after the last event')
  const heard: Heard = { ...nothing(), others: [], error: null, usage: null, events: events.length }
  const read = { 'openai-chat': chat, 'openai-responses': responses, 'anthropic-messages': messages, 'gemini': gemini }
  read[protocol](events.map(({ event, data }) => ({ event, data })), heard)
  return heard
}

const nothing = (): Said => ({ text: '', reasoning: '', refusal: '', calls: [], stop: null })

/** The answer of an index. */
function saidBy(heard: Heard, index: number): Said {
  if (index === 0) return heard
  fault(index > 0 && index <= heard.others.length + 1, 'the answers are not numbered 0, 1, 2')
  return heard.others[index - 1] ??= nothing()
}

type Wire = { event: string; data: string }[]

function chat(events: Wire, heard: Heard): void {
  // After an error there is nothing to be done with.
  const ends = events.at(-1)?.data === '[DONE]' || /^\{"error":/.test(events.at(-1)?.data ?? '')
  fault(ends, 'the stream ends neither in [DONE] nor in an error')
  let id: string | null = null
  const begun = new Set<Said>()
  events.filter(({ data }) => data !== '[DONE]').forEach(({ event, data }) => {
    fault(event === 'message', 'chat events have no names')
    const chunk: Loose = JSON.parse(data)
    fault(heard.error === null, 'an event after the error')
    if (chunk.error) {
      heard.error = chunk.error.message
      fault(typeof chunk.error.type === 'string', 'an error without a type')
      return
    }
    fault(chunk.object === 'chat.completion.chunk', 'not a chunk')
    id ??= chunk.id
    fault(chunk.id === id, 'the id changed')
    if (chunk.choices.length === 0) {
      fault(heard.stop !== null && chunk.usage, 'an empty choice list without usage after the finish')
      heard.usage = chunk.usage
      return
    }
    const [{ index, delta, finish_reason }] = chunk.choices
    const said = saidBy(heard, index)
    fault(said.stop === null, 'a choice after its finish')
    if (!begun.has(said)) fault(delta.role === 'assistant', 'the first chunk names no role')
    begun.add(said)
    said.text += delta.content ?? ''
    said.refusal += delta.refusal ?? ''
    said.reasoning += delta.reasoning_content ?? ''
    for (const call of delta.tool_calls ?? []) {
      const known = said.calls[call.index]
      const part = call.function ?? call.custom
      if (known === undefined) {
        fault(call.index === said.calls.length, 'tool indexes are not 0, 1, 2')
        fault(call.id && part.name && call.type, 'a call opens without id, name and type')
        said.calls.push({ id: call.id, name: part.name, input: part.arguments ?? part.input ?? '' })
      } else {
        fault(call.id === undefined && part.name === undefined, 'a call is named twice')
        known.input += part.arguments ?? part.input ?? ''
      }
    }
    if (finish_reason !== null) said.stop = finish_reason
  })
  ended(heard)
}

/** An answer ends or the stream broke, and not both. */
function ended(heard: Heard): void {
  fault((heard.stop !== null) !== (heard.error !== null), 'a stream has one finish or one error')
  if (heard.error === null) fault(heard.others.every(({ stop }) => stop !== null), 'an answer has no finish')
}

function messages(events: Wire, heard: Heard): void {
  let state: 'start' | 'between' | 'block' | 'ending' | 'over' = 'start'
  let index = -1
  let block: Loose = null
  let said = 0
  for (const { event, data } of events) {
    const value: Loose = JSON.parse(data)
    fault(value.type === event, `event ${event} says ${value.type}`)
    fault(state !== 'over', 'an event after the end')
    switch (event) {
      case 'ping':
        break
      case 'message_start':
        fault(state === 'start', 'a second message_start')
        fault(value.message.role === 'assistant' && value.message.content.length === 0, 'a message that is not empty')
        state = 'between'
        break
      case 'content_block_start':
        fault(state === 'between' && value.index === index + 1, `block ${value.index} out of turn`)
        index = value.index
        block = value.content_block
        said = 0
        if (block.type === 'tool_use') {
          fault(block.id && block.name, 'a call without id and name')
          heard.calls.push({ id: block.id, name: block.name, input: '' })
        }
        state = 'block'
        break
      case 'content_block_delta': {
        fault(state === 'block' && value.index === index, 'a delta outside its block')
        said++
        const { delta } = value
        const fits: Record<string, readonly string[]> = {
          text_delta: ['text'],
          citations_delta: ['text'],
          thinking_delta: ['thinking'],
          signature_delta: ['thinking'],
          input_json_delta: ['tool_use', 'server_tool_use', 'mcp_tool_use'],
        }
        fault(fits[delta.type]?.includes(block.type), `${delta.type} in a ${block.type} block`)
        heard.text += delta.text ?? ''
        heard.reasoning += delta.thinking ?? ''
        if (delta.type === 'input_json_delta' && block.type === 'tool_use') {
          heard.calls.at(-1)!.input += delta.partial_json
        }
        break
      }
      case 'content_block_stop':
        fault(state === 'block' && value.index === index, 'a stop outside its block')
        fault(block.type !== 'text' || said > 0, 'an empty text block')
        state = 'between'
        break
      case 'message_delta':
        fault(state === 'between', 'message_delta inside a block')
        fault(typeof value.usage.output_tokens === 'number', 'message_delta without usage')
        heard.stop = value.delta.stop_reason
        heard.usage = value.usage
        state = 'ending'
        break
      case 'message_stop':
        fault(state === 'ending', 'message_stop before message_delta')
        state = 'over'
        break
      case 'error':
        fault(value.error.type && value.error.message, 'an error that says nothing')
        heard.error = value.error.message
        state = 'over'
        break
      default:
        fault(false, `unknown event ${event}`)
    }
  }
  fault(state === 'over', `the stream ends in state ${state}`)
}

function responses(events: Wire, heard: Heard): void {
  const items = new Map<number, { id: string; type: string; open: boolean; text: string; parts: number }>()
  let over = false
  events.forEach(({ event, data }, i) => {
    const value: Loose = JSON.parse(data)
    fault(value.type === event, `event ${event} says ${value.type}`)
    fault(value.sequence_number === i, `sequence number ${value.sequence_number} at place ${i}`)
    fault(!over, 'an event after the end')
    if (event === 'error') {
      fault(value.message, 'an error that says nothing')
      heard.error = value.message
      over = true
      return
    }
    fault(i === 0 ? event === 'response.created' : event !== 'response.created', 'response.created stands first, once')
    const item = items.get(value.output_index)
    switch (event) {
      case 'response.created':
      case 'response.in_progress':
        fault(value.response.status === 'in_progress', 'a response that begins otherwise than in progress')
        return
      case 'response.output_item.added':
        fault(value.output_index === items.size, 'output indexes are not 0, 1, 2')
        fault(value.item.id, 'an item without id')
        items.set(value.output_index, { id: value.item.id, type: value.item.type, open: true, text: '', parts: 0 })
        return
      case 'response.output_item.done': {
        fault(item?.open && item.id === value.item.id && item.type === value.item.type, 'an item ends that is not open')
        item.open = false
        const done = value.item
        if (done.type === 'message') {
          const [part] = done.content
          fault((part.text ?? part.refusal) === item.text, 'the text is not the sum of its deltas')
        }
        if (done.type === 'function_call' || done.type === 'custom_tool_call') {
          fault((done.arguments ?? done.input) === item.text, 'the arguments are not the sum of their deltas')
          heard.calls.push({ id: done.call_id, name: done.name, input: item.text })
        }
        if (done.type === 'tool_search_call') {
          heard.calls.push({ id: done.call_id, name: 'tool_search', input: JSON.stringify(done.arguments) })
        }
        return
      }
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        over = true
        if (event === 'response.failed') {
          fault(value.response.error?.code, 'a failure without a code')
          heard.error = value.response.error.message
          return
        }
        fault([...items.values()].every((entry) => !entry.open), 'the response ends with open items')
        fault(value.response.output.length === items.size, 'the output is not the items')
        fault(event === `response.${value.response.status}`, 'the status is not the event')
        heard.stop = value.response.incomplete_details?.reason ?? value.response.status
        heard.usage = value.response.usage
        return
    }
    fault(item?.open && item.id === value.item_id, `${event} outside its item`)
    switch (event) {
      case 'response.content_part.added':
        item.parts++
        return
      case 'response.output_text.delta':
        fault(item.type === 'message' && item.parts === 1, 'text outside a content part')
        item.text += value.delta
        heard.text += value.delta
        return
      case 'response.refusal.delta':
        item.text += value.delta
        heard.refusal += value.delta
        return
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        item.text += value.delta
        return
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        fault(item.type === 'reasoning', 'reasoning outside its item')
        heard.reasoning += value.delta
        return
      case 'response.output_text.done':
        fault(value.text === item.text, 'output_text.done is not the sum of its deltas')
        return
      case 'response.function_call_arguments.done':
        fault(value.arguments === item.text, 'arguments.done is not the sum of its deltas')
        return
      case 'response.custom_tool_call_input.done':
      case 'response.content_part.done':
      case 'response.refusal.done':
      case 'response.reasoning_summary_part.added':
      case 'response.reasoning_summary_part.done':
      case 'response.reasoning_summary_text.done':
      case 'response.reasoning_text.done':
      case 'response.output_text.annotation.added':
        return
      default:
        fault(false, `unknown event ${event}`)
    }
  })
  fault(over, 'the stream has no end')
}

function gemini(events: Wire, heard: Heard): void {
  for (const { data } of events) {
    const value: Loose = JSON.parse(data)
    const another = value.candidates?.[0]?.index > 0
    fault(heard.error === null && (heard.stop === null || another), 'an event after the end')
    if (value.error) {
      heard.error = value.error.message
      continue
    }
    const candidate = value.candidates?.[0]
    const said = saidBy(heard, candidate?.index ?? 0)
    fault(said.stop === null, 'a candidate after its finish')
    for (const part of candidate?.content?.parts ?? []) {
      if (part.functionCall) {
        const { id = '', name, args } = part.functionCall
        said.calls.push({ id, name, input: JSON.stringify(args) })
      } else if (part.thought) said.reasoning += part.text ?? ''
      else said.text += part.text ?? ''
    }
    said.stop = candidate?.finishReason ?? null
    heard.usage = value.usageMetadata ?? heard.usage
  }
  ended(heard)
}
