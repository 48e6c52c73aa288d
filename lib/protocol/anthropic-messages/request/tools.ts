import type { JsonObject } from '../../../base/mod.ts'
import { offeredTools } from '../../choices.ts'
import { hostedTool } from '../../hosted.ts'
import { unknownFields } from '../../ledger.ts'
import { customToolDescription, customToolSchema, formatPath, toolSearchDefaults } from '../../media.ts'
import { booleanOf, compact, objectOf, stringOf } from '../../read.ts'
import type { InferenceRequest, ToolChoice, ToolDefinition } from '../../request.ts'
import { toolSearchName } from '../../tools.ts'
import { decodeCache } from './decode-content.ts'
import { marked, type Pen } from './marks.ts'

/** The fields of a tool choice that have a place of their own in the neutral form. */
export const choiceFields = new Set(['type', 'name', 'disable_parallel_tool_use'])

const toolFields = new Set(['type', 'name', 'description', 'input_schema', 'strict', 'cache_control'])

/** A tool in neutral form. */
export function decodeTool(tool: JsonObject, path: string): ToolDefinition {
  const cache = decodeCache(tool, path)
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

/** Which tool the caller wants called. */
export function decodeToolChoice(choice: JsonObject | undefined): ToolChoice | null {
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

/** The tools of a request, as far as they may be called. */
export function encodeTools(request: InferenceRequest, pen: Pen): JsonObject[] {
  return offeredTools(request, pen.ledger).flatMap((tool) =>
    tool.origin === 'tools' || !pen.ledger.same ? encodeTool(tool, pen) : []
  )
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
        ledger.lose(formatPath(tool, ledger), 'the grammar is described to the model, not enforced')
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

/** `tool_choice`, which says here as well whether calls may be parallel. */
export function encodeToolChoice(request: InferenceRequest, { ledger, names }: Pen): JsonObject | undefined {
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
