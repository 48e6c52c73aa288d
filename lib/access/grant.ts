import { GwError, type JsonObject } from '../base/mod.ts'
import { coversAll } from './pattern.ts'
import { expandScopes, type Scope } from './scope.ts'
import { type ToolRules, unheldRule } from './tool-rules.ts'

/** Bounds on what a token may use. `null` is no bound. */
export interface TokenLimits {
  /** Real money per period, or in all when there is no period. */
  readonly maxBudgetMicros: number | null
  /** Crossing it is reported once per period; nothing is refused. */
  readonly softBudgetMicros: number | null
  /** `30s`, `12h`, `1d`, `7d`, `30d`, `1mo`, … as {@link parsePeriod} reads it; `null` is for ever. */
  readonly budgetPeriod: string | null
  readonly tokensPerMinute: number | null
  readonly requestsPerMinute: number | null
  readonly maxParallelRequests: number | null
  /** Requests in all, over the token's life. */
  readonly maxRequests: number | null
}

/** No bound at all. */
export const noLimits: TokenLimits = {
  maxBudgetMicros: null,
  softBudgetMicros: null,
  budgetPeriod: null,
  tokensPerMinute: null,
  requestsPerMinute: null,
  maxParallelRequests: null,
  maxRequests: null,
}

/** What a token lets its bearer do. */
export interface Grant {
  readonly scopes: readonly Scope[]
  /** Model patterns; `null` is all. */
  readonly models: readonly string[] | null
  /** Provider patterns; `null` is all. */
  readonly providers: readonly string[] | null
  readonly aliases: Readonly<Record<string, string>>
  readonly account: string | null
  /** Rules for foreign tools: those of its makers, oldest first, then its own. All of them hold. */
  readonly tools: readonly ToolRules[]
  readonly limits: TokenLimits
  readonly metadata: JsonObject
  /** How many generations of children it may have; 0 is none. */
  readonly depth: number
}

/** What is asked for a new token. What is left out falls back to the maker's own, scopes to `read` and `write`. */
export interface GrantRequest {
  readonly scopes?: readonly Scope[] | undefined
  readonly models?: readonly string[] | null | undefined
  readonly providers?: readonly string[] | null | undefined
  readonly aliases?: Readonly<Record<string, string>> | undefined
  readonly account?: string | null | undefined
  /** Its own rules, which come on top of its maker's. */
  readonly tools?: ToolRules | undefined
  readonly limits?: Partial<TokenLimits> | undefined
  readonly metadata?: JsonObject | undefined
  readonly depth?: number | undefined
}

/** Generations below a token that the operator makes. */
const deepest = 8

/** What the operator holds: everything. */
export const everything: Grant = {
  scopes: ['admin'],
  models: null,
  providers: null,
  aliases: {},
  account: null,
  tools: [],
  limits: noLimits,
  metadata: {},
  depth: deepest,
}

/** What a grant gives to whoever acts under it. */
export const rightsOf = (grant: Grant) => ({
  scopes: expandScopes(grant.scopes),
  models: grant.models,
  providers: grant.providers,
  aliases: grant.aliases,
  account: grant.account,
  tools: grant.tools,
})

/** Whether any bound is set. */
export function hasLimits(limits: TokenLimits): boolean {
  return limits.maxBudgetMicros !== null || limits.tokensPerMinute !== null || limits.requestsPerMinute !== null ||
    limits.maxParallelRequests !== null || limits.maxRequests !== null || limits.softBudgetMicros !== null
}

/**
 * The grant of a child: what was asked, refused where it is more than the maker holds.
 *
 * Budgets and rates of the maker go on counting for the child, since every ancestor must have room; a larger number on
 * the child is refused all the same, because it would promise what cannot be had.
 *
 * @throws GwError `access.denied` naming the field
 */
export function narrow(held: Grant, asked: GrantRequest): Grant {
  if (held.depth <= 0) refuse('depth', 'this token may not make others')
  const have = expandScopes(held.scopes)
  const granted = asked.scopes ?? (['read', 'write'] as const).filter((scope) => have.has(scope))
  const missing = granted.filter((scope) => !have.has(scope))
  if (missing.length > 0) refuse('scopes', `the maker does not hold ${missing.join(', ')}`)
  const models = asked.models === undefined ? held.models : asked.models
  if (!coversAll(held.models, models)) refuse('models', `the maker may call only ${held.models!.join(', ')}`)
  const providers = asked.providers === undefined ? held.providers : asked.providers
  if (!coversAll(held.providers, providers)) {
    refuse('providers', `the maker may reach only ${held.providers!.join(', ')}`)
  }
  const account = asked.account ?? held.account
  if (held.account !== null && account !== held.account) refuse('account', `the maker is pinned to ${held.account}`)
  const unheld = asked.tools === undefined ? null : unheldRule(held.tools, asked.tools)
  if (unheld !== null) refuse('tools', `the maker may not call ${unheld}`)
  const depth = asked.depth ?? held.depth - 1
  if (depth >= held.depth) refuse('depth', `the maker may have ${held.depth} generations below it`)
  return {
    scopes: granted,
    models,
    providers,
    aliases: asked.aliases ?? held.aliases,
    account,
    tools: asked.tools === undefined || isEmpty(asked.tools) ? held.tools : [...held.tools, asked.tools],
    limits: narrowLimits(held.limits, asked.limits ?? {}),
    metadata: asked.metadata ?? {},
    depth,
  }
}

const fields = {
  maxBudgetMicros: 'max_budget',
  tokensPerMinute: 'tpm_limit',
  requestsPerMinute: 'rpm_limit',
  maxParallelRequests: 'max_parallel_requests',
  maxRequests: 'max_requests',
} as const

function narrowLimits(held: TokenLimits, asked: Partial<TokenLimits>): TokenLimits {
  for (const [name, param] of Object.entries(fields) as [keyof typeof fields, string][]) {
    const [mine, theirs] = [held[name], asked[name] ?? null]
    // Budgets of different periods cannot be compared; the maker's own is checked at every request anyway.
    const comparable = name !== 'maxBudgetMicros' || (asked.budgetPeriod ?? null) === held.budgetPeriod
    if (comparable && mine !== null && theirs !== null && theirs > mine) {
      refuse(param, `the maker has ${mine}`)
    }
  }
  return { ...noLimits, ...asked }
}

const isEmpty = ({ allow, ask, deny }: ToolRules): boolean => allow.length + ask.length + deny.length === 0

function refuse(param: string, why: string): never {
  throw new GwError('access.denied', `a token never grants more than its maker holds: ${param}: ${why}`, {
    param,
    hint: 'ask for less, or have a token with more make it',
  })
}
