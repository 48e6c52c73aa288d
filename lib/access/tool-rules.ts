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

/**
 * Rules that are judged together.
 *
 * The gateway's own are open: a tool that no rule names is allowed, unless an allow list names its server. Those of a
 * token are closed: its allow list is the whole list, as with its models and providers.
 */
export interface RuleLayer {
  readonly rules: ToolRules
  readonly closed: boolean
}

/** A tool's name as rules, approvals and logs spell it. */
export function toolRuleName(server: string, tool: string): string {
  return `mcp__${server}__${tool}`
}

/** Names of tools that policy can compare: printable ASCII, so that no look-alike stands for another. */
export function isPlainToolName(name: string): boolean {
  return /^[A-Za-z0-9_.:/-]{1,128}$/.test(name)
}

/** Whether text is a rule that {@link decideTool} understands. */
export function isToolRule(text: string): boolean {
  return everyServer(text) ||
    /^mcp__[A-Za-z0-9.-]+(?:_[A-Za-z0-9.-]+)*(?:__(?:\*|[A-Za-z0-9_.:/-]+\*?))?$/.test(text)
}

/** The gateway's rules and those of a token and its makers, as they are judged. */
export function ruleLayers(gateway: ToolRules, token: readonly ToolRules[]): RuleLayer[] {
  return [{ rules: gateway, closed: false }, ...token.map((rules) => ({ rules, closed: true }))]
}

const strictness: Readonly<Record<ToolAction, number>> = { allow: 0, ask: 1, deny: 2 }

/**
 * Decides one call. Deny beats ask, ask beats allow, whichever layer says so; inside an action the most specific rule is
 * the one named. More layers never allow more.
 */
export function decideTool(layers: readonly RuleLayer[], server: string, tool: string): ToolDecision {
  let decided: ToolDecision = { action: 'allow', rule: 'default' }
  for (const layer of layers) {
    const one = decideIn(layer, server, tool)
    const stricter = strictness[one.action] - strictness[decided.action]
    if (stricter > 0 || (stricter === 0 && specificity(one.rule) > specificity(decided.rule))) decided = one
  }
  return decided
}

function decideIn({ rules, closed }: RuleLayer, server: string, tool: string): ToolDecision {
  const name = toolRuleName(server, tool)
  for (const action of ['deny', 'ask', 'allow'] as const) {
    let best: string | null = null
    for (const rule of rules[action]) {
      if (!matches(rule, server, name)) continue
      if (best === null || specificity(rule) > specificity(best)) best = rule
    }
    if (best !== null) return { action, rule: best }
  }
  // An owner who writes an allow list means that list.
  const listed = rules.allow.some((rule) => closed || everyServer(rule) || namesServer(rule, server))
  return { action: listed ? 'deny' : 'allow', rule: 'default' }
}

/**
 * Whether anything of a server may be used at all: `null`, or the decision that closes it. A server is closed by a deny
 * rule for the whole of it, and by a closed allow list that names nothing of it.
 */
export function closedServer(layers: readonly RuleLayer[], server: string): ToolDecision | null {
  for (const { rules, closed } of layers) {
    const whole = rules.deny.find((rule) =>
      everyServer(rule) || rule === `mcp__${server}` || rule === `mcp__${server}__*`
    )
    if (whole !== undefined) return { action: 'deny', rule: whole }
    const named = (rule: string) => everyServer(rule) || namesServer(rule, server)
    if (closed && rules.allow.length > 0 && !rules.allow.some(named) && !rules.ask.some(named)) {
      return { action: 'deny', rule: 'default' }
    }
  }
  return null
}

/**
 * An allow rule of `asked` for which `held` says no, or `null`. Its layer would stop such calls anyway; whoever asks for
 * it is told rather than given a promise that does not hold.
 */
export function unheldRule(held: readonly ToolRules[], asked: ToolRules): string | null {
  const layers = held.map((rules) => ({ rules, closed: true }))
  return asked.allow.find((rule) => {
    if (everyServer(rule)) return layers.some(({ rules }) => rules.deny.some(everyServer))
    const [, server = '', tool = '*'] = /^mcp__(.+?)(?:__(.+))?$/.exec(rule) ?? []
    // The star of a pattern is read as a character that only a star can stand for.
    return closedServer(layers, server) !== null ||
      (tool !== '*' && decideTool(layers, server, tool).action === 'deny')
  }) ?? null
}

const everyServer = (rule: string): boolean => rule === '*' || rule === 'mcp__*'

function namesServer(rule: string, server: string): boolean {
  return rule === `mcp__${server}` || rule.startsWith(`mcp__${server}__`)
}

function matches(rule: string, server: string, name: string): boolean {
  if (rule.endsWith('*')) return everyServer(rule) || (name.startsWith(rule.slice(0, -1)) && namesServer(rule, server))
  return rule === name || rule === `mcp__${server}`
}

/** More is narrower: a written-out tool, then the longest pattern, then a whole server, then every server. */
function specificity(rule: string): number {
  if (rule === 'default') return -1
  if (everyServer(rule)) return 0
  return rule.endsWith('*') ? rule.length : rule.length + (rule.split('__').length > 2 ? 1_000 : 0)
}
