import {
  type Approval,
  type Approvals,
  decideTool,
  isPlainToolName,
  type Principal,
  ruleLayers,
  type ToolDecision,
  toolRuleName,
} from '../access/mod.ts'
import { isObject, type JsonObject } from '../base/mod.ts'
import type { McpConfig } from './config.ts'
import type { ToolTexts } from './descriptions.ts'
import { type Message, rpcCodes, rpcError } from './message.ts'

/** Whether a message may go on, and by which rule. A refusal is the JSON-RPC answer to send. */
export type McpAdmission =
  | { readonly admitted: true; readonly decision: ToolDecision | null }
  | {
    readonly admitted: false
    readonly decision: ToolDecision
    readonly answer: JsonObject
    /** The question that a person has to answer first; `null` where no answer would help. */
    readonly approval: Approval | null
  }

/** What admission looks at. */
export interface AdmitContext {
  readonly config: McpConfig
  readonly approvals: Approvals
  readonly texts: ToolTexts
  /** What the caller's client can do; decides how it is told that a person has to answer. */
  readonly capabilities: JsonObject
  /** Address of the page where a person answers; `null` when there is none. */
  readonly approvalUrl: ((id: string) => string | null) | null
}

/** Decides one message of a client. Only tool calls are subject to rules; the rest was checked when it was read. */
export async function admitMessage(
  context: AdmitContext,
  principal: Principal,
  server: string,
  message: Message,
): Promise<McpAdmission> {
  if (message.kind !== 'request' || message.method !== 'tools/call') return { admitted: true, decision: null }
  const { name } = message.params
  const refuse = (
    decision: ToolDecision,
    code: number,
    text: string,
    data?: Record<string, unknown>,
    approval: Approval | null = null,
  ): McpAdmission => ({
    admitted: false,
    decision,
    answer: rpcError(message.id, code, text, data),
    approval,
  })
  if (typeof name !== 'string' || !isPlainToolName(name)) {
    const decision: ToolDecision = { action: 'deny', rule: 'tool name' }
    return refuse(decision, rpcCodes.params, 'a tool name is 1 to 128 characters of A-Z a-z 0-9 _ . : / -')
  }
  const layers = ruleLayers(context.config.permissions, principal.tools)
  const text = context.texts.get(server, name)
  let decision = decideTool(layers, server, name)
  if (decision.action === 'allow' && text?.changed && context.config.changed_descriptions === 'ask') {
    decision = { action: 'ask', rule: 'changed description' }
  }
  if (decision.action === 'allow') return { admitted: true, decision }
  const subject = toolRuleName(server, name)
  if (decision.action === 'deny') {
    return refuse(decision, rpcCodes.denied, `${subject} is denied (rule: ${decision.rule})`, { rule: decision.rule })
  }
  const claim = await context.approvals.claim({
    principal: principal.id,
    subject,
    arguments: message.params.arguments ?? null,
    policy: JSON.stringify([layers, text?.hash ?? null]),
  })
  if (claim.granted) {
    context.texts.accept(server, name)
    return { admitted: true, decision }
  }
  const { approval } = claim
  const { id, expiresAt } = approval
  const hint = `gw approvals approve ${id}`
  const url = context.approvalUrl?.(id)
  if (url && questionForm(context.capabilities) === 'url') {
    // @see MCP 2025-11-25, URL mode elicitation: the answer is given on gw's own page, never through the agent.
    return refuse(decision, -32042, `${subject} needs an approval`, {
      elicitations: [{ mode: 'url', elicitationId: id, url, message: `Allow ${subject}?` }],
    }, approval)
  }
  return refuse(decision, rpcCodes.approval, `${subject} needs an approval: ${hint}, then call it again`, {
    approval: id,
    expiresAt,
    hint,
    ...(url ? { url } : {}),
  }, approval)
}

/**
 * How a client can be asked for its person's attention: by an address to open, by a form in its own dialog, or not at all.
 *
 * @see MCP 2025-11-25, elicitation: a client that says `elicitation: {}` and no more takes forms
 */
export function questionForm(capabilities: JsonObject): 'url' | 'form' | null {
  const { elicitation } = capabilities
  if (!isObject(elicitation)) return null
  return isObject((elicitation as JsonObject).url) ? 'url' : 'form'
}
