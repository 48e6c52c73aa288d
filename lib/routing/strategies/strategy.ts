import type { Outlook, Standing } from '../../liveness/mod.ts'
import type { Candidate } from '../candidates.ts'

/** What a strategy may look at. */
export interface StrategyView {
  readonly now: number
  /** Seeded: the same seed gives the same order. */
  readonly random: () => number
  /** Grows by one with each plan of the same pool. */
  readonly cursor: number
  /** Part of a window that new sessions leave alone. */
  readonly reserve: number
  /** What its account's quota windows leave for its model; `null` when no window is known. */
  outlook(candidate: Candidate): Outlook | null
  /** What is believed of this model on this account. */
  model(candidate: Candidate): Standing | null
  /** Requests this process has running on the account. */
  inFlight(candidate: Candidate): number
  /** Requests this process has sent to the account. */
  used(candidate: Candidate): number
}

/** An order over the targets that can serve, and the sentence that says why one stands where it stands. */
export interface Strategy {
  order(candidates: readonly Candidate[], view: StrategyView): Candidate[]
  because(candidate: Candidate, view: StrategyView): string
}

/** Candidates by a number, smallest first; equal ones keep their order. */
export function byNumber(candidates: readonly Candidate[], value: (candidate: Candidate) => number): Candidate[] {
  const ordered = candidates.slice()
  if (ordered.length > 64) {
    const keyed = ordered.map((candidate) => ({ candidate, value: value(candidate) }))
    return keyed.sort((a, b) => a.value === b.value ? 0 : a.value < b.value ? -1 : 1).map(({ candidate }) => candidate)
  }
  // Insertion: a plan orders a few targets, and mostly ones that stand in order already. No comparator, no records.
  const values: number[] = []
  for (let i = 0; i < ordered.length; i++) {
    const candidate = ordered[i]!
    const wanted = value(candidate)
    let at = i
    for (; at > 0 && values[at - 1]! > wanted; at--) {
      values[at] = values[at - 1]!
      ordered[at] = ordered[at - 1]!
    }
    values[at] = wanted
    ordered[at] = candidate
  }
  return ordered
}

/** A list begun at another place. */
export function rotate<T>(items: readonly T[], by: number): T[] {
  if (items.length < 2) return items.slice()
  const at = ((by % items.length) + items.length) % items.length
  return at === 0 ? items.slice() : [...items.slice(at), ...items.slice(0, at)]
}

/** A random order in which larger weights tend to come first. */
export function weightedOrder(
  candidates: readonly Candidate[],
  weight: (candidate: Candidate) => number,
  random: () => number,
): Candidate[] {
  // Efraimidis–Spirakis: sorting by log(u)/w is drawing without replacement by weight.
  return byNumber(
    candidates,
    (candidate) => -Math.log(random() || Number.MIN_VALUE) / Math.max(weight(candidate), 1e-12),
  )
}

/** micro-USD for a typical request (three parts input, one part output), 0 on a plan, `null` when unknown. */
export function typicalPrice(candidate: Candidate): number | null {
  if (candidate.account.plan) return 0
  const { price } = candidate.model
  return price === null ? null : (price.inputMicros * 3 + price.outputMicros) / 4
}
