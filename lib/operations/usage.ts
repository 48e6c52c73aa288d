import { tracked } from '@trpc/server'
import { z } from 'zod'
import type { Principal } from '../access/mod.ts'
import { GwError } from '../base/mod.ts'
import { groupings, type RequestRecord, type UsageFilter } from '../usage/mod.ts'
import { moment, momentOf } from './moment.ts'
import { area, operation, stream } from './operation.ts'

const totals = z.object({
  requests: z.int(),
  errors: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cachedInputTokens: z.int(),
  cacheWriteTokens: z.int(),
  reasoningTokens: z.int(),
  costMicros: z.number().nullable().describe('micro-USD of real money; null when no price is known'),
  shadowCostMicros: z.number().describe('micro-USD the same would cost by API key; never added to costMicros'),
  unpriced: z.int().describe('requests at a price nobody knows: their cost is missing'),
  estimated: z.int(),
  meanDurationMs: z.number().nullable(),
  meanFirstByteMs: z.number().nullable(),
  requestBytes: z.int(),
  responseBytes: z.int(),
})

const request = z.object({
  id: z.string(),
  at: z.int(),
  principal: z.string(),
  surface: z.string(),
  requestedModel: z.string().nullable(),
  model: z.string().nullable(),
  provider: z.string().nullable(),
  account: z.string().nullable(),
  stream: z.boolean(),
  inputTokens: z.number().nullable(),
  outputTokens: z.number().nullable(),
  cachedInputTokens: z.number().nullable(),
  estimated: z.boolean(),
  costMicros: z.number().nullable().describe('micro-USD; null when no price is known'),
  shadowCostMicros: z.number().nullable(),
  status: z.int(),
  outcome: z.string(),
  error: z.string().nullable(),
  firstByteMs: z.number().nullable(),
  durationMs: z.number(),
  attempts: z.int(),
})

const filter = {
  from: moment.optional().describe('7d (ago), 2026-11-01, a time with its zone, or epoch ms; 30 days ago if absent'),
  to: moment.optional().describe('likewise; now if absent'),
  model: z.string().max(300).optional(),
  provider: z.string().max(128).optional(),
  account: z.string().max(128).optional(),
  surface: z.string().max(64).optional(),
}

type Moment = z.output<typeof moment> | undefined

const spanOf = ({ from, to }: { from?: Moment; to?: Moment }, now: number) => ({
  from: momentOf(from, now, 'from'),
  to: momentOf(to, now, 'to'),
})

/** Everybody sees their own; an admin sees all. */
const own = (principal: Principal): Pick<UsageFilter, 'principal'> =>
  principal.scopes.has('admin') ? {} : { principal: principal.id }

/** A request as a list shows it. Accounts are their owner's business. */
function view(record: RequestRecord, principal: Principal): z.output<typeof request> {
  return {
    id: record.id,
    at: record.at,
    principal: record.principal,
    surface: record.surface,
    requestedModel: record.requestedModel,
    model: record.model,
    provider: record.provider,
    account: principal.scopes.has('admin') ? record.account : null,
    stream: record.stream,
    inputTokens: record.tokens.inputTokens,
    outputTokens: record.tokens.outputTokens,
    cachedInputTokens: record.tokens.cachedInputTokens,
    estimated: record.estimated,
    costMicros: record.costMicros,
    shadowCostMicros: record.shadowCostMicros,
    status: record.status,
    outcome: record.outcome,
    error: record.error,
    firstByteMs: record.firstByteMs,
    durationMs: record.durationMs,
    attempts: record.attempts.length,
  }
}

const cursorOf = (record: RequestRecord): string => `${record.at}.${record.id}`

function readCursor(text: string): { at: number; id: string } {
  const match = /^(\d{1,15})\.([\w-]{1,128})$/.exec(text)
  if (!match) throw new GwError('request.invalid', 'cursor: is not one of ours', { param: 'cursor' })
  return { at: Number(match[1]), id: match[2]! }
}

/** Most records that a resumed stream catches up with. */
const mostMissed = 500

/** What it cost. */
export const usage = area({
  summary: operation({
    summary: 'Add up requests, tokens and cost, by hour, day, provider, account, model, token or outcome',
    scope: 'read',
    effect: 'reads',
    mcp: true,
    input: z.object({
      by: z.enum(groupings).default('day'),
      limit: z.int().min(1).max(1_000).default(100),
      ...filter,
    }).strict(),
    output: z.object({
      from: z.int(),
      to: z.int(),
      by: z.string(),
      data: z.array(totals.extend({ key: z.string() })),
      totals,
      truncated: z.boolean(),
    }),
    cli: {
      command: 'usage summary',
      default: true,
      columns: [
        'key',
        'requests',
        'errors',
        'inputTokens',
        'outputTokens',
        'costMicros',
        'shadowCostMicros',
        'unpriced',
      ],
    },
  }).query(async ({ ctx, input }) => {
    if (!ctx.principal.scopes.has('admin') && (input.by === 'account' || input.by === 'token')) {
      throw new GwError('access.scope', `Authenticated token is missing required scope 'admin'.`, { param: 'by' })
    }
    const { rows, ...rest } = await ctx.rooms.usage.summary({
      ...input,
      ...spanOf(input, ctx.clock.now()),
      ...own(ctx.principal),
    })
    return { ...rest, data: [...rows] }
  }),

  requests: operation({
    summary: 'List requests, newest first',
    scope: 'read',
    effect: 'reads',
    mcp: true,
    input: z.object({
      outcome: z.enum(['ok', 'failed', 'denied', 'aborted', 'truncated']).optional(),
      limit: z.int().min(1).max(500).default(50),
      cursor: z.string().max(200).optional().describe('the next of the page before'),
      ...filter,
    }).strict(),
    output: z.object({ data: z.array(request), next: z.string().nullable() }),
    cli: {
      columns: ['id', 'at', 'model', 'account', 'outcome', 'costMicros', 'inputTokens', 'outputTokens', 'status'],
    },
  }).query(async ({ ctx, input }) => {
    const page = await ctx.rooms.usage.requests({ ...input, ...spanOf(input, ctx.clock.now()), ...own(ctx.principal) })
    return { data: page.requests.map((one) => view(one, ctx.principal)), next: page.next }
  }),

  request: operation({
    summary: 'Show one request: its attempts, its price line by line, and what was lost in translation',
    scope: 'read',
    effect: 'reads',
    mcp: true,
    input: z.object({ id: z.string().min(1).max(128).meta({ positional: 0 }) }).strict(),
    output: request.omit({ attempts: true }).extend({
      attempts: z.array(z.object({
        target: z.string().nullable(),
        provider: z.string(),
        model: z.string(),
        status: z.number().nullable(),
        failure: z.string().nullable(),
        message: z.string().nullable(),
        startedAt: z.number(),
        durationMs: z.number(),
      })),
      losses: z.array(z.object({ path: z.string(), reason: z.string() })),
      priceSource: z.string().nullable(),
      bodies: z.array(z.object({ part: z.string(), content: z.string(), wholeBytes: z.number() })),
    }),
  }).query(async ({ ctx, input }) => {
    const { principal: of } = own(ctx.principal)
    const { request: found, bodies } = await ctx.rooms.usage.request(input.id, of)
    const admin = ctx.principal.scopes.has('admin')
    return {
      ...view(found, ctx.principal),
      attempts: found.attempts.map((one) => ({
        target: admin ? one.target : null,
        provider: one.provider,
        model: one.model,
        status: one.status,
        failure: one.failure,
        message: one.message,
        startedAt: one.startedAt,
        durationMs: one.durationMs,
      })),
      losses: [...found.losses],
      priceSource: found.priceSource,
      bodies: bodies.map((one) => ({ ...one })),
    }
  }),

  since: operation({
    summary: 'List the requests that ended after a cursor, oldest first: what the live stream shows, for polling',
    scope: 'read',
    effect: 'reads',
    input: z.object({
      cursor: z.string().max(200).optional().describe('the next of the answer before; absent begins now'),
      limit: z.int().min(1).max(mostMissed).default(100),
    }).strict(),
    output: z.object({ data: z.array(request), next: z.string() }),
    cli: { hidden: true },
  }).query(async ({ ctx, input }) => {
    if (input.cursor === undefined) return { data: [], next: `${ctx.clock.now()}.0` }
    const after = readCursor(input.cursor)
    const page = await ctx.rooms.usage.requests({ from: after.at, limit: 500, ...own(ctx.principal) })
    const fresh = page.requests.filter((one) => one.at > after.at || one.id > after.id).reverse().slice(0, input.limit)
    const last = fresh[fresh.length - 1]
    return {
      data: fresh.map((one) => view(one, ctx.principal)),
      next: last ? cursorOf(last) : input.cursor,
    }
  }),

  watch: stream({
    summary: 'Follow requests as they end; resumes after the last one that was seen',
    scope: 'read',
    input: z.object({ lastEventId: z.string().max(200).nullish() }).strict(),
  }).subscription(async function* ({ ctx, input, signal }) {
    const { rooms, principal } = ctx
    const waiting: RequestRecord[] = []
    let wake = Promise.withResolvers<void>()
    const mine = own(principal).principal
    const stop = rooms.usage.subscribe((record) => {
      if (mine !== undefined && record.principal !== mine) return
      // A reader that does not keep up loses the oldest, not our memory; it can ask for them by cursor.
      if (waiting.length >= mostMissed) waiting.shift()
      waiting.push(record)
      wake.resolve()
    })
    signal?.addEventListener('abort', () => wake.resolve(), { once: true })
    try {
      const seen = new Set<string>()
      if (input.lastEventId) {
        const after = readCursor(input.lastEventId)
        const page = await rooms.usage.requests({ from: after.at, limit: mostMissed, ...own(principal) })
        for (const record of [...page.requests].reverse()) {
          if (record.at < after.at || (record.at === after.at && record.id <= after.id)) continue
          seen.add(record.id)
          yield tracked(cursorOf(record), view(record, principal))
        }
      }
      while (!signal?.aborted) {
        const record = waiting.shift()
        if (record) {
          if (!seen.delete(record.id)) yield tracked(cursorOf(record), view(record, principal))
          continue
        }
        await wake.promise
        wake = Promise.withResolvers<void>()
      }
    } finally {
      stop()
    }
  }),
})
