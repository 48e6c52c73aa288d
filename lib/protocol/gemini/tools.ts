import type { Json, JsonObject } from '../../base/mod.ts'
import { loseMark } from '../cache.ts'
import { offeredTools } from '../choices.ts'
import type { EncodeOptions } from '../codec.ts'
import { unknownFields } from '../ledger.ts'
import { customToolDescription, customToolSchema, formatPath, toolSearchDefaults } from '../media.ts'
import { compact, objectOf, objectsOf, stringOf } from '../read.ts'
import type { InferenceRequest, ToolChoice, ToolDefinition } from '../request.ts'
import { hostedTool } from '../hosted.ts'
import { toolSearchName } from '../tools.ts'
import { jsonSchema } from './schema.ts'
import { isThirdGeneration } from './thinking.ts'

const functionFields = new Set(['name', 'description', 'parameters', 'parametersJsonSchema'])

// ---- decode ---------------------------------------------------------------------------------------------------------

/** Every declaration, and every tool that the provider runs, as a tool of its own. */
export function decodeTools(tools: Json | undefined): ToolDefinition[] {
  return objectsOf(tools).flatMap((tool, i) =>
    Object.entries(tool).flatMap(([key, value]): ToolDefinition[] => {
      const path = `tools[${i}].${key}`
      if (key !== 'functionDeclarations') {
        return [{ type: 'native', path, origin: 'tools', value: { [key]: value as Json } }]
      }
      return objectsOf(value).map((declared, j): ToolDefinition => {
        const own = objectOf(declared.parameters)
        return {
          type: 'function',
          path: `${path}[${j}]`,
          origin: 'tools',
          extra: unknownFields(declared, functionFields),
          again: compact({ parameters: own, parametersJsonSchema: declared.parametersJsonSchema }),
          name: declared.name as string,
          namespace: null,
          description: stringOf(declared.description),
          schema: objectOf(declared.parametersJsonSchema) ?? (own === undefined ? null : jsonSchema(own)),
          strict: null,
        }
      })
    })
  )
}

/** `functionCallingConfig` in neutral form. */
export function decodeToolChoice(config: JsonObject | undefined): ToolChoice | null {
  const names = Array.isArray(config?.allowedFunctionNames) ? config.allowedFunctionNames as string[] : []
  const allowed = (mode: 'auto' | 'required'): ToolChoice => ({
    type: 'allowed',
    mode,
    names,
    unnamed: [],
    value: config!,
  })
  switch (config?.mode) {
    case undefined:
    case null:
    case 'MODE_UNSPECIFIED':
      return null
    case 'NONE':
      return { type: 'none' }
    case 'AUTO':
      return names.length === 0 ? { type: 'auto' } : allowed('auto')
    case 'ANY':
      if (names.length === 1) return { type: 'tool', name: names[0]!, kind: 'function' }
      return names.length === 0 ? { type: 'required' } : allowed('required')
    default:
      return { type: 'native', value: config! }
  }
}

// ---- encode ---------------------------------------------------------------------------------------------------------

/** The tool list: one entry for all functions. In its own protocol the entries stand as they stood. */
export function encodeTools(request: InferenceRequest, options: EncodeOptions): JsonObject[] {
  const { ledger } = options
  const choice = request.toolChoice
  // Which of the tools may be called at will cannot be said: the others are not offered.
  const offered = choice?.type === 'allowed' && choice.mode === 'auto' ? offeredTools(request, ledger) : request.tools
  const groups = new Map<string, Record<string, Json>>()
  const searches: ToolDefinition[] = []
  for (const tool of offered) {
    const place = ledger.same ? /^tools\[\d+\]/.exec(tool.path)?.[0] ?? '' : ''
    const group = groups.get(place) ?? {}
    groups.set(place, group)
    loseMark(tool, ledger)
    if (tool.type === 'native') {
      const hosted = !ledger.same && options.quirks.has('web-search') ? hostedTool(tool, ledger) : null
      if (ledger.same) Object.assign(group, tool.value)
      else if (hosted !== null) searches.push(tool)
      else ledger.lose(tool.path, `a tool that only ${ledger.source} runs`)
      continue
    }
    const functions = (group.functionDeclarations ??= []) as JsonObject[]
    functions.push(encodeFunction(tool, options))
  }
  const functions = groups.get('')?.functionDeclarations !== undefined
  for (const tool of searches) {
    // Only models of the third line call functions and search in one turn.
    if (!functions || isThirdGeneration(options.model)) groups.set(tool.path, { googleSearch: {} })
    else ledger.lose(tool.path, 'the model does not search where it may call functions')
  }
  return [...groups.values()].filter((group) => Object.keys(group).length > 0)
}

function encodeFunction(tool: Exclude<ToolDefinition, { type: 'native' }>, options: EncodeOptions): JsonObject {
  const { ledger, names } = options
  const extras = ledger.extras(tool)
  switch (tool.type) {
    case 'tool-search':
      return {
        name: toolSearchName,
        description: tool.description ?? toolSearchDefaults.description,
        parametersJsonSchema: tool.schema ?? toolSearchDefaults.schema,
      }
    case 'custom':
      if (tool.format !== null) {
        ledger.lose(formatPath(tool, ledger), 'the grammar is described to the model, not enforced')
      }
      return {
        name: names.flat(tool.name, tool.namespace?.name ?? null),
        description: customToolDescription(tool),
        parametersJsonSchema: customToolSchema,
      }
    case 'function':
      return compact({
        name: names.flat(tool.name, tool.namespace?.name ?? null),
        description: tool.description ?? undefined,
        ...(ledger.same ? tool.again : { parametersJsonSchema: tool.schema ?? undefined }),
        ...extras,
      })
  }
}

/** `functionCallingConfig` for a request that offers tools. */
export function encodeToolChoice(
  request: InferenceRequest,
  { ledger, names }: EncodeOptions,
): JsonObject | undefined {
  const choice = request.toolChoice
  if (request.parallelToolCalls === false && choice?.type !== 'none') {
    const path = ledger.source === 'anthropic-messages'
      ? 'tool_choice.disable_parallel_tool_use'
      : 'parallel_tool_calls'
    ledger.lose(path, 'gemini cannot be told to call one tool at a time')
  }
  switch (choice?.type) {
    case undefined:
      return undefined
    case 'none':
      return { mode: 'NONE' }
    case 'auto':
      return { mode: 'AUTO' }
    case 'required':
      return { mode: 'ANY' }
    case 'tool':
      return { mode: 'ANY', allowedFunctionNames: [names.flat(choice.name, null)] }
    case 'allowed':
      if (ledger.same) return choice.value as JsonObject
      return choice.mode === 'auto'
        ? { mode: 'AUTO' }
        : { mode: 'ANY', allowedFunctionNames: choice.names.map((name) => names.flat(name, null)) }
    case 'native':
      if (ledger.same) return choice.value as JsonObject
      ledger.lose('tool_choice', 'no equivalent in gemini')
      return undefined
  }
}
