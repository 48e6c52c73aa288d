import type { Json, JsonObject } from '../../base/mod.ts'
import {
  anyObject,
  count,
  flag,
  list,
  name,
  number,
  object,
  oneOf,
  optional,
  record,
  type Shape,
  string,
  text,
} from '../schema-kit.ts'

const part = record({
  text,
  thought: flag,
  thoughtSignature: text,
  inlineData: optional(record({ mimeType: string, data: string })),
  fileData: optional(record({ mimeType: text, fileUri: string })),
  functionCall: optional(record({ id: text, name, args: object })),
  functionResponse: optional(record({
    id: text,
    name,
    response: object,
    parts: optional(list(anyObject)),
  })),
})

const content = record({
  role: optional(oneOf('user', 'model', 'function', 'system')),
  parts: optional(list(part)),
})

const declaration = record({
  name,
  description: text,
  parameters: object,
  parametersJsonSchema: object,
})

/**
 * What gw checks of a generateContent request. Fields it does not know pass.
 *
 * @see https://ai.google.dev/api/generate-content#request-body
 */
export const generateRequest: Shape = record({
  model: string,
  stream: flag,
  contents: list(content, 1),
  systemInstruction: optional(content),
  tools: optional(list(record({ functionDeclarations: optional(list(declaration)) }))),
  toolConfig: optional(record({
    functionCallingConfig: optional(record({ mode: text, allowedFunctionNames: optional(list(string)) })),
  })),
  generationConfig: optional(record({
    temperature: number,
    topP: number,
    topK: number,
    maxOutputTokens: count,
    candidateCount: count,
    stopSequences: optional(list(string)),
    seed: number,
    frequencyPenalty: number,
    presencePenalty: number,
    responseMimeType: text,
    responseSchema: object,
    responseJsonSchema: object,
    thinkingConfig: optional(record({ thinkingBudget: number, thinkingLevel: text, includeThoughts: flag })),
  })),
  serviceTier: text,
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
  if (schema.nullable === true && typeof out.type === 'string') out.type = [out.type, 'null']
  return out as JsonObject
}

function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
