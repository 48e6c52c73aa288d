import { longestWaitMs, parseRetryAfter } from '../base/mod.ts'
import type { QuotaWindow } from '../protocol/mod.ts'

/** The headers of an answer, as far as they are needed: names in lower case. */
export interface HeaderSource {
  get(name: string): string | null
  forEach(visit: (value: string, name: string) => void): void
}

/** Longest header value that is read: a limit is a short text. */
const maxValueLength = 200
const maxWindows = 16

const dayMs = 86_400_000

/**
 * A reset time that can be believed: not further ahead than 31 days, not a day in the past, or `null`. A vendor's typo
 * must not park an account for ever, and garbage is no evidence.
 */
export function boundedReset(at: number | null | undefined, now: number): number | null {
  if (at === null || at === undefined || !Number.isFinite(at) || at < now - dayMs) return null
  return Math.min(Math.round(at), now + longestWaitMs)
}

/** A share of 0 to 1, or `null`. */
const share = (value: number | null): number | null =>
  value === null || !Number.isFinite(value) ? null : Math.max(0, Math.min(1, value))

const numberOf = (value: string | null | undefined): number | null => {
  const text = value?.trim()
  return text && text.length <= 30 && /^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : null
}

const countOf = (value: string | null | undefined): number | null => {
  const number = numberOf(value)
  return number === null || number < 0 || number > Number.MAX_SAFE_INTEGER ? null : number
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: dayMs, w: 7 * dayMs }
const durationPart =
  /\s*(\d+(?:\.\d+)?)\s*(milliseconds?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|[smhdw])(?:\s*,|\s+and\b)?/iy

/** Milliseconds in texts such as `1s`, `6m0s`, `120ms`, `1h30m`, `2 days and 3 hours`; `null` for anything else. */
export function parseDuration(text: string): number | null {
  const subject = text.trim().slice(0, maxValueLength)
  const pattern = new RegExp(durationPart)
  let ms = 0
  while (pattern.lastIndex < subject.length) {
    const match = pattern.exec(subject)
    if (match === null) return null
    const unit = match[2]!.toLowerCase()
    ms += Number(match[1]) * units[unit === 'ms' || unit.startsWith('milli') ? 'ms' : unit[0]!]!
  }
  return subject === '' ? null : Math.min(Math.round(ms), longestWaitMs)
}

/**
 * A reset as vendors write it: seconds or a duration from now, epoch seconds or milliseconds, or a date. Bounded.
 */
export function parseReset(value: string | null | undefined, now: number): number | null {
  const text = value?.trim()
  if (!text || text.length > maxValueLength) return null
  const number = numberOf(text)
  if (number !== null) {
    if (number < 0) return null
    if (number > 1e14) return null
    // Milliseconds, unless that would be long ago: then it is a year far ahead in seconds.
    if (number > 1e11 && number > now - dayMs) return boundedReset(number, now)
    if (number > 1e8) return boundedReset(number * 1_000, now)
    return boundedReset(now + number * 1_000, now)
  }
  const duration = parseDuration(text)
  if (duration !== null) return boundedReset(now + duration, now)
  if (!/^\d{4}-\d\d-\d\d|^[A-Za-z]{3},? /.test(text)) return null
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : boundedReset(at, now)
}

/** The wait that an answer's headers ask for, milliseconds, or `null`: `retry-after-ms` before `retry-after`. */
export function readRetryAfter(headers: HeaderSource, now: number): number | null {
  const ms = countOf(headers.get('retry-after-ms'))
  if (ms !== null) return Math.min(ms, longestWaitMs)
  return parseRetryAfter(headers.get('retry-after')?.slice(0, maxValueLength), now) ?? null
}

/** What an answer's headers say about the limits of the account, by window. Unknown windows are kept and shown. */
export function readWindows(headers: HeaderSource, now: number, model: string | null = null): QuotaWindow[] {
  let groups: Map<string, Map<string, string>> | null = null
  const put = (window: string, field: string, value: string): void => {
    groups ??= new Map()
    const group = groups.get(window) ?? new Map<string, string>()
    group.set(field, value.slice(0, maxValueLength))
    if (groups.size < 64) groups.set(window, group)
  }
  let snapshots: QuotaWindow[] = []
  headers.forEach((value, rawName) => {
    const name = rawName.toLowerCase()
    if (!name.includes('ratelimit') && !name.startsWith('x-codex-') && !name.startsWith('x-quota-')) return
    const match = unified.exec(name) ?? perMinute.exec(name) ?? counted.exec(name) ?? codex.exec(name)
    if (match) put(`${kindOf(name)}|${match.groups!['window']}`, match.groups!['field']!, value)
    else if (name.startsWith('x-quota-snapshot-')) {
      snapshots = snapshots.concat(readSnapshot(name.slice('x-quota-snapshot-'.length), value, now))
    }
  })
  if (groups === null) return snapshots.slice(0, maxWindows)
  const windows = [...groups as Map<string, Map<string, string>>].flatMap(([key, fields]) => {
    const bar = key.indexOf('|')
    const [kind, window] = [key.slice(0, bar), key.slice(bar + 1)]
    if (kind === 'unified') return unifiedWindow(window, fields, now, model)
    return kind === 'codex' ? codexWindow(window, fields, now, model) : countWindow(kind, window, fields, now)
  })
  return [...windows, ...snapshots].slice(0, maxWindows)
}

/** `anthropic-ratelimit-unified-5h-status`, `…-7d_oi-reset`: a window's name, then the field. */
const unified = /^anthropic-ratelimit-unified-(?<window>\d+[mhd](?:_[a-z0-9]+)*)-(?<field>status|reset|utilization)$/
/** `anthropic-ratelimit-input-tokens-remaining`. */
const perMinute =
  /^anthropic-(?:priority-|fast-)?ratelimit-(?!unified)(?<window>[a-z-]+?)-(?<field>limit|remaining|reset)$/
/** `x-ratelimit-remaining-requests`, `x-ratelimit-limit-tokens-minute`, `ratelimit-remaining`. */
const counted = /^(?:x-)?ratelimit-(?<field>limit|remaining|reset)(?:-(?<window>[a-z-]+))?$/
/** `x-codex-primary-used-percent`, `x-codex-<limit>-secondary-window-minutes`. */
const codex =
  /^x-codex-(?<window>(?:[a-z0-9_]+-)*?(?:primary|secondary))-(?<field>used-percent|window-minutes|reset-after-seconds|reset-at|resets-in-seconds)$/

function kindOf(name: string): string {
  if (name.startsWith('anthropic-ratelimit-unified')) return 'unified'
  if (name.startsWith('x-codex-')) return 'codex'
  return name.startsWith('anthropic-') ? 'minute' : 'counted'
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: dayMs }

function unifiedWindow(
  window: string,
  fields: ReadonlyMap<string, string>,
  now: number,
  model: string | null,
): QuotaWindow[] {
  const match = /^(\d{1,4})([mhd])(?:_(.+))?$/.exec(window)
  if (!match) return []
  const family = match[3]
  const status = fields.get('status')?.trim().toLowerCase()
  return [{
    id: window,
    lengthMs: Number(match[1]) * unitMs[match[2]!]!,
    used: share(numberOf(fields.get('utilization'))),
    limit: null,
    remaining: null,
    resetsAt: parseReset(fields.get('reset'), now),
    status: status === 'rejected'
      ? 'rejected'
      : status === 'allowed_warning'
      ? 'warning'
      : status === 'allowed'
      ? 'allowed'
      : 'unknown',
    // A window of one family limits that family; where the suffix is a code name, the model asked for is all we know.
    model: family === undefined ? null : /^(opus|sonnet|haiku)$/.test(family) ? family : model,
  }]
}

function countWindow(
  kind: string,
  window: string,
  fields: ReadonlyMap<string, string>,
  now: number,
): QuotaWindow[] {
  const name = window === 'undefined' ? 'requests' : window
  const limit = countOf(fields.get('limit')?.split(/[,;]/)[0])
  const remaining = countOf(fields.get('remaining'))
  const resetsAt = parseReset(fields.get('reset'), now)
  if (limit === null && remaining === null && resetsAt === null) return []
  const per = /-(second|minute|hour|day|week|month)$/.exec(name)?.[1]
  const lengths: Record<string, number> = {
    second: 1_000,
    minute: 60_000,
    hour: 3_600_000,
    day: dayMs,
    week: 7 * dayMs,
    month: 30 * dayMs,
  }
  return [{
    id: name,
    lengthMs: kind === 'minute' ? 60_000 : per === undefined ? null : lengths[per]!,
    used: limit !== null && limit > 0 && remaining !== null ? share((limit - remaining) / limit) : null,
    limit,
    remaining,
    resetsAt,
    status: remaining === 0 ? 'rejected' : remaining === null ? 'unknown' : 'allowed',
    model: null,
  }]
}

function codexWindow(
  window: string,
  fields: ReadonlyMap<string, string>,
  now: number,
  model: string | null,
): QuotaWindow[] {
  const percent = numberOf(fields.get('used-percent'))
  const minutes = countOf(fields.get('window-minutes'))
  const after = countOf(fields.get('reset-after-seconds') ?? fields.get('resets-in-seconds'))
  const at = fields.get('reset-at')
  if (percent === null && minutes === null) return []
  const resetsAt = at !== undefined
    ? parseReset(at, now)
    : after === null
    ? null
    : boundedReset(now + after * 1_000, now)
  const limited = /^(primary|secondary)$/.test(window)
  return [{
    id: minutes === null ? window : lengthName(minutes),
    lengthMs: minutes === null || minutes === 0 ? null : minutes * 60_000,
    used: share(percent === null ? null : percent / 100),
    limit: null,
    remaining: null,
    resetsAt,
    status: percent === null ? 'unknown' : percent >= 100 ? 'rejected' : percent >= 90 ? 'warning' : 'allowed',
    // A named limit beside the general ones is one model's own.
    model: limited ? null : model,
  }]
}

/** `5h`, `7d`: a window by its length. */
function lengthName(minutes: number): string {
  if (minutes % 1_440 === 0) return `${minutes / 1_440}d`
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`
}

/** Copilot's `x-quota-snapshot-chat: ent=300&ov=0.0&ovPerm=false&rem=42.5&rst=2026-12-01T00%3A00%3A00Z`. */
function readSnapshot(name: string, value: string, now: number): QuotaWindow[] {
  const fields = new URLSearchParams(value.slice(0, 500))
  const limit = countOf(fields.get('ent'))
  const left = numberOf(fields.get('rem'))
  // An entitlement of −1 is unlimited: no window at all.
  if (left === null || limit === null) return []
  return [{
    id: name,
    lengthMs: 30 * dayMs,
    used: share(1 - left / 100),
    limit,
    remaining: Math.round(limit * Math.max(0, left) / 100),
    resetsAt: parseReset(fields.get('rst'), now),
    status: left <= 0 ? (fields.get('ovPerm') === 'true' ? 'warning' : 'rejected') : 'allowed',
    model: null,
  }]
}
