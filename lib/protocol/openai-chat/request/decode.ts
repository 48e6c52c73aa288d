import type { Json, JsonObject } from '../../../base/mod.ts'
import { unknownFields } from '../../ledger.ts'
import { booleanOf, numberOf, objectOf, objectsOf, stringOf } from '../../read.ts'
import type { InferenceRequest, OutputFormat } from '../../request.ts'
import type { LogprobsWish } from '../../logprobs.ts'
import { validate } from '../../schema-kit.ts'
import { chatRequest } from '../schema.ts'
import { decodeMessage } from './decode-messages.ts'
import { choiceExtra, decodeTool, decodeToolChoice, legacyChoice } from './tools.ts'

const requestFields = new Set([
  'model',
  'messages',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'functions',
  'function_call',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop',
  'seed',
  'n',
  'frequency_penalty',
  'presence_penalty',
  'reasoning_effort',
  'verbosity',
  'response_format',
  'stream',
  'stream_options',
  'user',
  'safety_identifier',
  'store',
  'service_tier',
])

/** The fields of each thing that have a place of their own in the neutral form. */
const streamFields = new Set(['include_usage'])
const formatFields = new Set(['type', 'json_schema'])
const schemaFields = new Set(['name', 'description', 'schema', 'strict'])

/** A chat completion request in neutral form. @throws GwError `request.invalid` with the JSON path */
export function decodeRequest(body: JsonObject): InferenceRequest {
  validate(chatRequest, body)
  const calls: { id: string; name: string }[] = []
  const streamOptions = objectOf(body.stream_options)
  const extra: Record<string, Json | undefined> = { ...unknownFields(body, requestFields) }
  if (body.max_tokens != null && body.max_completion_tokens != null) extra.max_tokens = body.max_tokens
  const logprobs = decodeLogprobs(body)
  if (logprobs !== null) { for (const name of ['logprobs', 'top_logprobs']) delete extra[name] }
  const streamExtra = streamOptions && unknownFields(streamOptions, streamFields)
  if (streamExtra) Object.assign(extra, { stream_options: streamExtra })
  return {
    source: 'openai-chat',
    path: '',
    extra: Object.keys(extra).length === 0 ? undefined : extra,
    model: stringOf(body.model) ?? '',
    instructions: [],
    instructionsPlain: true,
    messages: objectsOf(body.messages).map((message, i) => decodeMessage(message, `messages[${i}]`, calls)),
    tools: [
      ...objectsOf(body.tools).map((tool, i) => decodeTool(tool, `tools[${i}]`)),
      ...objectsOf(body.functions).map((value, i) =>
        decodeTool({ type: 'function', function: value }, `functions[${i}]`)
      ),
    ],
    nested: choiceExtra(body.tool_choice),
    toolChoice: decodeToolChoice(body.tool_choice ?? legacyChoice(body.function_call)),
    parallelToolCalls: booleanOf(body.parallel_tool_calls),
    sampling: {
      maxOutputTokens: numberOf(body.max_completion_tokens) ?? numberOf(body.max_tokens),
      temperature: numberOf(body.temperature),
      topP: numberOf(body.top_p),
      topK: numberOf(body.top_k),
      stop: typeof body.stop === 'string' ? [body.stop] : Array.isArray(body.stop) ? body.stop as string[] : null,
      seed: numberOf(body.seed),
      frequencyPenalty: numberOf(body.frequency_penalty),
      presencePenalty: numberOf(body.presence_penalty),
    },
    choices: numberOf(body.n),
    logprobs,
    reasoning: typeof body.reasoning_effort !== 'string' ? null : {
      path: 'reasoning_effort',
      mode: body.reasoning_effort === 'none' ? 'off' : 'on',
      effort: body.reasoning_effort,
      effortPath: 'reasoning_effort',
      budgetTokens: null,
      summary: null,
    },
    output: decodeOutput(objectOf(body.response_format)),
    verbosity: stringOf(body.verbosity),
    stream: body.stream === true,
    includeUsage: streamOptions?.include_usage === true,
    user: stringOf(body.user),
    safetyId: stringOf(body.safety_identifier),
    store: booleanOf(body.store),
    serviceTier: stringOf(body.service_tier),
    cache: null,
  }
}

function decodeLogprobs(body: JsonObject): LogprobsWish | null {
  if (body.logprobs !== true) return null
  return { path: 'logprobs', top: numberOf(body.top_logprobs), topPath: 'top_logprobs' }
}

function decodeOutput(format: JsonObject | undefined): OutputFormat | null {
  if (format === undefined) return null
  if (format.type === 'json_object') return { type: 'json' }
  const shape = objectOf(format.json_schema)
  if (format.type !== 'json_schema' || shape === undefined) return { type: 'text' }
  return {
    type: 'json-schema',
    path: 'response_format',
    extra: unknownFields(format, formatFields),
    nested: { json_schema: unknownFields(shape, schemaFields) },
    name: stringOf(shape.name),
    description: stringOf(shape.description),
    schema: objectOf(shape.schema) ?? {},
    strict: booleanOf(shape.strict),
  }
}
