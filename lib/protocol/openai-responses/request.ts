import type { Json, JsonObject } from '../../base/mod.ts'
import type { EncodeOptions } from '../codec.ts'
import { isHarmless, unknownFields } from '../ledger.ts'
import { dataUrl, mediaOf } from '../media.ts'
import { effortForBudget, parallelCalls } from '../openai-chat/request.ts'
import { booleanOf, compact, jsonOf, numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import { unpackReasoning } from '../reasoning.ts'
import type {
  CacheMark,
  InferenceRequest,
  MediaSource,
  Message,
  OutputFormat,
  Part,
  ReasoningOptions,
  ReasoningPart,
  Role,
  ToolCallPart,
  ToolChoice,
  ToolDefinition,
  ToolKind,
  ToolResultPart,
} from '../request.ts'
import { validate } from '../schema-kit.ts'
import { toolSearchName } from '../tools.ts'
import { leadingSystem, mergeTurns } from '../turns.ts'
import { responsesRequest } from './schema.ts'
import { decodeTools, encodeTools } from './tools.ts'

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
  'store',
  'service_tier',
])

/** What gw returns anyway, so that asking for it loses nothing. */
const alwaysIncluded = 'reasoning.encrypted_content'

// ---- decode ---------------------------------------------------------------------------------------------------------

/** The fields of each thing that have a place of their own in the neutral form. */
const callFields = new Set(['type', 'call_id', 'name', 'namespace', 'id', 'status', 'arguments'])
const customCallFields = new Set(['type', 'call_id', 'name', 'namespace', 'id', 'status', 'input'])
const textConfigFields = new Set(['format', 'verbosity'])
const choiceFields = new Set(['type', 'name'])
const reasoningFields = new Set(['effort', 'summary'])
const formatFields = new Set(['type', 'name', 'description', 'schema', 'strict'])
const messageFields = new Set(['type', 'role', 'content', 'id', 'status'])
const resultFields = new Set(['type', 'call_id', 'output', 'id', 'status', 'name', 'namespace'])
const thoughtFields = new Set(['type', 'id', 'summary', 'content', 'encrypted_content', 'status'])
const refusalFields = new Set(['type', 'refusal'])
const imageFields = new Set(['type', 'image_url', 'file_id', 'detail', 'prompt_cache_breakpoint'])
const fileFields = new Set(['type', 'file_data', 'file_url', 'file_id', 'filename', 'prompt_cache_breakpoint'])

/** A responses request in neutral form. @throws GwError `request.invalid` with the JSON path */
export function decodeRequest(body: JsonObject): InferenceRequest {
  validate(responsesRequest, body)
  const include = Array.isArray(body.include) ? body.include.filter((item) => item !== alwaysIncluded) : []
  const text = objectOf(body.text)
  const textExtra = text && unknownFields(text, textConfigFields)
  const extra: JsonObject = {
    ...unknownFields(body, requestFields),
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
    reasoning: decodeReasoningOptions(objectOf(body.reasoning)),
    output: decodeOutput(objectOf(text?.format)),
    verbosity: stringOf(text?.verbosity),
    stream: body.stream === true,
    includeUsage: true,
    user: stringOf(body.user),
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
    extra: unknownFields(reasoning, reasoningFields),
    again: { reasoning },
    mode: effort === 'none' ? 'off' : effort === null ? 'auto' : 'on',
    effort,
    effortPath: 'reasoning.effort',
    budgetTokens: null,
    summary: stringOf(reasoning.summary),
  }
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

function decodeToolChoice(choice: Json | undefined): ToolChoice | null {
  if (choice === null || choice === undefined) return null
  if (choice === 'none' || choice === 'auto' || choice === 'required') return { type: choice }
  const value = objectOf(choice)!
  if ((value.type === 'function' || value.type === 'custom') && typeof value.name === 'string') {
    return { type: 'tool', kind: value.type, name: value.name }
  }
  if (value.type !== 'allowed_tools') return { type: 'native', value: choice }
  const names = objectsOf(value.tools).flatMap((tool) => stringOf(tool.name) ?? [])
  return { type: 'allowed', mode: value.mode as 'auto' | 'required', names, value: choice }
}

function readItems(input: Json | undefined): { messages: Message[]; tools: ToolDefinition[] } {
  if (typeof input === 'string') {
    const parts: Part[] = [{ type: 'text', path: 'input', text: input }]
    return { messages: [{ role: 'user', path: 'input', parts, plain: true }], tools: [] }
  }
  const tools: ToolDefinition[] = []
  let search = ''
  const messages = objectsOf(input).map((item, i) => {
    const path = `input[${i}]`
    if (item.type === 'tool_search_call') search = stringOf(item.call_id) ?? stringOf(item.id) ?? `search_${i}`
    if (item.type === 'additional_tools' || item.type === 'tool_search_output') {
      tools.push(...decodeTools(item.tools, `${path}.tools`, 'message'))
    }
    return decodeItem(item, path, search)
  })
  return { messages, tools }
}

const single = (role: Role, path: string, part: Part): Message => ({ role, path, parts: [part], plain: true })

function decodeItem(item: JsonObject, path: string, search: string): Message {
  switch (item.type ?? (item.role === undefined ? 'item_reference' : 'message')) {
    case 'message':
      return {
        role: item.role as Role,
        path,
        extra: unknownFields(item, messageFields),
        again: compact({ type: item.type, id: item.id, status: item.status }),
        parts: typeof item.content === 'string'
          ? [{ type: 'text', path: `${path}.content`, text: item.content }]
          : objectsOf(item.content).map((part, i) => decodePart(part, `${path}.content[${i}]`)),
        plain: typeof item.content === 'string',
      }
    case 'function_call':
      return single('assistant', path, decodeCall(item, path, 'function', item.arguments as string))
    case 'custom_tool_call':
      return single('assistant', path, decodeCall(item, path, 'custom', item.input as string))
    case 'function_call_output':
      return single('tool', path, decodeResult(item, path, 'function'))
    case 'custom_tool_call_output':
      return single('tool', path, decodeResult(item, path, 'custom'))
    case 'reasoning':
      return single('assistant', path, decodeReasoning(item, path))
    case 'tool_search_call':
      if (item.execution !== 'client') break
      return single('assistant', path, {
        type: 'tool-call',
        path,
        again: item,
        id: search,
        name: toolSearchName,
        namespace: null,
        kind: 'tool-search',
        input: typeof item.arguments === 'string' ? item.arguments : JSON.stringify(item.arguments ?? {}),
      })
    case 'tool_search_output':
      if (item.execution !== 'client') break
      return single('tool', path, {
        type: 'tool-result',
        path,
        again: item,
        callId: stringOf(item.call_id) ?? search,
        kind: 'tool-search',
        content: [{ type: 'text', path: `${path}.tools`, text: describeTools(item.tools) }],
        isError: false,
        plain: true,
      })
    case 'additional_tools':
      return single('developer', path, { type: 'additional-tools', path, value: item })
  }
  const role = typeof item.type === 'string' && item.type.endsWith('_output') ? 'tool' : 'assistant'
  return single(role, path, { type: 'native', path, value: item })
}

/** What a client's tool search found, as the model reads it where tools cannot arrive in a message. */
function describeTools(tools: Json | undefined): string {
  const found = decodeTools(tools, 'tools', 'message').flatMap((tool) =>
    tool.type === 'function' || tool.type === 'custom'
      ? [compact({
        name: tool.namespace === null ? tool.name : `${tool.namespace.name}__${tool.name}`,
        description: tool.description ?? undefined,
      })]
      : []
  )
  return JSON.stringify({ tools: found })
}

function decodeCall(item: JsonObject, path: string, kind: ToolKind, input: string): ToolCallPart {
  return {
    type: 'tool-call',
    path,
    extra: unknownFields(item, kind === 'custom' ? customCallFields : callFields),
    again: compact({ id: item.id, status: item.status }),
    id: item.call_id as string,
    name: item.name as string,
    namespace: stringOf(item.namespace),
    kind,
    input,
  }
}

function decodeResult(item: JsonObject, path: string, kind: ToolKind): ToolResultPart {
  const { output } = item
  return {
    type: 'tool-result',
    path,
    extra: unknownFields(item, resultFields),
    again: compact({ id: item.id, status: item.status, name: item.name, namespace: item.namespace }),
    callId: item.call_id as string,
    kind,
    content: typeof output === 'string'
      ? [{ type: 'text', path: `${path}.output`, text: output }]
      : objectsOf(output).map((part, i) => decodePart(part, `${path}.output[${i}]`)),
    isError: false,
    plain: typeof output === 'string',
  }
}

function decodeReasoning(item: JsonObject, path: string): ReasoningPart {
  const encrypted = stringOf(item.encrypted_content)
  const packed = encrypted === null ? null : unpackReasoning(encrypted)
  const extra = unknownFields(item, thoughtFields)
  if (packed !== null) return { type: 'reasoning', path, extra, ...packed }
  const texts = (value: Json | undefined): string[] => objectsOf(value).map((part) => stringOf(part.text) ?? '')
  return {
    type: 'reasoning',
    path,
    extra,
    again: item,
    id: stringOf(item.id),
    content: texts(item.content),
    summary: texts(item.summary),
    proof: encrypted === null ? null : { issuer: 'openai-responses', kind: 'encrypted', data: encrypted },
  }
}

const textFields = new Set(['type', 'text', 'prompt_cache_breakpoint'])

function decodePart(part: JsonObject, path: string): Part {
  const mark = objectOf(part.prompt_cache_breakpoint)
  const cache: { cache?: CacheMark } = mark === undefined ? {} : { cache: { ttl: stringOf(mark.ttl), raw: mark } }
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return {
        type: 'text',
        path,
        extra: unknownFields(part, textFields),
        again: { type: part.type },
        ...cache,
        text: part.text as string,
      }
    case 'refusal':
      return {
        type: 'refusal',
        path,
        extra: unknownFields(part, refusalFields),
        text: part.refusal as string,
      }
    case 'input_image': {
      const url = stringOf(part.image_url)
      const id = stringOf(part.file_id)
      if (url === null && id === null) break
      const source: MediaSource = url !== null ? mediaOf(url) : { kind: 'file', id: id! }
      return {
        type: 'image',
        path,
        extra: unknownFields(part, imageFields),
        ...cache,
        source,
        detail: stringOf(part.detail),
      }
    }
    case 'input_file': {
      const source = fileSource(part)
      if (source === null) break
      return {
        type: 'file',
        path,
        extra: unknownFields(part, fileFields),
        ...cache,
        source,
        name: stringOf(part.filename),
      }
    }
  }
  return { type: 'native', path, value: part }
}

function fileSource(part: JsonObject): MediaSource | null {
  if (typeof part.file_data === 'string') return mediaOf(part.file_data, 'application/pdf')
  if (typeof part.file_url === 'string') return { kind: 'url', url: part.file_url }
  return typeof part.file_id === 'string' ? { kind: 'file', id: part.file_id } : null
}

// ---- encode ---------------------------------------------------------------------------------------------------------

/** The body of a responses request; what it cannot say is in the ledger. */
export function encodeRequest(request: InferenceRequest, options: EncodeOptions): JsonObject {
  const { ledger } = options
  const { sampling } = request
  const extras = ledger.extras(request)
  const { text: textExtra, ...rest } = extras ?? {}
  const { system, rest: conversation } = leadingSystem(request, ledger.same)
  const tools = encodeTools(request, options)
  loseSampling(request, options)
  const format = encodeOutput(request.output, options)
  const text = {
    ...(format === undefined ? {} : { format }),
    ...(request.verbosity === null ? {} : { verbosity: request.verbosity }),
    ...(textExtra as object | undefined),
  }
  const instructions = encodeInstructions(system, options)
  const input = encodeItems(conversation, options)
  const reasoning = encodeReasoningOptions(request, options)
  if (request.cache !== null) ledger.lose('cache_control', 'openai-responses caches without marks')
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
    // Elsewhere nothing is kept unless asked for; here everything is unless refused.
    store: request.store ?? (ledger.same ? undefined : false),
    service_tier: request.serviceTier ?? undefined,
    ...rest,
    include: ledger.same ? request.again?.include : reasoning === undefined ? undefined : [alwaysIncluded],
  })
}

function encodeUser(request: InferenceRequest, { ledger }: EncodeOptions): string | undefined {
  if (request.user === null) return undefined
  if (request.user.length <= 64 || ledger.same) return request.user
  ledger.lose(request.source === 'anthropic-messages' ? 'metadata.user_id' : 'user', 'longer than 64 characters')
  return undefined
}

function loseSampling(request: InferenceRequest, { ledger }: EncodeOptions): void {
  const { sampling } = request
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
    if (part.type !== 'text') {
      options.ledger.lose(part.path, 'openai-responses instructions are text')
      return []
    }
    options.ledger.extras(part)
    loseMark(part, options)
    return [part.text]
  })
  return texts.join('\n\n')
}

function loseMark(part: { path: string; cache?: CacheMark | undefined }, { ledger, quirks }: EncodeOptions): void {
  if (part.cache === undefined || ledger.same || quirks.has('cache-breakpoints')) return
  ledger.lose(`${part.path}.cache_control`, 'openai-responses caches without marks')
}

function encodeReasoningOptions(request: InferenceRequest, { ledger, quirks }: EncodeOptions): JsonObject | undefined {
  const reasoning = request.reasoning
  if (reasoning === null) return undefined
  const extras = ledger.extras(reasoning)
  if (ledger.same) return reasoning.again?.reasoning as JsonObject
  if (reasoning.budgetTokens !== null) {
    ledger.lose(`${reasoning.path}.budget_tokens`, 'openai-responses has steps of effort only')
  }
  if (reasoning.mode === 'off' && !quirks.has('reasoning-none')) {
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

function encodeToolChoice(request: InferenceRequest, { ledger, names }: EncodeOptions): Json | undefined {
  const choice = request.toolChoice
  if (choice === null) return undefined
  switch (choice.type) {
    case 'tool':
      return {
        type: choice.kind,
        name: ledger.same ? choice.name : names.flat(choice.name, null),
        ...ledger.inner(request, 'tool_choice'),
      }
    case 'allowed': {
      if (ledger.same) return choice.value
      const tools = choice.names.map((name) => ({ type: 'function', name: names.flat(name, null) }))
      return { type: 'allowed_tools', mode: choice.mode, tools }
    }
    case 'native':
      if (ledger.same) return choice.value
      ledger.lose('tool_choice', 'no equivalent in openai-responses')
      return undefined
    default:
      return choice.type
  }
}

function encodeItems(conversation: readonly Message[], options: EncodeOptions): JsonObject[] {
  const out: JsonObject[] = []
  for (const message of mergeTurns(conversation, options.ledger)) encodeMessage(message, options, out)
  return out
}

function encodeMessage(message: Message, options: EncodeOptions, out: JsonObject[]): void {
  const { ledger } = options
  const extras = ledger.extras(message)
  let content: JsonObject[] = []
  const role = message.role === 'tool' ? 'user' : message.role
  const flush = (): void => {
    if (content.length === 0) return
    const plain = ledger.same && message.plain && content.length === 1
    const again = ledger.same ? message.again : { type: 'message' }
    out.push({ ...again, role, content: plain ? content[0]!.text! : content, ...extras })
    content = []
  }
  for (const part of message.parts) {
    switch (part.type) {
      case 'text':
      case 'refusal':
      case 'image':
      case 'file':
      case 'audio': {
        const encoded = encodePart(part, role, options)
        if (encoded !== null) content.push(encoded)
        break
      }
      case 'native':
        if (!ledger.same) ledger.lose(part.path, `only ${ledger.source} knows ${String(part.value.type)}`)
        else if (message.parts.length > 1 || !message.plain || /^(input|output)_/.test(String(part.value.type))) {
          content.push(part.value)
        } else out.push(part.value)
        break
      case 'additional-tools':
        if (ledger.same) out.push(part.value)
        break
      default: {
        flush()
        const item = encodeItem(part, options)
        if (item !== null) out.push(item)
      }
    }
  }
  flush()
  if (ledger.same && message.parts.length === 0) out.push({ ...message.again, role, content: [], ...extras })
}

function encodeItem(part: ReasoningPart | ToolCallPart | ToolResultPart, options: EncodeOptions): JsonObject | null {
  const { ledger, ids } = options
  if (ledger.same && part.type === 'reasoning' && part.again !== undefined) return part.again
  if (ledger.same && part.type !== 'reasoning' && part.kind === 'tool-search') return part.again ?? null
  const extras = { ...(ledger.same ? part.again : {}), ...ledger.extras(part) }
  loseMark(part, options)
  switch (part.type) {
    case 'reasoning': {
      if (part.proof?.issuer !== 'openai-responses') {
        if (part.proof !== null || part.content.length + part.summary.length > 0) {
          const why = part.proof === null
            ? 'reasoning without encrypted content is refused'
            : 'the proof belongs to another issuer'
          ledger.lose(part.path, why)
        }
        return null
      }
      return compact({
        type: 'reasoning',
        id: part.id ?? undefined,
        summary: part.summary.map((text) => ({ type: 'summary_text', text })),
        content: part.content.length > 0 ? part.content.map((text) => ({ type: 'reasoning_text', text })) : undefined,
        encrypted_content: part.proof.data,
        ...extras,
      })
    }
    case 'tool-call': {
      const call_id = ids.short(part.id)
      const name = ledger.same ? part.name : options.names.flat(part.name, part.namespace)
      const namespace = ledger.same && part.namespace !== null ? { namespace: part.namespace } : {}
      return part.kind === 'custom'
        ? { type: 'custom_tool_call', call_id, name, ...namespace, input: part.input, ...extras }
        : { type: 'function_call', call_id, name, ...namespace, arguments: part.input || '{}', ...extras }
    }
    case 'tool-result':
      return encodeResult(part, extras, options)
  }
}

function encodeResult(part: ToolResultPart, extras: JsonObject, options: EncodeOptions): JsonObject {
  if (part.isError) options.ledger.lose(`${part.path}.is_error`, 'openai-responses results have no error flag')
  const content = part.content.flatMap((item): JsonObject[] => {
    if (item.type === 'native' && !options.ledger.same) {
      options.ledger.lose(item.path, `only ${options.ledger.source} knows ${String(item.value.type)}`)
      return []
    }
    const encoded = encodePart(item, 'user', options)
    return encoded === null ? [] : [encoded]
  })
  const plain = part.plain && content.every((item) => typeof item.text === 'string')
  return {
    type: part.kind === 'custom' ? 'custom_tool_call_output' : 'function_call_output',
    call_id: options.ids.short(part.callId),
    output: plain ? content.map((item) => item.text as string).join('') : content,
    ...extras,
  }
}

function encodePart(part: Part, role: string, options: EncodeOptions): JsonObject | null {
  const { ledger } = options
  const extras = ledger.extras(part)
  loseMark(part, options)
  const mark = part.cache !== undefined && (ledger.same || options.quirks.has('cache-breakpoints'))
    ? {
      prompt_cache_breakpoint: ledger.same
        ? part.cache.raw
        : compact({ mode: 'explicit', ttl: part.cache.ttl ?? undefined }),
    }
    : {}
  switch (part.type) {
    case 'text': {
      const type = ledger.same && part.again !== undefined
        ? part.again.type!
        : role === 'assistant'
        ? 'output_text'
        : 'input_text'
      return { type, text: part.text, ...mark, ...extras }
    }
    case 'refusal':
      if (role === 'assistant') return { type: 'refusal', refusal: part.text, ...extras }
      ledger.lose(part.path, 'a refusal became plain text')
      return { type: 'input_text', text: part.text }
    case 'image': {
      const { source } = part
      const detail = part.detail ?? (ledger.same ? undefined : 'auto')
      if (source.kind === 'file' && !ledger.source.startsWith('openai')) {
        ledger.lose(part.path, 'file ids belong to the provider that holds the file')
        return null
      }
      const where = source.kind === 'file' ? { file_id: source.id } : { image_url: dataUrl(source) }
      return compact({ type: 'input_image', ...where, detail, ...mark, ...extras })
    }
    case 'file': {
      const { source } = part
      if (source.kind === 'file' && !ledger.source.startsWith('openai')) {
        ledger.lose(part.path, 'file ids belong to the provider that holds the file')
        return null
      }
      const where = source.kind === 'file'
        ? { file_id: source.id }
        : source.kind === 'url'
        ? { file_url: source.url }
        : { file_data: dataUrl(source), ...(ledger.same ? {} : { filename: 'document' }) }
      return compact({
        type: 'input_file',
        ...where,
        ...(part.name === null ? {} : { filename: part.name }),
        ...mark,
        ...extras,
      })
    }
    case 'audio':
      ledger.lose(part.path, 'openai-responses takes no audio')
      return null
    case 'native':
      return ledger.same ? part.value : null
    default:
      return null
  }
}

/** A tool search's arguments, which are an object here and JSON text elsewhere. */
export function searchArguments(input: string): Json {
  const value = jsonOf(input === '' ? '{}' : input)
  return (value === undefined ? input : value) as Json
}
