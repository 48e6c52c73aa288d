import { judge, scoreAt } from '../liveness/look.ts'
import type { Board, Observation, Standing } from '../liveness/mod.ts'
import type { FailureKind, UpstreamFailure } from '../protocol/mod.ts'
import type { TargetKey } from '../accounts/mod.ts'
import { type Classified, hintClass } from './classify.ts'
import type { Evidence, EvidenceView, LastProbe } from './evidence.ts'

/**
 * A standing as planning reads it: what the clock alone heals is healed, and nothing is written.
 *
 * A spent quota whose window has passed, or whose end was only our guess, stays spent until one probe says otherwise.
 */
function readStanding(standing: Standing, now: number): Evidence {
  const verdict = judge(standing, now)
  const { liveness, circuit } = standing
  const healed = liveness.state === 'live'
    ? liveness.availability.is === 'rate_limited' || liveness.availability.is === 'cooldown'
      ? liveness.availability.until <= now
      : false
    : liveness.state === 'degraded' && liveness.reason === 'provider_degraded' &&
      (liveness.retryAt === null || liveness.retryAt <= now)
  const trial = verdict.is === 'trial' && verdict.because !== 'circuit_open'
  const quota = liveness.state === 'live' && liveness.availability.is === 'quota_exhausted'
    ? liveness.availability
    : null
  const shown: Evidence['liveness'] = healed
    ? { state: 'live', since: liveness.since, availability: { is: 'available' } }
    : quota && !quota.told
    ? { state: 'live', since: liveness.since, availability: { ...quota, resetsAt: null } }
    : liveness
  const last = standing.evidence
  return {
    key: standing.key,
    liveness: shown,
    revalidationNeeded: trial,
    resetWindowState: quota ? !quota.told ? 'unknown' : trial ? 'expired' : 'active' : null,
    circuit: circuit.is === 'open' && circuit.until <= now ? 'half_open' : circuit.is,
    circuitRetryAt: circuit.is === 'open' ? circuit.until : null,
    score: Math.round(scoreAt(standing, now)),
    successes: standing.successes,
    failures: standing.failures,
    rateLimits: standing.rateLimits,
    lastHttpStatus: standing.lastStatus,
    lastProbe: last && {
      source: last.source,
      observedAt: last.observedAt,
      retryAfterMs: healed ? null : last.retryAfterMs,
      hintClass: healed ? 'none' : last.hint,
    } satisfies LastProbe,
  }
}

/** The board as planning reads it at a time, epoch ms. */
export function boardView(board: Pick<Board, 'get'>, now: number): EvidenceView {
  return (key) => {
    const standing = board.get(key as TargetKey)
    // A key that only ever had limits read in passing was never tried.
    return standing === null || (standing.evidence === null && standing.successes + standing.failures === 0)
      ? null
      : readStanding(standing, now)
  }
}

/** What liveness calls each degraded reason when it comes from outside. */
const degradedKinds: Readonly<
  Record<Extract<Classified, { is: 'degraded' }>['reason'], readonly [FailureKind, string | null]>
> = {
  tier_insufficient: ['forbidden', null],
  subscription_paused: ['billing', null],
  provider_degraded: ['server_error', null],
  scope_insufficient: ['forbidden', 'scope'],
  audience_mismatch: ['forbidden', 'audience'],
  schema_invalid: ['forbidden', 'schema'],
  terms_required: ['forbidden', 'terms'],
  step_up_required: ['forbidden', 'step_up'],
  pending_verification: ['forbidden', 'pending'],
  unknown_4xx: ['model_unavailable', null],
}

/** What a judged probe tells liveness. */
export function observationOf(
  classified: Classified,
  { status, source, now }: {
    readonly status: number | null
    readonly source: LastProbe['source']
    readonly now: number
  },
): Observation {
  if (classified.is === 'success') return { is: 'success', source, ...(status === null ? {} : { status }) }
  if (classified.is === 'dead') return { is: 'lost', reason: classified.reason }
  const failed = (kind: FailureKind, retryAfterMs: number | null, code: string | null = null) => {
    const failure: UpstreamFailure = {
      kind,
      scope: 'account',
      status,
      message: hintClass(classified),
      code,
      mayTryOther: true,
      retryAfterMs,
      windows: [],
    }
    return { is: 'failure', source, failure, jitterMs: 0 } as const
  }
  switch (classified.is) {
    case 'degraded': {
      const [kind, code] = degradedKinds[classified.reason]
      return failed(kind, classified.waitMs, code)
    }
    case 'rate_limited':
      // Where a quota begins was the definition's to say, and it did.
      return { ...failed('rate_limited', classified.waitMs), quotaThresholdMs: Infinity }
    case 'quota_exhausted':
      return failed('quota_exhausted', classified.resetsAt === null ? null : Math.max(0, classified.resetsAt - now))
    case 'failure':
      return failed('malformed', null)
  }
}
