import type { Entitlement } from '../accounts/mod.ts'
import { matchesAny } from '../catalog/mod.ts'
import { explainStanding, judge, type Standing, type Verdict } from '../liveness/mod.ts'
import { canMiddleOut, type ProtocolId } from '../protocol/mod.ts'
import type { Candidate, Unfit } from './candidates.ts'
import { type Controls, noControls } from './controls.ts'
import { entitlementOf, entitlementRemedy } from './entitlement.ts'
import { unsupportedParameters } from './parameters.ts'
import type { Dropped, DropReason, PlannedTarget, RoutePlan, TargetEdit } from './plan.ts'
import type { SessionKey } from './session.ts'
import { placeSession } from './stickiness.ts'
import { strategies, type StrategyName, type StrategyView } from './strategies/mod.ts'
import { byNumber } from './strategies/strategy.ts'

/** What the planner must know of a request. Everything else of it is the upstream's business. */
export interface PlanRequest {
  readonly headers: Headers
  readonly controls: Controls | null
  /** Principal's limits: model and provider patterns, and one account; `null` is no limit. */
  readonly models: readonly string[] | null
  readonly providers: readonly string[] | null
  readonly account: string | null
  readonly session: SessionKey | null
  /** Whether it carries ciphertext that only its issuer can read. */
  readonly ciphertext: boolean
  /** Whether what only its issuer can read may be left out and the rest still makes sense. */
  readonly strippable: boolean
  /** Whether the session was once served without its reasoning: nobody then has all of it, and everybody gets none. */
  readonly stripAll: boolean
  /** Prompt length, when somebody counted it. */
  readonly inputTokens: number | null
  /** Tokens its answer may take, when somebody looked. */
  readonly outputTokens: number | null
  /** Names of the parameters it sets, when the caller wants all of them honoured. */
  readonly parameters: readonly string[]
  /** What the reference's suffix asks for. */
  readonly sort: 'throughput' | 'price' | null
  readonly protocol: ProtocolId | null
}

/** Everything a plan depends on besides the request. The same snapshot, seed and time give the same plan. */
export interface Snapshot {
  readonly candidates: readonly Candidate[]
  readonly unfit: readonly Unfit[]
  readonly strategy: StrategyName
  readonly reserve: number
  readonly cursor: number
  readonly sticky: {
    readonly enabled: boolean
    readonly minGain: number
    readonly expectedTurns: number
    /** Whether foreign reasoning is left out where its issuer cannot serve. */
    readonly stripForeign: boolean
  }
  standing(key: string): Standing | null
  /** Keys with anything but a clean standing: the others need no look. */
  readonly troubled: ReadonlySet<string>
  inFlight(account: string): number
  used(account: string): number
  /** Requests sent to the account in the last minute. */
  recent(account: string): number
  /** Whether a proving request is running on the account. */
  proving(key: string): boolean
  /** micro-USD spent today, `null` when nobody counts. */
  spentToday(account: string): number | null
  identity(account: string): string | null
  /** Account that holds the session, `null` when none does. */
  boundTo(session: string): string | null
  /** Sessions displaced in this minute: all, and those that an account took. */
  displaced(account: string | null): number
}

/** Seed and time of a plan. */
export interface PlanMoment {
  readonly seed: number
  /** Epoch ms. */
  readonly now: number
}

/** A candidate that may serve, with how it stands. */
interface Fit {
  readonly candidate: Candidate
  /** 0 good, 1 not what the caller prefers, 2 failed a moment ago, 3 only our own guess keeps it out. */
  readonly group: number
  readonly trial: boolean
  readonly note: (() => string) | null
}

/** A drop whose sentence is made only when somebody reads it. */
class LazyDrop implements Dropped {
  readonly target: Dropped['target']
  readonly because: DropReason
  readonly until: number | null
  readonly #detail: () => string

  constructor(target: Dropped['target'], because: DropReason, until: number | null, detail: () => string) {
    this.target = target
    this.because = because
    this.until = until
    this.#detail = detail
  }

  get detail(): string {
    return this.#detail()
  }

  toJSON(): Dropped {
    const { target, because, until, detail } = this
    return { target, because, detail, until }
  }
}

/**
 * Orders the targets of a request and says why each other one is out.
 *
 * Pure: reads nothing but its arguments. Filters run from the lasting (policy) to the passing (liveness), so that the
 * reason given is the one worth acting on.
 */
export function planRoute(request: PlanRequest, snapshot: Snapshot, { seed, now }: PlanMoment): RoutePlan {
  const controls = request.controls ?? noControls
  const dropped: Dropped[] = snapshot.unfit.map((unfit) => ({ ...unfit, until: null }))
  const compress = controls.middleOut === true && canMiddleOut(request.protocol)
  const view = strategyView(snapshot, seed, now)
  const fits: Fit[] = []
  const guesses: { candidate: Candidate; drop: Dropped }[] = []
  const tooLong: { candidate: Candidate; drop: Dropped }[] = []
  for (const candidate of snapshot.candidates) {
    const policy = policyDrop(candidate, request, controls)
    if (policy !== null) {
      dropped.push(policy)
      continue
    }
    if (!compress && isTooLong(candidate, request)) {
      const drop = tooLongDrop(candidate, request)
      dropped.push(drop)
      tooLong.push({ candidate, drop })
      continue
    }
    const fit = liveFit(candidate, snapshot, controls, view, dropped, guesses)
    if (fit !== null) fits.push(fit)
  }
  if (fits.length === 0 && tooLong.length > 0 && dropped.every(({ until }) => until === null)) {
    // The count is an estimate, and a provider's own words about its limit are what clients act on.
    for (const { candidate, drop } of tooLong) {
      dropped.splice(dropped.indexOf(drop), 1)
      const fit = liveFit(candidate, snapshot, controls, view, dropped, guesses)
      if (fit !== null) fits.push({ ...fit, note: () => `no longer context is at hand, though ${drop.detail}` })
    }
  }
  if (fits.length === 0) {
    // Waiting because of a guess of ours would be refusing the caller for nothing: one request at a time may find out.
    for (const { candidate, drop } of guesses) {
      if (snapshot.proving(candidate.keys.model)) continue
      dropped.splice(dropped.indexOf(drop), 1)
      fits.push({ candidate, group: 3, trial: true, note: () => `tried although ${drop.detail}` })
    }
  }
  const strategyName = strategyOf(request, controls, snapshot)
  const ordered = arrange(fits, request, controls, strategyName, view)
  const distinct = withoutTwins(ordered, snapshot, dropped)
  const placed = placeSession({ request, fits: distinct, all: snapshot.candidates, dropped, snapshot, view })
  const words: Words = { first: placed.fits[0], note: placed.note, strategy: strategyName, view }
  const targets: PlannedTarget[] = placed.fits.map((fit) => new LazyTarget(fit, words, null))
  const strip = placed.strip ?? (request.stripAll ? '' : null)
  if (compress || strip !== null) {
    for (const [i, fit] of placed.fits.entries()) {
      const edit = editFor(fit, request, compress, strip)
      if (edit !== null) targets[i] = new LazyTarget(fit, words, edit)
    }
  }
  cutFallbacks(targets, controls, dropped)
  return {
    targets,
    dropped,
    strategy: strategyName,
    session: placed.session,
    earliestAt: earliest(dropped),
    pinned: placed.pinned,
  }
}

/** A place in the plan whose reason is put into words only when somebody reads it. */
class LazyTarget implements PlannedTarget {
  readonly target: PlannedTarget['target']
  readonly trial: boolean
  readonly fallback: boolean
  readonly edit?: TargetEdit
  readonly #fit: Fit
  readonly #words: Words

  constructor(fit: Fit, words: Words, edit: TargetEdit | null) {
    this.target = fit.candidate.target
    this.trial = fit.trial
    this.fallback = fit.candidate.fallback
    if (edit !== null) this.edit = edit
    this.#fit = fit
    this.#words = words
  }

  get because(): string {
    const { first, note, strategy, view } = this.#words
    if (note !== null && this.#fit === first) return note
    return this.#fit.note?.() ?? strategies[strategy].because(this.#fit.candidate, view)
  }

  toJSON(): PlannedTarget {
    const { target, trial, because } = this
    return { target, because, trial }
  }
}

/** What the reasons of one plan are made from. */
interface Words {
  readonly first: Fit | undefined
  readonly note: string | null
  readonly strategy: StrategyName
  readonly view: StrategyView
}

/** A small seeded generator (mulberry32): plans must be repeatable, not unpredictable. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

function strategyView(snapshot: Snapshot, seed: number, now: number): StrategyView {
  return {
    now,
    random: seeded(seed),
    cursor: snapshot.cursor,
    reserve: snapshot.reserve,
    account: ({ keys }) => snapshot.standing(keys.account),
    model: ({ keys }) => snapshot.standing(keys.model),
    inFlight: ({ account }) => snapshot.inFlight(account.id),
    used: ({ account }) => snapshot.used(account.id),
  }
}

function strategyOf(request: PlanRequest, controls: Controls, snapshot: Snapshot): StrategyName {
  const sort = controls.sort ?? request.sort
  if (sort === 'price') return 'lowest-price'
  if (sort === 'latency') return 'lowest-latency'
  return sort === 'throughput' ? 'highest-throughput' : snapshot.strategy
}

const names = (list: readonly string[], { provider, account, target }: Candidate): boolean =>
  list.some((name) => matchesProvider(name, provider.id, provider.aliases, account.id) || name === target.key)

function matchesProvider(name: string, id: string, aliases: readonly string[], account: string): boolean {
  const wanted = name.toLowerCase()
  return wanted === id || wanted === account.toLowerCase() || wanted === `${id}:${account.toLowerCase()}` ||
    aliases.includes(wanted) ||
    // OpenRouter's slugs may name a variant after a slash: it is still that provider.
    (wanted.includes('/') && wanted.slice(0, wanted.indexOf('/')) === id)
}

function policyDrop(candidate: Candidate, request: PlanRequest, controls: Controls): Dropped | null {
  const { target, provider, account, model } = candidate
  const out = (because: DropReason, detail: () => string) => new LazyDrop(target, because, null, detail)
  if (request.models !== null && !matchesAny(request.models, model.id)) {
    if (!matchesAny(request.models, `${provider.id}/${model.id}`)) {
      return out('model_not_allowed', () => `the caller's token does not allow ${provider.id}/${model.id}`)
    }
  }
  if (request.providers !== null && !matchesAny(request.providers, provider.id)) {
    return out('provider_not_allowed', () => `the caller's token does not allow provider ${provider.id}`)
  }
  if (request.account !== null && request.account !== account.id) {
    return out('provider_not_allowed', () => `the caller is bound to account ${request.account}`)
  }
  if (request.controls !== null) {
    const drop = controlDrop(candidate, request, controls)
    if (drop !== null) return out(drop[0], () => drop[1])
  }
  if (candidate.mustBeFree && !isFree(candidate)) {
    return out('price', () => ':free was asked for and this target is not free')
  }
  if (account.plan && !account.allowUndocumentedUse) {
    const use: Entitlement = entitlementOf(account, provider, request.headers, candidate.native)
    if (use === 'undocumented') return out('undocumented_use', () => entitlementRemedy(account, provider))
  }
  return null
}

/** Part by which gw's estimate of a prompt may be too high. */
const doubt = 0.85

const isTooLong = ({ model }: Candidate, { inputTokens }: PlanRequest): boolean =>
  inputTokens !== null && model.contextTokens !== null && inputTokens * doubt > model.contextTokens

function tooLongDrop({ target, model }: Candidate, { inputTokens }: PlanRequest): Dropped {
  const detail = () => `the prompt has about ${inputTokens} tokens, the model takes ${model.contextTokens}`
  return new LazyDrop(target, 'context', null, detail)
}

/** What the body needs before this target can take it, as the caller or the owner asked; `null` is nothing. */
function editFor(
  { candidate }: Fit,
  { inputTokens, outputTokens }: PlanRequest,
  compress: boolean,
  keepsReasoning: string | null,
): TargetEdit | null {
  const { contextTokens, maxOutputTokens } = candidate.model
  // Half of the context at most is kept for the answer, and a tenth of the rest for what an estimate misses.
  const answer = contextTokens === null
    ? 0
    : Math.min(outputTokens ?? maxOutputTokens ?? contextTokens / 8, contextTokens / 2)
  const room = contextTokens === null ? null : Math.floor((contextTokens - answer) * 0.9)
  const promptTokens = compress && inputTokens !== null && room !== null && inputTokens > room ? room : null
  const stripReasoning = keepsReasoning !== null && candidate.account.id !== keepsReasoning
  return promptTokens === null && !stripReasoning ? null : { promptTokens, stripReasoning }
}

const isFree = ({ account, model }: Candidate): boolean =>
  account.plan || model.id.endsWith(':free') ||
  (model.price !== null && model.price.inputMicros === 0 && model.price.outputMicros === 0)

function controlDrop(
  candidate: Candidate,
  request: PlanRequest,
  controls: Controls,
): readonly [DropReason, string] | null {
  const { provider, account, model, target } = candidate
  if (controls.only !== null && !names(controls.only, candidate)) {
    return ['filtered_only', `provider.only allows ${controls.only.join(', ')}`]
  }
  if (controls.ignore.length > 0 && names(controls.ignore, candidate)) {
    return ['filtered_ignore', `provider.ignore names ${provider.id}`]
  }
  if (controls.order !== null && !controls.allowFallbacks && !names(controls.order, candidate)) {
    return ['filtered_order', `provider.order names ${controls.order.join(', ')} and fallbacks are not allowed`]
  }
  if (controls.denyDataCollection && provider.trains !== false && !account.tags.includes('no-training')) {
    return [
      'data_policy',
      provider.trains === true ? `${provider.name} trains on requests` : `what ${provider.name} keeps is not known`,
    ]
  }
  if (controls.zdr && provider.zeroRetention !== true && !account.tags.includes('zdr')) {
    return [
      'data_policy',
      `${provider.name} is not known for zero data retention; tag the account "zdr" if you have it`,
    ]
  }
  if (controls.distillableText && !account.tags.includes('distillable')) {
    return ['data_policy', `nothing says that ${model.id} may be distilled; tag the account "distillable" if it may`]
  }
  if (controls.quantizations !== null && !controls.quantizations.includes(provider.quantization ?? 'unknown')) {
    return ['quantization', `its weights are ${provider.quantization ?? 'of unknown format'}`]
  }
  if (controls.maxPrice !== null) {
    const reason = priceReason(candidate, controls)
    if (reason !== null) return ['price', reason]
  }
  if (controls.requireParameters) {
    const missing = unsupportedParameters(request.parameters, request.protocol, target.deployment.protocol)
    if (missing.length > 0) return ['parameters', `${target.deployment.protocol} has no ${missing.join(', ')}`]
  }
  return null
}

function priceReason({ account, model }: Candidate, controls: Controls): string | null {
  const limit = controls.maxPrice!
  if (account.plan) return null
  const { price } = model
  const over = (what: string, usd: number, most: number | undefined) =>
    most !== undefined && usd > most ? `${what} costs $${usd} and the limit is $${most}` : null
  if (price === null) {
    const asked = limit.prompt ?? limit.completion ?? limit.request
    return asked === undefined ? null : `the price of ${model.id} is not known`
  }
  return over('a million prompt tokens', price.inputMicros / 1e6, limit.prompt) ??
    over('a million completion tokens', price.outputMicros / 1e6, limit.completion) ??
    over('a request', (price.requestMicros ?? 0) / 1e6, limit.request)
}

const usable: Verdict = { is: 'usable' }
const clean = { verdict: usable, key: null }

/** The verdict of the worst of the three keys that a target stands under. */
function verdictOf(candidate: Candidate, snapshot: Snapshot, now: number): { verdict: Verdict; key: string | null } {
  const { troubled } = snapshot
  if (troubled.size === 0) return clean
  const { account, capability, model } = candidate.keys
  if (!troubled.has(account) && !troubled.has(capability) && !troubled.has(model)) return clean
  let last: string | null = null
  let trial: { verdict: Verdict; key: string } | null = null
  for (const key of [account, capability, model]) {
    const standing = snapshot.standing(key)
    if (standing === null) continue
    const verdict = judge(standing, now)
    if (verdict.is === 'blocked') return { verdict, key }
    if (verdict.is === 'trial') trial ??= { verdict, key }
    else if (verdict.is === 'last') last ??= key
  }
  return trial ?? (last === null ? clean : { verdict: { is: 'last' }, key: last })
}

function liveFit(
  candidate: Candidate,
  snapshot: Snapshot,
  controls: Controls,
  view: StrategyView,
  dropped: Dropped[],
  guesses: { candidate: Candidate; drop: Dropped }[],
): Fit | null {
  const { now } = view
  const { target, account } = candidate
  const { verdict, key } = verdictOf(candidate, snapshot, now)
  // The standing is read now: a receipt must not show what was learnt later.
  const standing = key === null ? null : snapshot.standing(key)
  const explain = () => explainStanding(standing!, now)
  if (verdict.is === 'blocked') {
    const drop = new LazyDrop(target, verdict.because, verdict.until, explain)
    dropped.push(drop)
    if (verdict.guess) guesses.push({ candidate, drop })
    return null
  }
  if (verdict.is === 'trial' && snapshot.proving(key!)) {
    const detail = () => `${explain()}; one request is proving it now`
    dropped.push(new LazyDrop(target, verdict.because, now + 5_000, detail))
    return null
  }
  const { limits } = account
  if (limits.concurrency !== null && snapshot.inFlight(account.id) >= limits.concurrency) {
    dropped.push(
      new LazyDrop(target, 'concurrency', now + 1_000, () => `${limits.concurrency} requests are running, its limit`),
    )
    return null
  }
  if (limits.requestsPerMinute !== null && snapshot.recent(account.id) >= limits.requestsPerMinute) {
    const detail = () => `${limits.requestsPerMinute} requests in the last minute, its owner's limit`
    dropped.push(new LazyDrop(target, 'rate_limited', now + 60_000 / limits.requestsPerMinute, detail))
    return null
  }
  if (limits.spendMicrosPerDay !== null && (snapshot.spentToday(account.id) ?? 0) >= limits.spendMicrosPerDay) {
    const tomorrow = (Math.floor(now / 86_400_000) + 1) * 86_400_000
    const detail = () => `its owner's limit of $${limits.spendMicrosPerDay! / 1e6} a day is spent`
    dropped.push(new LazyDrop(target, 'spend_limit', tomorrow, detail))
    return null
  }
  if (verdict.is === 'last') return { candidate, group: 2, trial: false, note: () => `last, because ${explain()}` }
  if (verdict.is === 'trial') return { candidate, group: 0, trial: true, note: () => `to prove it: ${explain()}` }
  const preferred = isPreferred(candidate, controls, view)
  return { candidate, group: preferred ? 0 : 1, trial: false, note: null }
}

/** Whether what was measured meets the caller's wishes; unmeasured is given the benefit of the doubt. */
function isPreferred(candidate: Candidate, controls: Controls, view: StrategyView): boolean {
  if (controls.minThroughput === null && controls.maxLatency === null) return true
  const standing = view.model(candidate)
  if (standing === null) return true
  // Only the smoothed middle is measured: stricter percentiles are held against it too.
  const least = controls.minThroughput === null ? null : Math.max(0, ...Object.values(controls.minThroughput))
  if (least !== null && standing.tokensPerSecond !== null && standing.tokensPerSecond < least) return false
  const most = controls.maxLatency === null ? null : Math.min(Infinity, ...Object.values(controls.maxLatency))
  return most === null || standing.latencyMs === null || standing.latencyMs <= most * 1000
}

/** By model, then by the caller's order, then by how it stands, then by the strategy. */
function arrange(
  fits: readonly Fit[],
  request: PlanRequest,
  controls: Controls,
  strategy: StrategyName,
  view: StrategyView,
): Fit[] {
  if (fits.length < 2) return fits.slice()
  const byCandidate = new Map<Candidate, Fit>()
  let plain = request.controls === null
  for (const fit of fits) {
    byCandidate.set(fit.candidate, fit)
    if (fit.group !== 0 || fit.candidate.tier !== 0) plain = false
  }
  const ordered = strategies[strategy].order(fits.map((fit) => fit.candidate), view)
  if (plain) return ordered.map((candidate) => byCandidate.get(candidate)!)
  const { order } = controls
  const acrossModels = controls.sortAcrossModels && (controls.sort ?? request.sort) !== null
  const rank = (candidate: Candidate): number => {
    const fit = byCandidate.get(candidate)!
    const place = order === null ? 0 : orderPlace(order, candidate)
    return (acrossModels ? 0 : candidate.tier * 1e6) + fit.group * 1e3 + place
  }
  return byNumber(ordered, rank).map((candidate) => byCandidate.get(candidate)!)
}

function orderPlace(order: readonly string[], candidate: Candidate): number {
  const at = order.findIndex((name) => names([name], candidate))
  return at < 0 ? order.length : at
}

/** Two accounts of one identity share their limits: the second is no spare for the first. */
function withoutTwins(fits: readonly Fit[], snapshot: Snapshot, dropped: Dropped[]): Fit[] {
  if (fits.every(({ candidate }) => snapshot.identity(candidate.account.id) === null)) return fits.slice()
  const seen = new Map<string, string>()
  const spent = new Map<string, Dropped>()
  for (const drop of dropped) {
    if (drop.because !== 'quota_exhausted' && drop.because !== 'rate_limited') continue
    const identity = snapshot.identity(drop.target.account)
    if (identity !== null) spent.set(`${drop.target.provider} ${identity} ${drop.target.model}`, drop)
  }
  const kept: Fit[] = []
  for (const fit of fits) {
    const { target } = fit.candidate
    const identity = snapshot.identity(target.account)
    if (identity !== null) {
      const key = `${target.provider} ${identity} ${target.model}`
      const twin = seen.get(key)
      const empty = spent.get(key)
      if (twin !== undefined && twin !== target.account) {
        dropped.push(new LazyDrop(target, 'same_identity', null, () => `the same identity as account ${twin}`))
        continue
      }
      if (empty !== undefined && empty.target.account !== target.account) {
        const detail = () => `the same identity as account ${empty.target.account}: ${empty.detail}`
        dropped.push(new LazyDrop(target, 'same_identity', empty.until, detail))
        continue
      }
      seen.set(key, target.account)
    }
    kept.push(fit)
  }
  return kept
}

function cutFallbacks(targets: PlannedTarget[], controls: Controls, dropped: Dropped[]): void {
  if (controls.allowFallbacks || controls.order !== null) return
  for (const { target } of targets.splice(1)) {
    dropped.push(new LazyDrop(target, 'filtered_order', null, () => 'provider.allow_fallbacks is false'))
  }
}

function earliest(dropped: readonly Dropped[]): number | null {
  let first: number | null = null
  for (const { until } of dropped) if (until !== null && (first === null || until < first)) first = until
  return first
}

export type { Fit }
