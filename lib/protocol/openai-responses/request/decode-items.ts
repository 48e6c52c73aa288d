import type { Json, JsonObject } from '../../../base/mod.ts'
import { readMark } from '../../cache.ts'
import { unknownFields } from '../../ledger.ts'
import { mediaOf } from '../../media.ts'
import { compact, objectsOf, stringOf } from '../../read.ts'
import { unpackReasoning } from '../../reasoning.ts'
import type {
  MediaSource,
  Message,
  Part,
  ReasoningPart,
  Role,
  ToolCallPart,
  ToolDefinition,
  ToolKind,
  ToolResultPart,
} from '../../request.ts'
import { toolSearchName } from '../../tools.ts'
import { decodeTools } from './tools.ts'

/** The fields of each thing that have a place of their own in the neutral form. */
const callFields = new Set(['type', 'call_id', 'name', 'namespace', 'id', 'status', 'arguments'])
const customCallFields = new Set(['type', 'call_id', 'name', 'namespace', 'id', 'status', 'input'])
const messageFields = new Set(['type', 'role', 'content', 'id', 'status'])
const resultFields = new Set(['type', 'call_id', 'output', 'id', 'status', 'name', 'namespace'])
const thoughtFields = new Set(['type', 'id', 'summary', 'content', 'encrypted_content', 'status'])
const refusalFields = new Set(['type', 'refusal'])
const imageFields = new Set(['type', 'image_url', 'file_id', 'detail', 'prompt_cache_breakpoint'])
const fileFields = new Set(['type', 'file_data', 'file_url', 'file_id', 'filename', 'prompt_cache_breakpoint'])

/** The input as messages, and the tools that came with its items. */
export function readItems(input: Json | undefined): { messages: Message[]; tools: ToolDefinition[] } {
  if (typeof input === 'string') {
    const parts: Part[] = [{ type: 'text', path: 'input', text: input }]
    return { messages: [{ role: 'user', path: 'input', parts, plain: true }], tools: [] }
  }
  const tools: ToolDefinition[] = []
  let search = ''
  const messages = objectsOf(input).map((item, i) => {
    const path = `input[${i}]`
    if (item.type === 'tool_search_call') search = stringOf(item.call_id) ?? stringOf(item.id) ?? `search_${i}`
    if (item.type === 'additional_tools' || item.type === 'tool_search_output') {
      tools.push(...decodeTools(item.tools, `${path}.tools`, 'message'))
    }
    return decodeItem(item, path, search)
  })
  return { messages, tools }
}

const single = (role: Role, path: string, part: Part): Message => ({ role, path, parts: [part], plain: true })

function decodeItem(item: JsonObject, path: string, search: string): Message {
  switch (item.type ?? (item.role === undefined ? 'item_reference' : 'message')) {
    case 'message':
      return {
        role: item.role as Role,
        path,
        extra: unknownFields(item, messageFields),
        again: compact({ type: item.type, id: item.id, status: item.status }),
        parts: typeof item.content === 'string'
          ? [{ type: 'text', path: `${path}.content`, text: item.content }]
          : objectsOf(item.content).map((part, i) => decodePart(part, `${path}.content[${i}]`)),
        plain: typeof item.content === 'string',
      }
    case 'function_call':
      return single('assistant', path, decodeCall(item, path, 'function', item.arguments as string))
    case 'custom_tool_call':
      return single('assistant', path, decodeCall(item, path, 'custom', item.input as string))
    case 'function_call_output':
      return single('tool', path, decodeResult(item, path, 'function'))
    case 'custom_tool_call_output':
      return single('tool', path, decodeResult(item, path, 'custom'))
    case 'reasoning':
      return single('assistant', path, decodeReasoning(item, path))
    case 'tool_search_call':
      if (item.execution !== 'client') break
      return single('assistant', path, {
        type: 'tool-call',
        path,
        again: item,
        id: search,
        name: toolSearchName,
        namespace: null,
        kind: 'tool-search',
        input: typeof item.arguments === 'string' ? item.arguments : JSON.stringify(item.arguments ?? {}),
      })
    case 'tool_search_output':
      if (item.execution !== 'client') break
      return single('tool', path, {
        type: 'tool-result',
        path,
        again: item,
        callId: stringOf(item.call_id) ?? search,
        kind: 'tool-search',
        content: [{ type: 'text', path: `${path}.tools`, text: describeTools(item.tools) }],
        isError: false,
        plain: true,
      })
    case 'additional_tools':
      return single('developer', path, { type: 'additional-tools', path, value: item })
  }
  const role = typeof item.type === 'string' && item.type.endsWith('_output') ? 'tool' : 'assistant'
  return single(role, path, { type: 'native', path, value: item })
}

/** What a client's tool search found, as the model reads it where tools cannot arrive in a message. */
function describeTools(tools: Json | undefined): string {
  const found = decodeTools(tools, 'tools', 'message').flatMap((tool) =>
    tool.type === 'function' || tool.type === 'custom'
      ? [compact({
        name: tool.namespace === null ? tool.name : `${tool.namespace.name}__${tool.name}`,
        description: tool.description ?? undefined,
      })]
      : []
  )
  return JSON.stringify({ tools: found })
}

function decodeCall(item: JsonObject, path: string, kind: ToolKind, input: string): ToolCallPart {
  return {
    type: 'tool-call',
    path,
    extra: unknownFields(item, kind === 'custom' ? customCallFields : callFields),
    again: compact({ id: item.id, status: item.status }),
    id: item.call_id as string,
    name: item.name as string,
    namespace: stringOf(item.namespace),
    kind,
    input,
  }
}

function decodeResult(item: JsonObject, path: string, kind: ToolKind): ToolResultPart {
  const { output } = item
  return {
    type: 'tool-result',
    path,
    extra: unknownFields(item, resultFields),
    again: compact({ id: item.id, status: item.status, name: item.name, namespace: item.namespace }),
    callId: item.call_id as string,
    kind,
    content: typeof output === 'string'
      ? [{ type: 'text', path: `${path}.output`, text: output }]
      : objectsOf(output).map((part, i) => decodePart(part, `${path}.output[${i}]`)),
    isError: false,
    plain: typeof output === 'string',
  }
}

function decodeReasoning(item: JsonObject, path: string): ReasoningPart {
  const encrypted = stringOf(item.encrypted_content)
  const packed = encrypted === null ? null : unpackReasoning(encrypted)
  const extra = unknownFields(item, thoughtFields)
  if (packed !== null) return { type: 'reasoning', path, extra, ...packed }
  const texts = (value: Json | undefined): string[] => objectsOf(value).map((part) => stringOf(part.text) ?? '')
  return {
    type: 'reasoning',
    path,
    extra,
    again: item,
    id: stringOf(item.id),
    content: texts(item.content),
    summary: texts(item.summary),
    proof: encrypted === null ? null : { issuer: 'openai-responses', kind: 'encrypted', data: encrypted },
  }
}

const textFields = new Set(['type', 'text', 'prompt_cache_breakpoint'])

function decodePart(part: JsonObject, path: string): Part {
  const cache = { cache: readMark(part, path, 'prompt_cache_breakpoint') }
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return {
        type: 'text',
        path,
        extra: unknownFields(part, textFields),
        again: { type: part.type },
        ...cache,
        text: part.text as string,
      }
    case 'refusal':
      return {
        type: 'refusal',
        path,
        extra: unknownFields(part, refusalFields),
        text: part.refusal as string,
      }
    case 'input_image': {
      const url = stringOf(part.image_url)
      const id = stringOf(part.file_id)
      if (url === null && id === null) break
      const source: MediaSource = url !== null ? mediaOf(url) : { kind: 'file', id: id! }
      return {
        type: 'image',
        path,
        extra: unknownFields(part, imageFields),
        ...cache,
        source,
        detail: stringOf(part.detail),
      }
    }
    case 'input_file': {
      const source = fileSource(part)
      if (source === null) break
      return {
        type: 'file',
        path,
        extra: unknownFields(part, fileFields),
        ...cache,
        source,
        name: stringOf(part.filename),
      }
    }
  }
  return { type: 'native', path, value: part }
}

function fileSource(part: JsonObject): MediaSource | null {
  if (typeof part.file_data === 'string') return mediaOf(part.file_data, 'application/pdf')
  if (typeof part.file_url === 'string') return { kind: 'url', url: part.file_url }
  return typeof part.file_id === 'string' ? { kind: 'file', id: part.file_id } : null
}
