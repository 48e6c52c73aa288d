import type { JsonObject } from '../../../base/mod.ts'
import type { EncodeOptions } from '../../codec.ts'
import { choicesFor } from '../../choices.ts'
import { loseLogprobs } from '../../logprobs.ts'
import { isHarmless, type Ledger } from '../../ledger.ts'
import { compact } from '../../read.ts'
import type { InferenceRequest, OutputFormat, Part } from '../../request.ts'
import { leadingSystem } from '../../turns.ts'
import { defaultMaxTokens, encodeThinking, samplingOf } from '../thinking.ts'
import { encodeBlock, encodeMessages } from './encode-content.ts'
import { encodeMark, limitMarks, markTail, type Pen } from './marks.ts'
import { encodeToolChoice, encodeTools } from './tools.ts'

/** The body of a messages request; what it cannot say is in the ledger. */
export function encodeRequest(request: InferenceRequest, options: EncodeOptions): JsonObject {
  const { ledger } = options
  const pen: Pen = { ...options, marks: [] }
  const { sampling } = request
  const extras = ledger.extras(request)
  const { metadata: metadataExtra, output_config: configExtra, ...rest } = extras ?? {}
  const tools = encodeTools(request, pen)
  const { system, rest: conversation } = leadingSystem(request, ledger)
  const systemText = encodeSystem(system, ledger.same && request.instructionsPlain, pen)
  const messages = encodeMessages(conversation, pen)
  limitMarks(pen)
  const choice = tools.length > 0 || ledger.same ? encodeToolChoice(request, pen) : undefined
  const maxTokens = sampling.maxOutputTokens ?? defaultMaxTokens(options.model, options.maxOutputTokens)
  const forced = choice?.type === 'any' || choice?.type === 'tool'
  const thinking = encodeThinking(request, { model: options.model, maxTokens, forced, ledger })
  for (const key of ['seed', 'frequencyPenalty', 'presencePenalty'] as const) {
    const name = key.replace(/[A-Z]/, (c) => `_${c.toLowerCase()}`)
    if (sampling[key] !== null && !isHarmless(name, sampling[key])) {
      ledger.lose(name, 'no equivalent in anthropic-messages')
    }
  }
  if (request.verbosity !== null && request.verbosity !== 'medium') {
    const path = request.source === 'openai-responses' ? 'text.verbosity' : 'verbosity'
    ledger.lose(path, 'no equivalent in anthropic-messages')
  }
  loseLogprobs(request, ledger)
  choicesFor(request, ledger, 1)
  if (request.store === true) ledger.lose('store', 'no equivalent in anthropic-messages')
  if (options.autoCache && pen.marks.length === 0) markTail(tools, systemText, messages)
  const format = encodeOutput(request.output, pen)
  const early = ledger.same && request.output?.type === 'json-schema' && request.output.path === 'output_format'
  const config = {
    ...(thinking.effort === undefined ? {} : { effort: thinking.effort }),
    ...(format === undefined || early ? {} : { format }),
    ...(configExtra as object | undefined),
  }
  const metadata = {
    ...encodeUser(request, ledger),
    ...(metadataExtra as object | undefined),
  }
  return compact({
    model: options.model,
    max_tokens: maxTokens,
    system: typeof systemText === 'string' || (systemText && systemText.length > 0) ? systemText : undefined,
    messages,
    tools: tools.length > 0 ? tools : undefined,
    tool_choice: choice && { ...choice, ...ledger.inner(request, 'tool_choice') },
    ...encodeSampling(request, thinking.on, pen),
    stop_sequences: sampling.stop ?? undefined,
    thinking: thinking.thinking,
    output_config: Object.keys(config).length > 0 ? config : undefined,
    output_format: early ? format : undefined,
    stream: request.stream ? true : undefined,
    metadata: Object.keys(metadata).length > 0 ? metadata : undefined,
    service_tier: encodeTier(request.serviceTier, pen),
    cache_control: request.cache === null ? undefined : encodeMark(request.cache, pen),
    ...rest,
  })
}

function encodeSampling(request: InferenceRequest, thinking: boolean, { ledger, model }: Pen): Record<string, unknown> {
  const { temperature, topP, topK } = request.sampling
  if (ledger.same) {
    return { temperature: temperature ?? undefined, top_p: topP ?? undefined, top_k: topK ?? undefined }
  }
  const taken = samplingOf(model)
  if (taken === 'none') {
    // These models answer any value but the default with an error.
    for (const [name, value] of [['temperature', temperature], ['top_p', topP], ['top_k', topK]] as const) {
      if (value !== null && (value !== 1 || name === 'top_k')) {
        ledger.lose(name, 'the model is not sampled by its caller')
      }
    }
    return {}
  }
  if (thinking) {
    // Thinking takes no other temperature than 1 and no top_k.
    if (temperature !== null && temperature !== 1) ledger.lose('temperature', 'fixed at 1 while the model thinks')
    if (topK !== null) ledger.lose('top_k', 'not taken while the model thinks')
    if (topP !== null && topP < 0.95) ledger.lose('top_p', 'not taken below 0.95 while the model thinks')
    return { top_p: topP !== null && topP >= 0.95 ? topP : undefined }
  }
  if (temperature !== null && temperature > 1) ledger.lose('temperature', 'clamped to 1')
  const heat = temperature === null ? undefined : Math.min(1, Math.max(0, temperature))
  if (taken === 'one' && heat !== undefined && topP !== null) {
    // The one that says nothing goes; else the temperature counts.
    if (heat === 1 && topP !== 1) return { top_p: topP, top_k: topK ?? undefined }
    if (topP !== 1) ledger.lose('top_p', 'the model takes it or a temperature')
    return { temperature: heat, top_k: topK ?? undefined }
  }
  return { temperature: heat, top_p: topP ?? undefined, top_k: topK ?? undefined }
}

/** The one word for the end user, which is here for finding abuse. */
function encodeUser({ user, safetyId }: InferenceRequest, ledger: Ledger): { user_id?: string } {
  if (user !== null && safetyId !== null && safetyId !== user) {
    ledger.lose('safety_identifier', 'anthropic-messages has one word for the end user')
  }
  const id = user ?? safetyId
  return id === null ? {} : { user_id: id }
}

function encodeTier(tier: string | null, { ledger }: Pen): string | undefined {
  if (tier === null) return undefined
  if (tier === 'default') return 'standard_only'
  if (tier === 'auto' || ledger.same) return tier
  ledger.lose('service_tier', 'no equivalent in anthropic-messages')
  return undefined
}

function encodeOutput(output: OutputFormat | null, { ledger }: Pen): JsonObject | undefined {
  if (output === null || output.type === 'text') return undefined
  if (output.type === 'json') {
    ledger.lose(
      ledger.source === 'openai-responses' ? 'text.format' : 'response_format',
      'anthropic-messages wants a schema',
    )
    return undefined
  }
  const extras = ledger.extras(output)
  // The format has no name or description of its own, but a schema has.
  const schema = {
    ...(output.name === null || output.schema.title !== undefined ? {} : { title: output.name }),
    ...(output.description === null || output.schema.description !== undefined
      ? {}
      : { description: output.description }),
    ...output.schema,
  }
  return { type: 'json_schema', schema, ...extras }
}

function encodeSystem(parts: readonly Part[], plain: boolean, pen: Pen): string | JsonObject[] | undefined {
  if (plain) return parts.map((part) => part.type === 'text' ? part.text : '').join('')
  const blocks = parts.flatMap((part) => encodeBlock(part, pen))
  if (blocks.length === 0) return undefined
  const bare = blocks.every((block) => block.type === 'text' && Object.keys(block).length === 2)
  return bare && !pen.ledger.same && !pen.autoCache ? blocks.map((block) => block.text as string).join('\n\n') : blocks
}
