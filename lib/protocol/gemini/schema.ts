import type { Json, JsonObject } from '../../base/mod.ts'
import * as is from '../schema-kit.ts'

const part = is.record({
  text: is.text,
  thought: is.flag,
  thoughtSignature: is.text,
  inlineData: is.optional(is.record({ mimeType: is.string, data: is.string })),
  fileData: is.optional(is.record({ mimeType: is.text, fileUri: is.string })),
  functionCall: is.optional(is.record({ id: is.text, name: is.name, args: is.object })),
  functionResponse: is.optional(is.record({
    id: is.text,
    name: is.name,
    response: is.object,
    parts: is.optional(is.list(is.anyObject)),
  })),
})

const content = is.record({
  role: is.optional(is.oneOf('user', 'model', 'function', 'system')),
  parts: is.optional(is.list(part)),
})

const declaration = is.record({
  name: is.name,
  description: is.text,
  parameters: is.object,
  parametersJsonSchema: is.object,
})

/**
 * What gw checks of a generateContent request. Fields it does not know pass.
 *
 * @see https://ai.google.dev/api/generate-content#request-body
 */
export const generateRequest: is.Shape = is.record({
  model: is.string,
  stream: is.flag,
  contents: is.list(content, 1),
  systemInstruction: is.optional(content),
  tools: is.optional(is.list(is.record({ functionDeclarations: is.optional(is.list(declaration)) }))),
  toolConfig: is.optional(is.record({
    functionCallingConfig: is.optional(
      is.record({ mode: is.text, allowedFunctionNames: is.optional(is.list(is.string)) }),
    ),
  })),
  generationConfig: is.optional(is.record({
    temperature: is.number,
    topP: is.number,
    topK: is.number,
    maxOutputTokens: is.count,
    candidateCount: is.count,
    stopSequences: is.optional(is.list(is.string)),
    seed: is.number,
    frequencyPenalty: is.number,
    presencePenalty: is.number,
    responseMimeType: is.text,
    responseSchema: is.object,
    responseJsonSchema: is.object,
    thinkingConfig: is.optional(
      is.record({ thinkingBudget: is.number, thinkingLevel: is.text, includeThoughts: is.flag }),
    ),
  })),
  serviceTier: is.text,
})

/** Names of which the API reads the `snake_case` spelling as well. */
const camelNames = new Set([
  'systemInstruction',
  'toolConfig',
  'generationConfig',
  'safetySettings',
  'cachedContent',
  'serviceTier',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
  'executableCode',
  'codeExecutionResult',
  'thoughtSignature',
  'mimeType',
  'fileUri',
  'displayName',
  'videoMetadata',
  'mediaResolution',
  'functionDeclarations',
  'parametersJsonSchema',
  'responseJsonSchema',
  'responseSchema',
  'responseMimeType',
  'responseModalities',
  'googleSearch',
  'googleSearchRetrieval',
  'codeExecution',
  'urlContext',
  'functionCallingConfig',
  'allowedFunctionNames',
  'topP',
  'topK',
  'maxOutputTokens',
  'candidateCount',
  'stopSequences',
  'frequencyPenalty',
  'presencePenalty',
  'responseLogprobs',
  'thinkingConfig',
  'thinkingBudget',
  'thinkingLevel',
  'includeThoughts',
  'generateContentRequest',
])

/** What belongs to the caller: names inside are never touched. */
const opaque = new Set([
  'args',
  'response',
  'parameters',
  'parametersJsonSchema',
  'responseSchema',
  'responseJsonSchema',
  'partMetadata',
  'labels',
])

/**
 * A request in the API's own spelling. It reads `snake_case` names too, as all of protobuf's JSON does; here each name
 * has one spelling. The same object when nothing has to be changed.
 */
export function inCamelCase(body: JsonObject): JsonObject {
  return camel(body) as JsonObject
}

function camel(value: Json): Json {
  if (Array.isArray(value)) {
    let changed = false
    const out = value.map((item) => {
      const next = camel(item as Json)
      changed ||= next !== item
      return next
    })
    return changed ? out : value
  }
  if (typeof value !== 'object' || value === null) return value
  let changed = false
  const out: Record<string, Json | undefined> = {}
  for (const [key, item] of Object.entries(value)) {
    const name = key.includes('_') ? camelOf(key) : key
    const next = item === undefined || opaque.has(name) ? item : camel(item as Json)
    changed ||= name !== key || next !== item
    out[name] = next as Json | undefined
  }
  return changed ? out as JsonObject : value
}

function camelOf(key: string): string {
  const name = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return camelNames.has(name) ? name : key
}

/** Words for types in the API's own schemas, which are JSON Schema but for their case. */
const typeNames = /^(STRING|NUMBER|INTEGER|BOOLEAN|ARRAY|OBJECT|NULL)$/

/**
 * The API's own kind of schema as JSON Schema: types in lower case, `nullable` as a second type, counts that came as
 * text as numbers. Names of properties are left alone.
 *
 * @see https://ai.google.dev/api/caching#Schema
 */
export function jsonSchema(schema: JsonObject): JsonObject {
  const out: Record<string, Json | undefined> = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'type' && typeof value === 'string') out.type = typeNames.test(value) ? value.toLowerCase() : value
    else if (key === 'properties' && isRecord(value)) {
      out.properties = Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, isRecord(item) ? jsonSchema(item) : item]),
      ) as JsonObject
    } else if ((key === 'items' || key === 'additionalProperties') && isRecord(value)) out[key] = jsonSchema(value)
    else if (key === 'anyOf' && Array.isArray(value)) {
      out.anyOf = value.map((item) => isRecord(item) ? jsonSchema(item) : item) as Json[]
    } else if (/^(min|max)(Items|Length|Properties)$/.test(key) && typeof value === 'string') out[key] = Number(value)
    else if (key !== 'nullable') out[key] = value as Json | undefined
  }
  if (schema.nullable !== true) return out as JsonObject
  if (typeof out.type === 'string') out.type = [out.type, 'null']
  if (Array.isArray(out.enum)) out.enum = [...out.enum as Json[], null]
  if (Array.isArray(out.anyOf)) out.anyOf = [...out.anyOf as Json[], { type: 'null' }]
  return out as JsonObject
}

function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
