import type { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { type Clock, GwError, type Logger } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { TokenLimits } from './grant.ts'
import { always, parsePeriod, type Window, windowOf } from './period.ts'
import type { Principal } from './principal.ts'

/** What a request may use at most: what is held back for it. */
export interface Claim {
  /** The dearest it can get, micro-USD; `null` when nobody knows. */
  readonly costMicros: number | null
  /** Model tokens it will use, as well as can be guessed. */
  readonly tokens: number
}

/** What a request has used. */
export interface Used {
  /** Real money; `null` when it is unknown: then what was held back counts as spent. */
  readonly costMicros: number | null
  readonly tokens: number | null
}

/** Room held for one request. The first call of either counts; what comes after does nothing. */
export interface Reservation {
  settle(used: Used): void
  /** Nothing was used: no upstream was reached. */
  release(): void
}

/** How a budget stands. */
export interface BudgetState {
  readonly spentMicros: number
  /** Held back for requests that are under way here. */
  readonly reservedMicros: number
  readonly maxMicros: number | null
  /** Epoch ms; `null` when it never starts over. */
  readonly resetsAt: number | null
  /** Requests in all. */
  readonly requests: number
}

/** A token whose limits count. */
export interface Limited {
  readonly id: string
  readonly label: string
  readonly issuedAt: number
  readonly grant: { readonly limits: TokenLimits }
}

/** Counts what tokens use against what they may. */
export interface Limiter {
  /** Loads the counts of tokens that have limits. */
  prepare(tokens: readonly Limited[]): Promise<void>
  /**
   * Holds room for a request with the token and every ancestor that has limits; nothing for a token without any.
   *
   * A budget lets a request begin as long as what is spent and held back leaves any room, so together all requests can
   * exceed it by what one of them uses beyond its own estimate, and no more.
   *
   * @throws GwError `access.budget_spent` or `access.rate_limited` with the wait, when there is no room; nothing is held
   */
  admit(principal: Principal, claim: Claim): Promise<Reservation>
  state(token: Limited): Promise<BudgetState>
  /** Takes in what other processes of the home have spent. */
  sync(): Promise<void>
  forget(ids: Iterable<string>): void
}

/** What a {@link Limiter} stands on. */
export interface LimiterParts {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly timeZone: () => string
  /** Whether a request of unknown price may run under a budget. */
  readonly unpricedAllowed: () => boolean
  readonly reload: (ids: readonly string[]) => Promise<readonly Limited[]>
  readonly onSoftBudget: (id: string, spentMicros: number, limitMicros: number) => void
}

/** One token's counts in this process. */
interface Node {
  readonly writer: string
  readonly token: Limited
  readonly limits: TokenLimits
  window: Window
  /** Of the current window, by this process and by others. */
  spentHere: number
  spentElsewhere: number
  reserved: number
  /** Over the life of the token. */
  requestsHere: number
  requestsElsewhere: number
  running: number
  readonly requestRate: RateLimiterMemory | null
  readonly tokenRate: RateLimiterMemory | null
  softReported: boolean
  /** Whether its counts must outlive the process. */
  readonly durable: boolean
}

const mostNodes = 50_000
const minute = 60
const saveSpend = `insert into budget_spend (budget, period_ms, writer, spent_micros, requests, updated_ms)
  values (?, ?, ?, ?, ?, ?) on conflict do update set spent_micros = excluded.spent_micros,
  requests = excluded.requests, updated_ms = excluded.updated_ms`

const nothing: Reservation = { settle: () => {}, release: () => {} }

/** A {@link Limiter} for one process of a home. */
export function limiter(parts: LimiterParts): Limiter {
  const { storage, clock, logger } = parts
  /** Whoever counts writes rows of its own, with its own totals: writing one twice changes nothing. */
  const process = crypto.randomUUID()
  let opened = 0
  const nodes = new Map<string, Node>()
  let syncedAt = clock.now()

  async function elsewhere(id: string, period: number, writer: string): Promise<{ spent: number; requests: number }> {
    const row = await storage.db.selectFrom('budget_spend')
      .select((at) => [at.fn.sum('spent_micros').as('spent'), at.fn.sum('requests').as('requests')])
      .where('budget', '=', id).where('period_ms', '=', period).where('writer', '<>', writer).executeTakeFirst()
    return { spent: Number(row?.spent ?? 0), requests: Number(row?.requests ?? 0) }
  }

  function windowNow(token: Limited, now: number): Window {
    const { budgetPeriod } = token.grant.limits
    return budgetPeriod === null ? always : windowOf(parsePeriod(budgetPeriod), now, token.issuedAt, parts.timeZone())
  }

  async function open(token: Limited): Promise<Node> {
    const { limits } = token.grant
    const window = windowNow(token, clock.now())
    const writer = `${process}.${++opened}`
    // What an earlier node of this token counted must be there to be read.
    await storage.batch.flush()
    const life = await elsewhere(token.id, 0, writer)
    const current = window === always ? life : await elsewhere(token.id, window.startAt, writer)
    return {
      writer,
      token,
      limits,
      window,
      spentHere: 0,
      spentElsewhere: current.spent,
      reserved: 0,
      requestsHere: 0,
      requestsElsewhere: life.requests,
      running: 0,
      requestRate: await rate(limits.requestsPerMinute),
      tokenRate: await rate(limits.tokensPerMinute),
      softReported: false,
      durable: limits.maxBudgetMicros !== null || limits.softBudgetMicros !== null || limits.maxRequests !== null,
    }
  }

  async function prepare(tokens: readonly Limited[]): Promise<void> {
    for (const token of tokens) {
      if (nodes.has(token.id)) continue
      const node = await open(token)
      // Somebody else may have opened it meanwhile; the counts of the first one are in use.
      if (nodes.has(token.id)) continue
      if (nodes.size >= mostNodes) dropIdle()
      nodes.set(token.id, node)
    }
  }

  /** Counts of a token that is not in use can be read again from the database. */
  function dropIdle(): void {
    for (const [id, node] of nodes) {
      if (node.running > 0) continue
      nodes.delete(id)
      if (nodes.size < mostNodes) return
    }
  }

  function roll(node: Node, now: number): void {
    if (now < node.window.endAt) return
    node.window = windowNow(node.token, now)
    node.spentHere = 0
    node.spentElsewhere = 0
    node.softReported = false
  }

  function check(node: Node, claim: Claim, now: number): void {
    roll(node, now)
    const { limits } = node
    if (limits.maxRequests !== null && node.requestsHere + node.requestsElsewhere >= limits.maxRequests) {
      throw spent(
        node,
        `all ${limits.maxRequests} requests of this token are used`,
        'requests',
        limits.maxRequests,
        null,
      )
    }
    if (limits.maxParallelRequests !== null && node.running >= limits.maxParallelRequests) {
      throw new GwError('access.rate_limited', `this token may run ${limits.maxParallelRequests} requests at once`, {
        retryAfterMs: 1_000,
        details: { kind: 'parallel', limit: limits.maxParallelRequests, remaining: 0, token: node.token.id },
      })
    }
    if (limits.maxBudgetMicros === null) return
    if (claim.costMicros === null && !parts.unpricedAllowed()) {
      throw new GwError('access.denied', 'this token has a budget and nobody knows the price of this model', {
        hint: 'set a price for the model in the config, or access.unpriced = "allow"',
        details: { token: node.token.id },
      })
    }
    const used = node.spentHere + node.spentElsewhere + node.reserved
    if (used >= limits.maxBudgetMicros) {
      const resets = Number.isFinite(node.window.endAt) ? node.window.endAt - now : null
      const message = `the budget of ${usd(limits.maxBudgetMicros)} USD is spent`
      throw spent(node, message, 'budget', limits.maxBudgetMicros, resets)
    }
  }

  async function takeRates(chain: readonly Node[], claim: Claim): Promise<void> {
    const taken: (() => void)[] = []
    try {
      for (const { token, limits, requestRate, tokenRate } of chain) {
        if (requestRate) await take(requestRate, token.id, 1, 'requests', limits.requestsPerMinute!, taken)
        if (tokenRate) await take(tokenRate, token.id, claim.tokens, 'tokens', limits.tokensPerMinute!, taken)
      }
    } catch (error) {
      for (const giveBack of taken) giveBack()
      throw error
    }
  }

  function save(node: Node, now: number): void {
    const { writer, token: { id } } = node
    const spent = Math.round(node.spentHere)
    if (node.window === always) storage.batch.queue(saveSpend, [id, 0, writer, spent, node.requestsHere, now])
    else {
      storage.batch.queue(saveSpend, [id, node.window.startAt, writer, spent, 0, now])
      if (node.limits.maxRequests !== null) {
        storage.batch.queue(saveSpend, [id, 0, writer, 0, node.requestsHere, now])
      }
    }
  }

  function reservation(chain: readonly Node[], claim: Claim): Reservation {
    let open = true
    const held = claim.costMicros ?? 0

    function close(used: Used | null): void {
      if (!open) return
      open = false
      const now = clock.now()
      for (const node of chain) {
        node.running--
        node.reserved -= held
        roll(node, now)
        if (used === null) node.requestsHere--
        else node.spentHere += clamp(used.costMicros ?? held)
        if (node.durable) save(node, now)
        reportSoft(node)
        if (node.tokenRate) correct(node.tokenRate, node.token.id, used === null ? 0 : used.tokens, claim.tokens)
      }
    }

    return { settle: (used) => close(used), release: () => close(null) }
  }

  function correct(rate: RateLimiterMemory, id: string, used: number | null, claimed: number): void {
    const difference = clamp(used ?? claimed) - claimed
    const done = difference > 0
      ? rate.penalty(id, difference)
      : difference < 0
      ? rate.reward(id, -difference)
      : Promise.resolve()
    done.catch((error: unknown) => logger.log('warn', 'access.rate_not_corrected', { error }))
  }

  function reportSoft(node: Node): void {
    const soft = node.limits.softBudgetMicros
    const used = node.spentHere + node.spentElsewhere
    if (soft === null || node.softReported || used < soft) return
    node.softReported = true
    parts.onSoftBudget(node.token.id, used, soft)
  }

  return {
    prepare,
    async admit(principal, claim) {
      const ids = principal.limitedBy
      if (ids === undefined || ids.length === 0) return nothing
      const missing = ids.filter((id) => !nodes.has(id))
      if (missing.length > 0) await prepare(await parts.reload(missing))
      const chain = ids.flatMap((id) => nodes.get(id) ?? [])
      if (chain.length < ids.length) throw new GwError('access.revoked', 'Token has been revoked')
      const wanted = {
        costMicros: claim.costMicros === null ? null : clamp(claim.costMicros),
        tokens: clamp(claim.tokens),
      }
      const now = clock.now()
      // Asked of all, then taken from all, with nothing awaited in between: two requests cannot take the same room.
      for (const node of chain) check(node, wanted, now)
      for (const node of chain) {
        node.running++
        node.reserved += wanted.costMicros ?? 0
        node.requestsHere++
      }
      try {
        await takeRates(chain, wanted)
      } catch (error) {
        for (const node of chain) {
          node.running--
          node.reserved -= wanted.costMicros ?? 0
          node.requestsHere--
        }
        throw error
      }
      return reservation(chain, wanted)
    },
    async state(token) {
      await prepare([token])
      const node = nodes.get(token.id)!
      roll(node, clock.now())
      return {
        spentMicros: Math.round(node.spentHere + node.spentElsewhere),
        reservedMicros: Math.round(node.reserved),
        maxMicros: node.limits.maxBudgetMicros,
        resetsAt: Number.isFinite(node.window.endAt) ? node.window.endAt : null,
        requests: node.requestsHere + node.requestsElsewhere,
      }
    },
    async sync() {
      if (nodes.size === 0) return
      const since = syncedAt
      // Rows are stamped before they are committed: look back as far as a batch can have waited.
      syncedAt = clock.now() - 5_000
      const changed = await storage.db.selectFrom('budget_spend').select(['budget', 'writer']).distinct()
        .where('updated_ms', '>=', since).execute()
      const budgets = new Set(
        changed.flatMap(({ budget, writer }) => (nodes.get(budget)?.writer ?? writer) === writer ? [] : [budget]),
      )
      for (const budget of budgets) {
        const node = nodes.get(budget)
        if (!node) continue
        const { startAt } = node.window
        const life = await elsewhere(budget, 0, node.writer)
        const current = node.window === always ? life : await elsewhere(budget, startAt, node.writer)
        node.requestsElsewhere = life.requests
        if (node.window.startAt === startAt) node.spentElsewhere = current.spent
      }
    },
    forget(ids) {
      for (const id of ids) {
        // What is under way still settles against the node it holds.
        nodes.delete(id)
      }
    },
  }
}

/** A limiter per minute, loaded only where a token has one. */
async function rate(perMinute: number | null): Promise<RateLimiterMemory | null> {
  if (perMinute === null) return null
  const { RateLimiterMemory } = await import('rate-limiter-flexible')
  return new RateLimiterMemory({ points: perMinute, duration: minute })
}

async function take(
  rate: RateLimiterMemory,
  id: string,
  points: number,
  kind: 'requests' | 'tokens',
  limit: number,
  taken: (() => void)[],
): Promise<void> {
  const giveBack = (): void => void rate.reward(id, points).catch(() => {})
  try {
    await rate.consume(id, points)
    taken.push(giveBack)
  } catch (reason) {
    if (reason instanceof Error) throw reason
    const { msBeforeNext, consumedPoints } = reason as RateLimiterRes
    giveBack()
    const unit = kind === 'requests' ? 'requests' : 'model tokens'
    throw new GwError('access.rate_limited', `this token may use ${limit} ${unit} per minute`, {
      retryAfterMs: Math.max(1, msBeforeNext),
      details: { kind, limit, remaining: Math.max(0, limit - (consumedPoints - points)), token: id },
    })
  }
}

function spent(node: Node, message: string, kind: string, limit: number, retryAfterMs: number | null): GwError {
  return new GwError('access.budget_spent', message, {
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    details: { kind, limit, remaining: 0, token: node.token.id },
  })
}

const usd = (micros: number): string => (micros / 1_000_000).toFixed(6).replace(/0{1,4}$/, '')

/** An upstream may say anything; a budget only ever goes forward. */
const clamp = (value: number): number => Number.isFinite(value) ? Math.min(Math.max(0, value), 1e15) : 0
