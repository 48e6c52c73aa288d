import { type Clock, silentLogger } from '../base/mod.ts'
import { type Account, plainAccount } from '../accounts/mod.ts'
import { createCatalog } from '../catalog/mod.ts'
import { type Board, createBoard } from '../liveness/mod.ts'
import type { QuotaWindow, UpstreamFailure } from '../protocol/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { createRouter, type RoutedPlan, type Router } from './router.ts'
import { seeded } from './seeded.ts'
import type { StrategyName } from './strategies/mod.ts'

/** A day to live through. */
export interface SimulatedDay {
  readonly sessions: number
  readonly seed: number
  readonly strategy: StrategyName
  /** Whether sessions stay where their prefix is cached. */
  readonly sticky: boolean
}

/** What the day was like. */
export interface DayReport {
  readonly turns: number
  /** Turns that nobody served. */
  readonly refused: number
  /** Changes of account between two turns of one session. */
  readonly movesPerSession: number
  /** Largest part of the sessions that lost their home within a minute which one account took. */
  readonly displacedShare: number
  /** Displaced sessions in the minute of {@link displacedShare}. */
  readonly displacedInMinute: number
  /** Part of the new sessions that began on the usable account whose week ends soonest. */
  readonly newToSoonest: number
  /** Prompt tokens paid in full although an earlier turn had them cached. */
  readonly rebilledTokens: number
  readonly promptTokens: number
  readonly attempts: number
}

/** An account as the vendor sees it. */
interface Vendor {
  readonly account: Account
  /** Weekly window: tokens it allows, and its next reset. */
  readonly week: Window
  readonly hours: Window
  readonly diesAt: number
  readonly outage: readonly [number, number]
}

interface Window {
  readonly id: string
  readonly lengthMs: number
  readonly capacity: number
  used: number
  resetsAt: number
}

interface Session {
  readonly headers: Headers
  turnsLeft: number
  turn: number
  account: string | null
  servedAt: number
  prefix: number
}

const hour = 3_600_000
const minute = 60_000
const startAt = Date.UTC(2026, 10, 2)
/** How long a vendor keeps a prefix: what comes later is paid in full whoever serves it. */
const cacheMs = 60 * minute
const model = 'claude-sonnet-4-5'

/** A clock that the simulation moves. */
function dayClock(): Clock & { at: number } {
  const clock = {
    at: startAt,
    now: () => clock.at,
    monotonic: () => clock.at - startAt,
    sleep: () => Promise.resolve(),
  }
  return clock
}

/** Eight accounts whose weeks end one after the other; one dies at noon, two have an outage. */
function vendors(): Vendor[] {
  return Array.from({ length: 8 }, (_, i) => ({
    account: plainAccount(`sim-${i + 1}`, 'anthropic'),
    week: {
      id: '7d',
      lengthMs: 168 * hour,
      capacity: 40_000_000,
      used: 20_000_000,
      resetsAt: startAt + (5 + i * 11) * hour,
    },
    hours: { id: '5h', lengthMs: 5 * hour, capacity: 9_000_000, used: 0, resetsAt: startAt + (1 + i % 5) * hour },
    // Both strike the account that is being used up at that time, where most sessions live.
    diesAt: i === 1 ? startAt + 12 * hour : Infinity,
    outage: i === 0
      ? [startAt + 3 * hour, startAt + 3 * hour + 15 * minute]
      : i === 2
      ? [startAt + 18 * hour, startAt + 18 * hour + 5 * minute]
      : [0, 0],
  }))
}

/**
 * Lives through a day of sessions with the real router, board and session store, against vendors with windows, resets,
 * outages and a death. Deterministic given the seed.
 */
export async function simulateDay(day: SimulatedDay, storage: Storage): Promise<DayReport> {
  const clock = dayClock()
  const random = seeded(day.seed)
  const choices = seeded(day.seed + 1)
  const pool = vendors()
  const { routingConfig } = await import('./config.ts')
  const settings = routingConfig.parse({ strategy: day.strategy, sticky: { enabled: day.sticky } })
  const catalog = createCatalog({ settings: { default_model: null, aliases: {}, alias_sets: [] } })
  const accounts = pool.map(({ account }) => account)
  const board = await createBoard({ storage, clock, random: choices, logger: silentLogger })
  const router = await createRouter({
    storage,
    clock,
    random: choices,
    logger: silentLogger,
    board,
    catalog: () => catalog,
    accounts: () => accounts,
    settings: () => settings,
  })
  const agenda = createAgenda<Session>()
  for (let i = 0; i < day.sessions; i++) agenda.add(...newSession(i, random))
  const count = { ...nothingYet }
  const displaced = new Map<number, Map<string, number>>()

  for (let next = agenda.next(); next; next = agenda.next()) {
    const { at, item: session } = next
    clock.at = at
    for (const vendor of pool) turnOver(vendor, at)
    count.turns++
    const wanted = session.account === null ? soonest(pool, board, at, settings.reserve) : null
    const plan = router.plan({
      capability: 'chat',
      protocol: 'anthropic-messages',
      model: `anthropic/${model}`,
      headers: session.headers,
      body: null,
      principal: { id: 'sim', models: null, providers: null, aliases: {}, account: null },
    })
    router.countRequest()
    const served = serve(plan, session, { at, router, board, pool, count })
    if (!served) {
      count.refused++
      // A caller that is told to wait comes back.
      agenda.add(at + Math.min(Math.max((plan.earliestAt ?? 0) - at, minute), hour), session)
      continue
    }
    const id = served.account.id
    if (session.account === null) {
      count.fresh++
      if (wanted === null || wanted === id) count.soonest++
    } else if (session.account !== id) {
      count.moves++
      if (plan.session?.displaced) noteDisplaced(displaced, at, id)
    }
    session.account = id
    session.servedAt = at
    session.turn++
    session.prefix += 1_500
    if (--session.turnsLeft > 0) agenda.add(at + 10_000 - Math.log(1 - random()) * 80_000, session)
  }
  board.close()
  const worst = worstMinute(displaced)
  return {
    turns: count.turns,
    refused: count.refused,
    movesPerSession: count.moves / day.sessions,
    displacedShare: worst.share,
    displacedInMinute: worst.total,
    newToSoonest: count.soonest / count.fresh,
    rebilledTokens: count.rebilled,
    promptTokens: count.prompt,
    attempts: count.attempts,
  }
}

const nothingYet = { turns: 0, refused: 0, moves: 0, rebilled: 0, prompt: 0, attempts: 0, fresh: 0, soonest: 0 }

/** A session, and when its first turn comes. */
function newSession(number: number, random: () => number): [at: number, session: Session] {
  const turnsLeft = 3 + Math.floor(-Math.log(1 - random()) * 9)
  const at = startAt + random() * 23 * hour
  const headers = new Headers({ 'x-gw-session': `s${number}` })
  const prefix = 12_000 + Math.floor(random() * 16_000)
  return [at, { headers, turnsLeft, turn: 0, account: null, servedAt: 0, prefix }]
}

/** One turn of a session: the targets of its plan are tried as the gateway tries them. `null` where none served. */
function serve(
  plan: RoutedPlan,
  session: Session,
  { at, router, board, pool, count }: {
    readonly at: number
    readonly router: Router
    readonly board: Board
    readonly pool: readonly Vendor[]
    readonly count: typeof nothingYet
  },
): Vendor | null {
  const tried: number[] = []
  const failures: UpstreamFailure[] = []
  for (;;) {
    const step = router.next(plan, tried, failures)
    if (step.is === 'over') return null
    tried.push(step.index)
    const { target } = plan.targets[step.index]!
    const vendor = pool.find(({ account }) => account.id === target.account)!
    const claim = router.claim(plan, step.index)
    count.attempts++
    const cached = session.account === vendor.account.id && at - session.servedAt < cacheMs
    const tokens = cached ? session.prefix * 0.1 + 2_000 : session.prefix + 2_000
    const failure = answer(vendor, tokens, at)
    if (failure) {
      claim?.end({ is: 'failed', failure })
      board.observe(target, { is: 'failure', failure })
      failures.push(failure)
      continue
    }
    claim?.end({ is: 'answered' })
    board.observe(target, { is: 'success', windows: windowsOf(vendor) })
    count.prompt += session.prefix
    if (!cached && session.turn > 0) count.rebilled += session.prefix
    return vendor
  }
}

/** Counts a session that lost its account, by the minute and by who took it. */
function noteDisplaced(displaced: Map<number, Map<string, number>>, at: number, account: string): void {
  const slot = Math.floor(at / minute)
  const taken = displaced.get(slot) ?? new Map<string, number>()
  taken.set(account, (taken.get(account) ?? 0) + 1)
  displaced.set(slot, taken)
}

/** Windows whose time is over begin anew. */
function turnOver({ week, hours }: Vendor, now: number): void {
  for (const window of [week, hours]) {
    while (window.resetsAt <= now) {
      window.resetsAt += window.lengthMs
      window.used = 0
    }
  }
}

/** What the vendor answers: `null` is an answer, and its tokens are counted. */
function answer(vendor: Vendor, tokens: number, now: number): UpstreamFailure | null {
  const failure = (
    kind: UpstreamFailure['kind'],
    scope: UpstreamFailure['scope'],
    status: number,
  ): UpstreamFailure => ({
    kind,
    scope,
    status,
    message: kind,
    code: null,
    mayTryOther: true,
    retryAfterMs: null,
    windows: kind === 'quota_exhausted' ? windowsOf(vendor) : [],
  })
  if (now >= vendor.diesAt) return failure('unauthorized', 'account', 401)
  // One account is out, not its provider: the others are worth asking at once.
  if (now >= vendor.outage[0] && now < vendor.outage[1]) return failure('server_error', 'model', 500)
  if ([vendor.week, vendor.hours].some(({ used, capacity }) => used >= capacity)) {
    return failure('quota_exhausted', 'account', 429)
  }
  vendor.week.used += tokens
  vendor.hours.used += tokens
  return null
}

function windowsOf({ week, hours }: Vendor): QuotaWindow[] {
  return [hours, week].map(({ id, lengthMs, used, capacity, resetsAt }) => ({
    id,
    lengthMs,
    used: Math.min(1, used / capacity),
    limit: null,
    remaining: null,
    resetsAt,
    status: used >= capacity ? 'rejected' : 'allowed',
    model: null,
  }))
}

/**
 * The account where a new session belongs: alive, with room above the reserve, and its week ending soonest. `null`
 * until every living account has told of its windows: nobody can know before.
 */
function soonest(
  pool: readonly Vendor[],
  board: Awaited<ReturnType<typeof createBoard>>,
  now: number,
  reserve: number,
): string | null {
  const able = pool.filter((vendor) => {
    const out = now >= vendor.outage[0] && now < vendor.outage[1] + 2 * minute
    return now < vendor.diesAt && !out &&
      [vendor.week, vendor.hours].every(({ used, capacity }) => 1 - used / capacity > reserve)
  })
  const known = able.filter(({ account }) => {
    const standing = board.get(`anthropic:${account.id}` as Parameters<typeof board.get>[0])
    return standing !== null && standing.windows.length > 0
  })
  if (known.length === 0) return null
  return known.reduce((first, vendor) => vendor.week.resetsAt < first.week.resetsAt ? vendor : first).account.id
}

/** The largest share of one account among the sessions displaced within a minute; minutes with few say nothing. */
function worstMinute(displaced: ReadonlyMap<number, ReadonlyMap<string, number>>): { share: number; total: number } {
  let worst = { share: 0, total: 0 }
  for (const taken of displaced.values()) {
    const total = [...taken.values()].reduce((a, b) => a + b, 0)
    const share = Math.max(...taken.values()) / total
    if (total >= 4 && share > worst.share) worst = { share, total }
  }
  return worst
}

/** Things to do by time: a binary heap. */
function createAgenda<T>(): { add(at: number, item: T): void; next(): { at: number; item: T } | undefined } {
  const heap: { at: number; item: T }[] = []
  const swap = (i: number, j: number): void => {
    const held = heap[i]!
    heap[i] = heap[j]!
    heap[j] = held
  }
  return {
    add(at, item) {
      heap.push({ at, item })
      for (let i = heap.length - 1; i > 0;) {
        const parent = (i - 1) >> 1
        if (heap[parent]!.at <= heap[i]!.at) break
        swap(i, parent)
        i = parent
      }
    },
    next() {
      const first = heap[0]
      const last = heap.pop()
      if (!first || !last || heap.length === 0) return first
      heap[0] = last
      for (let i = 0;;) {
        let least = i
        for (const child of [2 * i + 1, 2 * i + 2]) {
          if (child < heap.length && heap[child]!.at < heap[least]!.at) least = child
        }
        if (least === i) return first
        swap(i, least)
        i = least
      }
    },
  }
}
