import type { Outlook, Standing } from '../liveness/mod.ts'
import { arrange, cutFallbacks, strategyOf } from './arrange.ts'
import type { Candidate } from './candidates.ts'
import { editFor, isTooLong, tooLongDrop } from './context.ts'
import { noControls } from './controls.ts'
import { Fit, type Words } from './fit.ts'
import type { Dropped, RoutePlan } from './plan.ts'
import { asksPolicy, hasRules, policyDrop } from './policy.ts'
import { seeded } from './seeded.ts'
import type { PlanMoment, PlanRequest, Snapshot } from './snapshot.ts'
import { type Guess, standOf } from './stand.ts'
import { placeSession } from './stickiness.ts'
import type { StrategyView } from './strategies/mod.ts'
import { withoutTwins } from './twins.ts'

/**
 * Orders the targets of a request and says why each other one is out.
 *
 * Pure: reads nothing but its arguments. Filters run from the lasting (policy) to the passing (liveness), so that the
 * reason given is the one worth acting on.
 */
export function planRoute(request: PlanRequest, snapshot: Snapshot, moment: PlanMoment): RoutePlan {
  const controls = request.controls ?? noControls
  const dropped: Dropped[] = snapshot.unfit.map((unfit) => ({ ...unfit, until: null }))
  const compress = controls.middleOut === true && request.protocol !== null
  const view: StrategyView = new View(snapshot, moment)
  const strategy = strategyOf(request, controls, snapshot)
  const words: Words = { first: null, note: null, strategy, view }
  const fits: Fit[] = []
  const outs = { dropped, guesses: [] as Guess[] }
  const tooLong: Guess[] = []
  const policed = asksPolicy(request)
  for (const candidate of snapshot.candidates) {
    if (policed || hasRules(candidate)) {
      const drop = policyDrop(candidate, request)
      if (drop !== null) {
        dropped.push(drop)
        continue
      }
    }
    if (!compress && isTooLong(candidate, request)) {
      const drop = tooLongDrop(candidate, request)
      dropped.push(drop)
      tooLong.push({ candidate, drop })
      continue
    }
    const stand = standOf(candidate, snapshot, controls, view, outs)
    if (stand !== null) fits.push(new Fit(candidate, stand, words))
  }
  if (fits.length === 0 && tooLong.length > 0 && dropped.every(({ until }) => until === null)) {
    // The count is an estimate, and a provider's own words about its limit are what clients act on.
    for (const { candidate, drop } of tooLong) {
      dropped.splice(dropped.indexOf(drop), 1)
      const stand = standOf(candidate, snapshot, controls, view, outs)
      const note = () => `no longer context is at hand, though ${drop.detail}`
      if (stand !== null) fits.push(new Fit(candidate, { ...stand, note }, words))
    }
  }
  if (fits.length === 0) {
    // Waiting because of a guess of ours would be refusing the caller for nothing: one request at a time may find out.
    for (const { candidate, drop } of outs.guesses) {
      if (snapshot.proving(candidate.keys.model)) continue
      dropped.splice(dropped.indexOf(drop), 1)
      fits.push(new Fit(candidate, { group: 3, trial: true, note: () => `tried although ${drop.detail}` }, words))
    }
  }
  const distinct = withoutTwins(arrange(fits, request, controls, strategy, view), snapshot, dropped)
  const placed = placeSession({ request, fits: distinct, all: snapshot.candidates, dropped, snapshot, view })
  const targets = placed.fits === distinct ? distinct : placed.fits.slice()
  words.first = targets[0] ?? null
  words.note = placed.note
  const strip = placed.strip ?? (request.stripAll ? '' : null)
  if (compress || strip !== null) {
    for (const fit of targets) {
      const edit = editFor(fit.candidate, request, compress, strip)
      if (edit !== null) fit.edit = edit
    }
  }
  cutFallbacks(targets, controls, dropped)
  return {
    targets,
    dropped,
    strategy,
    session: placed.session,
    earliestAt: earliest(dropped),
    pinned: placed.pinned,
  }
}

/** What a strategy sees of a snapshot at a moment. */
class View implements StrategyView {
  readonly now: number
  readonly random: () => number
  readonly cursor: number
  readonly reserve: number
  readonly #snapshot: Snapshot

  constructor(snapshot: Snapshot, { seed, now }: PlanMoment) {
    this.now = now
    this.random = seeded(seed)
    this.cursor = snapshot.cursor
    this.reserve = snapshot.reserve
    this.#snapshot = snapshot
  }

  model({ keys }: Candidate): Standing | null {
    return this.#snapshot.standing(keys.model)
  }

  outlook({ keys, target }: Candidate): Outlook | null {
    const windows = this.#snapshot.standing(keys.account)?.windows
    return windows === undefined || windows.length === 0
      ? null
      : this.#snapshot.outlook(windows, target.model, this.now)
  }

  inFlight({ account }: Candidate): number {
    return this.#snapshot.inFlight(account.id)
  }

  used({ account }: Candidate): number {
    return this.#snapshot.used(account.id)
  }
}

function earliest(dropped: readonly Dropped[]): number | null {
  let first: number | null = null
  for (const { until } of dropped) if (until !== null && (first === null || until < first)) first = until
  return first
}
