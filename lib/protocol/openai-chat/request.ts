import type { Json, JsonObject } from '../../base/mod.ts'
import type { EncodeOptions } from '../codec.ts'
import { type Ledger, unknownFields } from '../ledger.ts'
import { leadingSystem, mergeTurns } from '../turns.ts'
import { booleanOf, compact, numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import { unpackReasoning } from '../reasoning.ts'
import type {
  CacheMark,
  InferenceRequest,
  MediaSource,
  Message,
  OutputFormat,
  Part,
  ReasoningPart,
  Role,
  ToolCallPart,
  ToolChoice,
  ToolDefinition,
  ToolResultPart,
} from '../request.ts'
import { validate } from '../schema-kit.ts'
import { toolSearchName, wrapCustomInput } from '../tools.ts'
import { hostedTool } from '../hosted.ts'
import { customToolDescription, customToolSchema, dataUrl, mediaOf, toolSearchDefaults } from '../media.ts'
import { chatRequest } from './schema.ts'

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
  'frequency_penalty',
  'presence_penalty',
  'reasoning_effort',
  'verbosity',
  'response_format',
  'stream',
  'stream_options',
  'user',
  'store',
  'service_tier',
])

// ---- decode ---------------------------------------------------------------------------------------------------------

/** The fields of each thing that have a place of their own in the neutral form. */
const streamFields = new Set(['include_usage'])
const functionCalls = new Set(['id', 'type', 'function', 'index'])
const customCalls = new Set(['id', 'type', 'custom', 'index'])
const customCallFields = new Set(['name', 'input'])
const functionCallFields = new Set(['name', 'arguments'])
const imageFields = new Set(['url', 'detail'])
const audioFields = new Set(['data', 'format'])
const fileFields = new Set(['file_data', 'file_id', 'filename'])
const toolFields = new Set(['type', 'custom', 'function', 'cache_control'])
const customToolFields = new Set(['name', 'description', 'format'])
const functionToolFields = new Set(['name', 'description', 'parameters', 'strict'])
const formatFields = new Set(['type', 'json_schema'])
const schemaFields = new Set(['name', 'description', 'schema', 'strict'])

/** A chat completion request in neutral form. @throws GwError `request.invalid` with the JSON path */
export function decodeRequest(body: JsonObject): InferenceRequest {
  validate(chatRequest, body)
  const calls: { id: string; name: string }[] = []
  const streamOptions = objectOf(body.stream_options)
  const extra: Record<string, Json | undefined> = { ...unknownFields(body, requestFields) }
  if (body.max_tokens != null && body.max_completion_tokens != null) extra.max_tokens = body.max_tokens
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
    store: booleanOf(body.store),
    serviceTier: stringOf(body.service_tier),
    cache: null,
  }
}

/** What a tool choice says beyond its tool. */
function choiceExtra(value: Json | undefined): { tool_choice?: JsonObject | undefined } {
  const choice = objectOf(value)
  return choice === undefined ? {} : { tool_choice: unknownFields(choice, new Set(['type', String(choice.type)])) }
}

function legacyChoice(value: Json | undefined): Json | undefined {
  const name = stringOf(objectOf(value)?.name)
  return name === null ? value : { type: 'function', function: { name } }
}

const messageFields: Readonly<Record<string, ReadonlySet<string>>> = {
  assistant: new Set(['role', 'content', 'refusal', 'tool_calls', 'function_call', ...[
    'reasoning_content',
    'reasoning',
  ], 'reasoning_details']),
  tool: new Set(['role', 'content', 'tool_call_id']),
  function: new Set(['role', 'content', 'name']),
}
const plainFields = new Set(['role', 'content'])

function decodeMessage(message: JsonObject, path: string, calls: { id: string; name: string }[]): Message {
  const role = message.role as string
  const plain = !Array.isArray(message.content)
  const parts = decodeContent(message.content, `${path}.content`)
  const extra = unknownFields(message, messageFields[role] ?? plainFields)
  if (role === 'assistant') return decodeAssistant(message, path, parts, plain, extra, calls)
  if (role !== 'tool' && role !== 'function') return { role: role as Role, path, extra, parts, plain }
  // A legacy function result names its function, not its call.
  const callId = role === 'tool'
    ? message.tool_call_id as string
    : calls.findLast((call) => call.name === message.name)?.id ?? `call_fn_${message.name}`
  const result: ToolResultPart = {
    type: 'tool-result',
    path,
    callId,
    kind: 'function',
    content: parts,
    isError: false,
    plain,
  }
  return { role: 'tool', path, extra, parts: [result], plain }
}

function decodeAssistant(
  message: JsonObject,
  path: string,
  content: Part[],
  plain: boolean,
  extra: JsonObject | undefined,
  calls: { id: string; name: string }[],
): Message {
  const parts: Part[] = [...decodeReasoning(message, path), ...content]
  const { reasoning_content, reasoning, reasoning_details } = message
  const again = compact({ reasoning_content, reasoning, reasoning_details })
  if (typeof message.refusal === 'string') {
    parts.push({ type: 'refusal', path: `${path}.refusal`, text: message.refusal })
  }
  objectsOf(message.tool_calls).forEach((call, i) => {
    const part = decodeToolCall(call, `${path}.tool_calls[${i}]`)
    calls.push(part)
    parts.push(part)
  })
  const legacy = objectOf(message.function_call)
  if (legacy !== undefined) {
    const part: ToolCallPart = {
      type: 'tool-call',
      path: `${path}.function_call`,
      id: `call_fn_${calls.length}`,
      name: legacy.name as string,
      namespace: null,
      kind: 'function',
      input: legacy.arguments as string,
    }
    calls.push(part)
    parts.push(part)
  }
  return { role: 'assistant', path, extra, again, parts, plain }
}

const formats: Readonly<Record<string, 'anthropic-messages' | 'openai-responses' | 'gemini'>> = {
  'anthropic-claude-v1': 'anthropic-messages',
  'openai-responses-v1': 'openai-responses',
  'google-gemini-v1': 'gemini',
}

/**
 * Reasoning of an assistant message: `reasoning_details` where present, else `reasoning_content` or `reasoning`.
 *
 * Chat itself has no field for it; these three are what clients and providers have settled on.
 *
 * @see https://openrouter.ai/docs/use-cases/reasoning-tokens
 * @see https://api-docs.deepseek.com/guides/reasoning_model
 */
function decodeReasoning(message: JsonObject, path: string): ReasoningPart[] {
  const details = objectsOf(message.reasoning_details)
  if (details.length === 0) {
    const [key, thoughts] = typeof message.reasoning_content === 'string'
      ? ['reasoning_content', message.reasoning_content]
      : ['reasoning', stringOf(message.reasoning)]
    if (thoughts === null || thoughts === '') return []
    return [{ type: 'reasoning', path: `${path}.${key}`, id: null, content: [thoughts], summary: [], proof: null }]
  }
  return details.map((detail, i) => decodeReasoningDetail(detail, `${path}.reasoning_details[${i}]`))
}

/** One entry of `reasoning_details`. */
export function decodeReasoningDetail(detail: JsonObject, path: string): ReasoningPart {
  const issuer = formats[detail.format as string] ?? 'openai-chat'
  const id = stringOf(detail.id)
  const base = { type: 'reasoning', path, id, content: [], summary: [], proof: null } as const
  if (detail.type === 'reasoning.summary') return { ...base, summary: [stringOf(detail.summary) ?? ''] }
  if (detail.type === 'reasoning.encrypted') {
    const data = stringOf(detail.data) ?? ''
    const packed = unpackReasoning(data)
    if (packed !== null) return { ...base, ...packed }
    return { ...base, proof: { issuer, kind: issuer === 'anthropic-messages' ? 'redacted' : 'encrypted', data } }
  }
  const signature = stringOf(detail.signature)
  return {
    ...base,
    content: [stringOf(detail.text) ?? ''],
    proof: signature === null ? null : { issuer, kind: 'signature', data: signature },
  }
}

function decodeToolCall(call: JsonObject, path: string): ToolCallPart {
  const custom = objectOf(call.custom)
  const fields = objectOf(call.function)
  const args = fields?.arguments
  return {
    type: 'tool-call',
    path,
    extra: unknownFields(call, custom ? customCalls : functionCalls),
    nested: custom
      ? { custom: unknownFields(custom, customCallFields) }
      : { function: unknownFields(fields ?? {}, functionCallFields) },
    id: call.id as string,
    name: (custom ?? fields)?.name as string,
    namespace: null,
    kind: custom ? 'custom' : 'function',
    input: custom ? custom.input as string : typeof args === 'string' ? args : args == null ? '' : JSON.stringify(args),
  }
}

function decodeContent(content: Json | undefined, path: string): Part[] {
  if (content === null || content === undefined) return []
  if (typeof content === 'string') return [{ type: 'text', path, text: content }]
  return objectsOf(content).map((part, i) => decodePart(part, `${path}[${i}]`))
}

const partFields: Readonly<Record<string, string>> = {
  text: 'text',
  input_text: 'text',
  output_text: 'text',
  image_url: 'image_url',
  input_image: 'image_url',
  input_audio: 'input_audio',
  file: 'file',
  refusal: 'refusal',
}

/** The fields of a part by the one that holds what it is. */
const knownOf: Readonly<Record<string, ReadonlySet<string>>> = Object.fromEntries(
  Object.values(partFields).map((
    field,
  ) => [field, new Set(['type', field, 'cache_control', 'prompt_cache_breakpoint'])]),
)

function decodePart(part: JsonObject, path: string): Part {
  const type = part.type as string
  const field = partFields[type]
  if (field === undefined) return { type: 'native', path, value: part }
  const cache = decodeCache(part)
  const extra = unknownFields(part, knownOf[field]!)
  const base = { path, extra, ...(cache === undefined ? {} : { cache }) }
  switch (field) {
    case 'text':
      return { type: 'text', ...base, text: part.text as string }
    case 'refusal':
      return { type: 'refusal', ...base, text: part.refusal as string }
    case 'image_url': {
      const image = typeof part.image_url === 'string' ? { url: part.image_url } : objectOf(part.image_url) ?? {}
      const nested = { image_url: unknownFields(image, imageFields) }
      return {
        type: 'image',
        ...base,
        nested,
        source: mediaOf(stringOf(image.url) ?? ''),
        detail: stringOf(image.detail),
      }
    }
    case 'input_audio': {
      const audio = objectOf(part.input_audio) ?? {}
      const nested = { input_audio: unknownFields(audio, audioFields) }
      return { type: 'audio', ...base, nested, data: audio.data as string, format: audio.format as string }
    }
    default: {
      const file = objectOf(part.file) ?? {}
      const data = stringOf(file.file_data)
      const id = stringOf(file.file_id)
      if (data === null && id === null) return { type: 'native', path, value: part }
      const source: MediaSource = data !== null ? mediaOf(data, 'application/pdf') : { kind: 'file', id: id! }
      const nested = { file: unknownFields(file, fileFields) }
      return { type: 'file', ...base, nested, source, name: stringOf(file.filename) }
    }
  }
}

/** A part's wish to be cached, in OpenAI's own words or in Anthropic's, which OpenAI-shaped callers use too. */
function decodeCache(part: JsonObject): CacheMark | undefined {
  const mark = objectOf(part.prompt_cache_breakpoint) ?? objectOf(part.cache_control)
  return mark === undefined ? undefined : { ttl: stringOf(mark.ttl), raw: mark }
}

function decodeTool(tool: JsonObject, path: string): ToolDefinition {
  const origin = 'tools'
  const cache = decodeCache(tool)
  const custom = objectOf(tool.custom)
  const fn = objectOf(tool.function)
  if (tool.type === 'custom' && custom !== undefined) {
    const format = objectOf(custom.format)
    const grammar = objectOf(format?.grammar)
    return {
      type: 'custom',
      path,
      origin,
      ...(cache ? { cache } : {}),
      extra: unknownFields(tool, toolFields),
      nested: { custom: unknownFields(custom, customToolFields) },
      name: custom.name as string,
      namespace: null,
      description: stringOf(custom.description),
      format: grammar ? { syntax: grammar.syntax as string, definition: grammar.definition as string } : null,
      plainFormat: format?.type === 'text',
    }
  }
  if (fn === undefined) return { type: 'native', path, origin, value: tool }
  return {
    type: 'function',
    path,
    origin,
    ...(cache ? { cache } : {}),
    extra: unknownFields(tool, toolFields),
    nested: { function: unknownFields(fn, functionToolFields) },
    name: fn.name as string,
    namespace: null,
    description: stringOf(fn.description),
    schema: objectOf(fn.parameters) ?? null,
    strict: booleanOf(fn.strict),
  }
}

function decodeToolChoice(choice: Json | undefined): ToolChoice | null {
  if (choice === null || choice === undefined) return null
  if (choice === 'none' || choice === 'auto' || choice === 'required') return { type: choice }
  const value = objectOf(choice)!
  if (value.type === 'function' || value.type === 'custom') {
    return { type: 'tool', kind: value.type, name: objectOf(value[value.type])!.name as string }
  }
  const allowed = objectOf(value.allowed_tools)
  if (allowed === undefined) return { type: 'native', value: choice }
  return {
    type: 'allowed',
    mode: allowed.mode as 'auto' | 'required',
    names: objectsOf(allowed.tools).flatMap((tool) => {
      const name = stringOf((objectOf(tool.function) ?? objectOf(tool.custom) ?? tool).name)
      return name === null ? [] : [name]
    }),
    value: choice,
  }
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

// ---- encode ---------------------------------------------------------------------------------------------------------

/** The body of a chat completion request; what it cannot say is in the ledger. */
export function encodeRequest(request: InferenceRequest, options: EncodeOptions): JsonObject {
  const { ledger } = options
  const { sampling } = request
  const extras = ledger.extras(request)
  const { stream_options: streamExtra, ...rest } = extras ?? {}
  if (request.cache !== null) ledger.lose('cache_control', 'openai-chat caches without marks')
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
    frequency_penalty: sampling.frequencyPenalty ?? undefined,
    presence_penalty: sampling.presencePenalty ?? undefined,
    reasoning_effort: encodeEffort(request, options),
    verbosity: request.verbosity ?? undefined,
    response_format: encodeOutput(request.output, options),
    web_search_options: encodeSearch(request, options),
    stream: request.stream ? true : undefined,
    // Without it a stream says nothing about usage.
    stream_options: request.stream || streamExtra ? { ...(streamExtra as object), include_usage: true } : undefined,
    user: request.user ?? undefined,
    store: request.store ?? undefined,
    service_tier: request.serviceTier ?? undefined,
    ...rest,
  })
}

/** A search of the web stands beside the tools here. */
function encodeSearch(request: InferenceRequest, { ledger, quirks }: EncodeOptions): JsonObject | undefined {
  if (ledger.same || !quirks.has('chat-web-search')) return undefined
  for (const tool of request.tools) {
    const hosted = tool.type === 'native' ? hostedTool(tool, ledger) : null
    if (hosted !== null) return hosted
  }
  return undefined
}

const silent = (ledger: Ledger): Ledger => ({ ...ledger, lose: () => {} })

/** `parallel_tool_calls` where it says something: true is what happens anyway, and not every upstream knows the field. */
export function parallelCalls(request: InferenceRequest, hasTools: boolean, same: boolean): boolean | undefined {
  const parallel = request.parallelToolCalls
  if (same) return parallel ?? undefined
  return hasTools && parallel === false ? false : undefined
}

/** Effort for a budget of thinking tokens: the nearest step. */
export function effortForBudget(tokens: number): string {
  return tokens <= 2048 ? 'low' : tokens <= 12_288 ? 'medium' : 'high'
}

function encodeEffort(request: InferenceRequest, { ledger, quirks }: EncodeOptions): string | undefined {
  const reasoning = request.reasoning
  if (reasoning === null) return undefined
  ledger.extras(reasoning)
  if (reasoning.summary !== null && reasoning.summary !== 'omitted' && !ledger.same) {
    ledger.lose(`${reasoning.path}.summary`, 'openai-chat cannot ask for summaries')
  }
  if (reasoning.budgetTokens !== null) {
    ledger.lose(`${reasoning.path}.budget_tokens`, 'openai-chat has steps of effort only')
  }
  if (reasoning.mode === 'off' && !ledger.same && !quirks.has('reasoning-none')) {
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

function encodeTool(tool: ToolDefinition, options: EncodeOptions): JsonObject[] {
  const { ledger, names } = options
  if (tool.cache !== undefined && !ledger.same && !options.quirks.has('cache-control')) {
    ledger.lose(`${tool.path}.cache_control`, 'openai-chat caches without marks')
  }
  const cache = tool.cache === undefined
    ? {}
    : ledger.same
    ? { cache_control: tool.cache.raw }
    : options.quirks.has('cache-control')
    ? { cache_control: compact({ type: 'ephemeral', ttl: tool.cache.ttl ?? undefined }) }
    : {}
  switch (tool.type) {
    case 'native':
      if (ledger.same) return [tool.value]
      if (options.quirks.has('chat-web-search') && hostedTool(tool, silent(ledger)) !== null) return []
      ledger.lose(tool.path, `a tool that only ${ledger.source} runs`)
      return []
    case 'tool-search': {
      ledger.extras(tool)
      return [{
        type: 'function',
        function: {
          name: toolSearchName,
          description: tool.description ?? toolSearchDefaults.description,
          parameters: tool.schema ?? toolSearchDefaults.schema,
        },
      }]
    }
    case 'custom': {
      const extras = ledger.extras(tool)
      const native = ledger.same || options.quirks.has('custom-tools')
      const name = names.flat(tool.name, tool.namespace?.name ?? null)
      if (native) {
        const format = tool.format === null
          ? tool.plainFormat ? { type: 'text' } : undefined
          : { type: 'grammar', grammar: { syntax: tool.format.syntax, definition: tool.format.definition } }
        const custom = compact({
          name,
          description: tool.description ?? undefined,
          format,
          ...ledger.inner(tool, 'custom'),
        })
        return [{ type: 'custom', custom, ...cache, ...extras } as JsonObject]
      }
      if (tool.format !== null) {
        ledger.lose(`${tool.path}.format`, 'the grammar is described to the model, not enforced')
      }
      const description = customToolDescription(tool)
      return [
        { type: 'function', function: { name, description, parameters: customToolSchema }, ...cache } as JsonObject,
      ]
    }
    case 'function': {
      const extras = ledger.extras(tool)
      const strict = tool.strict ?? undefined
      return [{
        type: 'function',
        function: compact({
          name: names.flat(tool.name, tool.namespace?.name ?? null),
          description: tool.description ?? undefined,
          parameters: tool.schema ?? undefined,
          strict,
          ...ledger.inner(tool, 'function'),
        }),
        ...cache,
        ...extras,
      } as JsonObject]
    }
  }
}

function encodeToolChoice(request: InferenceRequest, { ledger, names, quirks }: EncodeOptions): Json | undefined {
  const choice = request.toolChoice
  if (choice === null) return undefined
  switch (choice.type) {
    case 'tool': {
      const name = names.flat(choice.name, null)
      if (choice.kind === 'custom' && (ledger.same || quirks.has('custom-tools'))) {
        return { type: 'custom', custom: { name }, ...ledger.inner(request, 'tool_choice') }
      }
      return { type: 'function', function: { name }, ...ledger.inner(request, 'tool_choice') }
    }
    case 'allowed': {
      if (ledger.same) return choice.value
      const tools = choice.names.map((name) => ({ type: 'function', function: { name: names.flat(name, null) } }))
      return { type: 'allowed_tools', allowed_tools: { mode: choice.mode, tools } }
    }
    case 'native':
      if (ledger.same) return choice.value
      ledger.lose('tool_choice', 'no equivalent in openai-chat')
      return undefined
    default:
      return choice.type
  }
}

function encodeMessages(request: InferenceRequest, options: EncodeOptions): JsonObject[] {
  const out: JsonObject[] = []
  const { system, rest } = leadingSystem(request, options.ledger.same)
  if (system.length > 0) out.push({ role: 'system', content: encodeContent(system, 'system', false, options) })
  for (const message of mergeTurns(rest, options.ledger)) encodeMessage(message, options, out)
  return out
}

function encodeMessage(message: Message, options: EncodeOptions, out: JsonObject[]): void {
  const { ledger } = options
  const extras = ledger.extras(message)
  if (message.role === 'assistant') {
    out.push(encodeAssistant(message, extras, options))
    return
  }
  const later: Part[] = []
  let rest: Part[] = []
  const flush = (): void => {
    const parts = later.length === 0 ? rest : [...later.splice(0), ...rest]
    rest = []
    if (parts.length === 0 && !(message.parts.length === 0 && ledger.same)) return
    const plain = message.plain && parts.length <= 1
    // OpenAI reads `system` as `developer` where it must; other chat upstreams know only `system`.
    const role = message.role === 'developer' && !ledger.same
      ? 'system'
      : message.role === 'tool'
      ? 'user'
      : message.role
    const content = encodeContent(parts, role, plain, options)
    if (content !== null) out.push({ role, content, ...extras })
  }
  for (const part of message.parts) {
    if (part.type !== 'tool-result') rest.push(part)
    else {
      if (rest.length > 0) flush()
      out.push(encodeToolResult(part, extras, later, options))
    }
  }
  flush()
}

function encodeToolResult(
  part: ToolResultPart,
  extras: JsonObject | undefined,
  later: Part[],
  options: EncodeOptions,
): JsonObject {
  const { ledger } = options
  ledger.extras(part)
  if (part.isError) ledger.lose(`${part.path}.is_error`, 'openai-chat results have no error flag')
  if (part.cache !== undefined) ledger.lose(`${part.path}.cache_control`, 'openai-chat caches without marks')
  const words: Part[] = []
  for (const item of part.content) {
    if (item.type === 'text' || ledger.same) words.push(item)
    else {
      if (item.type === 'image' || item.type === 'file') {
        ledger.lose(item.path, 'openai-chat results hold text only: moved into a user message after the results')
      }
      later.push(item)
    }
  }
  const moved = words.length === 0 && part.content.length > 0
  const content = moved
    ? '(see the attachment in the next message)'
    : encodeContent(words, 'tool', part.plain, options) ?? ''
  return { role: 'tool', tool_call_id: options.ids.short(part.callId), content, ...extras }
}

function encodeAssistant(message: Message, extras: JsonObject | undefined, options: EncodeOptions): JsonObject {
  const { ledger, quirks } = options
  const texts: Part[] = []
  const calls: JsonObject[] = []
  const refusals: string[] = []
  const thoughts: ReasoningPart[] = []
  for (const part of message.parts) {
    switch (part.type) {
      case 'tool-call':
        calls.push(encodeToolCall(part, options))
        break
      case 'refusal':
        refusals.push(part.text)
        break
      case 'reasoning':
        thoughts.push(part)
        break
      case 'text':
        if (calls.length > 0 && part.text !== '') ledger.lose(part.path, 'moved before the tool calls of its turn')
        texts.push(part)
        break
      default:
        texts.push(part)
    }
  }
  return compact({
    role: 'assistant',
    content: encodeContent(texts, 'assistant', message.plain, options),
    refusal: refusals.length > 0 ? refusals.join('') : undefined,
    ...(ledger.same ? message.again : encodeReasoning(thoughts, quirks.has('reasoning-content'), options)),
    tool_calls: calls.length > 0 ? calls : undefined,
    ...extras,
  })
}

function encodeReasoning(
  parts: readonly ReasoningPart[],
  visible: boolean,
  { ledger, quirks }: EncodeOptions,
): JsonObject {
  if (parts.length === 0) return {}
  const foreign = parts.filter((part) => part.proof !== null && part.proof.issuer !== 'openai-chat')
  for (const part of visible ? foreign : parts) {
    if (part.proof !== null || part.content.length + part.summary.length > 0) {
      ledger.lose(part.path, visible ? 'the proof belongs to another issuer' : 'openai-chat takes no reasoning back')
    }
  }
  if (!visible) return {}
  const text = parts.flatMap((part) => part.content.length > 0 ? part.content : part.summary).join('\n\n')
  const details = parts.filter((part) => part.proof?.issuer === 'openai-chat').map((part, index) =>
    part.proof!.kind === 'signature'
      ? { type: 'reasoning.text', text: part.content.join('\n\n'), signature: part.proof!.data, index }
      : { type: 'reasoning.encrypted', data: part.proof!.data, index }
  )
  return {
    ...(text === '' ? {} : { [quirks.has('reasoning-field') ? 'reasoning' : 'reasoning_content']: text }),
    ...(details.length === 0 ? {} : { reasoning_details: details }),
  }
}

function encodeToolCall(part: ToolCallPart, options: EncodeOptions): JsonObject {
  const { ledger, names, ids } = options
  const extras = ledger.extras(part)
  if (part.cache !== undefined) ledger.lose(`${part.path}.cache_control`, 'openai-chat caches without marks')
  const name = names.flat(part.name, part.namespace)
  const id = ids.short(part.id)
  if (part.kind === 'custom' && (ledger.same || options.quirks.has('custom-tools'))) {
    return { id, type: 'custom', custom: { name, input: part.input, ...ledger.inner(part, 'custom') }, ...extras }
  }
  const args = part.kind === 'custom'
    ? JSON.stringify(wrapCustomInput(part.input))
    : part.input === ''
    ? '{}'
    : part.input
  return { id, type: 'function', function: { name, arguments: args, ...ledger.inner(part, 'function') }, ...extras }
}

/** Texts of these roles stand in one string where nothing is lost by it: not every chat upstream takes lists there. */
const joints: Readonly<Record<string, string>> = { system: '\n\n', developer: '\n\n', assistant: '' }

function encodeContent(parts: readonly Part[], role: string, plain: boolean, options: EncodeOptions): Json {
  const { ledger, quirks } = options
  const marks = ledger.same || quirks.has('cache-control')
  const out: JsonObject[] = []
  for (const part of parts) {
    const encoded = encodeContentPart(part, options)
    if (encoded === null) continue
    if (part.cache !== undefined && !marks) {
      ledger.lose(`${part.path}.cache_control`, 'openai-chat caches without marks')
    }
    const mark = part.cache !== undefined && ledger.same && part.cache.raw !== undefined
      ? { [part.cache.raw.mode === undefined ? 'cache_control' : 'prompt_cache_breakpoint']: part.cache.raw }
      : part.cache !== undefined && marks
      ? { cache_control: compact({ type: 'ephemeral', ttl: part.cache.ttl ?? undefined }) }
      : {}
    const extras = part.type === 'native' ? undefined : ledger.extras(part)
    out.push({ ...encoded, ...mark, ...extras })
  }
  if (out.length === 0) return ledger.same && parts.length === 0 && !plain ? [] : null
  const bare = out.every((part) => part.type === 'text' && Object.keys(part).length === 2)
  if (bare && (ledger.same ? plain : out.length === 1)) return out[0]!.text!
  if (bare && !ledger.same && joints[role] !== undefined) {
    return out.map((part) => part.text as string).join(joints[role])
  }
  return out
}

function encodeContentPart(part: Part, { ledger }: EncodeOptions): JsonObject | null {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text }
    case 'refusal':
      return { type: 'refusal', refusal: part.text }
    case 'image': {
      const { source } = part
      if (source.kind === 'file') {
        ledger.lose(part.path, 'file ids belong to the provider that holds the file')
        return null
      }
      return {
        type: 'image_url',
        image_url: compact({
          url: dataUrl(source),
          detail: part.detail ?? undefined,
          ...ledger.inner(part, 'image_url'),
        }),
      }
    }
    case 'audio':
      return {
        type: 'input_audio',
        input_audio: { data: part.data, format: part.format, ...ledger.inner(part, 'input_audio') },
      }
    case 'file': {
      const { source } = part
      const filename = part.name ?? undefined
      if (source.kind === 'file' && ledger.source.startsWith('openai')) {
        return { type: 'file', file: compact({ file_id: source.id, filename }) }
      }
      if (source.kind === 'file' || source.kind === 'url') {
        const why = source.kind === 'url'
          ? 'openai-chat takes no file by URL'
          : 'file ids belong to the provider that holds the file'
        ledger.lose(part.path, why)
        return null
      }
      const known = { file_data: dataUrl(source), filename: filename ?? (ledger.same ? undefined : 'document') }
      return { type: 'file', file: compact({ ...known, ...ledger.inner(part, 'file') }) }
    }
    case 'native':
      if (ledger.same) return part.value
      ledger.lose(part.path, `only ${ledger.source} knows ${String(part.value.type)}`)
      return null
    case 'reasoning':
      ledger.lose(part.path, 'reasoning stands only in answers of the model')
      return null
    case 'additional-tools':
    case 'tool-call':
    case 'tool-result':
      return null
  }
}
