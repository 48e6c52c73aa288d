import { byNumber, type Strategy } from './strategy.ts'

/** The most tokens per second; one that nobody has measured goes first once, to be measured. */
export const highestThroughput: Strategy = {
  order: (candidates, view) =>
    byNumber(candidates, (candidate) => -(view.model(candidate)?.tokensPerSecond ?? Number.MAX_VALUE)),
  because(candidate, view) {
    const speed = view.model(candidate)?.tokensPerSecond ?? null
    return speed === null ? 'not measured yet' : `${Math.round(speed)} tokens/s`
  },
}
