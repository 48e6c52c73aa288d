import { readShape, type Shape } from '../base/mod.ts'
import type { TargetKey } from '../accounts/mod.ts'
import { freshStanding, type Standing } from './state.ts'

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

const number: Shape = { is: 'number' }
const text: Shape = { is: 'text' }
const nullable: Shape = { is: 'nullable', of: number }
const list = (of: Shape, most?: number): Shape => ({ is: 'list', of, ...(most === undefined ? {} : { most }) })
const one = (...of: readonly string[]): Shape => ({ is: 'one', of })
/** Members that a later gw may add mean nothing to this one. */
const object = (of: Readonly<Record<string, Shape>>): Shape => ({ is: 'object', of, open: true })

const availability: Shape = {
  is: 'either',
  of: [
    object({ is: one('available') }),
    object({
      is: one('rate_limited'),
      limitedAt: number,
      until: number,
      window: one('per_minute', 'per_hour', 'per_day', 'unknown'),
      told: { is: 'flag' },
    }),
    object({
      is: one('quota_exhausted'),
      exhaustedAt: number,
      resetsAt: nullable,
      usedPct: nullable,
      told: { is: 'flag' },
    }),
    object({ is: one('cooldown'), until: number, reason: text }),
  ],
}

// Rows of earlier versions have none.
const samples: Shape = { is: 'default', of: list({ is: 'row', of: [number, number] }, 1_000), value: [] }

/** The stored value: data and no schema, because every command reads it and few need a schema for anything else. */
const stored = object({
  liveness: {
    is: 'either',
    of: [
      object({ state: one('live'), since: number, availability }),
      object({ state: one('degraded'), since: number, reason: text, retryAt: nullable }),
      object({ state: one('dead'), since: number, reason: text }),
    ],
  },
  circuit: {
    is: 'either',
    of: [
      object({ is: one('closed'), failedAt: list(number) }),
      object({ is: one('open'), until: number }),
      object({ is: one('half_open'), successes: number }),
    ],
  },
  score: number,
  scoreAt: number,
  bucket: number,
  bucketAt: number,
  successes: number,
  failures: number,
  rateLimits: number,
  consecutiveFailures: number,
  lastStatus: nullable,
  lastFailureAt: nullable,
  latencyMs: nullable,
  tokensPerSecond: nullable,
  latencies: samples,
  speeds: samples,
  windows: list(object({
    id: text,
    lengthMs: nullable,
    used: nullable,
    limit: nullable,
    remaining: nullable,
    resetsAt: nullable,
    status: one('allowed', 'warning', 'rejected', 'unknown'),
    model: { is: 'nullable', of: text },
    seenAt: number,
  })),
  evidence: {
    is: 'nullable',
    of: object({ source: text, observedAt: number, retryAfterMs: nullable, hint: text, decision: text }),
  },
})

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
  let value: unknown
  try {
    value = JSON.parse(row.value)
  } catch {
    return null
  }
  const read = isWell(value) ? value : readShape(stored, value)?.value
  if (read === undefined) return null
  // The strings of the closed unions were written by `toRow` of this version.
  const standing = { ...freshStanding(row.key as TargetKey, row.updated_ms), ...read as object } as Standing
  const settled = { ...standing, windows: standing.windows.filter((seen) => keepWindow(seen, now)) }
  const { liveness } = settled
  const idle = liveness.state === 'live' && now - row.updated_ms > forgetAfterMs && settled.windows.length === 0
  if (idle && !(liveness.availability.is === 'quota_exhausted' && (liveness.availability.resetsAt ?? Infinity) > now)) {
    return null
  }
  if (
    liveness.state === 'live' &&
    (liveness.availability.is === 'rate_limited' || liveness.availability.is === 'cooldown') &&
    liveness.availability.until <= now
  ) {
    return {
      ...settled,
      liveness: { state: 'live', since: liveness.availability.until, availability: { is: 'available' } },
    }
  }
  return settled
}

const numbers = [
  'score',
  'scoreAt',
  'bucket',
  'bucketAt',
  'successes',
  'failures',
  'rateLimits',
  'consecutiveFailures',
] as const
const numbersOrNull = ['lastStatus', 'lastFailureAt', 'latencyMs', 'tokensPerSecond'] as const
const lists = ['latencies', 'speeds', 'windows'] as const
const isNumberOrNull = (value: unknown): boolean => value === null || typeof value === 'number'
/** The members of {@link stored}. */
const members = 3 + numbers.length + numbersOrNull.length + lists.length

/**
 * Whether a value is that of a key that is well and was probed or served without samples: it fits {@link stored} as it
 * is. Rows are read in bulk by commands that end at once, and walking a shape costs ten times as much.
 */
function isWell(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== members) return false
  const seen = value as Record<string, Record<string, unknown> & unknown[]>
  const { liveness, circuit, evidence } = seen
  for (const name of numbers) if (typeof seen[name] !== 'number') return false
  for (const name of numbersOrNull) if (!isNumberOrNull(seen[name])) return false
  for (const name of lists) if (!Array.isArray(seen[name]) || seen[name].length > 0) return false
  const availability = liveness?.availability as Record<string, unknown> | undefined
  return liveness?.state === 'live' && typeof liveness.since === 'number' && availability?.is === 'available' &&
    Object.keys(liveness).length === 3 && Object.keys(availability).length === 1 &&
    circuit?.is === 'closed' && Array.isArray(circuit.failedAt) && circuit.failedAt.length === 0 &&
    Object.keys(circuit).length === 2 &&
    (evidence === null || (typeof evidence === 'object' && Object.keys(evidence).length === 5 &&
      typeof evidence.source === 'string' && typeof evidence.observedAt === 'number' &&
      isNumberOrNull(evidence.retryAfterMs) && typeof evidence.hint === 'string' &&
      typeof evidence.decision === 'string'))
}

function keepWindow(seen: Standing['windows'][number], now: number): boolean {
  const until = seen.resetsAt ?? seen.seenAt + (seen.lengthMs ?? 86_400_000)
  return until > now || now - seen.seenAt < 86_400_000
}

/** What is on disk, for those who only look: nothing is taken up later, and what has expired stays where it is. */
export function readStandings(rows: readonly StoredStanding[], now: number): ReadonlyMap<string, Standing> {
  const standings = rows.map((row) => toStanding(row, now)).filter((standing) => standing !== null)
  return new Map(standings.map((standing) => [standing.key, standing]))
}
