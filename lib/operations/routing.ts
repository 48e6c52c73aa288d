import { z } from 'zod'
import { formatTarget, parseTarget, type TargetKey } from '../accounts/mod.ts'
import { GwError, type Json } from '../base/mod.ts'
import { capabilities, type Capability } from '../catalog/mod.ts'
import {
  explainStanding,
  headroom,
  judge,
  nextReset,
  quotaRows,
  type Standing,
  summarize,
  usedNow,
} from '../liveness/mod.ts'
import { protocolIds } from '../protocol/mod.ts'
import { planReceipt, strategyNames } from '../routing/mod.ts'
import type { OperationContext } from './context.ts'
import { area, operation } from './operation.ts'

const question = {
  model: z.string().min(1).max(300).describe('model as a request would name it').meta({ positional: 0 }),
  capability: z.enum(capabilities).default('chat'),
  protocol: z.enum(protocolIds).default('openai-chat').describe('protocol the client speaks'),
  strategy: z.enum(strategyNames as [string, ...string[]]).optional().describe('order by this strategy instead'),
}

const target = z.object({
  key: z.string(),
  provider: z.string(),
  account: z.string(),
  model: z.string(),
  because: z.string(),
  inputMicros: z.number().nullable().describe('micro-USD per million input tokens'),
  outputMicros: z.number().nullable(),
})

const plan = z.object({
  strategy: z.string(),
  targets: z.array(target).describe('in the order they are tried'),
  dropped: z.array(z.object({
    key: z.string(),
    because: z.string(),
    detail: z.string(),
    until: z.number().nullable().describe('epoch ms'),
  })),
  earliestAt: z.number().nullable(),
})

interface Question {
  readonly model: string
  readonly capability: Capability
  readonly protocol: typeof protocolIds[number]
  readonly strategy?: string | undefined
}

async function planFor({ rooms, principal, clock }: OperationContext, input: Question): Promise<z.output<typeof plan>> {
  await Promise.all([rooms.loadFacts(), rooms.accounts.reload(), rooms.board.sync()])
  const found = rooms.router.plan({
    capability: input.capability,
    protocol: input.protocol,
    model: input.model,
    headers: new Headers(),
    body: null,
    principal,
    ...(input.strategy === undefined ? {} : { strategy: input.strategy as never }),
  })
  const catalog = rooms.catalog()
  return {
    strategy: found.strategy,
    targets: found.targets.map(({ target: at, because }) => {
      const { price } = catalog.model(at.provider, at.model, clock.now())
      return {
        key: at.key,
        provider: at.provider,
        account: at.account,
        model: at.model,
        because,
        inputMicros: price?.inputMicros ?? null,
        outputMicros: price?.outputMicros ?? null,
      }
    }),
    dropped: found.dropped.map(({ target: at, because, detail, until }) => ({ key: at.key, because, detail, until })),
    earliestAt: found.earliestAt,
  }
}

const seen = z.object({
  target: z.string(),
  model: z.string(),
  status: z.int().nullable(),
  failure: z.string().nullable(),
  message: z.string().nullable(),
  durationMs: z.number(),
})

/** Why one past request went where it went. */
const why = operation({
  summary:
    'Show for one past request which targets were considered, dropped and tried, and why the one that answered won',
  scope: 'route:read',
  effect: 'reads',
  mcp: true,
  input: z.object({
    request: z.string().min(5).max(64).describe('x-gw-request-id of the answer').meta({ positional: 0 }),
  })
    .strict(),
  output: z.object({
    request: z.string(),
    at: z.int(),
    requested: z.string().nullable(),
    outcome: z.string(),
    status: z.int(),
    error: z.string().nullable(),
    sentence: z.string(),
    attempts: z.array(seen).describe('upstream calls in order'),
    plan: planReceipt.nullable().describe('null when there was nothing to choose, or it is older than a week'),
    cache: z.object({
      expected: z.enum(['warm', 'cold', 'none']),
      cachedInputTokens: z.number().nullable().describe('tokens the provider read from its cache'),
      inputTokens: z.number().nullable(),
    }),
    costMicros: z.number().nullable(),
    shadowCostMicros: z.number().nullable(),
    priceSource: z.string().nullable(),
  }),
  cli: { command: 'why', example: 'gw why req_01j9z…' },
}).query(async ({ ctx: { rooms, principal }, input }) => {
  const own = principal.scopes.has('admin') ? undefined : principal.id
  const { request } = await rooms.usage.request(input.request, own)
  const plan = await rooms.receipts.find(input.request)
  const last = request.attempts.at(-1)
  const chosen = last && plan?.candidates.find(({ target, model }) => target === last.target && model === last.model)
  const answered = last !== undefined && last.failure === null
  const home = plan?.session?.boundTo ?? null
  return {
    request: request.id,
    at: request.at,
    requested: request.requestedModel,
    outcome: request.outcome,
    status: request.status,
    error: request.error,
    sentence: !last
      ? `no target was tried: ${request.error ?? request.outcome}`
      : answered
      ? `${last.target} answered: ${chosen?.because ?? 'it was the only target'}${
        request.attempts.length > 1 ? `; ${request.attempts.length - 1} failed before it` : ''
      }`
      : `${request.attempts.length} tried, none answered: ${request.error ?? last.message ?? ''}`,
    attempts: request.attempts.map(({ target, model, status, failure, message, durationMs }) => ({
      target,
      model,
      status,
      failure,
      message,
      durationMs,
    })),
    plan,
    cache: {
      expected: home === null
        ? plan?.session ? 'cold' as const : 'none' as const
        : home === request.account
        ? 'warm' as const
        : 'cold' as const,
      cachedInputTokens: request.tokens.cachedInputTokens,
      inputTokens: request.tokens.inputTokens,
    },
    costMicros: request.costMicros,
    shadowCostMicros: request.shadowCostMicros,
    priceSource: request.priceSource,
  }
})

/** Where a request would go, and why. */
export const routes = area({
  why,
  explain: operation({
    summary: 'Show which targets would serve a model, in which order, and why each other one is out',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object(question).strict(),
    output: plan,
    cli: { hidden: true },
  }).query(({ ctx, input }) => planFor(ctx, input as Question)),

  cheapest: operation({
    summary: 'Name the cheapest target that can serve a model right now',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object(question).omit({ strategy: true }).strict(),
    output: z.object({ target: target.nullable(), reason: z.string() }),
    cli: { command: 'route cheapest' },
  }).query(async ({ ctx, input }) => {
    const found = await planFor(ctx, { ...input, strategy: 'lowest-price' } as Question)
    const [first] = found.targets
    const why = found.dropped[0]
    return first
      ? { target: first, reason: first.because }
      : { target: null, reason: why ? `${why.key}: ${why.detail}` : 'no account could serve it' }
  }),
})

const standing = z.object({
  key: z.string(),
  state: z.enum(['live', 'degraded', 'dead']),
  summary: z.string().describe('the state in one word and its facts'),
  detail: z.string().describe('the evidence in one sentence'),
  usable: z.boolean(),
  until: z.number().nullable().describe('epoch ms when it may serve again; null unknown or now'),
  nextResetAt: z.number().nullable(),
  headroom: z.number().nullable().describe('part of the tightest quota window that is left, 0 to 1'),
  score: z.number(),
  successes: z.int(),
  failures: z.int(),
  latencyMs: z.number().nullable(),
  windows: z.array(z.object({
    id: z.string(),
    lengthMs: z.number().nullable(),
    used: z.number().nullable().describe('part used, 0 to 1'),
    limit: z.number().nullable(),
    remaining: z.number().nullable(),
    resetsAt: z.number().nullable(),
    status: z.string(),
    model: z.string().nullable(),
    seenAt: z.number(),
  })),
  updatedAt: z.int(),
})

function viewStanding(of: Standing, now: number): z.output<typeof standing> {
  const verdict = judge(of, now)
  return {
    key: of.key,
    state: of.liveness.state,
    summary: summarize(of),
    detail: explainStanding(of, now),
    usable: verdict.is !== 'blocked',
    until: verdict.is === 'blocked' ? verdict.until : null,
    nextResetAt: nextReset(of.windows, '', now),
    headroom: headroom(of.windows, '', now),
    score: of.score,
    successes: of.successes,
    failures: of.failures,
    latencyMs: of.latencyMs,
    windows: of.windows.map((window) => ({ ...window, used: usedNow(window, now) })),
    updatedAt: of.updatedAt,
  }
}

function keyOf(text: string): TargetKey {
  const parsed = parseTarget(text)
  if (parsed) return formatTarget(parsed.provider, parsed.account, parsed.capability ?? undefined)
  throw new GwError('request.invalid', `key: ${text} is not provider:account[#capability]`, { param: 'key' })
}

const key = z.string().min(3).max(400).describe('provider:account or provider:account#capability')

/** How targets fare. */
export const liveness = area({
  list: operation({
    summary: 'List what is believed of each account and route: alive or not, quota windows, when it may serve again',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object({ key: key.optional().describe('only this key and what is below it') }).strict(),
    output: z.object({ standings: z.array(standing) }),
    cli: { columns: ['key', 'summary', 'until', 'headroom', 'nextResetAt', 'latencyMs'] },
  }).query(async ({ ctx: { rooms, clock }, input }) => {
    await rooms.board.sync()
    const now = clock.now()
    const wanted = input.key === undefined ? null : keyOf(input.key)
    const all = rooms.board.all().filter((one) =>
      wanted === null || one.key === wanted || one.key.startsWith(`${wanted}#`)
    )
    return { standings: all.map((one) => viewStanding(one, now)) }
  }),

  quota: operation({
    summary: 'List each quota window of each account: how much is used, when it resets, how old that knowledge is',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object({ account: z.string().max(200).optional().describe('only this account') }).strict(),
    output: z.object({
      windows: z.array(z.object({
        provider: z.string(),
        account: z.string(),
        window: z.string(),
        lengthMs: z.number().nullable(),
        model: z.string().nullable().describe('the model or family it limits; null is all'),
        used: z.number().nullable().describe('part used, 0 to 1'),
        limit: z.number().nullable(),
        remaining: z.number().nullable(),
        resetsAt: z.number().nullable().describe('epoch ms'),
        passed: z.boolean().describe('its reset has passed since the provider last spoke of it'),
        status: z.enum(['allowed', 'warning', 'rejected', 'unknown']),
        ageMs: z.number().describe('age of the knowledge'),
      })),
    }),
    cli: {
      command: 'quota',
      columns: ['account', 'window', 'model', 'used', 'remaining', 'resetsAt', 'status', 'ageMs'],
    },
  }).query(async ({ ctx: { rooms, clock }, input }) => {
    await rooms.board.sync()
    const rows = quotaRows(rooms.board.all(), clock.now())
    return { windows: rows.filter(({ account }) => input.account === undefined || account === input.account) }
  }),

  reset: operation({
    summary: 'Forget what is believed of an account or route, so that the next request tries it again',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    idempotent: true,
    input: z.object({ key: key.meta({ positional: 0 }) }).strict(),
    output: z.object({ key: z.string(), known: z.boolean() }),
    before: ({ rooms, clock }, input) => {
      const found = rooms.board.get(keyOf(String(input.key)))
      return Promise.resolve(found ? viewStanding(found, clock.now()) as unknown as Json : null)
    },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    await rooms.board.sync()
    const at = keyOf(input.key)
    return { key: at, known: rooms.board.reset(at) }
  }),
})
