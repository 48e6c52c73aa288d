import { byNumber, type Strategy } from './strategy.ts'

/** The quickest to a first token; one that nobody has measured goes first once, to be measured. */
export const lowestLatency: Strategy = {
  order: (candidates, view) => byNumber(candidates, (candidate) => view.model(candidate)?.latencyMs ?? 0),
  because(candidate, view) {
    const ms = view.model(candidate)?.latencyMs ?? null
    return ms === null ? 'not measured yet' : `first token after ${Math.round(ms)} ms`
  },
}
