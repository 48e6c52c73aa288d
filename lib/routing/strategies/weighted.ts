import { type Strategy, weightedOrder } from './strategy.ts'

/** At random, by the weight of each account. */
export const weighted: Strategy = {
  order: (candidates, view) => weightedOrder(candidates, ({ account }) => account.weight, view.random),
  because: ({ account }) => `drawn by weight ${account.weight}`,
}
