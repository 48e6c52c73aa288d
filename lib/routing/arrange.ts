import type { Candidate } from './candidates.ts'
import type { Controls } from './controls.ts'
import { type Fit, LazyDrop } from './fit.ts'
import type { Dropped } from './plan.ts'
import type { PlanRequest, Snapshot } from './snapshot.ts'
import { strategies, type StrategyName, type StrategyView } from './strategies/mod.ts'
import { byNumber } from './strategies/strategy.ts'

/** The strategy that a request is served by: the one it asks for, else its pool's. */
export function strategyOf(request: PlanRequest, controls: Controls, snapshot: Snapshot): StrategyName {
  const sort = controls.sort ?? request.sort
  if (sort === 'price') return 'lowest-price'
  if (sort === 'latency') return 'lowest-latency'
  return sort === 'throughput' ? 'highest-throughput' : snapshot.strategy
}

/** By model, then by how each stands, then by the caller's order, then by the strategy. */
export function arrange(
  fits: readonly Fit[],
  request: PlanRequest,
  controls: Controls,
  strategy: StrategyName,
  view: StrategyView,
): Fit[] {
  if (fits.length < 2) return fits.slice()
  const byPlace: Fit[] = []
  let plain = controls.order === null
  for (const fit of fits) {
    byPlace[fit.candidate.place] = fit
    if (fit.group !== 0 || fit.candidate.tier !== 0) plain = false
  }
  const fitOf = (candidate: Candidate): Fit => byPlace[candidate.place]!
  const ordered = strategies[strategy].order(fits.map((fit) => fit.candidate), view)
  if (plain) return ordered.map(fitOf)
  const { order } = controls
  const acrossModels = controls.sortAcrossModels && (controls.sort ?? request.sort) !== null
  const rank = (candidate: Candidate): number => {
    const place = order === null ? 0 : orderPlace(order, candidate)
    return (acrossModels ? 0 : candidate.tier * 1e6) + fitOf(candidate).group * 1e3 + place
  }
  return byNumber(ordered, rank).map(fitOf)
}

function orderPlace(order: readonly string[], candidate: Candidate): number {
  for (let place = 0; place < order.length; place++) if (candidate.names.includes(order[place]!)) return place
  return order.length
}

/** Leaves the first target alone when the caller wants no fallbacks and named no order. */
export function cutFallbacks(targets: Fit[], controls: Controls, dropped: Dropped[]): void {
  if (controls.allowFallbacks || controls.order !== null) return
  for (const { target } of targets.splice(1)) {
    dropped.push(new LazyDrop(target, 'filtered_order', null, () => 'provider.allow_fallbacks is false'))
  }
}
