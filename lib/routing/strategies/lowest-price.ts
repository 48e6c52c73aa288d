import { byNumber, type Strategy, typicalPrice } from './strategy.ts'

/** The cheapest for a typical request; a plan that is paid for anyway costs nothing, an unknown price comes last. */
export const lowestPrice: Strategy = {
  order: (candidates) => byNumber(candidates, (candidate) => typicalPrice(candidate) ?? Number.MAX_VALUE),
  because(candidate) {
    const { price } = candidate.model
    if (candidate.account.plan) return 'paid for by its plan'
    if (price === null) return 'price unknown'
    return `$${price.inputMicros / 1e6} in, $${price.outputMicros / 1e6} out per million tokens`
  },
}
