// @ts-types="@modelcontextprotocol/sdk/types"
import type { CallToolResult, Tool } from '@modelcontextprotocol/sdk/types.js'
import type { Principal } from '../lib/access/mod.ts'
import { GwError, redact, toGwError } from '../lib/base/mod.ts'
import { callOperation, described, type OperationContext, type OperationDescription } from '../lib/operations/mod.ts'

/** The name of an operation as a tool: many model APIs take no dots. */
const toolName = (operation: string): string => operation.replaceAll('.', '_')

/** The operations that are offered to agents, by tool name. */
const offered = () => new Map(described().filter(({ mcp }) => mcp).map((one) => [toolName(one.name), one]))

/** The tools that a caller's scopes allow, in a stable order. */
export function toolsFor(principal: Principal): Tool[] {
  return [...offered()].filter(([, { scope }]) => principal.scopes.has('admin') || principal.scopes.has(scope))
    .map(([name, one]) => ({
      name,
      title: one.summary,
      description: [
        `${one.summary}.`,
        one.description,
        one.effect === 'spends' ? 'Spends money or quota at a provider.' : undefined,
        one.destructive ? 'Takes something away for good; a person may have to approve the call.' : undefined,
      ].filter(Boolean).join(' '),
      inputSchema: one.input as Tool['inputSchema'],
      ...(one.output ? { outputSchema: one.output as NonNullable<Tool['outputSchema']> } : {}),
      annotations: {
        readOnlyHint: one.effect === 'reads',
        destructiveHint: one.destructive ?? false,
        idempotentHint: one.effect === 'reads' || (one.idempotent ?? false),
        openWorldHint: one.effect === 'spends',
      },
      _meta: { 'gw/effect': one.effect, 'gw/scope': one.scope, 'gw/consent': consentOf(one) },
    }))
}

/** What a call takes, in the words that clients of oauth-mux read before they make one. */
function consentOf({ effect, destructive }: Pick<OperationDescription, 'effect' | 'destructive'>) {
  return {
    agent_safe: effect === 'reads',
    interactive: effect === 'interactive',
    mutating: effect === 'mutates' || effect === 'interactive',
    spends_provider_calls: effect === 'spends',
    budget: { reads: 'free_local', spends: 'cheap_provider', mutates: 'mutating', interactive: 'interactive' }[effect],
    mediation: destructive || effect === 'interactive' ? 'person' : effect === 'reads' ? 'none' : 'gateway',
    repair_owner: null,
  }
}

/**
 * Runs a tool.
 *
 * @returns the answer, or the error as an answer that says so: an agent can read and mend it
 * @throws GwError `request.not_found` for a tool that is none, or that the caller may not see
 */
export async function callTool(name: string, input: unknown, context: OperationContext): Promise<CallToolResult> {
  const operation = offered().get(name)
  const { scopes } = context.principal
  if (!operation || !(scopes.has('admin') || scopes.has(operation.scope))) {
    throw new GwError('request.not_found', `unknown tool ${name.slice(0, 64)}`, {
      hint: 'tools/list names what there is',
    })
  }
  try {
    const result = await callOperation(operation.name, input, context)
    return {
      content: [{ type: 'text', text: JSON.stringify(result) }],
      structuredContent: result as Record<string, unknown>,
    }
  } catch (error) {
    const { code, message, hint, param, details } = toGwError(error)
    const text = `${code}: ${redact(message)}${hint ? ` (${hint})` : ''}`
    return {
      isError: true,
      content: [{ type: 'text', text }],
      _meta: { 'gw/error': { code, message: redact(message), hint, param, details } },
    }
  }
}
