import type { Json, JsonObject } from '../../../base/mod.ts'
import { readMark } from '../../cache.ts'
import { isForeignCitation } from '../../citations.ts'
import { unknownFields } from '../../ledger.ts'
import { objectOf, objectsOf, stringOf } from '../../read.ts'
import { unpackReasoning } from '../../reasoning.ts'
import type { CacheMark, MediaSource, Part, ReasoningPart } from '../../request.ts'

/** The cache mark of a block, a tool or a request. */
export function decodeCache(value: JsonObject, path: string): CacheMark | null {
  return readMark(value, path, 'cache_control') ?? null
}

/** The content of a message, a result or the system prompt as parts. */
export function decodeContent(content: Json | undefined, path: string): Part[] {
  if (typeof content === 'string') return [{ type: 'text', path, text: content }]
  return objectsOf(content).map((block, i) => decodeBlock(block, `${path}[${i}]`))
}

/** The fields of a text without the citations that gw wrote in the name of another protocol. */
function withoutForeign(extra: JsonObject | undefined): JsonObject | undefined {
  const cited = objectsOf(extra?.citations)
  const own = cited.filter((citation) => !isForeignCitation(citation))
  if (own.length === cited.length) return extra
  const { citations: _, ...rest } = extra!
  return own.length > 0 ? { ...rest, citations: own } : rest
}

const blockFields: Readonly<Record<string, ReadonlySet<string>>> = {
  text: new Set(['type', 'text', 'cache_control']),
  image: new Set(['type', 'source', 'cache_control']),
  document: new Set(['type', 'source', 'title', 'cache_control']),
  thinking: new Set(['type', 'thinking', 'signature', 'cache_control']),
  redacted_thinking: new Set(['type', 'data', 'cache_control']),
  tool_use: new Set(['type', 'id', 'name', 'input', 'cache_control']),
  tool_result: new Set(['type', 'tool_use_id', 'content', 'is_error', 'cache_control']),
}

function decodeBlock(block: JsonObject, path: string): Part {
  const type = block.type as string
  const fields = Object.hasOwn(blockFields, type) ? blockFields[type] : undefined
  const cache = decodeCache(block, path)
  const marked = cache === null ? {} : { cache }
  if (fields === undefined) return { type: 'native', path, value: block, ...marked }
  const base = { path, extra: unknownFields(block, fields), ...marked }
  switch (type) {
    case 'text':
      return { type, ...base, extra: withoutForeign(base.extra), text: block.text as string }
    case 'image':
    case 'document': {
      const source = decodeSource(objectOf(block.source) ?? {})
      if (source === null) return { type: 'native', path, value: block, ...marked }
      const nested = { source: unknownFields(objectOf(block.source) ?? {}, sourceFields) }
      return type === 'image'
        ? { type: 'image', ...base, nested, source, detail: null }
        : { type: 'file', ...base, nested, source, name: stringOf(block.title) }
    }
    case 'thinking':
      return decodeReasoning(base, block.thinking as string, { kind: 'signature', data: block.signature as string })
    case 'redacted_thinking':
      return decodeReasoning(base, null, { kind: 'redacted', data: block.data as string })
    case 'tool_use':
      return {
        type: 'tool-call',
        ...base,
        id: block.id as string,
        name: block.name as string,
        namespace: null,
        kind: 'function',
        input: JSON.stringify(block.input),
      }
    default:
      return {
        type: 'tool-result',
        ...base,
        callId: block.tool_use_id as string,
        kind: 'function',
        content: decodeContent(block.content, `${path}.content`),
        isError: block.is_error === true,
        plain: !Array.isArray(block.content),
      }
  }
}

function decodeReasoning(
  base: { path: string; extra: JsonObject | undefined },
  thinking: string | null,
  proof: { kind: 'signature' | 'redacted'; data: string },
): ReasoningPart {
  const packed = unpackReasoning(proof.data)
  if (packed !== null) return { type: 'reasoning', ...base, ...packed }
  return {
    type: 'reasoning',
    ...base,
    id: null,
    content: thinking === null ? [] : [thinking],
    summary: [],
    proof: { issuer: 'anthropic-messages', ...proof },
  }
}

const sourceFields = new Set(['type', 'media_type', 'data', 'url', 'file_id'])

function decodeSource(source: JsonObject): MediaSource | null {
  switch (source.type) {
    case 'base64':
      return { kind: 'base64', mediaType: source.media_type as string, data: source.data as string }
    case 'url':
      return { kind: 'url', url: source.url as string }
    case 'text':
      return { kind: 'text', mediaType: stringOf(source.media_type) ?? 'text/plain', text: source.data as string }
    case 'file':
      return { kind: 'file', id: source.file_id as string }
    default:
      return null
  }
}
