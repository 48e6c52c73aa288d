import { byNumber, type Strategy } from './strategy.ts'

/** The fewest requests running, then the fewest ever sent. */
export const leastUsed: Strategy = {
  order: (candidates, view) =>
    byNumber(candidates, (candidate) => view.inFlight(candidate) * 1e9 + view.used(candidate)),
  because: (candidate, view) => `${view.inFlight(candidate)} running, ${view.used(candidate)} sent`,
}
