import { z } from 'zod'
import type { Json, JsonObject } from '../../base/mod.ts'
import { count, flag, number, object, text } from '../schema-kit.ts'

const part = z.looseObject({
  text,
  thought: flag,
  thoughtSignature: text,
  inlineData: z.looseObject({ mimeType: z.string(), data: z.string() }).nullish(),
  fileData: z.looseObject({ mimeType: text, fileUri: z.string() }).nullish(),
  functionCall: z.looseObject({ id: text, name: z.string().min(1), args: object }).nullish(),
  functionResponse: z.looseObject({
    id: text,
    name: z.string().min(1),
    response: object,
    parts: z.array(z.looseObject({})).nullish(),
  }).nullish(),
})

const content = z.looseObject({
  role: z.enum(['user', 'model', 'function', 'system']).nullish(),
  parts: z.array(part).nullish(),
})

const declaration = z.looseObject({
  name: z.string().min(1),
  description: text,
  parameters: object,
  parametersJsonSchema: object,
})

/**
 * What gw checks of a generateContent request. Fields it does not know pass.
 *
 * @see https://ai.google.dev/api/generate-content#request-body
 */
export const generateRequest: z.ZodType = z.looseObject({
  model: z.string(),
  stream: flag,
  contents: z.array(content).min(1),
  systemInstruction: content.nullish(),
  tools: z.array(z.looseObject({ functionDeclarations: z.array(declaration).nullish() })).nullish(),
  toolConfig: z.looseObject({
    functionCallingConfig: z.looseObject({ mode: text, allowedFunctionNames: z.array(z.string()).nullish() }).nullish(),
  }).nullish(),
  generationConfig: z.looseObject({
    temperature: number,
    topP: number,
    topK: number,
    maxOutputTokens: count,
    candidateCount: count,
    stopSequences: z.array(z.string()).nullish(),
    seed: number,
    frequencyPenalty: number,
    presencePenalty: number,
    responseMimeType: text,
    responseSchema: object,
    responseJsonSchema: object,
    thinkingConfig: z.looseObject({ thinkingBudget: number, thinkingLevel: text, includeThoughts: flag }).nullish(),
  }).nullish(),
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
