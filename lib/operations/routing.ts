import { z } from 'zod'
import { formatTarget, parseTarget, type TargetKey } from '../accounts/mod.ts'
import { GwError, type Json } from '../base/mod.ts'
import { capabilities, type Capability } from '../catalog/mod.ts'
import { explainStanding, headroom, judge, nextReset, type Standing, summarize, usedNow } from '../liveness/mod.ts'
import { protocolIds } from '../protocol/mod.ts'
import { strategyNames } from '../routing/mod.ts'
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

/** Where a request would go, and why. */
export const routes = area({
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
