import type { Json, JsonObject } from '../../../base/mod.ts'
import { readMark } from '../../cache.ts'
import { unknownFields } from '../../ledger.ts'
import { mediaOf } from '../../media.ts'
import { compact, objectOf, objectsOf, stringOf } from '../../read.ts'
import { decodeReasoningDetail } from '../reasoning.ts'
import type {
  CacheMark,
  MediaSource,
  Message,
  Part,
  ReasoningPart,
  Role,
  ToolCallPart,
  ToolResultPart,
} from '../../request.ts'

/** The fields of each thing that have a place of their own in the neutral form. */
const functionCalls = new Set(['id', 'type', 'function', 'index'])
const customCalls = new Set(['id', 'type', 'custom', 'index'])
const customCallFields = new Set(['name', 'input'])
const functionCallFields = new Set(['name', 'arguments'])
const imageFields = new Set(['url', 'detail'])
const audioFields = new Set(['data', 'format'])
const fileFields = new Set(['file_data', 'file_id', 'filename'])

const messageFields: Readonly<Record<string, ReadonlySet<string>>> = {
  assistant: new Set(['role', 'content', 'refusal', 'tool_calls', 'function_call', ...[
    'reasoning_content',
    'reasoning',
  ], 'reasoning_details']),
  tool: new Set(['role', 'content', 'tool_call_id']),
  function: new Set(['role', 'content', 'name']),
}

const plainFields = new Set(['role', 'content'])

/** A message in neutral form. `calls` holds those of the messages before it and takes up its own. */
export function decodeMessage(message: JsonObject, path: string, calls: { id: string; name: string }[]): Message {
  const role = message.role as string
  const plain = !Array.isArray(message.content)
  const parts = decodeContent(message.content, `${path}.content`)
  const extra = unknownFields(message, messageFields[role] ?? plainFields)
  if (role === 'assistant') return decodeAssistant(message, path, parts, plain, extra, calls)
  if (role !== 'tool' && role !== 'function') return { role: role as Role, path, extra, parts, plain }
  // A legacy function result names its function, not its call.
  const callId = role === 'tool'
    ? message.tool_call_id as string
    : calls.findLast((call) => call.name === message.name)?.id ?? `call_fn_${message.name}`
  const result: ToolResultPart = {
    type: 'tool-result',
    path,
    callId,
    kind: 'function',
    content: parts,
    isError: false,
    plain,
  }
  return { role: 'tool', path, extra, parts: [result], plain }
}

function decodeAssistant(
  message: JsonObject,
  path: string,
  content: Part[],
  plain: boolean,
  extra: JsonObject | undefined,
  calls: { id: string; name: string }[],
): Message {
  const parts: Part[] = [...decodeReasoning(message, path), ...content]
  const { reasoning_content, reasoning, reasoning_details } = message
  const again = compact({ reasoning_content, reasoning, reasoning_details })
  if (typeof message.refusal === 'string') {
    parts.push({ type: 'refusal', path: `${path}.refusal`, text: message.refusal })
  }
  objectsOf(message.tool_calls).forEach((call, i) => {
    const part = decodeToolCall(call, `${path}.tool_calls[${i}]`)
    calls.push(part)
    parts.push(part)
  })
  const legacy = objectOf(message.function_call)
  if (legacy !== undefined) {
    const part: ToolCallPart = {
      type: 'tool-call',
      path: `${path}.function_call`,
      id: `call_fn_${calls.length}`,
      name: legacy.name as string,
      namespace: null,
      kind: 'function',
      input: legacy.arguments as string,
    }
    calls.push(part)
    parts.push(part)
  }
  return { role: 'assistant', path, extra, again, parts, plain }
}

/**
 * Reasoning of an assistant message: `reasoning_details` where present, else `reasoning_content` or `reasoning`.
 *
 * Chat itself has no field for it; these three are what clients and providers have settled on.
 *
 * @see https://openrouter.ai/docs/use-cases/reasoning-tokens
 * @see https://api-docs.deepseek.com/guides/reasoning_model
 */
function decodeReasoning(message: JsonObject, path: string): ReasoningPart[] {
  const details = objectsOf(message.reasoning_details)
  if (details.length === 0) {
    const [key, thoughts] = typeof message.reasoning_content === 'string'
      ? ['reasoning_content', message.reasoning_content]
      : ['reasoning', stringOf(message.reasoning)]
    if (thoughts === null || thoughts === '') return []
    return [{ type: 'reasoning', path: `${path}.${key}`, id: null, content: [thoughts], summary: [], proof: null }]
  }
  return details.map((detail, i) => decodeReasoningDetail(detail, `${path}.reasoning_details[${i}]`))
}

function decodeToolCall(call: JsonObject, path: string): ToolCallPart {
  const custom = objectOf(call.custom)
  const fields = objectOf(call.function)
  const args = fields?.arguments
  return {
    type: 'tool-call',
    path,
    extra: unknownFields(call, custom ? customCalls : functionCalls),
    nested: custom
      ? { custom: unknownFields(custom, customCallFields) }
      : { function: unknownFields(fields ?? {}, functionCallFields) },
    id: call.id as string,
    name: (custom ?? fields)?.name as string,
    namespace: null,
    kind: custom ? 'custom' : 'function',
    input: custom ? custom.input as string : typeof args === 'string' ? args : args == null ? '' : JSON.stringify(args),
  }
}

function decodeContent(content: Json | undefined, path: string): Part[] {
  if (content === null || content === undefined) return []
  if (typeof content === 'string') return [{ type: 'text', path, text: content }]
  return objectsOf(content).map((part, i) => decodePart(part, `${path}[${i}]`))
}

const partFields: Readonly<Record<string, string>> = {
  text: 'text',
  input_text: 'text',
  output_text: 'text',
  image_url: 'image_url',
  input_image: 'image_url',
  input_audio: 'input_audio',
  file: 'file',
  refusal: 'refusal',
}

/** The fields of a part by the one that holds what it is. */
const knownOf: Readonly<Record<string, ReadonlySet<string>>> = Object.fromEntries(
  Object.values(partFields).map((
    field,
  ) => [field, new Set(['type', field, 'cache_control', 'prompt_cache_breakpoint'])]),
)

function decodePart(part: JsonObject, path: string): Part {
  const type = part.type as string
  const field = partFields[type]
  if (field === undefined) return { type: 'native', path, value: part }
  const cache = decodeCache(part, path)
  const extra = unknownFields(part, knownOf[field]!)
  const base = { path, extra, ...(cache === undefined ? {} : { cache }) }
  switch (field) {
    case 'text':
      return { type: 'text', ...base, text: part.text as string }
    case 'refusal':
      return { type: 'refusal', ...base, text: part.refusal as string }
    case 'image_url': {
      const image = typeof part.image_url === 'string' ? { url: part.image_url } : objectOf(part.image_url) ?? {}
      const nested = { image_url: unknownFields(image, imageFields) }
      return {
        type: 'image',
        ...base,
        nested,
        source: mediaOf(stringOf(image.url) ?? ''),
        detail: stringOf(image.detail),
      }
    }
    case 'input_audio': {
      const audio = objectOf(part.input_audio) ?? {}
      const nested = { input_audio: unknownFields(audio, audioFields) }
      return { type: 'audio', ...base, nested, data: audio.data as string, format: audio.format as string }
    }
    default: {
      const file = objectOf(part.file) ?? {}
      const data = stringOf(file.file_data)
      const id = stringOf(file.file_id)
      if (data === null && id === null) return { type: 'native', path, value: part }
      const source: MediaSource = data !== null ? mediaOf(data, 'application/pdf') : { kind: 'file', id: id! }
      const nested = { file: unknownFields(file, fileFields) }
      return { type: 'file', ...base, nested, source, name: stringOf(file.filename) }
    }
  }
}

/** A part's wish to be cached, in OpenAI's own words or in Anthropic's, which OpenAI-shaped callers use too. */
export function decodeCache(part: JsonObject, path: string): CacheMark | undefined {
  return readMark(part, path, 'prompt_cache_breakpoint', 'cache_control')
}
