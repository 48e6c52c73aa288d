import type { Json, JsonObject } from '../../../base/mod.ts'
import { loseMark } from '../../cache.ts'
import { allowedTools } from '../../choices.ts'
import type { EncodeOptions } from '../../codec.ts'
import { unknownFields } from '../../ledger.ts'
import { hostedTool } from '../../hosted.ts'
import { toolSearchDefaults } from '../../media.ts'
import { booleanOf, compact, objectOf, objectsOf, stringOf } from '../../read.ts'
import type {
  CustomTool,
  FunctionTool,
  InferenceRequest,
  ToolChoice,
  ToolDefinition,
  ToolNamespace,
} from '../../request.ts'
import { toolSearchName } from '../../tools.ts'

const functionFields = new Set(['type', 'name', 'description', 'parameters', 'strict'])
const customFields = new Set(['type', 'name', 'description', 'format'])

/** Tools of a list, with those of namespaces one by one. */
export function decodeTools(tools: Json | undefined, path: string, origin: 'tools' | 'message'): ToolDefinition[] {
  return objectsOf(tools).flatMap((tool, i) => {
    const at = `${path}[${i}]`
    if (tool.type !== 'namespace') return [decodeTool(tool, at, origin, null)]
    const namespace: ToolNamespace = {
      path: at,
      extra: unknownFields(tool, new Set(['type', 'name', 'description', 'tools'])),
      name: tool.name as string,
      description: stringOf(tool.description),
    }
    return objectsOf(tool.tools).map((inner, j) => decodeTool(inner, `${at}.tools[${j}]`, origin, namespace))
  })
}

function decodeTool(
  tool: JsonObject,
  path: string,
  origin: 'tools' | 'message',
  namespace: ToolNamespace | null,
): ToolDefinition {
  const base = { path, origin } as const
  switch (tool.type) {
    case 'function':
      return {
        type: 'function',
        ...base,
        ...riding(tool, functionFields, origin),
        name: tool.name as string,
        namespace,
        description: stringOf(tool.description),
        schema: objectOf(tool.parameters) ?? null,
        strict: booleanOf(tool.strict),
      }
    case 'custom': {
      const format = objectOf(tool.format)
      return {
        type: 'custom',
        ...base,
        ...riding(tool, customFields, origin),
        name: tool.name as string,
        namespace,
        description: stringOf(tool.description),
        format: format?.type === 'grammar'
          ? { syntax: format.syntax as string, definition: format.definition as string }
          : null,
        plainFormat: format?.type === 'text',
      }
    }
    case 'tool_search':
      if (tool.execution !== 'client') break
      return {
        type: 'tool-search',
        ...base,
        extra: unknownFields(tool, new Set(['type', 'execution', 'description', 'parameters'])),
        description: stringOf(tool.description),
        schema: objectOf(tool.parameters) ?? null,
      }
  }
  return { type: 'native', ...base, value: tool }
}

/** A tool that a message brought has been loaded already: that it was deferred says nothing any more. */
function riding(
  tool: JsonObject,
  known: ReadonlySet<string>,
  origin: 'tools' | 'message',
): { extra: JsonObject | undefined } {
  return { extra: unknownFields(tool, origin === 'tools' ? known : new Set([...known, 'defer_loading'])) }
}

/** The tool list of a request. Namespaces come together again where they were. */
export function encodeTools(request: InferenceRequest, options: EncodeOptions): JsonObject[] {
  const { ledger } = options
  const out: JsonObject[] = []
  let group = null as { of: ToolNamespace; tools: JsonObject[] } | null
  for (const tool of request.tools) {
    if (tool.origin === 'message' && ledger.same) continue
    const encoded = encodeTool(tool, options)
    if (encoded === null) continue
    const namespace = ledger.same && (tool.type === 'function' || tool.type === 'custom') ? tool.namespace : null
    if (namespace === null) {
      group = null
      out.push(encoded)
    } else if (group?.of === namespace) group.tools.push(encoded)
    else {
      group = { of: namespace, tools: [encoded] }
      const description = namespace.description ?? undefined
      out.push(
        compact({ type: 'namespace', name: namespace.name, description, tools: group.tools, ...namespace.extra }),
      )
    }
  }
  return out
}

function encodeTool(tool: ToolDefinition, options: EncodeOptions): JsonObject | null {
  const { ledger } = options
  const extras = ledger.extras(tool)
  loseMark(tool, ledger)
  switch (tool.type) {
    case 'native':
      if (ledger.same) return tool.value
      if (options.quirks.has('web-search')) {
        const hosted = hostedTool(tool, ledger)
        if (hosted !== null) return hosted
      }
      ledger.lose(tool.path, `a tool that only ${ledger.source} runs`)
      return null
    case 'tool-search':
      if (ledger.same) {
        const { description, schema } = tool
        return compact({
          type: 'tool_search',
          execution: 'client',
          description: description ?? undefined,
          parameters: schema ?? undefined,
          ...extras,
        })
      }
      return {
        type: 'function',
        name: toolSearchName,
        description: tool.description ?? toolSearchDefaults.description,
        parameters: tool.schema ?? toolSearchDefaults.schema,
        strict: false,
      }
    case 'custom':
      return encodeCustom(tool, extras, options)
    case 'function':
      return compact({
        type: 'function',
        name: nameOf(tool, options),
        description: tool.description ?? undefined,
        parameters: tool.schema ?? (ledger.same ? undefined : { type: 'object', properties: {} }),
        // Strict is the default here and nowhere else.
        strict: tool.strict ?? (ledger.same ? undefined : false),
        ...extras,
      })
  }
}

function nameOf(tool: FunctionTool | CustomTool, { ledger, names }: EncodeOptions): string {
  return ledger.same ? tool.name : names.flat(tool.name, tool.namespace?.name ?? null)
}

function encodeCustom(tool: CustomTool, extras: JsonObject | undefined, options: EncodeOptions): JsonObject {
  const format = tool.format === null
    ? tool.plainFormat ? { type: 'text' } : undefined
    : { type: 'grammar', syntax: tool.format.syntax, definition: tool.format.definition }
  const description = tool.description ?? undefined
  return compact({ type: 'custom', name: nameOf(tool, options), description, format, ...extras })
}

/** Which tool the caller wants called. */
export function decodeToolChoice(choice: Json | undefined): ToolChoice | null {
  if (choice === null || choice === undefined) return null
  if (choice === 'none' || choice === 'auto' || choice === 'required') return { type: choice }
  const value = objectOf(choice)!
  if ((value.type === 'function' || value.type === 'custom') && typeof value.name === 'string') {
    return { type: 'tool', kind: value.type, name: value.name }
  }
  if (value.type !== 'allowed_tools') return { type: 'native', value: choice }
  return {
    type: 'allowed',
    mode: value.mode as 'auto' | 'required',
    ...allowedTools(value.tools, 'tool_choice.tools'),
    value: choice,
  }
}

/** `tool_choice`; what it cannot say is in the ledger. */
export function encodeToolChoice(request: InferenceRequest, { ledger, names }: EncodeOptions): Json | undefined {
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
