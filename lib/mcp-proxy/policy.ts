/** What a rule does with a call. */
export type ToolAction = 'allow' | 'ask' | 'deny'

/** Rules by action, each a name such as `mcp__linear`, `mcp__linear__*` or `mcp__linear__create_issue`. */
export interface ToolRules {
  readonly allow: readonly string[]
  readonly ask: readonly string[]
  readonly deny: readonly string[]
}

/** What happens to a call, and by which rule. */
export interface ToolDecision {
  readonly action: ToolAction
  /** The rule as written, or `default`. */
  readonly rule: string
}

/** A tool's name as rules, approvals and logs spell it. */
export function toolRuleName(server: string, tool: string): string {
  return `mcp__${server}__${tool}`
}

/** Names of tools that policy can compare: printable ASCII, so that no look-alike stands for another. */
export function isPlainToolName(name: string): boolean {
  return /^[A-Za-z0-9_.:/-]{1,128}$/.test(name)
}

/**
 * Decides one call. Deny beats ask, ask beats allow; inside a class the most specific rule is the one named.
 *
 * With no rule that matches: denied where an allow list names this server or every server, else allowed. An owner who
 * writes an allow list means that list.
 */
export function decideTool(rules: ToolRules, server: string, tool: string): ToolDecision {
  for (const action of ['deny', 'ask', 'allow'] as const) {
    const matching = rules[action].filter((rule) => matches(rule, server, tool))
    if (matching.length > 0) {
      return { action, rule: matching.reduce((best, rule) => specificity(rule) > specificity(best) ? rule : best) }
    }
  }
  const listed = rules.allow.some((rule) => rule === '*' || namesServer(rule, server))
  return { action: listed ? 'deny' : 'allow', rule: 'default' }
}

/** Whether text is a rule that {@link decideTool} understands. */
export function isToolRule(text: string): boolean {
  return text === '*' || /^mcp__[A-Za-z0-9.-]+(?:_[A-Za-z0-9.-]+)*(?:__(?:\*|[A-Za-z0-9_.:/-]+\*?))?$/.test(text)
}

function namesServer(rule: string, server: string): boolean {
  return rule === `mcp__${server}` || rule.startsWith(`mcp__${server}__`)
}

function matches(rule: string, server: string, tool: string): boolean {
  if (rule === '*' || rule === `mcp__${server}` || rule === `mcp__${server}__*`) return true
  const name = toolRuleName(server, tool)
  return rule.endsWith('*') ? name.startsWith(rule.slice(0, -1)) && namesServer(rule, server) : rule === name
}

function specificity(rule: string): number {
  return rule === '*' ? 0 : rule.endsWith('*') ? rule.length : rule.length + (rule.split('__').length > 2 ? 1_000 : 0)
}
