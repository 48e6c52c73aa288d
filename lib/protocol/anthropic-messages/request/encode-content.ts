import type { Json, JsonObject } from '../../../base/mod.ts'
import { compact } from '../../read.ts'
import type {
  FilePart,
  ImagePart,
  MediaSource,
  Message,
  Part,
  ReasoningPart,
  ToolCallPart,
  ToolResultPart,
} from '../../request.ts'
import { argumentsObject, toolSearchName, wrapCustomInput } from '../../tools.ts'
import { mergeTurns } from '../../turns.ts'
import { marked, type Pen } from './marks.ts'

/** The messages of a request: results, and what the user says after them, are one message. */
export function encodeMessages(conversation: readonly Message[], pen: Pen): JsonObject[] {
  const { ledger } = pen
  const out: { role: string; content: string | JsonObject[]; extras: JsonObject | undefined; tool: boolean }[] = []
  for (const message of mergeTurns(conversation, ledger)) {
    const extras = ledger.extras(message)
    const system = message.role === 'system' || message.role === 'developer'
    if (system && !ledger.same) {
      ledger.lose(`${message.path}.role`, 'a system message amid the conversation became a user message')
    }
    const role = message.role === 'assistant' ? 'assistant' : system && ledger.same ? 'system' : 'user'
    const blocks = message.parts.flatMap((part) => encodeBlock(part, pen))
    if (blocks.length === 0 && !ledger.same) continue
    const plain = message.plain && blocks.length === 1 && blocks[0]!.type === 'text' &&
      Object.keys(blocks[0]!).length === 2
    const content = plain && !pen.autoCache ? blocks[0]!.text as string : blocks
    const last = out.at(-1)
    const tool = blocks.some((block) => block.type === 'tool_result')
    // Results and what the user says after them are one message here.
    if (!ledger.same && last !== undefined && role === 'user' && last.role === 'user' && (last.tool || tool)) {
      const before = typeof last.content === 'string' ? [{ type: 'text', text: last.content }] : last.content
      last.content = [...before, ...blocks]
      last.tool = true
    } else out.push({ role, content, extras, tool })
  }
  return out.map(({ role, content, extras }) => ({ role, content, ...extras }))
}

/** A part as blocks; none where it cannot be said. */
export function encodeBlock(part: Part, pen: Pen): JsonObject[] {
  const { ledger, names, ids } = pen
  switch (part.type) {
    case 'text': {
      const extras = ledger.extras(part)
      // The API refuses empty text, and empty text says nothing.
      if (part.text === '' && !ledger.same) return []
      return [marked({ type: 'text', text: part.text, ...extras }, part, pen)]
    }
    case 'refusal':
      ledger.lose(part.path, 'a refusal became plain text')
      return part.text === '' ? [] : [marked({ type: 'text', text: part.text }, part, pen)]
    case 'image':
    case 'file':
      return encodeMedia(part, pen)
    case 'audio':
      ledger.lose(part.path, 'anthropic-messages takes no audio')
      return []
    case 'reasoning':
      return encodeReasoning(part, pen)
    case 'tool-call': {
      const extras = ledger.extras(part)
      const input = encodeInput(part, pen)
      const name = part.kind === 'tool-search' ? toolSearchName : names.flat(part.name, part.namespace)
      return [marked({ type: 'tool_use', id: ids.short(part.id), name, input, ...extras }, part, pen)]
    }
    case 'tool-result':
      return [encodeToolResult(part, pen)]
    case 'native':
      if (ledger.same) return [marked({ ...part.value }, part, pen)]
      ledger.lose(part.path, `only ${ledger.source} knows ${String(part.value.type)}`)
      return []
    case 'additional-tools':
      return []
  }
}

function encodeInput(part: ToolCallPart, { ledger }: Pen): Json {
  if (part.kind === 'custom') return wrapCustomInput(part.input)
  const { value, broken } = argumentsObject(part.input)
  if (broken) ledger.lose(part.path, 'the arguments are no JSON object: wrapped in one')
  return value as JsonObject
}

function encodeReasoning(part: ReasoningPart, { ledger }: Pen): JsonObject[] {
  const { proof } = part
  const extras = ledger.extras(part)
  if (proof?.issuer !== 'anthropic-messages') {
    if (proof !== null || part.content.length + part.summary.length > 0) {
      ledger.lose(
        part.path,
        proof === null ? 'thinking without a signature is refused' : 'the proof belongs to another issuer',
      )
    }
    return []
  }
  if (proof.kind === 'redacted') return [{ type: 'redacted_thinking', data: proof.data, ...extras }]
  return [{ type: 'thinking', thinking: part.content.join(''), signature: proof.data, ...extras }]
}

function encodeMedia(part: ImagePart | FilePart, pen: Pen): JsonObject[] {
  const { ledger } = pen
  const extras = ledger.extras(part)
  const source = part.source
  if (source.kind === 'file' && !ledger.same) {
    ledger.lose(part.path, 'file ids belong to the provider that holds the file')
    return []
  }
  if (part.type === 'image') {
    if (part.detail !== null && part.detail !== 'auto') {
      {
        const path = ledger.source === 'openai-chat' ? `${part.path}.image_url.detail` : `${part.path}.detail`
        ledger.lose(path, 'no equivalent in anthropic-messages')
      }
    }
    return [
      marked(
        { type: 'image', source: { ...encodeSource(source), ...ledger.inner(part, 'source') }, ...extras },
        part,
        pen,
      ),
    ]
  }
  const title = part.name === null ? {} : { title: part.name }
  const document = ledger.same ? { ...encodeSource(source), ...ledger.inner(part, 'source') } : encodeDocument(source)
  return [marked({ type: 'document', source: document, ...title, ...extras }, part, pen)]
}

/** Documents are PDF or plain text here; plain text travels as text. */
function encodeDocument(source: MediaSource): JsonObject {
  if (source.kind === 'base64' && source.mediaType.startsWith('text/')) {
    const text = decodeText(source.data)
    if (text !== null) return { type: 'text', media_type: 'text/plain', data: text }
  }
  return encodeSource(source)
}

function decodeText(base64: string): string | null {
  try {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

function encodeSource(source: MediaSource): JsonObject {
  switch (source.kind) {
    case 'base64':
      return { type: 'base64', media_type: source.mediaType, data: source.data }
    case 'text':
      return { type: 'text', media_type: source.mediaType, data: source.text }
    case 'url':
      return { type: 'url', url: source.url }
    case 'file':
      return { type: 'file', file_id: source.id }
  }
}

function encodeToolResult(part: ToolResultPart, pen: Pen): JsonObject {
  const extras = pen.ledger.extras(part)
  const content = part.content.flatMap((item) => encodeBlock(item, pen))
  const plain = part.plain && content.every((block) => block.type === 'text' && Object.keys(block).length === 2)
  const body = plain ? content.length === 0 ? undefined : content.map((block) => block.text).join('') : content
  return marked(
    compact({
      type: 'tool_result',
      tool_use_id: pen.ids.short(part.callId),
      content: body,
      is_error: part.isError ? true : undefined,
      ...extras,
    }) as Record<string, unknown>,
    part,
    pen,
  )
}
