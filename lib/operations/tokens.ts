import { z } from 'zod'
import { type AccessToken, type IssueRequest, scopes, toolRule, toolRulesConfig } from '../access/mod.ts'
import { GwError, type Json, type JsonObject } from '../base/mod.ts'
import { lifeOf } from './moment.ts'
import { anyJson, area, operation } from './operation.ts'

/*
 * This area speaks the names of the wire contract that clients of older gateways know: snake_case, times in epoch
 * seconds, money in USD.
 */

const id = z.string().min(1).max(100).describe('id of a token, as the list shows it')

const patterns = z.array(z.string().min(1).max(300)).max(200)

const limits = {
  max_budget: z.number().min(0).optional().describe('USD it may spend, per budget_duration or in all'),
  soft_budget: z.number().min(0).optional().describe('USD after which it is reported, not refused'),
  budget_duration: z.string().max(20).optional().describe('period of the budget, such as 1d, 7d or 1mo'),
  tpm_limit: z.int().min(1).optional().describe('model tokens per minute'),
  rpm_limit: z.int().min(1).optional().describe('requests per minute'),
  max_parallel_requests: z.int().min(1).optional().describe('requests at once'),
  max_requests: z.int().min(1).optional().describe('requests in all'),
}

const token = z.object({
  id: z.string(),
  label: z.string(),
  issued_at: z.int().describe('epoch seconds'),
  expires_at: z.int().nullable().describe('epoch seconds'),
  revoked: z.boolean(),
  account: z.string().nullable(),
  scopes: z.array(z.string()),
  models: z.array(z.string()).nullable(),
  providers: z.array(z.string()).nullable(),
  tools: z.array(toolRulesConfig()).describe(
    "rules for tools of MCP servers: its makers' first, its own last; all of them hold",
  ),
  parent: z.string().nullable(),
  issuer: z.string(),
  depth: z.int().describe('generations it may have below it'),
  limits: z.object({
    max_budget: z.number().nullable(),
    soft_budget: z.number().nullable(),
    budget_duration: z.string().nullable(),
    tpm_limit: z.number().nullable(),
    rpm_limit: z.number().nullable(),
    max_parallel_requests: z.number().nullable(),
    max_requests: z.number().nullable(),
  }),
})

type TokenView = z.output<typeof token>

const usd = (micros: number | null): number | null => micros === null ? null : micros / 1_000_000
const micros = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.round(value * 1_000_000)
const secondsOf = (ms: number): number => Math.floor(ms / 1000)

/** A token as its owner may see it. */
export function viewToken(info: AccessToken): TokenView {
  const { grant } = info
  return {
    id: info.id,
    label: info.label,
    issued_at: secondsOf(info.issuedAt),
    expires_at: info.expiresAt === null ? null : secondsOf(info.expiresAt),
    revoked: info.revokedAt !== null,
    account: grant.account,
    scopes: [...grant.scopes],
    models: grant.models && [...grant.models],
    providers: grant.providers && [...grant.providers],
    tools: grant.tools.map(({ allow, ask, deny }) => ({ allow: [...allow], ask: [...ask], deny: [...deny] })),
    parent: info.parent,
    issuer: info.issuer,
    depth: grant.depth,
    limits: {
      max_budget: usd(grant.limits.maxBudgetMicros),
      soft_budget: usd(grant.limits.softBudgetMicros),
      budget_duration: grant.limits.budgetPeriod,
      tpm_limit: grant.limits.tokensPerMinute,
      rpm_limit: grant.limits.requestsPerMinute,
      max_parallel_requests: grant.limits.maxParallelRequests,
      max_requests: grant.limits.maxRequests,
    },
  }
}

function ttlOf(text: string): number {
  const ms = lifeOf(text)
  if (ms !== null) return ms
  throw new GwError('request.invalid', `duration: ${text} is no time such as 12h or 7d`, { param: 'duration' })
}

const toolList = z.array(toolRule()).max(200).optional()

const issueInput = z.object({
  ttl_hours: z.number().positive().max(876_000).optional().describe('hours it lives; the configured default if absent'),
  duration: z.string().max(20).optional().describe('the same as a text: 30m, 12h, 7d'),
  never_expires: z.boolean().default(false).describe('let it live until it is revoked'),
  label: z.string().max(200).default('').describe('what it is for'),
  account: z.string().max(128).nullish().describe('pin its requests to one account'),
  scopes: z.array(z.enum(scopes)).min(1).optional().describe('what it may do; read and write if absent'),
  models: patterns.nullish().describe('model patterns it may call; absent: as the maker'),
  providers: patterns.nullish().describe('providers it may reach; absent: as the maker'),
  allow_tools: toolList.describe(
    'the only tools of MCP servers it may call: mcp__server, mcp__server__tool, or with *',
  ),
  ask_tools: toolList.describe('tools for which a person is asked at each call'),
  deny_tools: toolList.describe('tools it may not call'),
  aliases: z.record(z.string(), z.string()).optional().describe('model names that mean others for it'),
  metadata: z.record(z.string(), anyJson).optional().describe('facts to keep with it'),
  depth: z.int().min(0).max(8).optional().describe('generations of tokens it may make below it'),
  ...limits,
}).strict()

function requestOf(input: z.output<typeof issueInput>): IssueRequest {
  const named = [input.ttl_hours !== undefined, input.duration !== undefined, input.never_expires].filter(Boolean)
  if (named.length > 1) {
    throw new GwError('request.invalid', 'give one of ttl_hours, duration and never_expires', { param: 'ttl_hours' })
  }
  const ttlMs = input.never_expires
    ? null
    : input.duration === undefined
    ? input.ttl_hours === undefined ? undefined : Math.round(input.ttl_hours * 3_600_000)
    : ttlOf(input.duration)
  return {
    label: input.label,
    ttlMs,
    account: input.account ?? undefined,
    scopes: input.scopes,
    models: input.models,
    providers: input.providers,
    tools: { allow: input.allow_tools ?? [], ask: input.ask_tools ?? [], deny: input.deny_tools ?? [] },
    aliases: input.aliases,
    metadata: input.metadata as JsonObject | undefined,
    depth: input.depth,
    limits: defined({
      maxBudgetMicros: micros(input.max_budget),
      softBudgetMicros: micros(input.soft_budget),
      budgetPeriod: input.budget_duration,
      tokensPerMinute: input.tpm_limit,
      requestsPerMinute: input.rpm_limit,
      maxParallelRequests: input.max_parallel_requests,
      maxRequests: input.max_requests,
    }),
  }
}

function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as never
}

/** Client tokens: made, shown and ended. */
export const tokens = area({
  issue: operation({
    summary: 'Issue a client token that may do no more than yours',
    description: 'The token is shown this once. It ends when it expires, when it is revoked, and with its maker.',
    scope: 'tokens',
    effect: 'mutates',
    mcp: true,
    input: issueInput,
    output: token.extend({ token: z.string(), ttl_hours: z.number().nullable() }),
    cli: {
      print: 'token',
      short: { label: 'l' },
      example: 'gw tokens issue --label laptop --ttl-hours 720 --models "claude-*"',
    },
  }).mutation(async ({ ctx, input }) => {
    const { token: secret, info } = await ctx.rooms.access.issue(requestOf(input), ctx.principal)
    const lifeMs = info.expiresAt === null ? null : info.expiresAt - info.issuedAt
    return {
      ...viewToken(info),
      // The one place where a token leaves: its maker asked for it and it is never shown again.
      token: secret.reveal(),
      ttl_hours: lifeMs === null ? null : Math.round(lifeMs / 36_000) / 100,
    }
  }),

  list: operation({
    summary: 'List the client tokens you may see, newest first; never the tokens themselves',
    scope: 'tokens',
    effect: 'reads',
    mcp: true,
    input: z.object({
      limit: z.int().min(1).max(1_000).default(100),
      cursor: z.string().max(200).optional().describe('the next of the page before'),
      usable: z.boolean().default(false).describe('leave out what is revoked or has run out'),
    }).strict(),
    output: z.object({ data: z.array(token), next: z.string().nullable() }),
    cli: { columns: ['id', 'label', 'expires_at', 'revoked', 'issued_at', 'scopes', 'account'] },
  }).query(async ({ ctx, input }) => {
    const { usable, ...query } = input
    const page = await ctx.rooms.access.list(
      { ...query, usableAt: usable ? ctx.clock.now() : undefined },
      ctx.principal,
    )
    return { data: page.tokens.map(viewToken), next: page.next }
  }),

  show: operation({
    summary: 'Show one client token',
    scope: 'tokens',
    effect: 'reads',
    mcp: true,
    input: z.object({ id: id.meta({ positional: 0 }) }).strict(),
    output: token,
  }).query(async ({ ctx, input }) => viewToken(await ctx.rooms.access.show(input.id, ctx.principal))),

  revoke: operation({
    summary: 'End a client token and all that were made with it, for good',
    scope: 'tokens',
    effect: 'mutates',
    destructive: true,
    idempotent: true,
    mcp: true,
    input: z.object({ id: id.meta({ positional: 0 }) }).strict(),
    output: z.object({ revoked: z.string(), ended: z.array(z.string()).describe('tokens that were good until now') }),
    before: async ({ rooms, principal }, input) =>
      viewToken(await rooms.access.show(String(input.id), principal)) as unknown as Json,
    cli: { aliases: ['expire'] },
  }).mutation(async ({ ctx, input }) => {
    // One that is not there, or not the caller's, is not found: nobody shall believe that a misspelt one has ended.
    await ctx.rooms.access.show(input.id, ctx.principal)
    const { revoked, ended } = await ctx.rooms.access.revoke(input.id, ctx.principal)
    return { revoked, ended: [...ended] }
  }),

  rotateKey: operation({
    summary: 'Make a new signing key; tokens signed with the last few stay good',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({ keep: z.int().min(0).max(10).default(3).describe('older keys that stay good') }).strict(),
    output: z.object({ kid: z.string() }),
  }).mutation(async ({ ctx, input }) => ({ kid: await ctx.rooms.access.rotateKey(input.keep) })),
})
