import { z } from 'zod'
import { GwError } from '../base/mod.ts'
import { capabilities, type Capability } from '../catalog/mod.ts'
import { protocolIds } from '../protocol/mod.ts'
import { planReceipt, strategyNames } from '../routing/mod.ts'
import type { OperationContext, OperationRooms } from './context.ts'
import { explaining } from './explanation.ts'
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
  await rooms.loadFacts()
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
    'Show for a past request which targets were considered, dropped and tried, and why the one that answered won',
  scope: 'route:read',
  effect: 'reads',
  mcp: true,
  input: z.object({
    request: z.string().min(5).max(64).optional().describe('x-gw-request-id of the answer; the newest if absent')
      .meta({ positional: 0 }),
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
    plan: planReceipt().nullable().describe('null when there was nothing to choose, or it is older than a week'),
    cache: z.object({
      expected: z.enum(['warm', 'cold', 'none']),
      cachedInputTokens: z.number().nullable().describe('tokens the provider read from its cache'),
      inputTokens: z.number().nullable(),
    }),
    costMicros: z.number().nullable(),
    shadowCostMicros: z.number().nullable(),
    priceSource: z.string().nullable(),
  }),
  cli: { command: 'why', example: 'gw why, or gw why req_01j9z…' },
}).query(async ({ ctx: { rooms, principal }, input }) => {
  const own = principal.scopes.has('admin') ? undefined : principal.id
  const id = input.request ?? await newest(rooms, own)
  const { request } = await rooms.usage.request(id, own)
  const plan = await rooms.receipts.find(id)
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
      ? `no target was tried${request.error ? '' : `: ${request.outcome}`}`
      : answered
      ? `${last.target} answered: ${chosen?.because ?? 'it was the only target'}${
        request.attempts.length > 1 ? `; ${request.attempts.length - 1} failed before it` : ''
      }`
      // The error stands beside it.
      : `${request.attempts.length} tried, none answered${request.error || !last.message ? '' : `: ${last.message}`}`,
    attempts: request.attempts.map(({ target, model, status, failure, message, durationMs }) => ({
      target,
      model,
      status,
      failure,
      message,
      durationMs: Math.round(durationMs),
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

/** The id of the last request, of this token's own where one is given. */
async function newest({ usage }: OperationRooms, principal: string | undefined): Promise<string> {
  const { requests } = await usage.requests({ limit: 1, ...(principal === undefined ? {} : { principal }) })
  if (requests[0]) return requests[0].id
  throw new GwError('request.not_found', 'there was no request yet', { hint: 'gw chat hello makes one' })
}

/** Where a request would go, and why. */
export const route = area({
  why,
  plan: operation({
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

  explain: explaining('explain', {
    summary: 'Show every route with its state, its evidence, what may be done about it and the next step',
    description: 'Reads only: nothing is probed, written or connected to.',
    mcp: true,
  }),

  select: explaining('select', { summary: 'Name the route that would be used now; exits 201 when there is none' }),
})
