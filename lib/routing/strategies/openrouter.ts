import { type Strategy, typicalPrice, weightedOrder } from './strategy.ts'

const outageMs = 30_000

/**
 * OpenRouter's default: targets with an outage in the last 30 s last, the others drawn by 1/price². Free ones weigh as
 * much as a hundredth of a dollar per million tokens; unknown prices weigh least.
 *
 * @see https://openrouter.ai/docs/features/provider-routing#price-based-load-balancing-default-strategy
 */
export const openrouter: Strategy = {
  order(candidates, view) {
    const failed = candidates.filter((candidate) => recentOutage(view.model(candidate)?.lastFailureAt, view.now))
    const steady = failed.length === 0 ? candidates : candidates.filter((candidate) => !failed.includes(candidate))
    const weight = (candidate: typeof candidates[number]) => {
      const price = typicalPrice(candidate)
      return price === null ? 1e-6 : 1 / Math.max(price / 1e6, 0.01) ** 2
    }
    return [...weightedOrder(steady, weight, view.random), ...weightedOrder(failed, weight, view.random)]
  },
  because: (candidate, view) =>
    recentOutage(view.model(candidate)?.lastFailureAt, view.now) ? 'failed in the last 30 s' : 'drawn by 1/price²',
}

const recentOutage = (at: number | null | undefined, now: number): boolean =>
  at !== null && at !== undefined && now - at < outageMs
