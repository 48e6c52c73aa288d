import type { Clock, Logger } from '../base/mod.ts'
import type { Account } from '../accounts/mod.ts'
import { type Catalog, matchesPattern, type ResolvedModel, resolveModel, takeSuffixes } from '../catalog/mod.ts'
import type { RouteCall } from './call.ts'
import { type Candidate, candidatesFor, type ModelChoice } from './candidates.ts'
import type { RoutingSettings } from './config.ts'
import type { Controls } from './controls.ts'
import { fallbackReferences } from './fallback.ts'
import type { Snapshot } from './snapshot.ts'

/** Everything that could serve one model reference, prepared once. */
export interface Pool {
  readonly resolved: ResolvedModel
  readonly candidates: readonly Candidate[]
  /** What its plans are made from. */
  readonly snapshot: PoolSnapshot
  /** Shortest context among the candidates, when there are several lengths or the caller wants it met. */
  readonly leastContext: number | null
  readonly contextsDiffer: boolean
}

/** A snapshot is read while a plan is made and never after it, so that one object serves all plans of a pool. */
type PoolSnapshot = Omit<Snapshot, 'cursor'> & { cursor: number }

const maxPools = 2_000

/** What a snapshot says whatever the pool. */
export type SnapshotView = Omit<Snapshot, 'candidates' | 'unfit' | 'strategy' | 'reserve' | 'cursor' | 'sticky'>

/** What {@link createPools} reads. Functions are asked at each use. */
export interface PoolsOptions {
  readonly catalog: () => Catalog
  readonly accounts: () => readonly Account[]
  readonly settings: () => RoutingSettings
  readonly clock: Clock
  readonly logger: Logger
  /** A number in [0, 1). */
  readonly random: () => number
}

/**
 * Prepares pools and remembers them for as long as accounts, catalogue and settings are the very same.
 *
 * @returns the pool of a request; it throws GwError `model.missing`, `model.not_found`
 */
export function createPools(
  { catalog: catalogNow, accounts: accountsNow, settings, clock, logger, random }: PoolsOptions,
  view: SnapshotView,
): (call: RouteCall, controls: Controls | null) => Pool {
  const pools = new Map<string, Pool>()
  let seen: { accounts: unknown; catalog: unknown; settings: unknown } | null = null
  let active: ReadonlySet<string> = new Set()

  /** Prepared pools hold as long as accounts, catalogue and settings are the very same. */
  function refresh(): { catalog: Catalog; accounts: readonly Account[]; rules: RoutingSettings } {
    const catalog = catalogNow()
    const accounts = accountsNow()
    const rules = settings()
    if (seen === null || seen.accounts !== accounts || seen.catalog !== catalog || seen.settings !== rules) {
      seen = { accounts, catalog, settings: rules }
      pools.clear()
      active = new Set(
        accounts.filter(({ enabled }) => enabled).map(({ provider }) => catalog.provider(provider)?.id ?? provider),
      )
    }
    return { catalog, accounts, rules }
  }

  function resolveOne(reference: string | null, call: RouteCall, catalog: Catalog): ResolvedModel {
    return resolveModel(reference, { catalog, active, aliases: call.principal.aliases, now: clock.now() })
  }

  function poolFor(call: RouteCall, controls: Controls | null): Pool {
    const { catalog, accounts, rules } = refresh()
    const profile = call.headers.get('x-auth-profile')
    const named = controls === null || (controls.order ?? controls.only) === null
      ? noNames
      : [...controls.order ?? [], ...controls.only ?? []]
    const cacheable = call.extraAccounts === undefined && isEmpty(call.principal.aliases)
    const kind = `${call.model}\n${call.capability}\n${call.protocol}`
    const isPlain = controls === null ||
      (named.length === 0 && controls.fallbackModels.length === 0 && controls.allowFallbacks)
    const key = profile === null && call.strategy === undefined && isPlain
      ? kind
      : [kind, profile, call.strategy, named, controls?.fallbackModels, controls?.allowFallbacks].join('\n')
    const known = cacheable ? pools.get(key) : undefined
    if (known) return known
    const pool = build(call, controls, named, profile, { catalog, accounts, rules })
    if (cacheable) {
      if (pools.size >= maxPools) pools.delete(pools.keys().next().value!)
      pools.set(key, pool)
    }
    return pool
  }

  function build(
    call: RouteCall,
    controls: Controls | null,
    named: readonly string[],
    profile: string | null,
    { catalog, accounts, rules }: { catalog: Catalog; accounts: readonly Account[]; rules: RoutingSettings },
  ): Pool {
    const now = clock.now()
    const choices: ModelChoice[] = []
    let { strategy } = call
    const choose = (resolved: ResolvedModel, tier: number, fallback = false): void => {
      const { provider, account, model, free } = resolved
      choices.push({ provider, account: account ?? profileName(profile, provider.id), model, free, tier, fallback })
    }
    const expand = (reference: string | null, tier: number): ResolvedModel => {
      const wanted = reference?.trim() ?? catalog.defaultModel ?? null
      const found = wanted === null ? null : poolNamed(rules, wanted)
      if (found) {
        if (tier === 0) strategy ??= found.pool.strategy
        const members = found.pool.members.map((member) => resolveOne(member + found.suffix, call, catalog))
        for (const member of members) choose(member, tier)
        return { ...members[0]!, requested: wanted!, alias: wanted }
      }
      const resolved = resolveNamed(reference, call, catalog, named)
      choose(resolved, tier)
      for (const name of named) {
        const other = catalog.provider(name)
        if (
          other && other.id !== resolved.provider.id && active.has(other.id) &&
          catalog.has(other.id, resolved.model, now)
        ) {
          choices.push({ provider: other, account: null, model: resolved.model, free: resolved.free, tier })
        }
      }
      return resolved
    }
    const resolved = expand(call.model, 0)
    for (const [i, reference] of (controls?.fallbackModels ?? []).entries()) expand(reference, i + 1)
    let tier = controls?.fallbackModels.length ?? 0
    if (controls?.allowFallbacks !== false) {
      for (const reference of fallbackReferences(resolved, call.capability, rules, active)) {
        try {
          choose(resolveOne(reference, call, catalog), ++tier, true)
        } catch (error) {
          // A fallback that names nothing must not take the request down that did not need it.
          logger.log('warn', 'routing.fallback_unknown', { reference, error })
        }
      }
    }
    const all = call.extraAccounts ? [...call.extraAccounts, ...accounts] : accounts
    const { candidates, unfit } = candidatesFor(choices, {
      catalog,
      accounts: all,
      capability: call.capability,
      protocol: call.protocol,
      now,
    })
    strategy ??= rules.provider_strategies[resolved.provider.id] ?? rules.strategy
    const contexts = new Set(candidates.map(({ model }) => model.contextTokens))
    const known = [...contexts].filter((tokens) => tokens !== null)
    return {
      resolved,
      candidates,
      snapshot: snapshotOf(rules, { candidates, unfit, strategy }),
      leastContext: known.length > 0 ? Math.min(...known) : null,
      contextsDiffer: contexts.size > 1,
    }
  }

  /** {@link resolveModel}; where several providers have the name, the ones that the controls name decide. */
  function resolveNamed(
    reference: string | null,
    call: RouteCall,
    catalog: Catalog,
    named: readonly string[],
  ): ResolvedModel {
    try {
      return resolveOne(reference, call, catalog)
    } catch (error) {
      for (const name of named) {
        const provider = catalog.provider(name)
        if (reference !== null && provider && catalog.has(provider.id, reference, clock.now())) {
          return resolveOne(`${provider.id}/${reference}`, call, catalog)
        }
      }
      throw error
    }
  }

  function snapshotOf(rules: RoutingSettings, of: Pick<Snapshot, 'candidates' | 'unfit' | 'strategy'>): PoolSnapshot {
    return {
      ...of,
      reserve: rules.reserve,
      cursor: Math.floor(random() * 1_000),
      sticky: {
        enabled: rules.sticky.enabled,
        minGain: rules.sticky.min_gain_points,
        expectedTurns: rules.sticky.expected_turns,
        stripForeign: rules.strip_foreign_reasoning,
      },
      ...view,
    }
  }

  return poolFor
}

const noNames: readonly string[] = []

function isEmpty(record: Readonly<Record<string, string>>): boolean {
  for (const _ in record) return false
  return true
}

/** The pool that a reference names, and the suffixes behind its name: they are meant for each member. */
function poolNamed(
  { pools }: RoutingSettings,
  reference: string,
): { readonly pool: RoutingSettings['pools'][string]; readonly suffix: string } | null {
  if (Object.hasOwn(pools, reference)) return { pool: pools[reference]!, suffix: '' }
  const { base } = takeSuffixes(reference)
  return Object.hasOwn(pools, base) ? { pool: pools[base]!, suffix: reference.slice(base.length) } : null
}

/** The account part of an auth profile (`provider:name`, or a bare name) when it speaks about this provider. */
function profileName(profile: string | null, provider: string): string | null {
  if (profile === null || profile === '') return null
  const colon = profile.indexOf(':')
  if (colon < 0) return profile
  return matchesPattern(profile.slice(0, colon), provider) ? profile.slice(colon + 1) : null
}
