import type { Candidate } from '../candidates.ts'
import { byNumber, rotate, type Strategy, type StrategyView } from './strategy.ts'

/** Later than any reset: 31 days is the longest that is believed. */
const never = 1e14

/**
 * What would be lost soonest is used first: within one priority, the account whose quota resets soonest, down to the
 * reserve; accounts with no known window take turns after those.
 */
export const drainSoonestReset: Strategy = {
  order(candidates, view) {
    const turned = rotate(candidates, view.cursor)
    if (turned.length < 2) return turned
    const drained = byNumber(turned, (candidate) => lossAt(candidate, view))
    const first = drained[0]!.account.priority
    return drained.every(({ account }) => account.priority === first)
      ? drained
      : byNumber(drained, ({ account }) => -account.priority)
  },
  because: (candidate, view) => sentence(candidate, view),
}

/** When what is unused on the account is lost, epoch ms; after everything else where only the reserve is left. */
function lossAt(candidate: Candidate, view: StrategyView): number {
  const outlook = view.outlook(candidate)
  if (outlook === null) return never
  const tight = outlook.left !== null && outlook.left <= view.reserve
  return (outlook.resetsAt ?? never) + (tight ? 2 * never : 0)
}

function sentence(candidate: Candidate, view: StrategyView): string {
  const outlook = view.outlook(candidate)
  if (outlook === null || outlook.resetsAt === null) return 'no quota window known; its turn'
  const part = outlook.left === null ? '' : `, ${Math.round(outlook.left * 100)} % left`
  return `resets in ${Math.round((outlook.resetsAt - view.now) / 60_000)} min${part}`
}
