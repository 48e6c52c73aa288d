import type { Candidate } from './candidates.ts'
import type { Dropped, PlannedSession } from './plan.ts'
import type { Fit } from './fit.ts'
import type { PlanRequest, Snapshot } from './snapshot.ts'
import type { StrategyView } from './strategies/mod.ts'

/** What placing a session reads. */
export interface PlacementInput {
  readonly request: PlanRequest
  /** In the strategy's order. */
  readonly fits: readonly Fit[]
  readonly all: readonly Candidate[]
  /** Grows when ciphertext rules targets out. */
  readonly dropped: Dropped[]
  readonly snapshot: Snapshot
  readonly view: StrategyView
}

/** The order after the session has had its say. */
export interface Placement {
  readonly fits: readonly Fit[]
  readonly session: PlannedSession | null
  readonly pinned: boolean
  /** The one account that gets the request's ciphertext; the others get the request without it. */
  readonly strip: string | null
  /** Why the first target stands first, when the session decided it. */
  readonly note: string | null
}

/** A home that is back this soon is waited for by spilling over, not by moving. */
const shortAbsenceMs = 60_000
/** No account takes more than this part of the sessions displaced in one minute. */
const displacedShare = 0.25
/** Tokens of a cached prefix when nobody counted: a coding agent's system prompt and tools. */
const typicalPrefixTokens = 20_000

/**
 * Puts a session's home first.
 *
 * A session with ciphertext goes to its issuer or nowhere. Another moves when its home cannot serve, or when a place
 * with clearly more room saves more than re-writing the cached prefix costs. A short absence (too many at once, a
 * per-minute throttle) is spilled over without moving the session.
 */
export function placeSession(input: PlacementInput): Placement {
  const { request, fits, snapshot } = input
  const { session } = request
  if (session === null || !snapshot.sticky.enabled) {
    return { fits, session: null, pinned: false, strip: null, note: null }
  }
  const boundTo = snapshot.boundTo(session.key)
  if (boundTo === null) {
    return {
      fits,
      session: { key: session.key, boundTo, rebind: true, displaced: false },
      pinned: false,
      strip: null,
      note: null,
    }
  }
  const home = fits.findIndex(({ candidate }) => candidate.account.id === boundTo)
  if (request.ciphertext && input.all.some(({ account }) => account.id === boundTo)) {
    if (!snapshot.sticky.stripForeign || !request.strippable) return pin(input, boundTo)
    const placed = home < 0 ? away(input, session.key, boundTo) : stay(input, session.key, boundTo, fits[home]!)
    return { ...placed, strip: boundTo }
  }
  if (home < 0) return away(input, session.key, boundTo)
  const better = betterPlace(input, fits[home]!)
  if (better !== null) {
    return {
      fits: toFront(fits, better),
      session: { key: session.key, boundTo, rebind: true, displaced: false },
      pinned: false,
      strip: null,
      note: `session moves here from ${boundTo}: more room than re-writing its cached prefix costs`,
    }
  }
  return stay(input, session.key, boundTo, fits[home]!)
}

/** The home serves. */
function stay({ fits }: PlacementInput, key: string, boundTo: string, home: Fit): Placement {
  return {
    fits: toFront(fits, home),
    session: { key, boundTo, rebind: false, displaced: false },
    pinned: false,
    strip: null,
    note: 'holds the session',
  }
}

const toFront = (fits: readonly Fit[], first: Fit): Fit[] => [first, ...fits.filter((fit) => fit !== first)]

function pin({ request, fits, dropped }: PlacementInput, boundTo: string): Placement {
  for (const { candidate } of fits) {
    if (candidate.account.id === boundTo) continue
    dropped.push({
      target: candidate.target,
      because: 'pinned_elsewhere',
      detail: `the request carries ciphertext that only account ${boundTo} can read`,
      until: null,
    })
  }
  return {
    fits: fits.filter(({ candidate }) => candidate.account.id === boundTo),
    session: { key: request.session!.key, boundTo, rebind: false, displaced: false },
    pinned: true,
    strip: null,
    note: 'issued the ciphertext in the request',
  }
}

/** The home cannot serve now: for a moment, or so long that the session needs another one. */
function away(input: PlacementInput, key: string, boundTo: string): Placement {
  const { fits, dropped, snapshot, view } = input
  const absence = dropped.find(({ target }) => target.account === boundTo)
  const back = absence?.until ?? null
  const short = absence !== undefined && back !== null && back - view.now <= shortAbsenceMs &&
    ['concurrency', 'rate_limited', 'cooldown', 'circuit_open'].includes(absence.because)
  if (short) {
    return {
      fits,
      session: { key, boundTo, rebind: false, displaced: false },
      pinned: false,
      strip: null,
      note: `stands in for ${boundTo}, which is back soon`,
    }
  }
  return {
    fits: fits.length > 1 ? byRefuge(fits, snapshot, view) : fits,
    session: { key, boundTo, rebind: true, displaced: true },
    pinned: false,
    strip: null,
    note: `takes the session from ${boundTo}, which cannot serve`,
  }
}

/**
 * Where a displaced session goes: the account that is furthest below its share of this minute's displaced, shares being
 * in proportion to headroom, and none above a quarter while there are enough accounts for that. The next ones follow by
 * the same rule, because the first may turn out to be lost too.
 */
function byRefuge(fits: readonly Fit[], snapshot: Snapshot, view: StrategyView): readonly Fit[] {
  // Only first choices take part: a target that just failed is no refuge while a good one is there.
  const group = Math.min(...fits.map((fit) => fit.group))
  const tier = Math.min(...fits.map((fit) => fit.candidate.tier))
  const isPlace = (fit: Fit): boolean => fit.group === group && fit.candidate.tier === tier && !fit.trial
  const places = fits.filter(isPlace)
  if (places.length === 0) return fits
  const rooms = places.map(({ candidate }) => Math.max(0.01, view.outlook(candidate)?.left ?? 1))
  const sum = rooms.reduce((a, b) => a + b, 0)
  const total = snapshot.displaced(null)
  const most = Math.max(1, Math.floor(Math.max(displacedShare, 1 / places.length) * (total + 1)))
  const ranked = places.map((fit, i) => {
    const taken = snapshot.displaced(fit.candidate.account.id)
    return { fit, taken, isFull: taken + 1 > most, lack: rooms[i]! / sum * (total + 1) - taken }
  })
  ranked.sort((a, b) => Number(a.isFull) - Number(b.isFull) || (a.isFull ? a.taken - b.taken : b.lack - a.lack))
  return [...ranked.map(({ fit }) => fit), ...fits.filter((fit) => !isPlace(fit))]
}

/** A place that is worth leaving home for, or `null`. */
function betterPlace({ request, fits, snapshot, view }: PlacementInput, home: Fit): Fit | null {
  const { minGain, expectedTurns } = snapshot.sticky
  const room = (fit: Fit) => view.outlook(fit.candidate)?.left ?? null
  const homeRoom = room(home)
  if (homeRoom === null) return null
  const tokens = request.inputTokens ?? typicalPrefixTokens
  for (const fit of fits) {
    if (fit === home || fit.group > home.group || fit.trial || fit.candidate.tier !== home.candidate.tier) continue
    const gain = (room(fit) ?? 0) - homeRoom
    if (gain * 100 < minGain) continue
    if (savingMicros(home, fit, homeRoom, tokens, expectedTurns, snapshot.reserve) > writeMicros(fit, tokens)) {
      return fit
    }
  }
  return null
}

const inputMicros = ({ candidate }: Fit): number => candidate.model.price?.inputMicros ?? 1_000_000

const cachedMicros = (fit: Fit): number => fit.candidate.model.price?.cachedInputMicros ?? inputMicros(fit)

/** What re-writing the prefix costs at the new place, micro-USD (the shadow price on a plan). */
function writeMicros(fit: Fit, tokens: number): number {
  return tokens / 1e6 * (fit.candidate.model.price?.cacheWriteMicros ?? inputMicros(fit))
}

/**
 * What moving is expected to save: cheaper turns to come, and the forced move that a home at its reserve will bring
 * anyway, when the prefix has grown by the turns until then.
 */
function savingMicros(home: Fit, to: Fit, homeRoom: number, tokens: number, turns: number, reserve: number): number {
  const perTurn = tokens / 1e6 * (cachedMicros(home) - cachedMicros(to))
  const forced = homeRoom <= reserve ? writeMicros(to, tokens * 1.5) : 0
  return Math.max(0, perTurn * (turns - 1)) + forced
}
