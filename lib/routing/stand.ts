import { explainStanding, judge, type Verdict } from '../liveness/mod.ts'
import type { Candidate } from './candidates.ts'
import type { Controls } from './controls.ts'
import { LazyDrop, type Stand } from './fit.ts'
import type { Dropped } from './plan.ts'
import type { Snapshot } from './snapshot.ts'
import { missedPreference } from './preference.ts'
import type { StrategyView } from './strategies/mod.ts'

/** A candidate that is out because of a wait that only gw made up. */
export interface Guess {
  readonly candidate: Candidate
  readonly drop: Dropped
}

/** Where {@link standOf} puts the candidates that are out. */
export interface Outs {
  readonly dropped: Dropped[]
  readonly guesses: Guess[]
}

const good: Stand = { group: 0, trial: false, note: null }

/**
 * How a candidate stands now, or `null` when it is out for the moment: then it is among the dropped, and among the
 * guesses too when nobody but gw says so.
 */
export function standOf(
  candidate: Candidate,
  snapshot: Snapshot,
  controls: Controls,
  view: StrategyView,
  outs: Outs,
): Stand | null {
  const { now } = view
  const { target } = candidate
  const troubled = verdictOf(candidate, snapshot, now)
  if (troubled !== null && (troubled.verdict.is === 'blocked' || troubled.verdict.is === 'trial')) {
    const { verdict, explain } = troubled
    if (verdict.is === 'blocked') {
      const drop = new LazyDrop(target, verdict.because, verdict.until, explain)
      outs.dropped.push(drop)
      if (verdict.guess) outs.guesses.push({ candidate, drop })
      return null
    }
    if (snapshot.proving(troubled.key)) {
      const detail = () => `${explain()}; one request is proving it now`
      outs.dropped.push(new LazyDrop(target, verdict.because, now + 5_000, detail))
      return null
    }
  }
  const limited = limitDrop(candidate, snapshot, now)
  if (limited !== null) {
    outs.dropped.push(limited)
    return null
  }
  if (troubled !== null) {
    const { verdict, explain } = troubled
    if (verdict.is === 'last') return { group: 2, trial: false, note: () => `last, because ${explain()}` }
    return { group: 0, trial: true, note: () => `to prove it: ${explain()}` }
  }
  if (controls.minThroughput === null && controls.maxLatency === null) return good
  const missed = missedPreference(snapshot.standing(candidate.keys.model), controls, now)
  return missed === null ? good : { group: 1, trial: false, note: () => `behind the others: ${missed()}` }
}

interface Troubled {
  readonly verdict: Exclude<Verdict, { is: 'usable' }>
  readonly key: string
  /** The standing as it is now: a receipt must not show what was learnt later. */
  readonly explain: () => string
}

/** The verdict of the worst of the three keys that a target stands under; `null` when nothing is wrong. */
function verdictOf(candidate: Candidate, snapshot: Snapshot, now: number): Troubled | null {
  const { troubled } = snapshot
  if (troubled.size === 0) return null
  const { account, capability, model } = candidate.keys
  if (!troubled.has(account) && !troubled.has(capability) && !troubled.has(model)) return null
  let last: Troubled | null = null
  let trial: Troubled | null = null
  for (const key of [account, capability, model]) {
    const standing = snapshot.standing(key)
    if (standing === null) continue
    const verdict = judge(standing, now)
    if (verdict.is === 'usable') continue
    const found: Troubled = { verdict, key, explain: () => explainStanding(standing, now) }
    if (verdict.is === 'blocked') return found
    if (verdict.is === 'trial') trial ??= found
    else last ??= found
  }
  return trial ?? last
}

/** The drop for a limit that the account's owner set. */
function limitDrop({ target, account }: Candidate, snapshot: Snapshot, now: number): Dropped | null {
  const { concurrency, requestsPerMinute, spendMicrosPerDay } = account.limits
  if (concurrency !== null && snapshot.inFlight(account.id) >= concurrency) {
    const detail = () => `${concurrency} requests are running, its limit`
    return new LazyDrop(target, 'concurrency', now + 1_000, detail)
  }
  if (requestsPerMinute !== null && snapshot.recent(account.id) >= requestsPerMinute) {
    const detail = () => `${requestsPerMinute} requests in the last minute, its owner's limit`
    return new LazyDrop(target, 'rate_limited', now + 60_000 / requestsPerMinute, detail)
  }
  if (spendMicrosPerDay !== null && (snapshot.spentToday(account.id) ?? 0) >= spendMicrosPerDay) {
    const tomorrow = (Math.floor(now / 86_400_000) + 1) * 86_400_000
    const detail = () => `its owner's limit of $${spendMicrosPerDay / 1e6} a day is spent`
    return new LazyDrop(target, 'spend_limit', tomorrow, detail)
  }
  return null
}
