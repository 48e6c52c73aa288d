import type { JsonObject } from '../../base/mod.ts'
import type { Ledger } from '../ledger.ts'
import { effortForBudget } from '../reasoning.ts'
import type { InferenceRequest } from '../request.ts'

/** Models that decide themselves how long to think and take an effort; older ones take a budget of tokens. */
const adaptive = /claude-(?:[a-z]+-)?(?:4[-.](?:[6-9]|1\d)|[5-9])(?!\d{2})/

/** Models that decide that alone and refuse a budget, and every field of sampling too. */
const selfWilled = /claude-(?:[a-z]+-)?(?:4[-.](?:[7-9]|1\d)|[5-9])(?!\d{2})/

/** Models that take `temperature` or `top_p`, and refuse both at once. */
const eitherOr = /claude-(?:[a-z]+-)?4[-.][1-6](?!\d)/

/**
 * How a model may be sampled: not at all, by temperature or `top_p`, or by both.
 *
 * @see https://platform.claude.com/docs/en/about-claude/models/migration-guide
 */
export function samplingOf(model: string): 'none' | 'one' | 'both' {
  return selfWilled.test(model) ? 'none' : eitherOr.test(model) ? 'one' : 'both'
}

/** Claude from version 4 on, each of which writes at least this much. */
const modern = /claude-(?:[a-z]+-)?[4-9]/

/**
 * `max_tokens`, which this protocol insists on, for callers who named none: the model's own limit where it is known,
 * the least that all models of the family take, or 4096.
 */
export function defaultMaxTokens(model: string, known: number | null): number {
  return known ?? (modern.test(model) ? 32_000 : 4096)
}

/** Thinking tokens for an effort. */
const budgets: Readonly<Record<string, number>> = {
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 24_576,
  max: 31_999,
}

/** How thinking is asked for: the request's fields, and whether the model thinks. */
export interface Thinking {
  readonly thinking?: JsonObject
  readonly effort?: string
  readonly on: boolean
}

/** `thinking` and `output_config.effort` for a request; what cannot be asked for is in the ledger. */
export function encodeThinking(
  request: InferenceRequest,
  { model, maxTokens, forced, ledger }: { model: string; maxTokens: number; forced: boolean; ledger: Ledger },
): Thinking {
  const reasoning = request.reasoning
  if (reasoning === null) return { on: false }
  ledger.extras(reasoning)
  if (ledger.same) {
    const { effort } = reasoning
    return { ...reasoning.again, ...(effort === null ? {} : { effort }), on: reasoning.mode !== 'off' } as Thinking
  }
  const willed = selfWilled.test(model)
  const budgetTokens = willed ? null : reasoning.budgetTokens
  const effort = reasoning.effort ??
    (willed && reasoning.budgetTokens !== null ? effortForBudget(reasoning.budgetTokens) : null)
  if (reasoning.mode === 'off') return { thinking: { type: 'disabled' }, on: false }
  if (forced) {
    ledger.lose(reasoning.path, 'anthropic-messages does not think when a tool call is forced')
    return { on: false }
  }
  if (willed && reasoning.budgetTokens !== null) {
    ledger.lose(`${reasoning.path}.budget_tokens`, 'the model takes steps of effort only')
  }
  const display = reasoning.summary === null
    ? {}
    : { display: reasoning.summary === 'omitted' ? 'omitted' : 'summarized' }
  if (reasoning.summary === 'concise' || reasoning.summary === 'detailed') {
    ledger.lose(`${reasoning.path}.summary`, 'anthropic-messages has one kind of summary')
  }
  if (effort === null && budgetTokens === null) {
    if (reasoning.summary === null) return { on: false }
    if (adaptive.test(model)) return { thinking: { type: 'adaptive', ...display }, on: true }
    ledger.lose(`${reasoning.path}.summary`, 'the model does not think unless told how much')
    return { on: false }
  }
  if (adaptive.test(model) && budgetTokens === null) {
    const step = effort === 'minimal' ? 'low' : effort!
    if (step !== effort) ledger.lose(reasoning.effortPath, 'minimal became low')
    return { thinking: { type: 'adaptive', ...display }, effort: step, on: true }
  }
  const wanted = budgetTokens ?? budgets[effort ?? 'medium'] ?? budgets.medium!
  const budget = Math.min(wanted, maxTokens - 1)
  if (budget < 1024) {
    ledger.lose(reasoning.path, 'max_tokens leaves no room for thinking')
    return { on: false }
  }
  if (lacksThinking(request)) {
    ledger.lose(reasoning.path, 'the running tool calls came without signed thinking')
    return { on: false }
  }
  if (budgetTokens !== null && budget < budgetTokens) {
    ledger.lose(`${reasoning.path}.budget_tokens`, 'max_tokens leaves room for less thinking')
  }
  return { thinking: { type: 'enabled', budget_tokens: budget, ...display }, on: true }
}

/** Whether the conversation stands amid tool calls whose turn holds no thinking that this issuer signed. */
function lacksThinking(request: InferenceRequest): boolean {
  let calls = false
  for (let i = request.messages.length - 1; i >= 0; i--) {
    const { role, parts } = request.messages[i]!
    if (role === 'user' && parts.some((part) => part.type !== 'tool-result')) break
    for (const part of parts) {
      if (part.type === 'reasoning' && part.proof?.issuer === 'anthropic-messages') return false
      calls ||= part.type === 'tool-call'
    }
  }
  return calls
}
