import type { Json, JsonObject } from '../../base/mod.ts'
import type { EncodeOptions } from '../codec.ts'
import { isHarmless, unknownFields } from '../ledger.ts'
import { hostedTool } from '../hosted.ts'
import { customToolDescription, customToolSchema, toolSearchDefaults } from '../media.ts'
import { booleanOf, compact, numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import { unpackReasoning } from '../reasoning.ts'
import type {
  CacheMark,
  FilePart,
  ImagePart,
  InferenceRequest,
  MediaSource,
  Message,
  OutputFormat,
  Part,
  ReasoningOptions,
  ReasoningPart,
  ToolCallPart,
  ToolChoice,
  ToolDefinition,
  ToolResultPart,
} from '../request.ts'
import { validate } from '../schema-kit.ts'
import { argumentsObject, toolSearchName, wrapCustomInput } from '../tools.ts'
import { leadingSystem, mergeTurns } from '../turns.ts'
import { messagesRequest } from './schema.ts'
import { defaultMaxTokens, encodeThinking } from './thinking.ts'

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

// ---- decode ---------------------------------------------------------------------------------------------------------

/** The fields of each thing that have a place of their own in the neutral form. */
const metadataFields = new Set(['user_id'])
const configFields = new Set(['effort', 'format'])
const messageFields = new Set(['role', 'content'])
const choiceFields = new Set(['type', 'name', 'disable_parallel_tool_use'])
const formatFields = new Set(['type', 'schema'])
const toolFields = new Set(['type', 'name', 'description', 'input_schema', 'strict', 'cache_control'])

/** A messages request in neutral form. @throws GwError `request.invalid` with the JSON path */
export function decodeRequest(body: JsonObject): InferenceRequest {
  validate(messagesRequest, body)
  const metadata = objectOf(body.metadata)
  const metadataExtra = metadata && unknownFields(metadata, metadataFields)
  const config = objectOf(body.output_config)
  const configExtra = config && unknownFields(config, configFields)
  const extra: JsonObject = {
    ...unknownFields(body, requestFields),
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
    reasoning: decodeThinking(objectOf(body.thinking), stringOf(config?.effort)),
    output: decodeOutput(objectOf(config?.format)),
    verbosity: null,
    stream: body.stream === true,
    includeUsage: true,
    user: stringOf(metadata?.user_id),
    store: null,
    serviceTier: body.service_tier === 'standard_only' ? 'default' : stringOf(body.service_tier),
    cache: decodeCache(body),
  }
}

function decodeThinking(thinking: JsonObject | undefined, effort: string | null): ReasoningOptions | null {
  if (thinking === undefined && effort === null) return null
  const type = thinking?.type
  const known = type === undefined || type === 'enabled' || type === 'disabled' || type === 'adaptive'
  const extra = thinking && unknownFields(thinking, new Set(known ? ['type', 'budget_tokens', 'display'] : []))
  return {
    path: 'thinking',
    extra,
    again: thinking === undefined ? {} : { thinking },
    mode: type === 'disabled' ? 'off' : type === 'enabled' ? 'on' : 'auto',
    effort,
    effortPath: 'output_config.effort',
    budgetTokens: numberOf(thinking?.budget_tokens),
    summary: thinking?.display === 'summarized' ? 'auto' : thinking?.display === 'omitted' ? 'omitted' : null,
  }
}

function decodeOutput(format: JsonObject | undefined): OutputFormat | null {
  const schema = objectOf(format?.schema)
  if (format === undefined || format.type !== 'json_schema' || schema === undefined) return null
  return {
    type: 'json-schema',
    path: 'output_config.format',
    extra: unknownFields(format, formatFields),
    name: null,
    description: null,
    schema,
    strict: true,
  }
}

function decodeCache(value: JsonObject): CacheMark | null {
  const mark = objectOf(value.cache_control)
  return mark === undefined ? null : { ttl: stringOf(mark.ttl), raw: mark }
}

function decodeContent(content: Json | undefined, path: string): Part[] {
  if (typeof content === 'string') return [{ type: 'text', path, text: content }]
  return objectsOf(content).map((block, i) => decodeBlock(block, `${path}[${i}]`))
}

const blockFields: Readonly<Record<string, ReadonlySet<string>>> = {
  text: new Set(['type', 'text', 'cache_control']),
  image: new Set(['type', 'source', 'cache_control']),
  document: new Set(['type', 'source', 'title', 'cache_control']),
  thinking: new Set(['type', 'thinking', 'signature', 'cache_control']),
  redacted_thinking: new Set(['type', 'data', 'cache_control']),
  tool_use: new Set(['type', 'id', 'name', 'input', 'cache_control']),
  tool_result: new Set(['type', 'tool_use_id', 'content', 'is_error', 'cache_control']),
}

function decodeBlock(block: JsonObject, path: string): Part {
  const type = block.type as string
  const fields = Object.hasOwn(blockFields, type) ? blockFields[type] : undefined
  const cache = decodeCache(block)
  const marked = cache === null ? {} : { cache }
  if (fields === undefined) return { type: 'native', path, value: block, ...marked }
  const base = { path, extra: unknownFields(block, fields), ...marked }
  switch (type) {
    case 'text':
      return { type, ...base, text: block.text as string }
    case 'image':
    case 'document': {
      const source = decodeSource(objectOf(block.source) ?? {})
      if (source === null) return { type: 'native', path, value: block, ...marked }
      const nested = { source: unknownFields(objectOf(block.source) ?? {}, sourceFields) }
      return type === 'image'
        ? { type: 'image', ...base, nested, source, detail: null }
        : { type: 'file', ...base, nested, source, name: stringOf(block.title) }
    }
    case 'thinking':
      return decodeReasoning(base, block.thinking as string, { kind: 'signature', data: block.signature as string })
    case 'redacted_thinking':
      return decodeReasoning(base, null, { kind: 'redacted', data: block.data as string })
    case 'tool_use':
      return {
        type: 'tool-call',
        ...base,
        id: block.id as string,
        name: block.name as string,
        namespace: null,
        kind: 'function',
        input: JSON.stringify(block.input),
      }
    default:
      return {
        type: 'tool-result',
        ...base,
        callId: block.tool_use_id as string,
        kind: 'function',
        content: decodeContent(block.content, `${path}.content`),
        isError: block.is_error === true,
        plain: !Array.isArray(block.content),
      }
  }
}

function decodeReasoning(
  base: { path: string; extra: JsonObject | undefined },
  thinking: string | null,
  proof: { kind: 'signature' | 'redacted'; data: string },
): ReasoningPart {
  const packed = unpackReasoning(proof.data)
  if (packed !== null) return { type: 'reasoning', ...base, ...packed }
  return {
    type: 'reasoning',
    ...base,
    id: null,
    content: thinking === null ? [] : [thinking],
    summary: [],
    proof: { issuer: 'anthropic-messages', ...proof },
  }
}

const sourceFields = new Set(['type', 'media_type', 'data', 'url', 'file_id'])

function decodeSource(source: JsonObject): MediaSource | null {
  switch (source.type) {
    case 'base64':
      return { kind: 'base64', mediaType: source.media_type as string, data: source.data as string }
    case 'url':
      return { kind: 'url', url: source.url as string }
    case 'text':
      return { kind: 'text', mediaType: stringOf(source.media_type) ?? 'text/plain', text: source.data as string }
    case 'file':
      return { kind: 'file', id: source.file_id as string }
    default:
      return null
  }
}

function decodeTool(tool: JsonObject, path: string): ToolDefinition {
  const cache = decodeCache(tool)
  const marked = cache === null ? {} : { cache }
  const schema = objectOf(tool.input_schema)
  if ((tool.type != null && tool.type !== 'custom') || schema === undefined) {
    return { type: 'native', path, origin: 'tools', value: tool, ...marked }
  }
  return {
    type: 'function',
    path,
    origin: 'tools',
    ...marked,
    extra: unknownFields(tool, toolFields),
    again: tool.type === undefined ? {} : { type: tool.type },
    name: tool.name as string,
    namespace: null,
    description: stringOf(tool.description),
    schema,
    strict: booleanOf(tool.strict),
  }
}

function decodeToolChoice(choice: JsonObject | undefined): ToolChoice | null {
  switch (choice?.type) {
    case undefined:
      return null
    case 'auto':
    case 'none':
      return { type: choice.type }
    case 'any':
      return { type: 'required' }
    case 'tool':
      return { type: 'tool', kind: 'function', name: choice.name as string }
    default:
      return { type: 'native', value: choice! }
  }
}

// ---- encode ---------------------------------------------------------------------------------------------------------

/** A block that carries a cache mark, so that marks beyond what the API takes can be lifted again. */
interface Marked {
  readonly block: Record<string, unknown>
  readonly path: string
}

interface Pen extends EncodeOptions {
  readonly marks: Marked[]
}

/** The most cache marks that the API takes in one request. */
const maxMarks = 4

/** The body of a messages request; what it cannot say is in the ledger. */
export function encodeRequest(request: InferenceRequest, options: EncodeOptions): JsonObject {
  const { ledger } = options
  const pen: Pen = { ...options, marks: [] }
  const { sampling } = request
  const extras = ledger.extras(request)
  const { metadata: metadataExtra, output_config: configExtra, ...rest } = extras ?? {}
  const tools = encodeTools(request, pen)
  const { system, rest: conversation } = leadingSystem(request, ledger.same)
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
  if (request.store === true) ledger.lose('store', 'no equivalent in anthropic-messages')
  if (options.autoCache && pen.marks.length === 0) markTail(tools, systemText, messages)
  const format = encodeOutput(request.output, pen)
  const config = {
    ...(thinking.effort === undefined ? {} : { effort: thinking.effort }),
    ...(format === undefined ? {} : { format }),
    ...(configExtra as object | undefined),
  }
  const metadata = {
    ...(request.user === null ? {} : { user_id: request.user }),
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
    stream: request.stream ? true : undefined,
    metadata: Object.keys(metadata).length > 0 ? metadata : undefined,
    service_tier: encodeTier(request.serviceTier, pen),
    cache_control: request.cache === null ? undefined : encodeMark(request.cache, 'cache_control', pen),
    ...rest,
  })
}

function encodeSampling(request: InferenceRequest, thinking: boolean, { ledger }: Pen): Record<string, unknown> {
  const { temperature, topP, topK } = request.sampling
  if (ledger.same) {
    return { temperature: temperature ?? undefined, top_p: topP ?? undefined, top_k: topK ?? undefined }
  }
  if (thinking) {
    // Thinking takes no other temperature than 1 and no top_k.
    if (temperature !== null && temperature !== 1) ledger.lose('temperature', 'fixed at 1 while the model thinks')
    if (topK !== null) ledger.lose('top_k', 'not taken while the model thinks')
    if (topP !== null && topP < 0.95) ledger.lose('top_p', 'not taken below 0.95 while the model thinks')
    return { top_p: topP !== null && topP >= 0.95 ? topP : undefined }
  }
  if (temperature !== null && temperature > 1) ledger.lose('temperature', 'clamped to 1')
  return {
    temperature: temperature === null ? undefined : Math.min(1, Math.max(0, temperature)),
    top_p: topP ?? undefined,
    top_k: topK ?? undefined,
  }
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

function encodeMark(cache: CacheMark, path: string, { ledger }: Pen): JsonObject {
  if (ledger.same && cache.raw !== undefined) return cache.raw
  if (cache.ttl === null || cache.ttl === '5m' || cache.ttl === '1h') {
    return cache.ttl === null ? { type: 'ephemeral' } : { type: 'ephemeral', ttl: cache.ttl }
  }
  ledger.lose(`${path}.ttl`, 'anthropic-messages keeps a cache for 5 minutes or an hour: became an hour')
  return { type: 'ephemeral', ttl: '1h' }
}

function marked(
  block: Record<string, unknown>,
  part: { path: string; cache?: CacheMark | undefined },
  pen: Pen,
): JsonObject {
  if (part.cache !== undefined) {
    block.cache_control = encodeMark(part.cache, `${part.path}.cache_control`, pen)
    pen.marks.push({ block, path: `${part.path}.cache_control` })
  }
  return block as JsonObject
}

/** Lifts marks beyond the limit: the first one, which covers what never changes, and the last ones stay. */
function limitMarks({ marks, ledger }: Pen): void {
  if (marks.length <= maxMarks || ledger.same) return
  for (const { block, path } of marks.slice(1, marks.length - (maxMarks - 1))) {
    delete block.cache_control
    ledger.lose(path, `anthropic-messages takes ${maxMarks} cache marks`)
  }
}

/** Marks the end of what never changes and the end of the conversation, for callers whose protocol has no marks. */
function markTail(tools: JsonObject[], system: string | JsonObject[] | undefined, messages: JsonObject[]): void {
  const mark = { type: 'ephemeral' }
  const fixed = Array.isArray(system) && system.length > 0 ? system.at(-1) : tools.at(-1)
  if (fixed !== undefined) (fixed as Record<string, unknown>).cache_control = mark
  const content = messages.at(-1)?.content
  const last = Array.isArray(content) ? content.findLast((block) => !/thinking/.test(block.type as string)) : undefined
  if (last !== undefined) (last as Record<string, unknown>).cache_control = mark
}

function encodeSystem(parts: readonly Part[], plain: boolean, pen: Pen): string | JsonObject[] | undefined {
  if (plain) return parts.map((part) => part.type === 'text' ? part.text : '').join('')
  const blocks = parts.flatMap((part) => encodeBlock(part, pen))
  if (blocks.length === 0) return undefined
  const bare = blocks.every((block) => block.type === 'text' && Object.keys(block).length === 2)
  return bare && !pen.ledger.same && !pen.autoCache ? blocks.map((block) => block.text as string).join('\n\n') : blocks
}

function encodeTools(request: InferenceRequest, pen: Pen): JsonObject[] {
  const choice = request.toolChoice
  // Only some of the tools may be called: the others are not offered, which is how this protocol says it.
  const allowed = choice?.type === 'allowed' && !pen.ledger.same ? new Set(choice.names) : null
  return request.tools.filter((tool) => tool.origin === 'tools' || !pen.ledger.same).flatMap((tool) => {
    if (allowed !== null && 'name' in tool && !allowed.has(tool.name)) return []
    return encodeTool(tool, pen)
  })
}

function encodeTool(tool: ToolDefinition, pen: Pen): JsonObject[] {
  const { ledger, names } = pen
  switch (tool.type) {
    case 'native':
      if (ledger.same) return [marked({ ...tool.value }, tool, pen)]
      if (pen.quirks.has('web-search')) {
        const hosted = hostedTool(tool, ledger)
        if (hosted !== null) return [hosted]
      }
      ledger.lose(tool.path, `a tool that only ${ledger.source} runs`)
      return []
    case 'tool-search': {
      ledger.extras(tool)
      const { description, schema } = toolSearchDefaults
      return [{
        name: toolSearchName,
        description: tool.description ?? description,
        input_schema: objectSchema(tool.schema ?? schema),
      }]
    }
    case 'custom': {
      ledger.extras(tool)
      if (tool.format !== null) {
        ledger.lose(`${tool.path}.format`, 'the grammar is described to the model, not enforced')
      }
      const name = names.flat(tool.name, tool.namespace?.name ?? null)
      return [marked({ name, description: customToolDescription(tool), input_schema: customToolSchema }, tool, pen)]
    }
    case 'function': {
      const extras = ledger.extras(tool)
      return [marked(
        compact({
          ...(ledger.same ? tool.again : {}),
          name: names.flat(tool.name, tool.namespace?.name ?? null),
          description: tool.description ?? undefined,
          input_schema: ledger.same ? tool.schema : objectSchema(tool.schema),
          strict: tool.strict ?? undefined,
          ...extras,
        }) as Record<string, unknown>,
        tool,
        pen,
      )]
    }
  }
}

function objectSchema(schema: JsonObject | null): JsonObject {
  if (schema === null) return { type: 'object', properties: {} }
  return schema.type === undefined ? { type: 'object', ...schema } : schema
}

function encodeToolChoice(request: InferenceRequest, { ledger, names }: Pen): JsonObject | undefined {
  const { toolChoice: choice, parallelToolCalls: parallel } = request
  const single = parallel === false || (parallel === true && ledger.same)
    ? { disable_parallel_tool_use: !parallel }
    : {}
  switch (choice?.type) {
    case undefined:
      return parallel === false ? { type: 'auto', ...single } : undefined
    case 'none':
      return { type: 'none' }
    case 'auto':
      return { type: 'auto', ...single }
    case 'required':
      return { type: 'any', ...single }
    case 'tool':
      return { type: 'tool', name: names.flat(choice.name, null), ...single }
    case 'allowed':
      return { type: choice.mode === 'required' ? 'any' : 'auto', ...single }
    case 'native':
      if (ledger.same) return choice.value as JsonObject
      ledger.lose('tool_choice', 'no equivalent in anthropic-messages')
      return parallel === false ? { type: 'auto', ...single } : undefined
  }
}

function encodeMessages(conversation: readonly Message[], pen: Pen): JsonObject[] {
  const { ledger } = pen
  const out: { role: string; content: string | JsonObject[]; extras: JsonObject | undefined; tool: boolean }[] = []
  for (const message of mergeTurns(conversation, ledger)) {
    const extras = ledger.extras(message)
    const system = message.role === 'system' || message.role === 'developer'
    if (system && !ledger.same) {
      ledger.lose(`${message.path}.role`, 'a system message amid the conversation became a user message')
    }
    const role = message.role === 'assistant' ? 'assistant' : system && ledger.same ? 'system' : 'user'
    const blocks = message.parts.flatMap((part) => encodeBlock(part, pen))
    if (blocks.length === 0 && !ledger.same) continue
    const plain = message.plain && blocks.length === 1 && blocks[0]!.type === 'text' &&
      Object.keys(blocks[0]!).length === 2
    const content = plain && !pen.autoCache ? blocks[0]!.text as string : blocks
    const last = out.at(-1)
    const tool = blocks.some((block) => block.type === 'tool_result')
    // Results and what the user says after them are one message here.
    if (!ledger.same && last !== undefined && role === 'user' && last.role === 'user' && (last.tool || tool)) {
      const before = typeof last.content === 'string' ? [{ type: 'text', text: last.content }] : last.content
      last.content = [...before, ...blocks]
      last.tool = true
    } else out.push({ role, content, extras, tool })
  }
  return out.map(({ role, content, extras }) => ({ role, content, ...extras }))
}

function encodeBlock(part: Part, pen: Pen): JsonObject[] {
  const { ledger, names, ids } = pen
  switch (part.type) {
    case 'text': {
      const extras = ledger.extras(part)
      // The API refuses empty text, and empty text says nothing.
      if (part.text === '' && !ledger.same) return []
      return [marked({ type: 'text', text: part.text, ...extras }, part, pen)]
    }
    case 'refusal':
      ledger.lose(part.path, 'a refusal became plain text')
      return part.text === '' ? [] : [marked({ type: 'text', text: part.text }, part, pen)]
    case 'image':
    case 'file':
      return encodeMedia(part, pen)
    case 'audio':
      ledger.lose(part.path, 'anthropic-messages takes no audio')
      return []
    case 'reasoning':
      return encodeReasoning(part, pen)
    case 'tool-call': {
      const extras = ledger.extras(part)
      const input = encodeInput(part, pen)
      const name = part.kind === 'tool-search' ? toolSearchName : names.flat(part.name, part.namespace)
      return [marked({ type: 'tool_use', id: ids.short(part.id), name, input, ...extras }, part, pen)]
    }
    case 'tool-result':
      return [encodeToolResult(part, pen)]
    case 'native':
      if (ledger.same) return [marked({ ...part.value }, part, pen)]
      ledger.lose(part.path, `only ${ledger.source} knows ${String(part.value.type)}`)
      return []
    case 'additional-tools':
      return []
  }
}

function encodeInput(part: ToolCallPart, { ledger }: Pen): Json {
  if (part.kind === 'custom') return wrapCustomInput(part.input)
  const { value, broken } = argumentsObject(part.input)
  if (broken) ledger.lose(part.path, 'the arguments are no JSON object: wrapped in one')
  return value as JsonObject
}

function encodeReasoning(part: ReasoningPart, { ledger }: Pen): JsonObject[] {
  const { proof } = part
  const extras = ledger.extras(part)
  if (proof?.issuer !== 'anthropic-messages') {
    if (proof !== null || part.content.length + part.summary.length > 0) {
      ledger.lose(
        part.path,
        proof === null ? 'thinking without a signature is refused' : 'the proof belongs to another issuer',
      )
    }
    return []
  }
  if (proof.kind === 'redacted') return [{ type: 'redacted_thinking', data: proof.data, ...extras }]
  return [{ type: 'thinking', thinking: part.content.join(''), signature: proof.data, ...extras }]
}

function encodeMedia(part: ImagePart | FilePart, pen: Pen): JsonObject[] {
  const { ledger } = pen
  const extras = ledger.extras(part)
  const source = part.source
  if (source.kind === 'file' && !ledger.same) {
    ledger.lose(part.path, 'file ids belong to the provider that holds the file')
    return []
  }
  if (part.type === 'image') {
    if (part.detail !== null && part.detail !== 'auto') {
      {
        const path = ledger.source === 'openai-chat' ? `${part.path}.image_url.detail` : `${part.path}.detail`
        ledger.lose(path, 'no equivalent in anthropic-messages')
      }
    }
    return [
      marked(
        { type: 'image', source: { ...encodeSource(source), ...ledger.inner(part, 'source') }, ...extras },
        part,
        pen,
      ),
    ]
  }
  const title = part.name === null ? {} : { title: part.name }
  const document = ledger.same ? { ...encodeSource(source), ...ledger.inner(part, 'source') } : encodeDocument(source)
  return [marked({ type: 'document', source: document, ...title, ...extras }, part, pen)]
}

/** Documents are PDF or plain text here; plain text travels as text. */
function encodeDocument(source: MediaSource): JsonObject {
  if (source.kind === 'base64' && source.mediaType.startsWith('text/')) {
    const text = decodeText(source.data)
    if (text !== null) return { type: 'text', media_type: 'text/plain', data: text }
  }
  return encodeSource(source)
}

function decodeText(base64: string): string | null {
  try {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

function encodeSource(source: MediaSource): JsonObject {
  switch (source.kind) {
    case 'base64':
      return { type: 'base64', media_type: source.mediaType, data: source.data }
    case 'text':
      return { type: 'text', media_type: source.mediaType, data: source.text }
    case 'url':
      return { type: 'url', url: source.url }
    case 'file':
      return { type: 'file', file_id: source.id }
  }
}

function encodeToolResult(part: ToolResultPart, pen: Pen): JsonObject {
  const extras = pen.ledger.extras(part)
  const content = part.content.flatMap((item) => encodeBlock(item, pen))
  const plain = part.plain && content.every((block) => block.type === 'text' && Object.keys(block).length === 2)
  const body = plain ? content.length === 0 ? undefined : content.map((block) => block.text).join('') : content
  return marked(
    compact({
      type: 'tool_result',
      tool_use_id: pen.ids.short(part.callId),
      content: body,
      is_error: part.isError ? true : undefined,
      ...extras,
    }) as Record<string, unknown>,
    part,
    pen,
  )
}
