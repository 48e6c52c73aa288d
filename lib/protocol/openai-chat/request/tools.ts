import type { Json, JsonObject } from '../../../base/mod.ts'
import { loseMark } from '../../cache.ts'
import { allowedTools } from '../../choices.ts'
import type { EncodeOptions } from '../../codec.ts'
import { hostedTool } from '../../hosted.ts'
import { type Ledger, unknownFields } from '../../ledger.ts'
import { customToolDescription, customToolSchema, formatPath, toolSearchDefaults } from '../../media.ts'
import { booleanOf, compact, objectOf, stringOf } from '../../read.ts'
import type { InferenceRequest, ToolChoice, ToolDefinition } from '../../request.ts'
import { toolSearchName } from '../../tools.ts'
import { decodeCache } from './decode-messages.ts'

/** The fields of each thing that have a place of their own in the neutral form. */
const toolFields = new Set(['type', 'custom', 'function', 'cache_control'])
const customToolFields = new Set(['name', 'description', 'format'])
const functionToolFields = new Set(['name', 'description', 'parameters', 'strict'])

/** What a tool choice says beyond its tool. */
export function choiceExtra(value: Json | undefined): { tool_choice?: JsonObject | undefined } {
  const choice = objectOf(value)
  return choice === undefined ? {} : { tool_choice: unknownFields(choice, new Set(['type', String(choice.type)])) }
}

/** What `function_call` says, in the words of `tool_choice`. */
export function legacyChoice(value: Json | undefined): Json | undefined {
  const name = stringOf(objectOf(value)?.name)
  return name === null ? value : { type: 'function', function: { name } }
}

/** A tool in neutral form. */
export function decodeTool(tool: JsonObject, path: string): ToolDefinition {
  const origin = 'tools'
  const cache = decodeCache(tool, path)
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

/** Which tool the caller wants called. */
export function decodeToolChoice(choice: Json | undefined): ToolChoice | null {
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
    ...allowedTools(allowed.tools, 'tool_choice.allowed_tools.tools'),
    value: choice,
  }
}

/** A search of the web stands beside the tools here. */
export function encodeSearch(request: InferenceRequest, { ledger, quirks }: EncodeOptions): JsonObject | undefined {
  if (ledger.same || !quirks.has('chat-web-search')) return undefined
  for (const tool of request.tools) {
    const hosted = tool.type === 'native' ? hostedTool(tool, ledger) : null
    if (hosted !== null) return hosted
  }
  return undefined
}

const silent = (ledger: Ledger): Ledger => ({ ...ledger, lose: () => {}, extras: () => undefined })

/** A tool as a list, which is empty where it cannot be said. */
export function encodeTool(tool: ToolDefinition, options: EncodeOptions): JsonObject[] {
  const { ledger, names } = options
  if (tool.cache !== undefined && !ledger.same && !options.quirks.has('cache-control')) {
    loseMark(tool, ledger)
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
        ledger.lose(formatPath(tool, ledger), 'the grammar is described to the model, not enforced')
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

/** `tool_choice`; what it cannot say is in the ledger. */
export function encodeToolChoice(
  request: InferenceRequest,
  { ledger, names, quirks }: EncodeOptions,
): Json | undefined {
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
