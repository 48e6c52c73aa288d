import { headroom, nextReset } from '../../liveness/mod.ts'
import type { Candidate } from '../candidates.ts'
import { byNumber, rotate, type Strategy, type StrategyView } from './strategy.ts'

interface Facts {
  readonly candidate: Candidate
  readonly resetsAt: number
  readonly tight: boolean
}

/**
 * What would be lost soonest is used first: within one priority, the account whose quota resets soonest, down to the
 * reserve; accounts with no known window take turns after those.
 */
export const drainSoonestReset: Strategy = {
  order(candidates, view) {
    if (candidates.length < 2) return candidates.slice()
    if (!candidates.some((candidate) => hasWindows(candidate, view))) return byPriority(candidates, view.cursor)
    const known: Facts[] = []
    for (const candidate of rotate(candidates, view.cursor)) {
      const windows = view.account(candidate)?.windows ?? []
      if (windows.length === 0) known.push({ candidate, resetsAt: Infinity, tight: false })
      else {
        const model = candidate.target.model
        const left = headroom(windows, model, view.now)
        known.push({
          candidate,
          resetsAt: nextReset(windows, model, view.now) ?? Infinity,
          tight: left !== null && left <= view.reserve,
        })
      }
    }
    known.sort((a, b) =>
      b.candidate.account.priority - a.candidate.account.priority ||
      Number(a.tight) - Number(b.tight) ||
      (a.resetsAt === b.resetsAt ? 0 : a.resetsAt < b.resetsAt ? -1 : 1)
    )
    return known.map(({ candidate }) => candidate)
  },
  because: (candidate, view) => sentence(candidate, view),
}

const hasWindows = (candidate: Candidate, view: StrategyView): boolean =>
  (view.account(candidate)?.windows.length ?? 0) > 0

/** Turns within one priority: the order while nobody has told of a quota. */
function byPriority(candidates: readonly Candidate[], cursor: number): Candidate[] {
  const turned = rotate(candidates, cursor)
  const first = turned[0]!.account.priority
  return turned.every(({ account }) => account.priority === first)
    ? turned
    : byNumber(turned, ({ account }) => -account.priority)
}

function sentence(candidate: Candidate, view: StrategyView): string {
  const windows = view.account(candidate)?.windows ?? []
  const resetsAt = nextReset(windows, candidate.target.model, view.now)
  if (resetsAt === null) return 'no quota window known; its turn'
  const left = headroom(windows, candidate.target.model, view.now)
  const part = left === null ? '' : `, ${Math.round(left * 100)} % left`
  return `resets in ${Math.round((resetsAt - view.now) / 60_000)} min${part}`
}
