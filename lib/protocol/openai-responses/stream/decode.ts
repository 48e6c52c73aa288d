import type { JsonObject } from '../../../base/mod.ts'
import type { StreamDecoder } from '../../codec.ts'
import type { InferenceEvent, PartHead, ResponsePart } from '../../event.ts'
import { upstreamFailure } from '../../failure.ts'
import { readLogprobs, type TokenLogprob } from '../../logprobs.ts'
import { isBlank, jsonOf, numberOf, objectOf, objectsOf, stringOf } from '../../read.ts'
import { Repeat } from '../../repeat.ts'
import { decodeFailure } from '../failure.ts'
import { decodeFinish, decodeItem, decodeUsage, unreadOf } from '../response.ts'

interface OpenPart {
  readonly part: number
  readonly type: PartHead['type']
  /** What has been said of it, to see what the closing event adds. Of reasoning: by section. */
  readonly said: Map<string, string>
  readonly annotations: JsonObject[]
  closed: boolean
}

/** Which section of reasoning. */
interface Section {
  readonly summary: boolean
  readonly index: number
}

/** Where the words of a delta stand. */
const wordFields = ['delta']

interface OpenItem {
  readonly id: string | null
  readonly type: string
  /** As it ended. */
  value: JsonObject
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
  let created = false
  let done = false
  let parts = 0
  let sequence = -1
  let spoken = false
  const repeat = new Repeat('sequence_number', true)
  /** What the last event was about, where it was a delta. */
  let last: { readonly part: OpenPart; readonly section: Section | undefined } | null = null

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
    section?: Section,
    logprobs?: readonly TokenLogprob[],
  ): void {
    if (text === '') return
    keep(part, text, section)
    last = { part, section }
    const place = section === undefined
      ? {}
      : section.summary
      ? { summary: true, section: section.index }
      : { section: section.index }
    out.push({ type: 'delta', part: part.part, text, ...place, ...(logprobs === undefined ? {} : { logprobs }) })
  }
  function keep(part: OpenPart, text: string, section?: Section): void {
    const key = keyOfSection(section)
    part.said.set(key, (part.said.get(key) ?? '') + text)
  }
  /** Says what the closing event knows beyond the deltas. False when the two contradict each other. */
  function complete(
    part: OpenPart,
    text: string | null,
    out: InferenceEvent[],
    section?: Section,
    logprobs?: readonly TokenLogprob[],
  ): boolean {
    if (text === null) return true
    const said = part.said.get(keyOfSection(section)) ?? ''
    if (said.length > text.length || !text.startsWith(said)) return false
    say(part, text.slice(said.length), out, section, said === '' ? logprobs : undefined)
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
    if (item === undefined) {
      items.set(key, item = { id: stringOf(data.item_id), type, value: {}, parts: new Map(), done: false })
    }
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
    const known = items.get(keyOf(data))
    const id = stringOf(value?.id)
    // repair `duplicate-index`: another id under a used index is another item
    if (value === undefined || (known !== undefined && (id === null || known.id === null || known.id === id))) {
      return fail('an output item was added twice or empty', out)
    }
    if (known !== undefined) {
      for (const part of known.parts.values()) close(part, out)
      items.delete(keyOf(data))
      items.set(`before ${items.size}`, known)
    }
    const item: OpenItem = { id, type: stringOf(value.type) ?? '', value: {}, parts: new Map(), done: false }
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
    item.value = value
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
        if (!part.closed && !complete(part, final.text, out, undefined, final.logprobs)) return false
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
    // repair `items-at-the-end`: the output, or what became of an item that had begun, stands only in the last event.
    const none = items.size === 0
    objectsOf(reply.output).forEach((item, output_index) => {
      const begun = items.get(output_index)
      if (none || (begun !== undefined && begun.type === item.type && isSilent(begun))) {
        itemDone({ output_index, item }, out)
      }
    })
    if (done) return
    for (const item of items.values()) for (const part of item.parts.values()) close(part, out)
    const usage = objectOf(reply.usage)
    if (usage !== undefined) out.push({ type: 'usage', tokens: decodeUsage(usage) })
    const status = data.type === 'response.incomplete' ? 'incomplete' : reply.status ?? 'completed'
    const reason = decodeFinish({ ...reply, status }, types.map((type) => ({ type })))
    if (reason === null) return fail(`the response ended ${JSON.stringify(status)}`, out)
    done = true
    // Some upstreams leave the output of the last event empty.
    const output = [...items.values()].map(({ value }) => value)
    const unread = [...unreadOf({ ...reply, output }), ...(spoken ? ['audio'] : [])]
    out.push({ type: 'finish', reason, stopSequence: null, tier: stringOf(reply.service_tier), unread })
  }

  /** Numbers that once rose must go on rising. Upstreams that number nothing, or some events 0, are left alone. */
  function inOrder(number: number, out: InferenceEvent[]): boolean {
    if (number === 0 && sequence > 0) return true
    if (sequence > 0 && number <= sequence) {
      fail('the events of the stream are out of order', out)
      return false
    }
    sequence = number
    return true
  }
  function read(type: string, data: JsonObject, out: InferenceEvent[]): void {
    if (type === 'error' || type === 'response.failed' || type === 'response.cancelled') {
      done = true
      out.push({ type: 'failure', failure: decodeFailure(null, objectOf(data.response) ?? data) })
      return
    }
    if (type === 'response.created') {
      if (created || parts > 0) return fail('response.created came twice or late', out)
      created = true
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
        return part === null
          ? fail('text for a part that has ended', out)
          : say(part, text, out, undefined, readLogprobs(data.logprobs))
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
      // Speech has events and no item.
      case 'response.audio.delta':
      case 'response.audio.transcript.delta':
        spoken = true
        return
      case 'response.completed':
      case 'response.incomplete':
      case 'response.done':
        return ended(data, out)
    }
  }

  return {
    push(event, out) {
      if (done || event.data === '[DONE]') return
      if (repeat.fits(event.data)) {
        if (repeat.number < 0 || inOrder(repeat.number, out)) say(last!.part, repeat.text, out, last!.section)
        return
      }
      repeat.forget()
      const data = objectOf(jsonOf(event.data))
      if (data === undefined) return isBlank(event.data) ? undefined : fail('an event of the stream is not JSON', out)
      const type = stringOf(data.type) ?? event.event
      const number = numberOf(data.sequence_number)
      // Some relays put in signs of life under a number that was there already.
      if (number !== null && type !== 'keepalive' && !inOrder(number, out)) return
      const before = out.length
      read(type, data, out)
      const said = out[before]
      if (
        out.length === before + 1 && said?.type === 'delta' && said.logprobs === undefined && type.endsWith('.delta')
      ) {
        repeat.learn(event.data, said.text, wordFields)
      }
    },
    get frame() {
      return last?.section === undefined ? repeat.frame : null
    },
    get number() {
      return sequence
    },
    carried({ text, number }) {
      repeat.used()
      keep(last!.part, text)
      if (number >= 0) sequence = number
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

/** Whether nothing has been said of an item but that it began. */
function isSilent({ done, parts }: OpenItem): boolean {
  return !done && [...parts.values()].every(({ said }) => said.size === 0)
}

const keyOfSection = (section: Section | undefined): string =>
  section === undefined ? '' : `${section.summary ? 's' : 'c'}${section.index}`

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
