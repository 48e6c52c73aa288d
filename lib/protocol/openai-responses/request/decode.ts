import type { Json, JsonObject } from '../../../base/mod.ts'
import { unknownFields } from '../../ledger.ts'
import { booleanOf, compact, numberOf, objectOf, stringOf } from '../../read.ts'
import type { InferenceRequest, OutputFormat, ReasoningOptions } from '../../request.ts'
import type { LogprobsWish } from '../../logprobs.ts'
import { validate } from '../../schema-kit.ts'
import { responsesRequest } from '../schema.ts'
import { decodeToolChoice, decodeTools } from './tools.ts'
import { readItems } from './decode-items.ts'

const requestFields = new Set([
  'model',
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'max_output_tokens',
  'temperature',
  'top_p',
  'reasoning',
  'text',
  'include',
  'stream',
  'stream_options',
  'user',
  'safety_identifier',
  'store',
  'service_tier',
])

const fieldsWithLogprobs = new Set([...requestFields, 'top_logprobs'])

/** What is included so that texts come with the probabilities of their tokens. */
export const includedLogprobs = 'message.output_text.logprobs'

/** What gw returns anyway, so that asking for it loses nothing. */
export const alwaysIncluded = 'reasoning.encrypted_content'

const textConfigFields = new Set(['format', 'verbosity'])
const choiceFields = new Set(['type', 'name'])
const reasoningFields = new Set(['effort', 'summary', 'generate_summary'])
/** What these say when they are left out. */
const usualReasoning: Readonly<Record<string, Json>> = { context: 'auto', mode: 'standard' }
const formatFields = new Set(['type', 'name', 'description', 'schema', 'strict'])

/** A responses request in neutral form. @throws GwError `request.invalid` with the JSON path */
export function decodeRequest(body: JsonObject): InferenceRequest {
  validate(responsesRequest, body)
  const asked = Array.isArray(body.include) ? body.include : []
  const include = asked.filter((item) => item !== alwaysIncluded && item !== includedLogprobs)
  const logprobs: LogprobsWish | null = asked.includes(includedLogprobs)
    ? { path: 'include', top: numberOf(body.top_logprobs), topPath: 'top_logprobs' }
    : null
  const text = objectOf(body.text)
  const textExtra = text && unknownFields(text, textConfigFields)
  const extra: JsonObject = {
    ...unknownFields(body, logprobs === null ? requestFields : fieldsWithLogprobs),
    ...(include.length > 0 ? { include } : {}),
    ...(body.stream_options == null ? {} : { stream_options: body.stream_options }),
    ...(textExtra ? { text: textExtra } : {}),
  }
  const read = readItems(body.input)
  return {
    source: 'openai-responses',
    path: '',
    extra: Object.keys(extra).length === 0 ? undefined : extra,
    again: compact({ include: body.include, input: typeof body.input === 'string' ? body.input : undefined }),
    model: stringOf(body.model) ?? '',
    instructions: typeof body.instructions === 'string'
      ? [{ type: 'text', path: 'instructions', text: body.instructions }]
      : [],
    instructionsPlain: true,
    messages: read.messages,
    tools: [...decodeTools(body.tools, 'tools', 'tools'), ...read.tools],
    nested: {
      ...(objectOf(body.tool_choice)?.type === 'allowed_tools' || objectOf(body.tool_choice) === undefined
        ? {}
        : { tool_choice: unknownFields(objectOf(body.tool_choice)!, choiceFields) }),
    },
    toolChoice: decodeToolChoice(body.tool_choice),
    parallelToolCalls: booleanOf(body.parallel_tool_calls),
    sampling: {
      maxOutputTokens: numberOf(body.max_output_tokens),
      temperature: numberOf(body.temperature),
      topP: numberOf(body.top_p),
      topK: null,
      stop: null,
      seed: null,
      frequencyPenalty: null,
      presencePenalty: null,
    },
    choices: null,
    logprobs,
    reasoning: decodeReasoningOptions(objectOf(body.reasoning)),
    output: decodeOutput(objectOf(text?.format)),
    verbosity: stringOf(text?.verbosity),
    stream: body.stream === true,
    includeUsage: true,
    user: stringOf(body.user),
    safetyId: stringOf(body.safety_identifier),
    store: booleanOf(body.store),
    serviceTier: stringOf(body.service_tier),
    cache: null,
  }
}

function decodeReasoningOptions(reasoning: JsonObject | undefined): ReasoningOptions | null {
  if (reasoning === undefined) return null
  const effort = stringOf(reasoning.effort)
  return {
    path: 'reasoning',
    extra: unknownFields(unusual(reasoning), reasoningFields),
    again: { reasoning },
    mode: effort === 'none' ? 'off' : effort === null ? 'auto' : 'on',
    effort,
    effortPath: 'reasoning.effort',
    budgetTokens: null,
    // The first name of the field still goes.
    summary: stringOf(reasoning.summary) ?? stringOf(reasoning.generate_summary),
  }
}

function unusual(reasoning: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(reasoning).filter(([name, value]) => usualReasoning[name] !== value))
}

function decodeOutput(format: JsonObject | undefined): OutputFormat | null {
  const schema = objectOf(format?.schema)
  if (format === undefined) return null
  if (format.type === 'json_object') return { type: 'json' }
  if (format.type !== 'json_schema' || schema === undefined) return { type: 'text' }
  return {
    type: 'json-schema',
    path: 'text.format',
    extra: unknownFields(format, formatFields),
    name: stringOf(format.name),
    description: stringOf(format.description),
    schema,
    strict: booleanOf(format.strict),
  }
}
