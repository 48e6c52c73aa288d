import { longestWaitMs } from '../base/mod.ts'
import type { QuotaWindow, UpstreamFailure } from '../protocol/mod.ts'
import {
  type Availability,
  bucketCapacity,
  type Circuit,
  type DeadReason,
  type DegradedReason,
  type EvidenceSource,
  type HintClass,
  type Liveness,
  type SeenWindow,
  type Standing,
} from './state.ts'
import { addSample } from './samples.ts'
import { bucketRefillPerMs } from './view.ts'

/** One fact about one key. */
export type Observation =
  | {
    readonly is: 'success'
    readonly source: EvidenceSource
    readonly status?: number | undefined
    readonly firstByteMs?: number | null | undefined
    readonly tokensPerSecond?: number | null | undefined
    readonly windows?: readonly QuotaWindow[]
  }
  | {
    readonly is: 'failure'
    readonly source: EvidenceSource
    readonly failure: UpstreamFailure
    /** Added to a provider's reset so that everybody does not come back in the same second. Never negative. */
    readonly jitterMs: number
    /** From how long a wait on a rate limit is a spent quota; an hour when absent. */
    readonly quotaThresholdMs?: number
  }
  /** Limits read in passing, without a verdict on the target. */
  | { readonly is: 'windows'; readonly source: EvidenceSource; readonly windows: readonly QuotaWindow[] }
  /** How fast an answer was written. */
  | { readonly is: 'speed'; readonly tokensPerSecond: number }
  /** The credential was refreshed, so what died of the old one lives. Says nothing about quotas. */
  | { readonly is: 'refreshed' }
  /** The newest credential was refused for good. */
  | { readonly is: 'lost'; readonly reason: DeadReason }
  /** Its owner says: forget what you believe. Knowledge of the windows stays. */
  | { readonly is: 'reset' }

/** Numbers of the liveness rules. */
const livenessNumbers = {
  rateLimitGuessMs: 30_000,
  quotaThresholdMs: 3_600_000,
  quotaGuessMs: 3_600_000,
  providerDegradedMs: 60_000,
  unknown4xxMs: 3_600_000,
  concurrencyMs: 5_000,
  circuitFailures: 3,
  circuitWindowMs: 60_000,
  circuitOpenMs: 30_000,
  circuitSuccesses: 2,
  scoreSuccess: 1,
  scoreFailure: -20,
  scoreRateLimit: -10,
  scoreHealPerMs: 2 / 3_600_000,
} as const

const n = livenessNumbers

/**
 * What we believe after one more fact.
 *
 * Pure. Facts that say nothing about the target (the caller's mistake, a local cause, a cancelled request) change
 * nothing. `dead` ends only by a success, a refresh or its owner's word; a reset that the provider named is never
 * moved closer by anything of ours.
 */
export function observe(before: Standing, observation: Observation, now: number): Standing {
  switch (observation.is) {
    case 'success':
      return succeeded(before, observation, now)
    case 'failure':
      return failed(before, observation, now)
    case 'windows':
      return { ...before, windows: mergeWindows(before.windows, observation.windows, now), updatedAt: now }
    case 'speed':
      return {
        ...before,
        tokensPerSecond: smooth(before.tokensPerSecond, observation.tokensPerSecond),
        speeds: addSample(before.speeds, observation.tokensPerSecond, now),
        updatedAt: now,
      }
    case 'refreshed':
      return before.liveness.state === 'dead'
        ? { ...before, liveness: available(now), consecutiveFailures: 0, updatedAt: now }
        : before
    case 'lost':
      return {
        ...before,
        liveness: { state: 'dead', since: deadSince(before, now), reason: observation.reason },
        score: -100,
        scoreAt: now,
        failures: before.failures + 1,
        evidence: {
          source: 'http_status',
          observedAt: now,
          retryAfterMs: null,
          hint: 'auth_dead',
        },
        updatedAt: now,
      }
    case 'reset':
      return {
        ...before,
        liveness: available(now),
        circuit: { is: 'closed', failedAt: [] },
        bucket: bucketCapacity,
        bucketAt: now,
        score: 50,
        scoreAt: now,
        consecutiveFailures: 0,
        lastFailureAt: null,
        evidence: null,
        updatedAt: now,
      }
  }
}

const available = (now: number): Liveness => ({ state: 'live', since: now, availability: { is: 'available' } })

const deadSince = (before: Standing, now: number): number =>
  before.liveness.state === 'dead' ? before.liveness.since : now

const clampScore = (score: number): number => Math.max(-100, Math.min(100, score))

/** The score now: what was recorded plus two points for each quiet hour. */
export function scoreAt(standing: Standing, now: number): number {
  if (standing.liveness.state === 'dead') return -100
  return healed(standing, now)
}

const healed = ({ score, scoreAt }: Standing, now: number): number =>
  clampScore(score + Math.max(0, now - scoreAt) * n.scoreHealPerMs)

/** Tokens in the failure bucket now. */
function bucketAt(standing: Standing, now: number): number {
  return Math.min(bucketCapacity, standing.bucket + Math.max(0, now - standing.bucketAt) * bucketRefillPerMs)
}

const smooth = (before: number | null, seen: number | null | undefined): number | null =>
  seen === null || seen === undefined ? before : before === null ? seen : before + (seen - before) * 0.2

function succeeded(
  before: Standing,
  seen: Extract<Observation, { is: 'success' }>,
  now: number,
): Standing {
  const clean = before.liveness.state === 'live' && before.liveness.availability.is === 'available'
  return {
    ...before,
    liveness: clean ? before.liveness : available(now),
    circuit: afterSuccess(before.circuit, now - (seen.firstByteMs ?? Infinity), now),
    score: clampScore(healed(before, now) + n.scoreSuccess),
    scoreAt: now,
    successes: before.successes + 1,
    consecutiveFailures: 0,
    lastStatus: seen.status ?? 200,
    latencyMs: smooth(before.latencyMs, seen.firstByteMs),
    tokensPerSecond: smooth(before.tokensPerSecond, seen.tokensPerSecond),
    latencies: addSample(before.latencies, seen.firstByteMs, now),
    speeds: addSample(before.speeds, seen.tokensPerSecond, now),
    windows: seen.windows && seen.windows.length > 0 ? mergeWindows(before.windows, seen.windows, now) : before.windows,
    evidence: { source: seen.source, observedAt: now, retryAfterMs: null, hint: 'none' },
    updatedAt: now,
  }
}

/** @param leftAt when the request that was answered left, epoch ms; `-Infinity` when nobody knows */
function afterSuccess(circuit: Circuit, leftAt: number, now: number): Circuit {
  if (circuit.is === 'closed') return circuit.failedAt.length === 0 ? circuit : { is: 'closed', failedAt: [] }
  // An answer to a request that left before the circuit opened is no proof of health.
  if (circuit.is === 'open' && circuit.until > now && leftAt < circuit.until - n.circuitOpenMs) return circuit
  const successes = (circuit.is === 'half_open' ? circuit.successes : 0) + 1
  return successes >= n.circuitSuccesses ? { is: 'closed', failedAt: [] } : { is: 'half_open', successes }
}

function afterFailure(circuit: Circuit, now: number): Circuit {
  if (circuit.is === 'open' && circuit.until > now) return circuit
  if (circuit.is !== 'closed') return { is: 'open', until: now + n.circuitOpenMs }
  const failedAt = [...circuit.failedAt.filter((at) => at > now - n.circuitWindowMs), now]
  return failedAt.length >= n.circuitFailures
    ? { is: 'open', until: now + n.circuitOpenMs }
    : { is: 'closed', failedAt }
}

/** How one kind of failure changes what we believe. */
interface Effect {
  readonly liveness: Liveness | null
  readonly hint: HintClass
  /** Whether it counts towards the circuit: the far side broke, rather than refused. */
  readonly circuit: boolean
  readonly rateLimit: boolean
}

function failed(before: Standing, seen: Extract<Observation, { is: 'failure' }>, now: number): Standing {
  const { failure } = seen
  const effect = effectOf(seen, now)
  if (effect === null) return before
  const liveness = keepWorse(before.liveness, effect.liveness, now)
  return {
    ...before,
    liveness,
    circuit: effect.circuit ? afterFailure(before.circuit, now) : before.circuit,
    score: liveness.state === 'dead'
      ? -100
      : clampScore(scoreAt(before, now) + (effect.rateLimit ? n.scoreRateLimit : n.scoreFailure)),
    scoreAt: now,
    bucket: Math.max(0, bucketAt(before, now) - 1),
    bucketAt: now,
    failures: before.failures + (effect.rateLimit ? 0 : 1),
    rateLimits: before.rateLimits + (effect.rateLimit ? 1 : 0),
    consecutiveFailures: before.consecutiveFailures + 1,
    lastStatus: failure.status ?? before.lastStatus,
    // A refusal is not an outage: only a broken far side makes a target go last for a while.
    lastFailureAt: effect.circuit ? now : before.lastFailureAt,
    windows: failure.windows.length > 0 ? mergeWindows(before.windows, failure.windows, now) : before.windows,
    evidence: {
      source: seen.source,
      observedAt: now,
      retryAfterMs: failure.retryAfterMs,
      hint: effect.hint,
    },
    updatedAt: now,
  }
}

/** A named reset beats a guess, the later named one wins, and the dead stay dead. */
function keepWorse(before: Liveness, next: Liveness | null, now: number): Liveness {
  if (next === null || before.state === 'dead') return before
  if (next.state !== 'live' || before.state !== 'live') {
    // A passing trouble must not erase a provider's own word about a quota.
    return next.state === 'degraded' && next.reason === 'provider_degraded' && toldUntil(before) > now ? before : next
  }
  const until = toldUntil(before)
  if (until <= now) return next
  return toldUntil(next) >= until ? next : before
}

/** Until when the provider itself said to wait; 0 when it said nothing. */
function toldUntil(liveness: Liveness): number {
  if (liveness.state !== 'live') return 0
  const { availability } = liveness
  if (availability.is === 'rate_limited') return availability.told ? availability.until : 0
  if (availability.is === 'quota_exhausted') return availability.told ? availability.resetsAt ?? Infinity : 0
  return 0
}

function effectOf(seen: Extract<Observation, { is: 'failure' }>, now: number): Effect | null {
  const { failure, quotaThresholdMs = n.quotaThresholdMs } = seen
  const jitterMs = Math.max(0, seen.jitterMs)
  const wait = failure.retryAfterMs === null ? null : Math.min(Math.max(0, failure.retryAfterMs), longestWaitMs)
  const live = (availability: Availability, hint: HintClass): Effect => ({
    liveness: { state: 'live', since: now, availability },
    hint,
    circuit: false,
    rateLimit: true,
  })
  const degraded = (reason: DegradedReason, retryAt: number | null, circuit = false): Effect => ({
    liveness: { state: 'degraded', since: now, reason, retryAt },
    hint: reason,
    circuit,
    rateLimit: false,
  })
  switch (failure.kind) {
    case 'rate_limited': {
      const ms = wait ?? n.rateLimitGuessMs
      if (ms > quotaThresholdMs) return live(exhausted(failure, now + ms + jitterMs, true, now), 'quota_exhausted')
      return live({
        is: 'rate_limited',
        limitedAt: now,
        until: now + ms,
        window: ms <= 60_000 ? 'per_minute' : ms <= 3_600_000 ? 'per_hour' : 'per_day',
        told: wait !== null,
      }, 'rate_limit')
    }
    case 'quota_exhausted': {
      const reset = latestReset(failure.windows, now)
      const told = Math.max(reset ?? 0, wait === null ? 0 : now + wait)
      return live(
        told > now
          ? exhausted(failure, told + jitterMs, true, now)
          : exhausted(failure, now + n.quotaGuessMs, false, now),
        'quota_exhausted',
      )
    }
    case 'concurrency':
      return live({ is: 'cooldown', until: now + (wait ?? n.concurrencyMs), reason: 'concurrency' }, 'rate_limit')
    case 'overloaded':
    case 'server_error':
      return degraded('provider_degraded', now + (wait ?? n.providerDegradedMs), true)
    case 'timeout':
    case 'unreachable':
    case 'truncated':
    case 'empty':
    case 'malformed':
      // Our own network may be the one that is down: it counts against the circuit and changes no state.
      return { liveness: null, hint: 'failure', circuit: true, rateLimit: false }
    case 'billing':
      return degraded('subscription_paused', now + (wait ?? n.unknown4xxMs))
    case 'entitlement':
      return degraded('tier_insufficient', now + n.unknown4xxMs)
    case 'forbidden':
      return degraded(forbiddenReason(failure.code), null)
    case 'model_unavailable':
      return degraded('unknown_4xx', now + n.unknown4xxMs)
    case 'unauthorized':
      return {
        liveness: { state: 'dead', since: now, reason: 'token_revoked' },
        hint: 'auth_dead',
        circuit: false,
        rateLimit: false,
      }
    case 'context_length':
    case 'moderation':
    case 'invalid_request':
    case 'local':
    case 'cancelled':
      return null
  }
}

function exhausted(failure: UpstreamFailure, resetsAt: number, told: boolean, now: number): Availability {
  const used = failure.windows.filter(({ status }) => status === 'rejected').map(({ used }) => used)
    .filter((part) => part !== null)
  return {
    is: 'quota_exhausted',
    exhaustedAt: now,
    resetsAt,
    usedPct: used.length > 0 ? Math.round(Math.max(...used) * 100) : null,
    told,
  }
}

/** The latest future reset of the windows that refused. */
function latestReset(windows: readonly QuotaWindow[], now: number): number | null {
  let latest: number | null = null
  for (const window of windows) {
    if (window.status !== 'rejected' || window.resetsAt === null || window.resetsAt <= now) continue
    const bounded = Math.min(window.resetsAt, now + longestWaitMs)
    if (latest === null || bounded > latest) latest = bounded
  }
  return latest
}

const forbiddenReasons: Readonly<Record<string, DegradedReason>> = {
  scope: 'scope_insufficient',
  step_up: 'step_up_required',
  pending: 'pending_verification',
  terms: 'terms_required',
  audience: 'audience_mismatch',
  schema: 'schema_invalid',
}

const forbiddenReason = (code: string | null): DegradedReason =>
  code !== null && Object.hasOwn(forbiddenReasons, code) ? forbiddenReasons[code]! : 'tier_insufficient'

const maxWindows = 16

/**
 * What was known about the windows with the newer report laid over it. A window is the same one when its length and
 * model agree (its name where the length is unknown); windows that a report leaves out stay as they were, and one whose
 * reset has passed counts as unused.
 */
function mergeWindows(
  before: readonly SeenWindow[],
  seen: readonly QuotaWindow[],
  now: number,
): readonly SeenWindow[] {
  const byIdentity = new Map<string, SeenWindow>(before.map((window) => [windowIdentity(window), window]))
  for (const window of seen) {
    const twin = twinOf(window, byIdentity)
    const known = byIdentity.get(windowIdentity(window)) ?? twin
    const same = known?.resetsAt !== undefined && (known.resetsAt === null || known.resetsAt > now)
    const next = {
      ...window,
      lengthMs: window.lengthMs ?? twin?.lengthMs ?? null,
      used: window.used ?? (same ? known?.used ?? null : null),
      limit: window.limit ?? known?.limit ?? null,
      resetsAt: window.resetsAt ?? (same ? known?.resetsAt ?? null : null),
      seenAt: now,
    }
    for (const one of twin ? [twin, window] : []) byIdentity.delete(windowIdentity(one))
    byIdentity.set(windowIdentity(next), next)
  }
  return [...byIdentity.values()].sort((a, b) => (a.lengthMs ?? 0) - (b.lengthMs ?? 0)).slice(-maxWindows)
}

/**
 * The same window as a report without its length knew it, or with: one provider names requests a minute by their length
 * on one protocol and without it on another. Of several lengths none is meant.
 */
function twinOf(window: QuotaWindow, known: ReadonlyMap<string, SeenWindow>): SeenWindow | undefined {
  if (unitOf(window) === 'use') return undefined
  const named = [...known.values()].filter(({ id, model }) => id === window.id && model === window.model)
  const lengths = new Set([window, ...named].flatMap(({ lengthMs }) => lengthMs ?? []))
  if (lengths.size !== 1) return undefined
  return named.find(({ lengthMs }) => (lengthMs === null) !== (window.lengthMs === null))
}

/** What tells two windows apart: kind of unit, length and model; position and label do not count. */
function windowIdentity(window: QuotaWindow): string {
  if (window.lengthMs === null) return `${window.id}/${window.model ?? ''}`
  // Requests and tokens per minute have one length and are two windows.
  const name = unitOf(window) === 'use' ? 'use' : window.id
  return `${name}@${window.lengthMs}/${window.model ?? ''}`
}

const unitOf = ({ id }: QuotaWindow): string => /token|request|input|output/i.exec(id)?.[0].toLowerCase() ?? 'use'
