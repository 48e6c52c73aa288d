import { isObject, longestWaitMs } from '../base/mod.ts'
import type { FailureKind, QuotaWindow } from '../protocol/mod.ts'
import { boundedReset, type HeaderSource, parseDuration, parseReset, readRetryAfter } from './headers.ts'
import type { Said } from './said.ts'

const waits: ReadonlySet<FailureKind> = new Set([
  'rate_limited',
  'quota_exhausted',
  'overloaded',
  'concurrency',
  'server_error',
])

/** The provider's explicit wait: headers first, then details, then the sentence. */
export function waitOf(said: Said, headers: HeaderSource | null, kind: FailureKind, now: number): number | null {
  const fromHeader = headers === null ? null : readRetryAfter(headers, now)
  if (fromHeader !== null) return fromHeader
  if (!waits.has(kind)) return null
  // Google's retry delay on a daily quota is a few seconds: it is about the minute, not the day.
  if (kind !== 'quota_exhausted') {
    const delay = retryDelay(said.error)
    if (delay !== null) return delay
  }
  const { message } = said
  const span =
    /(?:try again|retry|reset[s]?|available again)[^.\d]{0,40}?\bin\s+((?:\d[\d.]*\s*[a-z]+[\s,]*(?:and\s+)?)+)/i.exec(
      message,
    )
  if (span) {
    const ms = parseDuration(span[1]!.replace(/[\s,]+$/, '').replace(/\.$/, ''))
    if (ms !== null) return ms
  }
  const date =
    /(?:try again (?:at|after)|reset[s]? (?:at|on)|available again at)\s+([A-Z][a-z]{2,8} \d{1,2}(?:st|nd|rd|th)?,? \d{4},? \d{1,2}:\d\d(?: ?[AP]M)?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?)/
      .exec(message)
  if (date) {
    const text = date[1]!.replace(/(\d)(st|nd|rd|th)/, '$1')
    const at = Date.parse(/^\d{4}/.test(text) ? `${text.replace(' ', 'T').replace(/Z$/, '')}Z` : `${text} UTC`)
    const bounded = Number.isNaN(at) ? null : boundedReset(at, now)
    if (bounded !== null) return Math.max(0, bounded - now)
  }
  return null
}

function retryDelay(error: Readonly<Record<string, unknown>>): number | null {
  if (!Array.isArray(error.details)) return null
  for (const detail of error.details) {
    if (!isObject(detail) || typeof detail.retryDelay !== 'string') continue
    const ms = parseDuration(detail.retryDelay)
    if (ms !== null) return Math.min(ms, longestWaitMs)
  }
  return null
}

/** The window that a body itself describes: ChatGPT's usage limit. */
export function windowOf({ error, codes }: Said, now: number): QuotaWindow | null {
  if (!codes.some((code) => code === 'usage_limit_reached' || code === 'usage_limit_exceeded')) return null
  const after = error.resets_in_seconds
  const at = typeof error.resets_at === 'number'
    ? parseReset(String(error.resets_at), now)
    : typeof after === 'number' && after >= 0
    ? boundedReset(now + after * 1_000, now)
    : null
  return at === null ? null : {
    id: 'plan',
    lengthMs: null,
    used: 1,
    limit: null,
    remaining: null,
    resetsAt: at,
    status: 'rejected',
    model: null,
  }
}
