import type { Json, JsonObject } from '../../base/mod.ts'
import type { EncodeOptions } from '../codec.ts'
import { loseMark } from '../cache.ts'
import { choicesFor } from '../choices.ts'
import { isHarmless, unknownFields } from '../ledger.ts'
import { compact, numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import type { InferenceRequest, Message, OutputFormat, Sampling } from '../request.ts'
import type { LogprobsWish } from '../logprobs.ts'
import { validate } from '../schema-kit.ts'
import { leadingSystem } from '../turns.ts'
import { encodeContents, encodeInstruction } from './contents.ts'
import { type CallBook, callBook, decodeParts } from './parts.ts'
import { generateRequest, inCamelCase, jsonSchema } from './schema.ts'
import { decodeThinking, encodeThinking } from './thinking.ts'
import { decodeToolChoice, decodeTools, encodeToolChoice, encodeTools } from './tools.ts'

const requestFields = new Set([
  'model',
  'stream',
  'contents',
  'systemInstruction',
  'tools',
  'toolConfig',
  'generationConfig',
  'serviceTier',
])

const configFields = new Set([
  'temperature',
  'topP',
  'topK',
  'maxOutputTokens',
  'stopSequences',
  'seed',
  'candidateCount',
  'frequencyPenalty',
  'presencePenalty',
  'responseMimeType',
  'responseSchema',
  'responseJsonSchema',
  'thinkingConfig',
])

// ---- decode ---------------------------------------------------------------------------------------------------------

/** A generateContent request in neutral form. @throws GwError `request.invalid` with the JSON path */
export function decodeRequest(given: JsonObject): InferenceRequest {
  const body = inCamelCase(given)
  validate(generateRequest, body)
  const config = objectOf(body.generationConfig) ?? {}
  const toolConfig = objectOf(body.toolConfig) ?? {}
  const calling = objectOf(toolConfig.functionCallingConfig)
  const system = objectOf(body.systemInstruction)
  const book = callBook()
  const output = decodeOutput(config)
  const logprobs = decodeLogprobs(config)
  return {
    source: 'gemini',
    path: '',
    extra: unknownFields(body, requestFields),
    nested: {
      generationConfig: withoutLogprobs(
        unknownFields(config, output === null ? outputUnknown : configFields),
        logprobs,
      ),
      toolConfig: unknownFields(toolConfig, new Set(['functionCallingConfig'])),
      'toolConfig.functionCallingConfig': calling &&
        unknownFields(calling, new Set(['mode', 'allowedFunctionNames'])),
      systemInstruction: system && unknownFields(system, new Set(['role', 'parts'])),
    },
    again: compact({ systemRole: system?.role }),
    model: stringOf(body.model) ?? '',
    instructions: system === undefined ? [] : decodeParts(system.parts, 'systemInstruction', book),
    instructionsPlain: false,
    messages: objectsOf(body.contents).map((content, i) => decodeContent(content, `contents[${i}]`, book)),
    tools: decodeTools(body.tools),
    toolChoice: decodeToolChoice(calling),
    parallelToolCalls: null,
    sampling: {
      maxOutputTokens: numberOf(config.maxOutputTokens),
      temperature: numberOf(config.temperature),
      topP: numberOf(config.topP),
      topK: numberOf(config.topK),
      stop: Array.isArray(config.stopSequences) ? config.stopSequences as string[] : null,
      seed: numberOf(config.seed),
      frequencyPenalty: numberOf(config.frequencyPenalty),
      presencePenalty: numberOf(config.presencePenalty),
    },
    choices: numberOf(config.candidateCount),
    logprobs,
    reasoning: decodeThinking(objectOf(config.thinkingConfig)),
    output,
    verbosity: null,
    stream: body.stream === true,
    includeUsage: true,
    user: null,
    safetyId: null,
    store: null,
    serviceTier: decodeTier(stringOf(body.serviceTier)),
    cache: null,
  }
}

function decodeTier(tier: string | null): string | null {
  return tier === 'standard' ? 'default' : tier === 'unspecified' ? null : tier
}

function decodeLogprobs(config: JsonObject): LogprobsWish | null {
  if (config.responseLogprobs !== true) return null
  const [path, topPath] = ['generationConfig.responseLogprobs', 'generationConfig.logprobs']
  return { path, top: numberOf(config.logprobs), topPath }
}

function withoutLogprobs(config: JsonObject | undefined, wish: LogprobsWish | null): JsonObject | undefined {
  if (config === undefined || wish === null) return config
  const { responseLogprobs: _, logprobs: __, ...rest } = config
  return rest as JsonObject
}

function decodeContent(content: JsonObject, path: string, book: CallBook): Message {
  return {
    role: content.role === 'model' ? 'assistant' : content.role === 'system' ? 'system' : 'user',
    path,
    extra: unknownFields(content, new Set(['role', 'parts'])),
    again: { role: content.role as Json },
    parts: decodeParts(content.parts, path, book),
    plain: false,
  }
}

/** Where the wanted shape is one that the neutral form has no word for, its fields stay with the others. */
const outputUnknown = new Set(
  [...configFields].filter((name) => !/^response(MimeType|Schema|JsonSchema)$/.test(name)),
)

function decodeOutput(config: JsonObject): OutputFormat | null {
  const { responseMimeType: type, responseSchema, responseJsonSchema } = config
  if (type === 'text/plain' && responseSchema == null && responseJsonSchema == null) return { type: 'text' }
  if (type !== 'application/json') return null
  const own = objectOf(responseSchema)
  const schema = objectOf(responseJsonSchema) ?? (own && jsonSchema(own))
  if (schema === undefined) return { type: 'json' }
  return {
    type: 'json-schema',
    path: `generationConfig.${responseJsonSchema == null ? 'responseSchema' : 'responseJsonSchema'}`,
    again: compact({ responseSchema, responseJsonSchema }),
    name: null,
    description: null,
    schema,
    strict: null,
  }
}

// ---- encode ---------------------------------------------------------------------------------------------------------

/** The body of a generateContent request, with its model and streaming in it; what it cannot say is in the ledger. */
export function encodeRequest(request: InferenceRequest, options: EncodeOptions): JsonObject {
  const { ledger, model } = options
  const extras = ledger.extras(request)
  const { system, rest } = leadingSystem(request, ledger)
  const systemInstruction = encodeInstruction(system, request, options)
  const contents = encodeContents(rest, request, options)
  const tools = encodeTools(request, options)
  const functions = tools.some((tool) => tool.functionDeclarations !== undefined)
  const calling = functions || ledger.same ? encodeToolChoice(request, options) : undefined
  const config = compact({
    ...encodeSampling(request, options),
    candidateCount: choicesFor(request, ledger, maxCandidates),
    ...encodeOutput(request.output, options),
    responseLogprobs: request.logprobs === null ? undefined : true,
    logprobs: request.logprobs?.top ?? undefined,
    thinkingConfig: encodeThinking(request, model, ledger),
    ...ledger.inner(request, 'generationConfig'),
  })
  loseOthers(request, options)
  const callingConfig = { ...calling, ...ledger.inner(request, 'toolConfig.functionCallingConfig') }
  const toolConfig = {
    ...(Object.keys(callingConfig).length > 0 ? { functionCallingConfig: callingConfig } : {}),
    ...ledger.inner(request, 'toolConfig'),
  }
  return compact({
    model,
    stream: request.stream ? true : undefined,
    contents,
    systemInstruction,
    tools: tools.length > 0 ? tools : undefined,
    toolConfig: Object.keys(toolConfig).length > 0 ? toolConfig : undefined,
    generationConfig: Object.keys(config).length > 0 ? config : undefined,
    serviceTier: encodeTier(request.serviceTier, options),
    ...extras,
  })
}

/** The most stop sequences that the API takes. */
const maxStops = 5

function encodeSampling({ sampling, source }: InferenceRequest, { ledger }: EncodeOptions): Partial<JsonObject> {
  let stop = sampling.stop
  if (stop !== null && stop.length > maxStops && !ledger.same) {
    const path = source === 'anthropic-messages' ? 'stop_sequences' : 'stop'
    stop.slice(maxStops).forEach((_, i) => ledger.lose(`${path}[${maxStops + i}]`, 'gemini takes five stop sequences'))
    stop = stop.slice(0, maxStops)
  }
  const { maxOutputTokens, temperature, topP, topK, seed, frequencyPenalty, presencePenalty }: Sampling = sampling
  return compact({
    temperature: temperature ?? undefined,
    topP: topP ?? undefined,
    topK: topK ?? undefined,
    maxOutputTokens: maxOutputTokens ?? undefined,
    stopSequences: stop ?? undefined,
    seed: seed ?? undefined,
    frequencyPenalty: frequencyPenalty ?? undefined,
    presencePenalty: presencePenalty ?? undefined,
  })
}

/** The most answers that the API gives at once. */
const maxCandidates = 8

function encodeOutput(output: OutputFormat | null, { ledger }: EncodeOptions): JsonObject {
  if (output === null) return {}
  if (output.type === 'text') return ledger.same ? { responseMimeType: 'text/plain' } : {}
  const json = { responseMimeType: 'application/json' }
  if (output.type === 'json') return json
  ledger.extras(output)
  if (ledger.same) return { ...json, ...output.again }
  // The format has no name or description of its own, but a schema has.
  const { name, description, schema } = output
  return {
    ...json,
    responseJsonSchema: {
      ...(name === null || schema.title !== undefined ? {} : { title: name }),
      ...(description === null || schema.description !== undefined ? {} : { description }),
      ...schema,
    },
  }
}

function encodeTier(tier: string | null, { ledger }: EncodeOptions): string | undefined {
  if (tier === null) return undefined
  if (ledger.same) return tier === 'default' ? 'standard' : tier
  // What happens anyway is not said: not every host of these models knows the field.
  if (tier === 'auto' || tier === 'default') return undefined
  if (tier === 'flex' || tier === 'priority') return tier
  ledger.lose('service_tier', 'no equivalent in gemini')
  return undefined
}

/** What this protocol has no place for, by the names of the protocols that have one. */
function loseOthers(request: InferenceRequest, { ledger }: EncodeOptions): void {
  if (ledger.same) return
  const none = 'no equivalent in gemini'
  const fromMessages = request.source === 'anthropic-messages'
  if (request.verbosity !== null && request.verbosity !== 'medium') {
    ledger.lose(request.source === 'openai-responses' ? 'text.verbosity' : 'verbosity', none)
  }
  if (request.store === true) ledger.lose('store', none)
  if (request.user !== null) ledger.lose(fromMessages ? 'metadata.user_id' : 'user', none)
  if (request.safetyId !== null) ledger.lose('safety_identifier', none)
  loseMark(request, ledger)
  for (const tool of request.tools) {
    if (tool.type === 'function' && tool.strict === true && !isHarmless('strict', tool.strict)) {
      ledger.lose(`${tool.path}.${request.source === 'openai-chat' ? 'function.strict' : 'strict'}`, none)
    }
  }
}
