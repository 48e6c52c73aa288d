import type { JsonObject } from '../../base/mod.ts'
import type { Ledger } from '../ledger.ts'
import { booleanOf, compact, numberOf, stringOf } from '../read.ts'
import type { InferenceRequest, ReasoningOptions } from '../request.ts'

/** Models from the third generation on: they take levels of thinking, and check the signatures of their calls. */
const third = /gemini-(?:[3-9]|\d{2})/

/** Whether a model takes levels of thinking, media in results, and insists on signatures. */
export function isThirdGeneration(model: string): boolean {
  return third.test(model)
}

const known = new Set(['thinkingBudget', 'thinkingLevel', 'includeThoughts'])

/** `thinkingConfig` in neutral form. */
export function decodeThinking(config: JsonObject | undefined): ReasoningOptions | null {
  if (config === undefined) return null
  const path = 'generationConfig.thinkingConfig'
  const budget = numberOf(config.thinkingBudget)
  const level = stringOf(config.thinkingLevel)?.toLowerCase() ?? null
  const thoughts = booleanOf(config.includeThoughts)
  const rest = Object.entries(config).filter(([key]) => !known.has(key))
  return {
    path,
    extra: rest.length === 0 ? undefined : Object.fromEntries(rest),
    again: { thinkingConfig: config },
    mode: budget === 0 ? 'off' : budget !== null && budget > 0 ? 'on' : 'auto',
    effort: level,
    effortPath: `${path}.thinkingLevel`,
    budgetTokens: budget !== null && budget > 0 ? budget : null,
    summary: thoughts === true ? 'auto' : null,
  }
}

/** Thinking tokens for an effort. @see https://ai.google.dev/gemini-api/docs/openai#thinking */
const budgets: Readonly<Record<string, number>> = { minimal: 1024, low: 1024, medium: 8192, high: 24_576 }

/** `thinkingConfig` for a request; what cannot be asked for is in the ledger. */
export function encodeThinking(request: InferenceRequest, model: string, ledger: Ledger): JsonObject | undefined {
  const reasoning = request.reasoning
  if (reasoning === null) return undefined
  ledger.extras(reasoning)
  if (ledger.same) return reasoning.again?.thinkingConfig as JsonObject | undefined
  const levels = isThirdGeneration(model)
  if (reasoning.summary === 'concise' || reasoning.summary === 'detailed') {
    ledger.lose(`${reasoning.path}.summary`, 'gemini has one kind of summary')
  }
  // Callers who see thinking in their own protocol are shown what there is of it here.
  const shown = reasoning.summary !== 'omitted' &&
    (reasoning.summary !== null || request.source === 'anthropic-messages')
  if (reasoning.mode === 'off') {
    if (!levels) return { thinkingBudget: 0 }
    ledger.lose(
      reasoning.effort === 'none' ? reasoning.effortPath : reasoning.path,
      'the model always thinks: became low',
    )
    return { thinkingLevel: 'low' }
  }
  const { effort, budgetTokens } = reasoning
  const step = effort === 'xhigh' || effort === 'max' ? 'high' : effort
  if (step !== effort) ledger.lose(reasoning.effortPath, `${effort} became high`)
  const amount = budgetTokens !== null
    ? { thinkingBudget: budgetTokens }
    : step === null
    ? levels ? {} : { thinkingBudget: -1 }
    : levels
    ? { thinkingLevel: step }
    : { thinkingBudget: budgets[step] ?? -1 }
  return compact({ ...amount, includeThoughts: shown ? true : undefined })
}
