import type { JsonObject } from '../../../base/mod.ts'
import { unknownFields } from '../../ledger.ts'
import { numberOf, objectOf, objectsOf, stringOf } from '../../read.ts'
import type { InferenceRequest, OutputFormat, ReasoningOptions } from '../../request.ts'
import { validate } from '../../schema-kit.ts'
import { messagesRequest } from '../schema.ts'
import { decodeCache, decodeContent } from './decode-content.ts'
import { choiceFields, decodeTool, decodeToolChoice } from './tools.ts'

const requestFields = new Set([
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'max_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'stream',
  'thinking',
  'output_config',
  'metadata',
  'service_tier',
  'cache_control',
])

/** The fields of each thing that have a place of their own in the neutral form. */
const metadataFields = new Set(['user_id'])
const configFields = new Set(['effort'])
const configWithFormat = new Set(['effort', 'format'])
const fieldsWithFormat = new Set([...requestFields, 'output_format'])
const messageFields = new Set(['role', 'content'])
const formatFields = new Set(['type', 'schema'])

/** A messages request in neutral form. @throws GwError `request.invalid` with the JSON path */
export function decodeRequest(body: JsonObject): InferenceRequest {
  validate(messagesRequest, body)
  const metadata = objectOf(body.metadata)
  const metadataExtra = metadata && unknownFields(metadata, metadataFields)
  const config = objectOf(body.output_config)
  const format = decodeOutput(objectOf(config?.format), 'output_config.format')
  // Its name before it came out of its beta.
  const early = format === null ? decodeOutput(objectOf(body.output_format), 'output_format') : null
  const configExtra = config && unknownFields(config, format === null ? configFields : configWithFormat)
  const extra: JsonObject = {
    ...unknownFields(body, early === null ? requestFields : fieldsWithFormat),
    ...(metadataExtra ? { metadata: metadataExtra } : {}),
    ...(configExtra ? { output_config: configExtra } : {}),
  }
  const choice = objectOf(body.tool_choice)
  return {
    source: 'anthropic-messages',
    path: '',
    extra: Object.keys(extra).length === 0 ? undefined : extra,
    model: stringOf(body.model) ?? '',
    instructions: decodeContent(body.system, 'system'),
    instructionsPlain: typeof body.system === 'string',
    messages: objectsOf(body.messages).map((message, i) => ({
      role: message.role as 'user' | 'assistant' | 'system',
      path: `messages[${i}]`,
      extra: unknownFields(message, messageFields),
      parts: decodeContent(message.content, `messages[${i}].content`),
      plain: typeof message.content === 'string',
    })),
    tools: objectsOf(body.tools).map((tool, i) => decodeTool(tool, `tools[${i}]`)),
    nested: choice === undefined ? {} : { tool_choice: unknownFields(choice, choiceFields) },
    toolChoice: decodeToolChoice(choice),
    parallelToolCalls: typeof choice?.disable_parallel_tool_use === 'boolean'
      ? !choice.disable_parallel_tool_use
      : null,
    sampling: {
      maxOutputTokens: numberOf(body.max_tokens),
      temperature: numberOf(body.temperature),
      topP: numberOf(body.top_p),
      topK: numberOf(body.top_k),
      stop: Array.isArray(body.stop_sequences) ? body.stop_sequences as string[] : null,
      seed: null,
      frequencyPenalty: null,
      presencePenalty: null,
    },
    choices: null,
    logprobs: null,
    reasoning: decodeThinking(objectOf(body.thinking), stringOf(config?.effort)),
    output: format ?? early,
    verbosity: null,
    stream: body.stream === true,
    includeUsage: true,
    user: stringOf(metadata?.user_id),
    safetyId: null,
    store: null,
    serviceTier: body.service_tier === 'standard_only' ? 'default' : stringOf(body.service_tier),
    cache: decodeCache(body, ''),
  }
}

/** What is shown of the thoughts. */
const displays: Readonly<Record<string, string>> = { summarized: 'auto', omitted: 'omitted' }

function decodeThinking(thinking: JsonObject | undefined, effort: string | null): ReasoningOptions | null {
  if (thinking === undefined && effort === null) return null
  const type = thinking?.type
  const known = type === undefined || type === 'enabled' || type === 'disabled' || type === 'adaptive'
  const summary = displays[String(thinking?.display)] ?? null
  const extra = thinking && unknownFields(
    thinking,
    new Set([...(known ? ['type', 'budget_tokens'] : []), ...(summary === null ? [] : ['display'])]),
  )
  return {
    path: 'thinking',
    extra,
    again: thinking === undefined ? {} : { thinking },
    mode: type === 'disabled' ? 'off' : type === 'enabled' ? 'on' : 'auto',
    effort,
    effortPath: 'output_config.effort',
    budgetTokens: numberOf(thinking?.budget_tokens),
    summary,
  }
}

function decodeOutput(format: JsonObject | undefined, path: string): OutputFormat | null {
  const schema = objectOf(format?.schema)
  if (format === undefined || format.type !== 'json_schema' || schema === undefined) return null
  return {
    type: 'json-schema',
    path,
    extra: unknownFields(format, formatFields),
    name: null,
    description: null,
    schema,
    strict: true,
  }
}
