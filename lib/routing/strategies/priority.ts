import { byNumber, type Strategy } from './strategy.ts'

/** The highest priority that can serve; equals in the order they were declared. */
export const priority: Strategy = {
  order: (candidates) => byNumber(candidates, ({ account, place }) => -account.priority * 1_000 + place),
  because: ({ account }) => `priority ${account.priority}`,
}
