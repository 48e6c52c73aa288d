import type { SeenWindow } from './state.ts'
import { headroom, nextReset } from './view.ts'

/** What the quota windows of an account leave for one model. */
export interface Outlook {
  /** Part left of the tightest window, 0 to 1; `null` when no window says. */
  readonly left: number | null
  /** When the longest running window resets, epoch ms; `null` when no window says. */
  readonly resetsAt: number | null
}

/** Reads windows for a model at a time. */
export type OutlookReader = (windows: readonly SeenWindow[], model: string, now: number) => Outlook

/** The outlook, read anew. */
const readOutlook: OutlookReader = (windows, model, now) => ({
  left: headroom(windows, model, now),
  resetsAt: nextReset(windows, model, now),
})

interface Known {
  readonly outlook: Outlook
  /** `null` when no window is about one model alone, so that it holds for all. */
  readonly model: string | null
  readonly from: number
  /** Until the first reset ahead. */
  readonly until: number
}

/**
 * A reader that remembers: planning asks for every account at every request, while a report of a quota comes
 * now and then. Reports are never changed in place, so the list itself is the key.
 */
export function createOutlooks(): OutlookReader {
  const known = new WeakMap<readonly SeenWindow[], Known>()
  return (windows, model, now) => {
    const last = known.get(windows)
    if (
      last !== undefined && now >= last.from && now < last.until && (last.model === null || last.model === model)
    ) return last.outlook
    const outlook = readOutlook(windows, model, now)
    let until = Infinity
    let oneModel = false
    for (const window of windows) {
      if (window.model !== null) oneModel = true
      if (window.resetsAt !== null && window.resetsAt > now && window.resetsAt < until) until = window.resetsAt
    }
    known.set(windows, { outlook, model: oneModel ? model : null, from: now, until })
    return outlook
  }
}
