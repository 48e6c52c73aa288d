import type { JsonObject } from '../../../base/mod.ts'
import { breakpointOf, loseMark } from '../../cache.ts'
import type { EncodeOptions } from '../../codec.ts'
import { dataUrl } from '../../media.ts'
import { compact } from '../../read.ts'
import type { Message, Part, ReasoningPart, ToolCallPart, ToolResultPart } from '../../request.ts'
import { mergeTurns } from '../../turns.ts'

/** The cache mark of a part in this protocol's words; one that cannot be set is in the ledger. */
function encodeMark(part: Part, { ledger, quirks }: EncodeOptions): { prompt_cache_breakpoint?: JsonObject } {
  if (part.cache === undefined) return {}
  const written = ledger.same ? part.cache.raw : breakpointOf(part, ledger)
  if (written !== undefined) return { prompt_cache_breakpoint: written }
  if (quirks.has('cache-breakpoints')) {
    return { prompt_cache_breakpoint: compact({ mode: 'explicit', ttl: part.cache.ttl ?? undefined }) }
  }
  loseMark(part, ledger)
  return {}
}

/** The conversation as input items. */
export function encodeItems(conversation: readonly Message[], options: EncodeOptions): JsonObject[] {
  const out: JsonObject[] = []
  for (const message of mergeTurns(conversation, options.ledger)) encodeMessage(message, options, out)
  return out
}

function encodeMessage(message: Message, options: EncodeOptions, out: JsonObject[]): void {
  const { ledger } = options
  const extras = ledger.extras(message)
  let content: JsonObject[] = []
  const role = message.role === 'tool' ? 'user' : message.role
  const flush = (): void => {
    if (content.length === 0) return
    const plain = ledger.same && message.plain && content.length === 1
    const again = ledger.same ? message.again : { type: 'message' }
    out.push({ ...again, role, content: plain ? content[0]!.text! : content, ...extras })
    content = []
  }
  for (const part of message.parts) {
    switch (part.type) {
      case 'text':
      case 'refusal':
      case 'image':
      case 'file':
      case 'audio': {
        const encoded = encodePart(part, role, options)
        if (encoded !== null) content.push(encoded)
        break
      }
      case 'native':
        if (!ledger.same) ledger.lose(part.path, `only ${ledger.source} knows ${String(part.value.type)}`)
        else if (message.parts.length > 1 || !message.plain || /^(input|output)_/.test(String(part.value.type))) {
          content.push(part.value)
        } else out.push(part.value)
        break
      case 'additional-tools':
        if (ledger.same) out.push(part.value)
        break
      default: {
        flush()
        const item = encodeItem(part, options)
        if (item !== null) out.push(item)
      }
    }
  }
  flush()
  if (ledger.same && message.parts.length === 0) out.push({ ...message.again, role, content: [], ...extras })
}

function encodeItem(part: ReasoningPart | ToolCallPart | ToolResultPart, options: EncodeOptions): JsonObject | null {
  const { ledger, ids } = options
  if (ledger.same && part.type === 'reasoning' && part.again !== undefined) return part.again
  if (ledger.same && part.type !== 'reasoning' && part.kind === 'tool-search') return part.again ?? null
  const extras = { ...(ledger.same ? part.again : {}), ...ledger.extras(part) }
  loseMark(part, ledger)
  switch (part.type) {
    case 'reasoning': {
      if (part.proof?.issuer !== 'openai-responses') {
        if (part.proof !== null || part.content.length + part.summary.length > 0) {
          const why = part.proof === null
            ? 'reasoning without encrypted content is refused'
            : 'the proof belongs to another issuer'
          ledger.lose(part.path, why)
        }
        return null
      }
      return compact({
        type: 'reasoning',
        id: part.id ?? undefined,
        summary: part.summary.map((text) => ({ type: 'summary_text', text })),
        content: part.content.length > 0 ? part.content.map((text) => ({ type: 'reasoning_text', text })) : undefined,
        encrypted_content: part.proof.data,
        ...extras,
      })
    }
    case 'tool-call': {
      const call_id = ids.short(part.id)
      const name = ledger.same ? part.name : options.names.flat(part.name, part.namespace)
      const namespace = ledger.same && part.namespace !== null ? { namespace: part.namespace } : {}
      return part.kind === 'custom'
        ? { type: 'custom_tool_call', call_id, name, ...namespace, input: part.input, ...extras }
        : { type: 'function_call', call_id, name, ...namespace, arguments: part.input || '{}', ...extras }
    }
    case 'tool-result':
      return encodeResult(part, extras, options)
  }
}

function encodeResult(part: ToolResultPart, extras: JsonObject, options: EncodeOptions): JsonObject {
  if (part.isError) options.ledger.lose(`${part.path}.is_error`, 'openai-responses results have no error flag')
  const content = part.content.flatMap((item): JsonObject[] => {
    if (item.type === 'native' && !options.ledger.same) {
      options.ledger.lose(item.path, `only ${options.ledger.source} knows ${String(item.value.type)}`)
      return []
    }
    const encoded = encodePart(item, 'user', options)
    return encoded === null ? [] : [encoded]
  })
  const plain = part.plain && content.every((item) => typeof item.text === 'string')
  return {
    type: part.kind === 'custom' ? 'custom_tool_call_output' : 'function_call_output',
    call_id: options.ids.short(part.callId),
    output: plain ? content.map((item) => item.text as string).join('') : content,
    ...extras,
  }
}

function encodePart(part: Part, role: string, options: EncodeOptions): JsonObject | null {
  const { ledger } = options
  const extras = ledger.extras(part)
  const mark = encodeMark(part, options)
  switch (part.type) {
    case 'text': {
      const type = ledger.same && part.again !== undefined
        ? part.again.type!
        : role === 'assistant'
        ? 'output_text'
        : 'input_text'
      return { type, text: part.text, ...mark, ...extras }
    }
    case 'refusal':
      if (role === 'assistant') return { type: 'refusal', refusal: part.text, ...extras }
      ledger.lose(part.path, 'a refusal became plain text')
      return { type: 'input_text', text: part.text }
    case 'image': {
      const { source } = part
      const detail = part.detail ?? (ledger.same ? undefined : 'auto')
      if (source.kind === 'file' && !ledger.source.startsWith('openai')) {
        ledger.lose(part.path, 'file ids belong to the provider that holds the file')
        return null
      }
      const where = source.kind === 'file' ? { file_id: source.id } : { image_url: dataUrl(source) }
      return compact({ type: 'input_image', ...where, detail, ...mark, ...extras })
    }
    case 'file': {
      const { source } = part
      if (source.kind === 'file' && !ledger.source.startsWith('openai')) {
        ledger.lose(part.path, 'file ids belong to the provider that holds the file')
        return null
      }
      const where = source.kind === 'file'
        ? { file_id: source.id }
        : source.kind === 'url'
        ? { file_url: source.url }
        : { file_data: dataUrl(source), ...(ledger.same ? {} : { filename: 'document' }) }
      return compact({
        type: 'input_file',
        ...where,
        ...(part.name === null ? {} : { filename: part.name }),
        ...mark,
        ...extras,
      })
    }
    case 'audio':
      ledger.lose(part.path, 'openai-responses takes no audio')
      return null
    case 'native':
      return ledger.same ? part.value : null
    default:
      return null
  }
}
