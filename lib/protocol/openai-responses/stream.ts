import type { JsonObject } from '../../base/mod.ts'
import type { Call, Lose, StreamDecoder, StreamEncoder } from '../codec.ts'
import type { InferenceEvent, PartHead, ResponsePart } from '../event.ts'
import { upstreamFailure } from '../failure.ts'
import type { FinishReason } from '../finish.ts'
import { jsonOf, numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import { addTokens, noTokens } from '../usage.ts'
import { echo, responseId } from './echo.ts'
import { decodeFailure, responseError } from './failure.ts'
import {
  callItemId,
  decodeFinish,
  decodeItem,
  decodeUsage,
  encodeFinish,
  encodeUsage,
  itemId,
  messageItem,
  reasoningItem,
  textContent,
  toolCallItem,
} from './response.ts'

// ---- decode ---------------------------------------------------------------------------------------------------------

interface OpenPart {
  readonly part: number
  readonly type: PartHead['type']
  /** What has been said of it, to see what the closing event adds. Of reasoning: by section. */
  readonly said: Map<string, string>
  readonly annotations: JsonObject[]
  closed: boolean
}

interface OpenItem {
  readonly type: string
  readonly parts: Map<number, OpenPart>
  done: boolean
}

/**
 * Reads response events. Text and arguments are taken from the deltas; what only the closing events say (some upstreams
 * send no deltas at all) is added when they come.
 */
export function streamDecoder(stem: string): StreamDecoder {
  const items = new Map<string | number, OpenItem>()
  const types: PartHead['type'][] = []
  let started = false
  let done = false
  let parts = 0
  let sequence = -1

  function fail(message: string, out: InferenceEvent[]): void {
    done = true
    out.push({ type: 'failure', failure: upstreamFailure('malformed', message) })
  }
  function open(item: OpenItem, index: number, head: PartHead, out: InferenceEvent[]): OpenPart {
    const part: OpenPart = { part: parts++, type: head.type, said: new Map(), annotations: [], closed: false }
    item.parts.set(index, part)
    types.push(head.type)
    out.push({ type: 'open', part: part.part, head })
    return part
  }
  function say(
    part: OpenPart,
    text: string,
    out: InferenceEvent[],
    section?: { summary: boolean; index: number },
  ): void {
    if (text === '') return
    const key = section === undefined ? '' : `${section.summary ? 's' : 'c'}${section.index}`
    part.said.set(key, (part.said.get(key) ?? '') + text)
    const place = section === undefined
      ? {}
      : section.summary
      ? { summary: true, section: section.index }
      : { section: section.index }
    out.push({ type: 'delta', part: part.part, text, ...place })
  }
  /** Says what the closing event knows beyond the deltas. False when the two contradict each other. */
  function complete(
    part: OpenPart,
    text: string | null,
    out: InferenceEvent[],
    section?: { summary: boolean; index: number },
  ): boolean {
    if (text === null) return true
    const key = section === undefined ? '' : `${section.summary ? 's' : 'c'}${section.index}`
    const said = part.said.get(key) ?? ''
    if (said.length > text.length || !text.startsWith(said)) return false
    say(part, text.slice(said.length), out, section)
    return true
  }
  function close(part: OpenPart, out: InferenceEvent[], proof?: ReturnType<typeof proofOf>): void {
    if (part.closed) return
    part.closed = true
    const tail = part.type === 'text' ? { annotations: part.annotations } : proof === undefined ? {} : { proof }
    out.push({ type: 'close', part: part.part, ...tail })
  }
  function keyOf(data: JsonObject): string | number {
    return numberOf(data.output_index) ?? stringOf(data.item_id) ?? stringOf(objectOf(data.item)?.id) ?? -1
  }
  /** repair `missing-item`: a delta for an item that was never added opens it. */
  function itemOf(data: JsonObject, type: string): OpenItem {
    const key = keyOf(data)
    let item = items.get(key)
    if (item === undefined) items.set(key, item = { type, parts: new Map(), done: false })
    return item
  }
  function textPart(data: JsonObject, type: 'text' | 'refusal', out: InferenceEvent[]): OpenPart | null {
    const item = itemOf(data, 'message')
    if (item.done) return null
    const index = numberOf(data.content_index) ?? 0
    const part = item.parts.get(index) ?? open(item, index, { type }, out)
    return part.closed ? null : part
  }
  function reasoningPart(data: JsonObject, out: InferenceEvent[]): OpenPart | null {
    const item = itemOf(data, 'reasoning')
    if (item.done) return null
    return item.parts.get(0) ?? open(item, 0, { type: 'reasoning', id: stringOf(data.item_id) }, out)
  }
  function callPart(data: JsonObject): OpenPart | null {
    const part = items.get(keyOf(data))?.parts.get(0)
    return part === undefined || part.closed || part.type !== 'tool-call' ? null : part
  }
  function added(data: JsonObject, out: InferenceEvent[]): void {
    const value = objectOf(data.item)
    if (value === undefined || items.has(keyOf(data))) return fail('an output item was added twice or empty', out)
    const item: OpenItem = { type: stringOf(value.type) ?? '', parts: new Map(), done: false }
    items.set(keyOf(data), item)
    if (item.type === 'reasoning') open(item, 0, { type: 'reasoning', id: stringOf(value.id) }, out)
    else if (item.type === 'function_call' || item.type === 'custom_tool_call') {
      const head = decodeItem(value, `${stem}${items.size}`)[0]!
      if (head.type !== 'tool-call' || head.name === '') return fail('a tool call without a name', out)
      const { input, ...rest } = head
      say(open(item, 0, rest, out), input, out)
    }
  }
  function itemDone(data: JsonObject, out: InferenceEvent[]): void {
    const value = objectOf(data.item)
    if (value === undefined) return fail('an output item ended that is none', out)
    const item = itemOf(data, stringOf(value.type) ?? '')
    if (item.done) return fail('an output item ended twice', out)
    item.done = true
    const whole = decodeItem(value, `${stem}${items.size}`)
    whole.forEach((final, index) => {
      const part = item.parts.get(index) ?? open(item, index, headOf(final), out)
      if (!finishPart(part, final, out)) fail('the deltas of an output item contradict its end', out)
    })
    if (!done) { for (const part of item.parts.values()) close(part, out) }
  }
  function finishPart(part: OpenPart, final: ResponsePart, out: InferenceEvent[]): boolean {
    switch (final.type) {
      case 'text':
        if (part.annotations.length === 0) part.annotations.push(...final.annotations)
        if (!part.closed && !complete(part, final.text, out)) return false
        close(part, out)
        return true
      case 'refusal':
        if (!part.closed && !complete(part, final.text, out)) return false
        close(part, out)
        return true
      case 'tool-call':
        if (!part.closed && !complete(part, final.input, out)) return false
        close(part, out)
        return true
      case 'reasoning': {
        const fits = final.summary.every((text, index) => complete(part, text, out, { summary: true, index })) &&
          final.content.every((text, index) => complete(part, text, out, { summary: false, index }))
        close(part, out, proofOf(final))
        return fits
      }
      case 'native':
        close(part, out)
        return true
    }
  }
  function ended(data: JsonObject, out: InferenceEvent[]): void {
    const reply = objectOf(data.response)
    if (reply === undefined) return fail('the response ended without a response', out)
    // repair `items-at-the-end`: the output stands only in the last event.
    if (items.size === 0) {
      objectsOf(reply.output).forEach((item, output_index) => itemDone({ output_index, item }, out))
    }
    if (done) return
    for (const item of items.values()) for (const part of item.parts.values()) close(part, out)
    const usage = objectOf(reply.usage)
    if (usage !== undefined) out.push({ type: 'usage', tokens: decodeUsage(usage) })
    const status = data.type === 'response.incomplete' ? 'incomplete' : reply.status ?? 'completed'
    const reason = decodeFinish({ ...reply, status }, types.map((type) => ({ type })))
    if (reason === null) return fail(`the response ended ${JSON.stringify(status)}`, out)
    done = true
    out.push({ type: 'finish', reason, stopSequence: null })
  }

  return {
    push(event, out) {
      if (done || event.data === '[DONE]') return
      const data = objectOf(jsonOf(event.data))
      if (data === undefined) return fail('an event of the stream is not JSON', out)
      const type = stringOf(data.type) ?? event.event
      const number = numberOf(data.sequence_number)
      // Numbers that once rose must go on rising. Upstreams that number nothing, or everything 0, are left alone; so are
      // signs of life, which some relays put in under a number that was there already.
      if (number !== null && type !== 'keepalive') {
        if (sequence > 0 && number <= sequence) return fail('the events of the stream are out of order', out)
        sequence = number
      }
      if (type === 'error' || type === 'response.failed' || type === 'response.cancelled') {
        done = true
        out.push({ type: 'failure', failure: decodeFailure(null, objectOf(data.response) ?? data) })
        return
      }
      if (!started && type.startsWith('response.')) {
        started = true
        const response = objectOf(data.response)
        out.push({ type: 'start', id: stringOf(response?.id), model: stringOf(response?.model) })
      }
      const text = stringOf(data.delta) ?? ''
      let part: OpenPart | null
      switch (type) {
        case 'response.output_text.delta':
          part = textPart(data, 'text', out)
          return part === null ? fail('text for a part that has ended', out) : say(part, text, out)
        case 'response.function_call_arguments.delta':
        case 'response.custom_tool_call_input.delta':
          part = callPart(data)
          return part === null ? fail('arguments for a call that is not open', out) : say(part, text, out)
        case 'response.output_item.added':
          return added(data, out)
        case 'response.content_part.added': {
          const kind = objectOf(data.part)?.type
          if (kind === 'refusal' || kind === 'output_text') textPart(data, kind === 'refusal' ? 'refusal' : 'text', out)
          return
        }
        case 'response.refusal.delta':
          part = textPart(data, 'refusal', out)
          return part === null ? fail('a refusal for a part that has ended', out) : say(part, text, out)
        case 'response.reasoning_summary_text.delta':
        case 'response.reasoning_text.delta': {
          part = reasoningPart(data, out)
          if (part === null) return fail('reasoning for an item that has ended', out)
          const summary = type === 'response.reasoning_summary_text.delta'
          return say(part, text, out, {
            summary,
            index: numberOf(summary ? data.summary_index : data.content_index) ?? 0,
          })
        }
        case 'response.output_text.annotation.added': {
          part = textPart(data, 'text', out)
          const annotation = objectOf(data.annotation)
          if (part !== null && annotation !== undefined) part.annotations.push(annotation)
          return
        }
        case 'response.output_item.done':
          return itemDone(data, out)
        case 'response.completed':
        case 'response.incomplete':
        case 'response.done':
          return ended(data, out)
      }
    },
    end(out) {
      if (done) return
      done = true
      const kind = started ? 'truncated' : 'empty'
      const message = started ? 'the stream broke off before the response ended' : 'the stream ended before it began'
      out.push({ type: 'failure', failure: upstreamFailure(kind, message) })
    },
  }
}

function headOf(part: ResponsePart): PartHead {
  switch (part.type) {
    case 'reasoning':
      return { type: 'reasoning', id: part.id }
    case 'tool-call': {
      const { input: _, ...head } = part
      return head
    }
    case 'native':
      return part
    default:
      return { type: part.type }
  }
}

function proofOf(part: Extract<ResponsePart, { type: 'reasoning' }>): typeof part.proof {
  return part.proof
}

// ---- encode ---------------------------------------------------------------------------------------------------------

interface Draft {
  readonly head: PartHead
  readonly id: string
  readonly index: number
  text: string
  readonly content: string[]
  readonly summary: string[]
  /** Section of the summary that is being written, or -1. */
  section: number
}

/** Writes response events: each part is an output item of its own. */
export function streamEncoder(call: Call, lose: Lose): StreamEncoder {
  const drafts: (Draft | undefined)[] = []
  const done: string[] = []
  const repeated = JSON.stringify(echo(call.body)).slice(1)
  let tokens = noTokens
  let started = false
  let ended = false
  let sequence = 0
  let items = 0

  const write = (type: string, rest: string): string =>
    `event: ${type}\ndata: {"type":"${type}","sequence_number":${sequence++},${rest}}\n\n`

  function response(state: JsonObject, usage: JsonObject | null): string {
    const head = JSON.stringify({
      id: responseId(call.id),
      object: 'response',
      created_at: call.createdAt,
      ...state,
      model: call.model,
    })
    return `"response":${head.slice(0, -1)},"output":[${done.filter((item) => item !== undefined).join(',')}],"usage":${
      JSON.stringify(usage)
    },${repeated}`
  }
  const running: JsonObject = { status: 'in_progress', error: null, incomplete_details: null }

  function start(): string {
    if (started) return ''
    started = true
    const body = response(running, null)
    return write('response.created', body) + write('response.in_progress', body)
  }
  const place = (draft: Draft): string => `"item_id":${JSON.stringify(draft.id)},"output_index":${draft.index}`
  const added = (draft: Draft, item: JsonObject): string =>
    write('response.output_item.added', `"output_index":${draft.index},"item":${JSON.stringify(item)}`)
  function itemDone(draft: Draft, item: JsonObject): string {
    const json = JSON.stringify(item)
    done[draft.index] = json
    return write('response.output_item.done', `"output_index":${draft.index},"item":${json}`)
  }

  function open(part: number, head: PartHead): string {
    if (head.type === 'native' && call.upstream !== 'openai-responses') {
      lose(`output[${part}]`, `openai-responses knows no ${String(head.value.type)}`)
      return ''
    }
    const index = items++
    const draft: Draft = { head, index, id: idOf(head, index), text: '', content: [], summary: [], section: -1 }
    drafts[part] = draft
    switch (head.type) {
      case 'text':
      case 'refusal': {
        const item = { id: draft.id, type: 'message', status: 'in_progress', role: 'assistant', content: [] }
        const empty = head.type === 'text' ? textContent('', []) : { type: 'refusal', refusal: '' }
        return added(draft, item) +
          write('response.content_part.added', `${place(draft)},"content_index":0,"part":${JSON.stringify(empty)}`)
      }
      case 'reasoning':
        return added(draft, { id: draft.id, type: 'reasoning', summary: [] })
      case 'tool-call':
        return added(draft, toolCallItem(head, draft.id, '', 'in_progress'))
      case 'native':
        return added(draft, head.value)
    }
  }
  function idOf(head: PartHead, index: number): string {
    switch (head.type) {
      case 'reasoning':
        return call.upstream === 'openai-responses' && head.id !== null ? head.id : itemId('rs', call, index)
      case 'tool-call':
        return callItemId(head.kind, call, index)
      case 'native':
        return stringOf(head.value.id) ?? itemId('item', call, index)
      default:
        return itemId('msg', call, index)
    }
  }
  function delta(event: Extract<InferenceEvent, { type: 'delta' }>): string {
    const draft = drafts[event.part]
    if (draft === undefined) return ''
    const text = JSON.stringify(event.text)
    switch (draft.head.type) {
      case 'text':
        draft.text += event.text
        return write('response.output_text.delta', `${place(draft)},"content_index":0,"delta":${text},"logprobs":[]`)
      case 'refusal':
        draft.text += event.text
        return write('response.refusal.delta', `${place(draft)},"content_index":0,"delta":${text}`)
      case 'tool-call':
        draft.text += event.text
        if (draft.head.kind === 'tool-search') return ''
        return write(
          draft.head.kind === 'custom'
            ? 'response.custom_tool_call_input.delta'
            : 'response.function_call_arguments.delta',
          `${place(draft)},"delta":${text}`,
        )
      case 'reasoning':
        return reasoningDelta(draft, event)
      case 'native':
        return ''
    }
  }
  function reasoningDelta(draft: Draft, event: Extract<InferenceEvent, { type: 'delta' }>): string {
    const own = call.upstream === 'openai-responses'
    const section = event.section ?? 0
    const sections = event.summary === true ? draft.summary : draft.content
    while (sections.length <= section) sections.push('')
    sections[section] += event.text
    const text = JSON.stringify(event.text)
    if (own && event.summary !== true) {
      return write('response.reasoning_text.delta', `${place(draft)},"content_index":${section},"delta":${text}`)
    }
    // Of another issuer's reasoning the thoughts are shown, and a summary only when there are none.
    if (!own && event.summary === true && draft.content.length > 0) return ''
    let out = ''
    if (draft.section !== section) {
      out += sectionDone(draft, own)
      draft.section = section
      out += write(
        'response.reasoning_summary_part.added',
        `${place(draft)},"summary_index":${section},"part":{"type":"summary_text","text":""}`,
      )
    }
    return out +
      write('response.reasoning_summary_text.delta', `${place(draft)},"summary_index":${section},"delta":${text}`)
  }
  function sectionDone(draft: Draft, own: boolean): string {
    if (draft.section < 0) return ''
    const sections = own || draft.content.length === 0 ? draft.summary : draft.content
    const text = JSON.stringify(sections[draft.section] ?? '')
    const at = `${place(draft)},"summary_index":${draft.section}`
    draft.section = -1
    return write('response.reasoning_summary_text.done', `${at},"text":${text}`) +
      write('response.reasoning_summary_part.done', `${at},"part":{"type":"summary_text","text":${text}}`)
  }
  function close(event: Extract<InferenceEvent, { type: 'close' }>): string {
    const draft = drafts[event.part]
    if (draft === undefined) return ''
    drafts[event.part] = undefined
    const text = JSON.stringify(draft.text)
    const at = `${place(draft)},"content_index":0`
    switch (draft.head.type) {
      case 'text': {
        const content = textContent(draft.text, event.annotations ?? [])
        const notes = objectsOf(content.annotations).map((annotation, i) =>
          write(
            'response.output_text.annotation.added',
            `${at},"annotation_index":${i},"annotation":${JSON.stringify(annotation)}`,
          )
        )
        return notes.join('') + write('response.output_text.done', `${at},"text":${text},"logprobs":[]`) +
          write('response.content_part.done', `${at},"part":${JSON.stringify(content)}`) +
          itemDone(draft, messageItem(draft.id, content))
      }
      case 'refusal': {
        const content = { type: 'refusal', refusal: draft.text }
        return write('response.refusal.done', `${at},"refusal":${text}`) +
          write('response.content_part.done', `${at},"part":${JSON.stringify(content)}`) +
          itemDone(draft, messageItem(draft.id, content))
      }
      case 'reasoning': {
        const { content, summary } = draft
        const part = { type: 'reasoning', id: draft.head.id, content, summary, proof: event.proof ?? null } as const
        const own = call.upstream === 'openai-responses'
        const texts = own
          ? content.map((item, i) =>
            write('response.reasoning_text.done', `${place(draft)},"content_index":${i},"text":${JSON.stringify(item)}`)
          )
          : []
        return sectionDone(draft, own) + texts.join('') + itemDone(draft, reasoningItem(part, draft.id, call))
      }
      case 'tool-call': {
        const item = toolCallItem(draft.head, draft.id, draft.text, 'completed')
        const said = draft.head.kind === 'custom'
          ? write('response.custom_tool_call_input.done', `${place(draft)},"input":${text}`)
          : draft.head.kind === 'function'
          ? write(
            'response.function_call_arguments.done',
            `${place(draft)},"name":${JSON.stringify(draft.head.name)},"arguments":${text}`,
          )
          : ''
        return said + itemDone(draft, item)
      }
      case 'native':
        return itemDone(draft, draft.head.value)
    }
  }
  function closeAll(): string {
    return drafts.map((draft, part) => draft === undefined ? '' : close({ type: 'close', part })).join('')
  }
  function finish(reason: FinishReason): string {
    const out = closeAll()
    ended = true
    const state = encodeFinish(reason)
    const type = state.status === 'incomplete' ? 'response.incomplete' : 'response.completed'
    return out + write(type, response({ error: null, ...state }, encodeUsage(tokens)))
  }

  return {
    write(event) {
      if (ended) return ''
      switch (event.type) {
        case 'start':
          return start()
        case 'open':
          return start() + open(event.part, event.head)
        case 'delta':
          return delta(event)
        case 'close':
          return close(event)
        case 'usage':
          tokens = addTokens(tokens, event.tokens)
          return ''
        case 'finish':
          return start() + finish(event.reason)
        case 'failure': {
          const before = start()
          ended = true
          const state = { status: 'failed', error: responseError(event.failure), incomplete_details: null }
          return before + write('response.failed', response(state, encodeUsage(tokens)))
        }
      }
    },
    keepAlive() {
      if (ended) return ''
      const before = start()
      return before !== '' ? before : write('response.in_progress', response(running, null))
    },
  }
}
