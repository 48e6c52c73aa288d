import type { QuotaWindow } from '../protocol/mod.ts'
import type { Liveness, SeenWindow, Standing } from './state.ts'

/** Failures that come back to the bucket: one per 10 s. */
export const bucketRefillPerMs = 0.1 / 1000

/** Why a standing keeps a target out. */
export type BlockReason =
  | 'rate_limited'
  | 'quota_exhausted'
  | 'cooldown'
  | 'degraded'
  | 'model_unavailable'
  | 'dead'
  | 'circuit_open'

/**
 * What a standing means for the next request.
 *
 * `trial`: its time has come but nothing has proved it yet, so one request at a time may. `last`: it works, though it
 * failed a moment ago. `blocked` with `guess` is a wait that only we made up: better than refusing the caller.
 */
export type Verdict =
  | { readonly is: 'usable' }
  | { readonly is: 'last' }
  | { readonly is: 'trial'; readonly because: BlockReason }
  | { readonly is: 'blocked'; readonly because: BlockReason; readonly until: number | null; readonly guess: boolean }

const usable: Verdict = { is: 'usable' }
const last: Verdict = { is: 'last' }
const trial = (because: BlockReason): Verdict => ({ is: 'trial', because })

/**
 * Reads a standing at a time, with what the clock alone heals: rate limits, cooldowns and a degraded provider. A spent
 * quota or another degraded reason whose time has passed needs one proving request. An unknown reset never passes.
 *
 * @param now epoch ms
 */
export function judge(standing: Standing, now: number): Verdict {
  const { liveness, circuit } = standing
  if (liveness.state === 'live' && liveness.availability.is === 'available' && circuit.is === 'closed') {
    return standing.bucket < 1 ? judgeBucket(standing, now) : usable
  }
  if (liveness.state === 'dead') return blocked('dead', null, false)
  let verdict: Verdict = usable
  if (liveness.state === 'degraded') {
    const over = liveness.retryAt !== null && liveness.retryAt <= now
    if (liveness.reason !== 'provider_degraded') {
      const because = liveness.reason === 'unknown_4xx' ? 'model_unavailable' : 'degraded'
      return over ? trial(because) : blocked(because, liveness.retryAt, false)
    }
    if (!over) verdict = last
  } else {
    const { availability } = liveness
    if (availability.is === 'rate_limited' && availability.until > now) {
      return blocked('rate_limited', availability.until, !availability.told)
    }
    if (availability.is === 'cooldown' && availability.until > now) return blocked('cooldown', availability.until, true)
    if (availability.is === 'quota_exhausted') {
      const { resetsAt } = availability
      return resetsAt !== null && resetsAt <= now
        ? trial('quota_exhausted')
        : blocked('quota_exhausted', resetsAt, false)
    }
  }
  if (circuit.is === 'open' && circuit.until > now) return blocked('circuit_open', circuit.until, true)
  if (circuit.is !== 'closed') return trial('circuit_open')
  return standing.bucket < 1 ? judgeBucket(standing, now) : verdict
}

function judgeBucket(standing: Standing, now: number): Verdict {
  const full = standing.bucketAt + Math.ceil((1 - standing.bucket) / bucketRefillPerMs)
  return full > now ? blocked('cooldown', full, true) : usable
}

function blocked(because: BlockReason, until: number | null, guess: boolean): Verdict {
  return { is: 'blocked', because, until, guess }
}

/** The evidence behind {@link judge} in one sentence, such as `rate limited 12 s ago, until 2026-11-01T10:00:00Z`. */
export function explainStanding(standing: Standing, now: number): string {
  const { liveness, circuit } = standing
  if (liveness.state === 'dead') return `${words(liveness.reason)} since ${ago(liveness.since, now)}`
  if (liveness.state === 'degraded') {
    const retry = liveness.retryAt === null ? '' : `, to be tried again at ${clockTime(liveness.retryAt)}`
    return `${words(liveness.reason)}, seen ${ago(liveness.since, now)}${retry}`
  }
  const { availability } = liveness
  switch (availability.is) {
    case 'rate_limited':
      return `rate limited ${ago(availability.limitedAt, now)}, until ${clockTime(availability.until)}${
        guessed(availability.told)
      }`
    case 'cooldown':
      return `cooling down (${availability.reason}) until ${clockTime(availability.until)}`
    case 'quota_exhausted': {
      const { resetsAt } = availability
      const spent = `quota spent ${ago(availability.exhaustedAt, now)}`
      if (resetsAt === null) return `${spent}, resets at an unknown time`
      if (resetsAt <= now) return `${spent}, reset ${ago(resetsAt, now)} but not proven yet`
      return `${spent}, resets ${clockTime(resetsAt)}${guessed(availability.told)}`
    }
    case 'available':
      if (circuit.is === 'open') {
        return `${standing.consecutiveFailures} failures in a row, closed to requests until ${clockTime(circuit.until)}`
      }
      if (circuit.is === 'half_open') return 'recovering from repeated failures'
      return standing.bucket < 1 ? 'failed 50 times without a rest' : 'available'
  }
}

const guessed = (told: boolean): string => told ? '' : ' (our guess, the provider named no time)'

/** The liveness in one word and its facts: `available`, `rate_limited:per_minute:12s`, `dead:token_revoked`. */
export function summarize(liveness: Liveness, now: number): string {
  if (liveness.state !== 'live') return `${liveness.state}:${liveness.reason}`
  const { availability } = liveness
  const epoch = (ms: number) => Math.floor(ms / 1000)
  switch (availability.is) {
    case 'available':
      return 'available'
    case 'rate_limited':
      return `rate_limited:${availability.window}:${Math.max(0, Math.ceil((availability.until - now) / 1000))}s`
    case 'quota_exhausted':
      return availability.resetsAt === null
        ? 'quota_exhausted'
        : `quota_exhausted:reset@${epoch(availability.resetsAt)}`
    case 'cooldown':
      return `cooldown:until@${epoch(availability.until)}`
  }
}

/** Whether a window limits this model: those of one model or family name it in part. */
function limitsModel(window: QuotaWindow, model: string): boolean {
  return window.model === null || model.toLowerCase().includes(window.model.toLowerCase())
}

/** Part used of a window now: a passed reset has emptied it. `null` is unknown. */
export function usedNow(window: QuotaWindow, now: number): number | null {
  return window.resetsAt !== null && window.resetsAt <= now ? 0 : window.used
}

/** Part left, 0 to 1, of the tightest window that limits this model; `null` when no window says. */
export function headroom(windows: readonly SeenWindow[], model: string, now: number): number | null {
  let least: number | null = null
  for (const window of windows) {
    if (!limitsModel(window, model)) continue
    const used = usedNow(window, now)
    if (used === null) continue
    const left = Math.max(0, 1 - used)
    if (least === null || left < least) least = left
  }
  return least
}

/**
 * When the longest running window of this model resets, epoch ms: what is unused then is lost. Windows shorter than an
 * hour refill all the time and do not count.
 */
export function nextReset(windows: readonly SeenWindow[], model: string, now: number): number | null {
  let longest: SeenWindow | null = null
  for (const window of windows) {
    if (window.resetsAt === null || window.resetsAt <= now || !limitsModel(window, model)) continue
    if (window.lengthMs !== null && window.lengthMs < 3_600_000) continue
    if (longest === null || (window.lengthMs ?? 0) > (longest.lengthMs ?? 0)) longest = window
  }
  return longest?.resetsAt ?? null
}

const words = (reason: string): string => reason.replaceAll('_', ' ')

const clockTime = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')

/** A time in the past in words: `12 s ago`. */
function ago(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000))
  if (seconds < 120) return `${seconds} s ago`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min ago`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} d ago`
}
