import { parseTarget } from '../accounts/mod.ts'
import type { Standing } from './state.ts'
import { usedNow } from './view.ts'

/** One quota window of one account, as people read it. */
export interface QuotaRow {
  readonly provider: string
  readonly account: string
  /** `5h`, `7d`, `requests`. */
  readonly window: string
  readonly lengthMs: number | null
  /** The model or family it limits, `null` for all. */
  readonly model: string | null
  /** Part used, 0 to 1; a passed reset has emptied it. */
  readonly used: number | null
  readonly limit: number | null
  readonly remaining: number | null
  /** Epoch ms of the next reset, `null` when it is unknown or has passed. */
  readonly resetsAt: number | null
  /** Whether the reset has passed since the provider last spoke of it: what stands here is a conclusion. */
  readonly passed: boolean
  readonly status: 'allowed' | 'warning' | 'rejected' | 'unknown'
  /** How old the knowledge is, milliseconds. */
  readonly ageMs: number
}

/** Every window of every account, by account and length. */
export function quotaRows(standings: readonly Standing[], now: number): QuotaRow[] {
  return standings.flatMap((standing) => {
    const key = parseTarget(standing.key)
    if (key === null || key.capability !== null) return []
    return standing.windows.map((window): QuotaRow => {
      const passed = window.resetsAt !== null && window.resetsAt <= now
      return {
        provider: key.provider,
        account: key.account,
        window: window.id,
        lengthMs: window.lengthMs,
        model: window.model,
        used: usedNow(window, now),
        limit: window.limit,
        remaining: passed ? window.limit : window.remaining,
        resetsAt: passed ? null : window.resetsAt,
        passed,
        status: passed ? 'unknown' : window.status,
        ageMs: Math.max(0, now - window.seenAt),
      }
    })
  })
}
