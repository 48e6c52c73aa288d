import { type Fit, LazyDrop } from './fit.ts'
import type { Dropped } from './plan.ts'
import type { Snapshot } from './snapshot.ts'

/** Two accounts of one identity share their limits: the second is no spare for the first. */
export function withoutTwins(fits: Fit[], snapshot: Snapshot, dropped: Dropped[]): Fit[] {
  if (fits.every(({ candidate }) => snapshot.identity(candidate.account.id) === null)) return fits
  const seen = new Map<string, string>()
  const spent = new Map<string, Dropped>()
  for (const drop of dropped) {
    if (drop.because !== 'quota_exhausted' && drop.because !== 'rate_limited') continue
    const identity = snapshot.identity(drop.target.account)
    if (identity !== null) spent.set(`${drop.target.provider} ${identity} ${drop.target.model}`, drop)
  }
  const kept: Fit[] = []
  for (const fit of fits) {
    const { target } = fit
    const identity = snapshot.identity(target.account)
    if (identity !== null) {
      const key = `${target.provider} ${identity} ${target.model}`
      const twin = seen.get(key)
      const empty = spent.get(key)
      if (twin !== undefined && twin !== target.account) {
        dropped.push(new LazyDrop(target, 'same_identity', null, () => `the same identity as account ${twin}`))
        continue
      }
      if (empty !== undefined && empty.target.account !== target.account) {
        const detail = () => `the same identity as account ${empty.target.account}: ${empty.detail}`
        dropped.push(new LazyDrop(target, 'same_identity', empty.until, detail))
        continue
      }
      seen.set(key, target.account)
    }
    kept.push(fit)
  }
  return kept
}
