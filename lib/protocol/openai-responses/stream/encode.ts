import type { JsonObject } from '../../../base/mod.ts'
import type { Call, Lose, StreamEncoder } from '../../codec.ts'
import type { CloseEvent, DeltaEvent, FinishEvent, PartHead } from '../../event.ts'
import { type TokenLogprob, writeLogprobs } from '../../logprobs.ts'
import { objectsOf, stringOf } from '../../read.ts'
import { addToSection, type Sections } from '../../sections.ts'
import { addTokens, noTokens } from '../../usage.ts'
import { echo, responseId } from '../echo.ts'
import { responseError } from '../failure.ts'
import {
  callItemId,
  encodeAnnotations,
  encodeFinish,
  encodeUsage,
  itemId,
  messageItem,
  reasoningItem,
  textContent,
  toolCallItem,
} from '../response.ts'

interface Draft extends Sections {
  readonly head: PartHead
  readonly id: string
  readonly index: number
  /** Which item an event is about, as every event says it. */
  readonly place: string
  text: string
  logprobs: TokenLogprob[] | null
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

  const write = (type: string, rest: string): string => `${headOf(type)}${sequence++},${rest}}\n\n`

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
    const id = idOf(head, index)
    const place = `"item_id":${JSON.stringify(id)},"output_index":${index}`
    const draft: Draft = { head, index, id, place, text: '', logprobs: null, content: [], summary: [], section: -1 }
    drafts[part] = draft
    switch (head.type) {
      case 'text':
      case 'refusal': {
        const item = { id: draft.id, type: 'message', status: 'in_progress', role: 'assistant', content: [] }
        const empty = head.type === 'text' ? textContent('', []) : { type: 'refusal', refusal: '' }
        return added(draft, item) +
          write('response.content_part.added', `${draft.place},"content_index":0,"part":${JSON.stringify(empty)}`)
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
  function delta(event: DeltaEvent): string {
    const draft = drafts[event.part]
    if (draft === undefined) return ''
    if (draft.head.type === 'reasoning') return reasoningDelta(draft, event)
    draft.text += event.text
    const said = deltaOf(draft)
    if (said === null) return ''
    if (event.logprobs !== undefined) (draft.logprobs ??= []).push(...event.logprobs)
    const logprobs = draft.head.type === 'text' ? `,"logprobs":${listOf(event.logprobs)}` : ''
    return write(said.type, `${said.before}${JSON.stringify(event.text)}${logprobs}`)
  }
  function reasoningDelta(draft: Draft, event: DeltaEvent): string {
    const own = call.upstream === 'openai-responses'
    const section = event.section ?? 0
    addToSection(draft, event)
    const text = JSON.stringify(event.text)
    if (own && event.summary !== true) {
      return write('response.reasoning_text.delta', `${draft.place},"content_index":${section},"delta":${text}`)
    }
    // Of another issuer's reasoning the thoughts are shown, and a summary only when there are none.
    if (!own && event.summary === true && draft.content.length > 0) return ''
    let out = ''
    if (draft.section !== section) {
      out += sectionDone(draft, own)
      draft.section = section
      out += write(
        'response.reasoning_summary_part.added',
        `${draft.place},"summary_index":${section},"part":{"type":"summary_text","text":""}`,
      )
    }
    return out +
      write('response.reasoning_summary_text.delta', `${draft.place},"summary_index":${section},"delta":${text}`)
  }
  function sectionDone(draft: Draft, own: boolean): string {
    if (draft.section < 0) return ''
    const sections = own || draft.content.length === 0 ? draft.summary : draft.content
    const text = JSON.stringify(sections[draft.section] ?? '')
    const at = `${draft.place},"summary_index":${draft.section}`
    draft.section = -1
    return write('response.reasoning_summary_text.done', `${at},"text":${text}`) +
      write('response.reasoning_summary_part.done', `${at},"part":{"type":"summary_text","text":${text}}`)
  }
  function close(event: CloseEvent): string {
    const draft = drafts[event.part]
    if (draft === undefined) return ''
    drafts[event.part] = undefined
    const text = JSON.stringify(draft.text)
    const at = `${draft.place},"content_index":0`
    switch (draft.head.type) {
      case 'text': {
        const cited = { text: draft.text, annotations: event.annotations ?? [] }
        const annotations = encodeAnnotations(cited, `output[${event.part}]`, lose)
        const content = textContent(draft.text, annotations, draft.logprobs ?? [])
        const notes = objectsOf(content.annotations).map((annotation, i) =>
          write(
            'response.output_text.annotation.added',
            `${at},"annotation_index":${i},"annotation":${JSON.stringify(annotation)}`,
          )
        )
        return notes.join('') +
          write('response.output_text.done', `${at},"text":${text},"logprobs":${listOf(draft.logprobs)}`) +
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
        // Each event takes its number where it stands.
        const summarised = sectionDone(draft, own)
        const texts = own
          ? content.map((item, i) =>
            write('response.reasoning_text.done', `${draft.place},"content_index":${i},"text":${JSON.stringify(item)}`)
          )
          : []
        return summarised + texts.join('') + itemDone(draft, reasoningItem(part, draft.id, call))
      }
      case 'tool-call': {
        const item = toolCallItem(draft.head, draft.id, draft.text, 'completed')
        const said = draft.head.kind === 'custom'
          ? write('response.custom_tool_call_input.done', `${draft.place},"input":${text}`)
          : draft.head.kind === 'function'
          ? write(
            'response.function_call_arguments.done',
            `${draft.place},"name":${JSON.stringify(draft.head.name)},"arguments":${text}`,
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
  function finish({ reason, tier }: FinishEvent): string {
    const out = closeAll()
    ended = true
    const state = encodeFinish(reason)
    const served = tier == null ? {} : { service_tier: tier }
    const type = state.status === 'incomplete' ? 'response.incomplete' : 'response.completed'
    return out + write(type, response({ error: null, ...state, ...served }, encodeUsage(tokens)))
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
        // Nobody can ask for several answers here.
        case 'ended':
          return ''
        case 'usage':
          tokens = addTokens(tokens, event.tokens)
          return ''
        case 'finish':
          return start() + finish(event)
        case 'failure': {
          const before = start()
          ended = true
          const state = { status: 'failed', error: responseError(event.failure), incomplete_details: null }
          return before + write('response.failed', response(state, encodeUsage(tokens)))
        }
      }
    },
    frame(part) {
      const draft = drafts[part]
      const said = draft === undefined ? null : deltaOf(draft)
      return said && {
        gaps: [
          { kind: 'number', before: headOf(said.type) },
          { kind: 'text', before: `,${said.before}"` },
        ],
        after: draft!.head.type === 'text' ? '","logprobs":[]}\n\n' : '"}\n\n',
        keeps: true,
      }
    },
    get number() {
      return sequence
    },
    carried(part, { events, text }) {
      sequence += events
      const draft = drafts[part]
      if (draft !== undefined) draft.text += text
    },
    keepAlive() {
      if (ended) return ''
      const before = start()
      return before !== '' ? before : write('response.in_progress', response(running, null))
    },
  }
}

const listOf = (logprobs: readonly TokenLogprob[] | null | undefined): string =>
  logprobs ? JSON.stringify(writeLogprobs(logprobs)) : '[]'

/** How every event begins, up to its number. */
const headOf = (type: string): string => `event: ${type}\ndata: {"type":"${type}","sequence_number":`

/** The event that says more of a part, and what stands in it up to the words; `null` where nothing does. */
function deltaOf({ head, place }: Draft): { readonly type: string; readonly before: string } | null {
  switch (head.type) {
    case 'text':
      return { type: 'response.output_text.delta', before: `${place},"content_index":0,"delta":` }
    case 'refusal':
      return { type: 'response.refusal.delta', before: `${place},"content_index":0,"delta":` }
    case 'tool-call': {
      const kind = head.kind === 'custom' ? 'custom_tool_call_input' : 'function_call_arguments'
      return head.kind === 'tool-search' ? null : { type: `response.${kind}.delta`, before: `${place},"delta":` }
    }
    default:
      return null
  }
}
