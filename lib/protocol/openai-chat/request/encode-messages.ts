import type { Json, JsonObject } from '../../../base/mod.ts'
import { breakpointOf, loseMark } from '../../cache.ts'
import type { EncodeOptions } from '../../codec.ts'
import { dataUrl } from '../../media.ts'
import { compact } from '../../read.ts'
import type { InferenceRequest, Message, Part, ReasoningPart, ToolCallPart, ToolResultPart } from '../../request.ts'
import { wrapCustomInput } from '../../tools.ts'
import { leadingSystem, mergeTurns, systemText } from '../../turns.ts'

/** The messages of a request, the system message first. */
export function encodeMessages(request: InferenceRequest, options: EncodeOptions): JsonObject[] {
  const out: JsonObject[] = []
  const { system, rest } = leadingSystem(request, options.ledger)
  if (system.length > 0) out.push({ role: 'system', content: encodeContent(system, 'system', false, options) })
  for (const message of mergeTurns(rest, options.ledger)) encodeMessage(message, options, out)
  return out
}

function encodeMessage(message: Message, options: EncodeOptions, out: JsonObject[]): void {
  const { ledger } = options
  const extras = ledger.extras(message)
  if (message.role === 'assistant') {
    out.push(encodeAssistant(message, extras, options))
    return
  }
  const system = message.role === 'system' || message.role === 'developer'
  const said = system && !ledger.same ? systemText(message.parts, ledger) : message.parts
  const later: Part[] = []
  let rest: Part[] = []
  const flush = (): void => {
    const parts = later.length === 0 ? rest : [...later.splice(0), ...rest]
    rest = []
    if (parts.length === 0 && !(message.parts.length === 0 && ledger.same)) return
    const plain = message.plain && parts.length <= 1
    // OpenAI reads `system` as `developer` where it must; other chat upstreams know only `system`.
    const role = message.role === 'developer' && !ledger.same
      ? 'system'
      : message.role === 'tool'
      ? 'user'
      : message.role
    const content = encodeContent(parts, role, plain, options)
    if (content !== null) out.push({ role, content, ...extras })
  }
  for (const part of said) {
    if (part.type !== 'tool-result') rest.push(part)
    else {
      if (rest.length > 0) flush()
      out.push(encodeToolResult(part, extras, later, options))
    }
  }
  flush()
}

function encodeToolResult(
  part: ToolResultPart,
  extras: JsonObject | undefined,
  later: Part[],
  options: EncodeOptions,
): JsonObject {
  const { ledger } = options
  ledger.extras(part)
  if (part.isError) ledger.lose(`${part.path}.is_error`, 'openai-chat results have no error flag')
  loseMark(part, ledger)
  const words: Part[] = []
  for (const item of part.content) {
    if (item.type === 'text' || ledger.same) words.push(item)
    else {
      if (item.type === 'image' || item.type === 'file') {
        ledger.lose(item.path, 'openai-chat results hold text only: moved into a user message after the results')
      }
      later.push(item)
    }
  }
  const moved = words.length === 0 && part.content.length > 0
  const content = moved
    ? '(see the attachment in the next message)'
    : encodeContent(words, 'tool', part.plain, options) ?? ''
  return { role: 'tool', tool_call_id: options.ids.short(part.callId), content, ...extras }
}

function encodeAssistant(message: Message, extras: JsonObject | undefined, options: EncodeOptions): JsonObject {
  const { ledger, quirks } = options
  const texts: Part[] = []
  const calls: JsonObject[] = []
  const refusals: string[] = []
  const thoughts: ReasoningPart[] = []
  for (const part of message.parts) {
    switch (part.type) {
      case 'tool-call':
        calls.push(encodeToolCall(part, options))
        break
      case 'refusal':
        refusals.push(part.text)
        break
      case 'reasoning':
        thoughts.push(part)
        break
      case 'text':
        if (calls.length > 0 && part.text !== '') ledger.lose(part.path, 'moved before the tool calls of its turn')
        texts.push(part)
        break
      default:
        texts.push(part)
    }
  }
  return compact({
    role: 'assistant',
    content: encodeContent(texts, 'assistant', message.plain, options),
    refusal: refusals.length > 0 ? refusals.join('') : undefined,
    ...(ledger.same ? message.again : encodeReasoning(thoughts, quirks.has('reasoning-content'), options)),
    tool_calls: calls.length > 0 ? calls : undefined,
    ...extras,
  })
}

function encodeReasoning(
  parts: readonly ReasoningPart[],
  visible: boolean,
  { ledger, quirks }: EncodeOptions,
): JsonObject {
  if (parts.length === 0) return {}
  const foreign = parts.filter((part) => part.proof !== null && part.proof.issuer !== 'openai-chat')
  for (const part of visible ? foreign : parts) {
    if (part.proof !== null || part.content.length + part.summary.length > 0) {
      ledger.lose(part.path, visible ? 'the proof belongs to another issuer' : 'openai-chat takes no reasoning back')
    }
  }
  if (!visible) return {}
  const text = parts.flatMap((part) => part.content.length > 0 ? part.content : part.summary).join('\n\n')
  const details = parts.filter((part) => part.proof?.issuer === 'openai-chat').map((part, index) =>
    part.proof!.kind === 'signature'
      ? { type: 'reasoning.text', text: part.content.join('\n\n'), signature: part.proof!.data, index }
      : { type: 'reasoning.encrypted', data: part.proof!.data, index }
  )
  return {
    ...(text === '' ? {} : { [quirks.has('reasoning-field') ? 'reasoning' : 'reasoning_content']: text }),
    ...(details.length === 0 ? {} : { reasoning_details: details }),
  }
}

function encodeToolCall(part: ToolCallPart, options: EncodeOptions): JsonObject {
  const { ledger, names, ids } = options
  const extras = ledger.extras(part)
  loseMark(part, ledger)
  const name = names.flat(part.name, part.namespace)
  const id = ids.short(part.id)
  if (part.kind === 'custom' && (ledger.same || options.quirks.has('custom-tools'))) {
    return { id, type: 'custom', custom: { name, input: part.input, ...ledger.inner(part, 'custom') }, ...extras }
  }
  const args = part.kind === 'custom'
    ? JSON.stringify(wrapCustomInput(part.input))
    : part.input === ''
    ? '{}'
    : part.input
  return { id, type: 'function', function: { name, arguments: args, ...ledger.inner(part, 'function') }, ...extras }
}

/** Texts of these roles stand in one string where nothing is lost by it: not every chat upstream takes lists there. */
const joints: Readonly<Record<string, string>> = { system: '\n\n', developer: '\n\n', assistant: '' }

function encodeContent(parts: readonly Part[], role: string, plain: boolean, options: EncodeOptions): Json {
  const { ledger } = options
  const out: JsonObject[] = []
  for (const part of parts) {
    const encoded = encodeContentPart(part, options)
    if (encoded === null) continue
    const mark = encodeMark(part, options)
    const extras = part.type === 'native' ? undefined : ledger.extras(part)
    out.push({ ...encoded, ...mark, ...extras })
  }
  if (out.length === 0) return ledger.same && parts.length === 0 && !plain ? [] : null
  const bare = out.every((part) => part.type === 'text' && Object.keys(part).length === 2)
  if (bare && (ledger.same ? plain : out.length === 1)) return out[0]!.text!
  if (bare && !ledger.same && joints[role] !== undefined) {
    return out.map((part) => part.text as string).join(joints[role])
  }
  return out
}

/** The cache mark of a part; one that cannot be set is in the ledger. */
function encodeMark(part: Part, { ledger, quirks }: EncodeOptions): JsonObject {
  const { cache } = part
  if (cache === undefined) return {}
  const own = breakpointOf(part, ledger)
  if (own !== undefined && (ledger.same || !quirks.has('plain-chat'))) return { prompt_cache_breakpoint: own }
  if (ledger.same) return { cache_control: cache.raw }
  if (quirks.has('cache-control')) return { cache_control: compact({ type: 'ephemeral', ttl: cache.ttl ?? undefined }) }
  loseMark(part, ledger)
  return {}
}

function encodeContentPart(part: Part, { ledger }: EncodeOptions): JsonObject | null {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text }
    case 'refusal':
      return { type: 'refusal', refusal: part.text }
    case 'image': {
      const { source } = part
      if (source.kind === 'file') {
        ledger.lose(part.path, 'file ids belong to the provider that holds the file')
        return null
      }
      return {
        type: 'image_url',
        image_url: compact({
          url: dataUrl(source),
          detail: part.detail ?? undefined,
          ...ledger.inner(part, 'image_url'),
        }),
      }
    }
    case 'audio':
      return {
        type: 'input_audio',
        input_audio: { data: part.data, format: part.format, ...ledger.inner(part, 'input_audio') },
      }
    case 'file': {
      const { source } = part
      const filename = part.name ?? undefined
      if (source.kind === 'file' && ledger.source.startsWith('openai')) {
        return { type: 'file', file: compact({ file_id: source.id, filename }) }
      }
      if (source.kind === 'file' || source.kind === 'url') {
        const why = source.kind === 'url'
          ? 'openai-chat takes no file by URL'
          : 'file ids belong to the provider that holds the file'
        ledger.lose(part.path, why)
        return null
      }
      const known = { file_data: dataUrl(source), filename: filename ?? (ledger.same ? undefined : 'document') }
      return { type: 'file', file: compact({ ...known, ...ledger.inner(part, 'file') }) }
    }
    case 'native':
      if (ledger.same) return part.value
      ledger.lose(part.path, `only ${ledger.source} knows ${String(part.value.type)}`)
      return null
    case 'reasoning':
      ledger.lose(part.path, 'reasoning stands only in answers of the model')
      return null
    case 'tool-call':
    case 'tool-result':
      ledger.lose(part.path, 'calls stand only in answers of the model, results only behind them')
      return null
    case 'additional-tools':
      return null
  }
}
