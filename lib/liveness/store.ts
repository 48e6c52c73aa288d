import {
  isFlag,
  isListOf,
  isNumber,
  isNumberOrNull,
  isObject,
  isOneOf,
  isText,
  isTextOrNull,
  type Test,
} from '../base/mod.ts'
import type { TargetKey } from '../accounts/mod.ts'
import type { Standing } from './state.ts'

/** A row of the liveness table. */
export interface StoredStanding {
  readonly key: string
  readonly version: number
  readonly value: string
  readonly updated_ms: number
}

/** Shape of the stored value; a row of another version is forgotten, because a wrong belief is worse than none. */
export const storedVersion = 1

/** Standings older than this say nothing worth keeping, unless a reset lies ahead or somebody has to act. */
const forgetAfterMs = 30 * 86_400_000

const isLimitWindow = isOneOf('per_minute', 'per_hour', 'per_day', 'unknown')
const isWindowStatus = isOneOf('allowed', 'warning', 'rejected', 'unknown')

function isAvailability(value: unknown): boolean {
  if (!isObject(value)) return false
  switch (value.is) {
    case 'available':
      return true
    case 'rate_limited':
      return isNumber(value.limitedAt) && isNumber(value.until) && isLimitWindow(value.window) && isFlag(value.told)
    case 'quota_exhausted':
      return isNumber(value.exhaustedAt) && isNumberOrNull(value.resetsAt) && isNumberOrNull(value.usedPct) &&
        isFlag(value.told)
    case 'cooldown':
      return isNumber(value.until) && isText(value.reason)
    default:
      return false
  }
}

function isLiveness(value: unknown): boolean {
  if (!isObject(value) || !isNumber(value.since)) return false
  switch (value.state) {
    case 'live':
      return isAvailability(value.availability)
    case 'degraded':
      return isText(value.reason) && isNumberOrNull(value.retryAt)
    case 'dead':
      return isText(value.reason)
    default:
      return false
  }
}

const isNumbers = isListOf(isNumber)

function isCircuit(value: unknown): boolean {
  if (!isObject(value)) return false
  switch (value.is) {
    case 'closed':
      return isNumbers(value.failedAt)
    case 'open':
      return isNumber(value.until)
    case 'half_open':
      return isNumber(value.successes)
    default:
      return false
  }
}

const isWindows = isListOf((value) =>
  isObject(value) && isText(value.id) && isNumberOrNull(value.lengthMs) && isNumberOrNull(value.used) &&
  isNumberOrNull(value.limit) && isNumberOrNull(value.remaining) && isNumberOrNull(value.resetsAt) &&
  isWindowStatus(value.status) && isTextOrNull(value.model) && isNumber(value.seenAt)
)

const isSamples = isListOf((value) => isNumbers(value) && (value as unknown[]).length === 2)

const isEvidence: Test = (value) =>
  isObject(value) && isText(value.source) && isNumber(value.observedAt) && isNumberOrNull(value.retryAfterMs) &&
  isText(value.hint)

/**
 * Whether a value is a standing without its key and time; what a later gw adds to one means nothing to this one. Written
 * out: commands that end at once read thousands, and anything that walks a description costs several times as much.
 */
function isStored(value: unknown): boolean {
  return isObject(value) && isLiveness(value.liveness) && isCircuit(value.circuit) &&
    isNumber(value.score) && isNumber(value.scoreAt) && isNumber(value.bucket) && isNumber(value.bucketAt) &&
    isNumber(value.successes) && isNumber(value.failures) && isNumber(value.rateLimits) &&
    isNumber(value.consecutiveFailures) && isNumberOrNull(value.lastStatus) && isNumberOrNull(value.lastFailureAt) &&
    isNumberOrNull(value.latencyMs) && isNumberOrNull(value.tokensPerSecond) &&
    // Rows of earlier versions have no samples.
    (value.latencies === undefined || isSamples(value.latencies)) &&
    (value.speeds === undefined || isSamples(value.speeds)) &&
    isWindows(value.windows) && (value.evidence === null || isEvidence(value.evidence))
}

/** A standing as a row. */
export function toRow(standing: Standing): StoredStanding {
  const { key, updatedAt, ...value } = standing
  return { key, version: storedVersion, value: JSON.stringify(value), updated_ms: updatedAt }
}

/**
 * A row as a standing, or `null` when it is of another version, damaged, or has nothing left to say. Waits that are over
 * are dropped; a quota whose reset has passed stays, because it needs one proving request.
 */
export function toStanding(row: StoredStanding, now: number): Standing | null {
  if (row.version !== storedVersion) return null
  const value = valueOf(row)
  if (value === null) return null
  const standing = settle(value, now)
  const { liveness, windows, updatedAt } = standing
  const idle = liveness.state === 'live' && now - updatedAt > forgetAfterMs && windows.length === 0
  if (idle && !(liveness.availability.is === 'quota_exhausted' && (liveness.availability.resetsAt ?? Infinity) > now)) {
    return null
  }
  return standing
}

/** A row's own value, made into the standing it was; `null` where it is not one. */
function valueOf(row: StoredStanding): Standing | null {
  let value: unknown
  try {
    value = JSON.parse(row.value)
  } catch {
    return null
  }
  if (!isStored(value)) return null
  // The strings of the closed unions were written by `toRow` of this version.
  const standing = value as { -readonly [K in keyof Standing]: Standing[K] }
  standing.key = row.key as TargetKey
  standing.updatedAt = row.updated_ms
  standing.latencies ??= []
  standing.speeds ??= []
  return standing
}

/** Drops what is over: windows that have passed, and waits that need no proof. */
function settle(standing: Standing, now: number): Standing {
  const windows = standing.windows.every((seen) => keepWindow(seen, now))
    ? standing.windows
    : standing.windows.filter((seen) => keepWindow(seen, now))
  const { liveness } = standing
  const waited = liveness.state === 'live' &&
    (liveness.availability.is === 'rate_limited' || liveness.availability.is === 'cooldown') &&
    liveness.availability.until <= now
  if (!waited) return windows === standing.windows ? standing : { ...standing, windows }
  return {
    ...standing,
    windows,
    liveness: { state: 'live', since: liveness.availability.until, availability: { is: 'available' } },
  }
}

function keepWindow(seen: Standing['windows'][number], now: number): boolean {
  const until = seen.resetsAt ?? seen.seenAt + (seen.lengthMs ?? 86_400_000)
  return until > now || now - seen.seenAt < 86_400_000
}

/**
 * What is on disk, for those who only look: nothing is taken up later, and what has expired stays where it is. A row is
 * read when it is first asked for: most rows are about models, which few ask about.
 */
export function readStandings(rows: readonly StoredStanding[], now: number): (key: string) => Standing | null {
  const byKey = new Map(rows.map((row) => [row.key, row]))
  return (key) => {
    const row = byKey.get(key)
    return row === undefined ? null : toStanding(row, now)
  }
}
