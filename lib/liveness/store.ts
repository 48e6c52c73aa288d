import { z } from 'zod'
import { once } from '../base/mod.ts'
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

/** The stored value, built when the first row is read. */
const stored = once(() => {
  const number = z.number()
  const nullable = number.nullable()
  const sample = z.tuple([number, number])
  const window = z.object({
    id: z.string(),
    lengthMs: nullable,
    used: nullable,
    limit: nullable,
    remaining: nullable,
    resetsAt: nullable,
    status: z.enum(['allowed', 'warning', 'rejected', 'unknown']),
    model: z.string().nullable(),
    seenAt: number,
  })
  const availability = z.discriminatedUnion('is', [
    z.object({ is: z.literal('available') }),
    z.object({
      is: z.literal('rate_limited'),
      limitedAt: number,
      until: number,
      window: z.enum(['per_minute', 'per_hour', 'per_day', 'unknown']),
      told: z.boolean(),
    }),
    z.object({
      is: z.literal('quota_exhausted'),
      exhaustedAt: number,
      resetsAt: nullable,
      usedPct: nullable,
      told: z.boolean(),
    }),
    z.object({ is: z.literal('cooldown'), until: number, reason: z.string() }),
  ])
  const liveness = z.discriminatedUnion('state', [
    z.object({ state: z.literal('live'), since: number, availability }),
    z.object({ state: z.literal('degraded'), since: number, reason: z.string(), retryAt: nullable }),
    z.object({ state: z.literal('dead'), since: number, reason: z.string() }),
  ])
  const circuit = z.discriminatedUnion('is', [
    z.object({ is: z.literal('closed'), failedAt: z.array(number) }),
    z.object({ is: z.literal('open'), until: number }),
    z.object({ is: z.literal('half_open'), successes: number }),
  ])
  return z.object({
    liveness,
    circuit,
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
    // Rows of earlier versions have none.
    latencies: z.array(sample).max(1_000).default([]),
    speeds: z.array(sample).max(1_000).default([]),
    windows: z.array(window),
    evidence: z.object({
      source: z.string(),
      observedAt: number,
      retryAfterMs: nullable,
      hint: z.string(),
      decision: z.string(),
    }).nullable(),
  })
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
  const parsed = stored().safeParse(value)
  if (!parsed.success) return null
  // The strings of the closed unions were written by `toRow` of this version.
  const standing = { ...freshStanding(row.key as TargetKey, row.updated_ms), ...parsed.data } as Standing
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

function keepWindow(seen: Standing['windows'][number], now: number): boolean {
  const until = seen.resetsAt ?? seen.seenAt + (seen.lengthMs ?? 86_400_000)
  return until > now || now - seen.seenAt < 86_400_000
}
