import type { Json, JsonObject } from '../../../base/mod.ts'
import { loseMark } from '../../cache.ts'
import type { EncodeOptions } from '../../codec.ts'
import { isHarmless } from '../../ledger.ts'
import { choicesFor } from '../../choices.ts'
import { samplingFor, takesNone, thinkingFor } from '../../openai-models.ts'
import { effortForBudget } from '../../reasoning.ts'
import { parallelCalls } from '../../tools.ts'
import { compact, stringOf } from '../../read.ts'
import type { InferenceRequest, OutputFormat, Part, Sampling } from '../../request.ts'
import { leadingSystem } from '../../turns.ts'
import { encodeToolChoice, encodeTools } from './tools.ts'
import { alwaysIncluded, includedLogprobs } from './decode.ts'
import { encodeItems } from './encode-items.ts'

/** The body of a responses request; what it cannot say is in the ledger. */
export function encodeRequest(request: InferenceRequest, options: EncodeOptions): JsonObject {
  const { ledger } = options
  const reasoning = encodeReasoningOptions(request, options)
  const effort = ledger.same ? undefined : stringOf(reasoning?.effort) ?? undefined
  const sampling = samplingFor(options.model, request, effort, ledger)
  const extras = ledger.extras(request)
  const { text: textExtra, ...rest } = extras ?? {}
  const { system, rest: conversation } = leadingSystem(request, ledger)
  const tools = encodeTools(request, options)
  loseSampling(request, sampling, options)
  choicesFor(request, ledger, 1)
  const format = encodeOutput(request.output, options)
  const text = {
    ...(format === undefined ? {} : { format }),
    ...(request.verbosity === null ? {} : { verbosity: request.verbosity }),
    ...(textExtra as object | undefined),
  }
  const instructions = encodeInstructions(system, options)
  const input = encodeItems(conversation, options)
  loseMark(request, ledger)
  return compact({
    model: options.model,
    instructions,
    input: ledger.same && request.again?.input !== undefined ? request.again.input : input,
    tools: tools.length > 0 ? tools : undefined,
    tool_choice: tools.length > 0 || ledger.same ? encodeToolChoice(request, options) : undefined,
    parallel_tool_calls: parallelCalls(request, tools.length > 0, ledger.same),
    max_output_tokens: sampling.maxOutputTokens === null
      ? undefined
      : ledger.same
      ? sampling.maxOutputTokens
      : Math.max(16, sampling.maxOutputTokens),
    temperature: sampling.temperature ?? undefined,
    top_p: sampling.topP ?? undefined,
    reasoning,
    text: Object.keys(text).length > 0 ? text : undefined,
    stream: request.stream ? true : undefined,
    user: encodeUser(request, options),
    safety_identifier: request.safetyId ?? undefined,
    // Elsewhere nothing is kept unless asked for; here everything is unless refused.
    store: request.store ?? (ledger.same ? undefined : false),
    service_tier: request.serviceTier ?? undefined,
    ...rest,
    top_logprobs: request.logprobs?.top ?? undefined,
    include: ledger.same ? request.again?.include : encodeInclude(request, reasoning !== undefined),
  })
}

function encodeInclude({ logprobs }: InferenceRequest, reasons: boolean): string[] | undefined {
  const include = [...(reasons ? [alwaysIncluded] : []), ...(logprobs === null ? [] : [includedLogprobs])]
  return include.length === 0 ? undefined : include
}

function encodeUser(request: InferenceRequest, { ledger }: EncodeOptions): string | undefined {
  if (request.user === null) return undefined
  if (request.user.length <= 64 || ledger.same) return request.user
  ledger.lose(request.source === 'anthropic-messages' ? 'metadata.user_id' : 'user', 'longer than 64 characters')
  return undefined
}

function loseSampling(request: InferenceRequest, sampling: Sampling, { ledger }: EncodeOptions): void {
  const lost: readonly (readonly [string, unknown])[] = [
    ['top_k', sampling.topK],
    [request.source === 'anthropic-messages' ? 'stop_sequences' : 'stop', sampling.stop],
    ['seed', sampling.seed],
    ['frequency_penalty', sampling.frequencyPenalty],
    ['presence_penalty', sampling.presencePenalty],
  ]
  for (const [name, value] of lost) {
    if (value !== null && !isHarmless(name, value as Json)) ledger.lose(name, 'no equivalent in openai-responses')
  }
}

function encodeInstructions(system: readonly Part[], options: EncodeOptions): string | undefined {
  if (system.length === 0) return undefined
  const texts = system.flatMap((part) => {
    if (part.type !== 'text') return []
    options.ledger.extras(part)
    loseMark(part, options.ledger)
    return [part.text]
  })
  return texts.join('\n\n')
}

function encodeReasoningOptions(request: InferenceRequest, options: EncodeOptions): JsonObject | undefined {
  const { ledger, quirks, model } = options
  if (request.reasoning === null) return undefined
  const extras = ledger.extras(request.reasoning)
  if (ledger.same) return request.reasoning.again?.reasoning as JsonObject
  const reasoning = thinkingFor(model, request.reasoning, ledger)
  if (reasoning === null) return undefined
  if (reasoning.budgetTokens !== null) {
    ledger.lose(`${reasoning.path}.budget_tokens`, 'openai-responses has steps of effort only')
  }
  if (reasoning.mode === 'off' && !quirks.has('reasoning-none') && !takesNone(model)) {
    ledger.lose(
      reasoning.effort === 'none' ? reasoning.effortPath : reasoning.path,
      'not every model can be told not to think',
    )
    if (reasoning.effort !== null && reasoning.effort !== 'none') {
      ledger.lose(reasoning.effortPath, 'the caller wanted no thinking')
    }
    return undefined
  }
  const effort = reasoning.effort ??
    (reasoning.budgetTokens === null ? undefined : effortForBudget(reasoning.budgetTokens))
  // Callers who see thinking in their own protocol are shown what there is of it here.
  const shown = reasoning.summary === 'omitted' || request.source === 'openai-chat'
    ? undefined
    : reasoning.summary ?? 'auto'
  return compact({ effort: reasoning.mode === 'off' ? 'none' : effort, summary: shown, ...extras })
}

function encodeOutput(output: OutputFormat | null, { ledger }: EncodeOptions): JsonObject | undefined {
  if (output === null) return undefined
  if (output.type !== 'json-schema') return { type: output.type === 'json' ? 'json_object' : 'text' }
  return compact({
    type: 'json_schema',
    name: output.name ?? nameOf(output.schema),
    description: output.description ?? undefined,
    schema: output.schema,
    strict: output.strict ?? undefined,
    ...ledger.extras(output),
  })
}

function nameOf(schema: JsonObject): string {
  return (stringOf(schema.title) ?? '').replace(/[^\w-]/g, '_').slice(0, 64) || 'answer'
}
