import type { Candidate } from './candidates.ts'
import { LazyDrop } from './fit.ts'
import type { Dropped, TargetEdit } from './plan.ts'
import type { PlanRequest } from './snapshot.ts'

/** Part by which gw's estimate of a prompt may be too high. */
const doubt = 0.85

/** Whether the prompt is longer than the model takes, as far as both are known. */
export const isTooLong = ({ model }: Candidate, { inputTokens }: PlanRequest): boolean =>
  inputTokens !== null && model.contextTokens !== null && inputTokens * doubt > model.contextTokens

/** The drop for {@link isTooLong}. */
export function tooLongDrop({ target, model }: Candidate, { inputTokens }: PlanRequest): Dropped {
  const detail = () => `the prompt has about ${inputTokens} tokens, the model takes ${model.contextTokens}`
  return new LazyDrop(target, 'context', null, detail)
}

/**
 * What the body needs before this target can take it, as the caller or the owner asked; `null` is nothing.
 *
 * @param keepsReasoning the one account that gets the reasoning in the request; `null` when all do
 */
export function editFor(
  candidate: Candidate,
  { inputTokens, outputTokens }: PlanRequest,
  compress: boolean,
  keepsReasoning: string | null,
): TargetEdit | null {
  const { contextTokens, maxOutputTokens } = candidate.model
  // Half of the context at most is kept for the answer, and a tenth of the rest for what an estimate misses.
  const answer = contextTokens === null
    ? 0
    : Math.min(outputTokens ?? maxOutputTokens ?? contextTokens / 8, contextTokens / 2)
  const room = contextTokens === null ? null : Math.floor((contextTokens - answer) * 0.9)
  const promptTokens = compress && inputTokens !== null && room !== null && inputTokens > room ? room : null
  const stripReasoning = keepsReasoning !== null && candidate.account.id !== keepsReasoning
  return promptTokens === null && !stripReasoning ? null : { promptTokens, stripReasoning }
}
