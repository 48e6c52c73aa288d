import type { JsonObject } from '../../../base/mod.ts'
import { loseMark } from '../../cache.ts'
import type { EncodeOptions } from '../../codec.ts'
import { choicesFor } from '../../choices.ts'
import { compact } from '../../read.ts'
import { samplingFor, takesNone, thinkingFor } from '../../openai-models.ts'
import { effortForBudget } from '../../reasoning.ts'
import { parallelCalls } from '../../tools.ts'
import type { InferenceRequest, OutputFormat } from '../../request.ts'
import { encodeMessages } from './encode-messages.ts'
import { encodeSearch, encodeTool, encodeToolChoice } from './tools.ts'

/** The most answers that the API gives at once. */
const maxChoices = 128

/** The body of a chat completion request; what it cannot say is in the ledger. */
export function encodeRequest(request: InferenceRequest, options: EncodeOptions): JsonObject {
  const { ledger } = options
  const effort = encodeEffort(request, options)
  const sampling = samplingFor(options.model, request, effort, ledger)
  const extras = ledger.extras(request)
  const { stream_options: streamExtra, ...rest } = extras ?? {}
  loseMark(request, ledger)
  if (sampling.topK !== null && !ledger.same && !options.quirks.has('top-k')) {
    ledger.lose('top_k', 'no equivalent in openai-chat')
  }
  const tools = request.tools.flatMap((tool) => encodeTool(tool, options))
  return compact({
    model: options.model,
    messages: encodeMessages(request, options),
    ...(tools.length > 0 ? { tools } : {}),
    tool_choice: tools.length > 0 || ledger.same ? encodeToolChoice(request, options) : undefined,
    parallel_tool_calls: parallelCalls(request, tools.length > 0, ledger.same),
    max_completion_tokens: sampling.maxOutputTokens ?? undefined,
    temperature: sampling.temperature ?? undefined,
    top_p: sampling.topP ?? undefined,
    top_k: ledger.same || options.quirks.has('top-k') ? sampling.topK ?? undefined : undefined,
    stop: sampling.stop === null ? undefined : sampling.stop,
    seed: sampling.seed ?? undefined,
    n: choicesFor(request, ledger, maxChoices),
    frequency_penalty: sampling.frequencyPenalty ?? undefined,
    presence_penalty: sampling.presencePenalty ?? undefined,
    logprobs: request.logprobs === null ? undefined : true,
    top_logprobs: request.logprobs?.top ?? undefined,
    reasoning_effort: effort,
    verbosity: request.verbosity ?? undefined,
    response_format: encodeOutput(request.output, options),
    web_search_options: encodeSearch(request, options),
    stream: request.stream ? true : undefined,
    // Without it a stream says nothing about usage.
    stream_options: request.stream || streamExtra ? { ...(streamExtra as object), include_usage: true } : undefined,
    user: request.user ?? undefined,
    safety_identifier: request.safetyId ?? undefined,
    store: request.store ?? undefined,
    service_tier: encodeTier(request.serviceTier, options),
    ...rest,
  })
}

function encodeTier(tier: string | null, { ledger }: EncodeOptions): string | undefined {
  if (tier !== 'ultrafast' || ledger.same) return tier ?? undefined
  ledger.lose('service_tier', 'no equivalent in openai-chat')
  return undefined
}

function encodeEffort(request: InferenceRequest, { ledger, quirks, model }: EncodeOptions): string | undefined {
  if (request.reasoning === null) return undefined
  ledger.extras(request.reasoning)
  const reasoning = thinkingFor(model, request.reasoning, ledger)
  if (reasoning === null) return undefined
  if (reasoning.summary !== null && reasoning.summary !== 'omitted' && !ledger.same) {
    ledger.lose(`${reasoning.path}.summary`, 'openai-chat cannot ask for summaries')
  }
  if (reasoning.budgetTokens !== null) {
    ledger.lose(`${reasoning.path}.budget_tokens`, 'openai-chat has steps of effort only')
  }
  if (reasoning.mode === 'off' && !ledger.same) {
    if (quirks.has('reasoning-none') || takesNone(model)) return 'none'
    if (reasoning.effort === 'none') ledger.lose(reasoning.effortPath, 'not every model can be told not to think')
    else {
      ledger.lose(reasoning.path, 'not every model can be told not to think')
      if (reasoning.effort !== null) ledger.lose(reasoning.effortPath, 'the caller wanted no thinking')
    }
    return undefined
  }
  return reasoning.effort ?? (reasoning.budgetTokens === null ? undefined : effortForBudget(reasoning.budgetTokens))
}

function encodeOutput(output: OutputFormat | null, { ledger }: EncodeOptions): JsonObject | undefined {
  if (output === null) return undefined
  if (output.type === 'text') return { type: 'text' }
  if (output.type === 'json') return { type: 'json_object' }
  return {
    type: 'json_schema',
    json_schema: compact({
      name: output.name ?? 'answer',
      description: output.description ?? undefined,
      schema: output.schema,
      strict: output.strict ?? undefined,
      ...ledger.inner(output, 'json_schema'),
    }),
    ...ledger.extras(output),
  }
}
