import { z } from 'zod'
import { formatTarget, parseTarget, type TargetKey } from '../accounts/mod.ts'
import { GwError, type Json } from '../base/mod.ts'
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
import { area, operation } from './operation.ts'

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
    summary: summarize(of.liveness, now),
    detail: explainStanding(of, now),
    usable: verdict.is !== 'blocked',
    until: verdict.is === 'blocked' ? verdict.until : null,
    nextResetAt: nextReset(of.windows, '', now),
    headroom: headroom(of.windows, '', now),
    score: of.score,
    successes: of.successes,
    failures: of.failures,
    latencyMs: of.latencyMs === null ? null : Math.round(of.latencyMs),
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
    description:
      'In times and parts, for programs and for choosing a route. state.health tells the same beliefs as a ' +
      'report with circuit, last status and last probe, for finding out why.',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object({ key: key.optional().describe('only this key and what is below it') }).strict(),
    output: z.object({ data: z.array(standing) }),
    cli: { columns: ['key', 'summary', 'until', 'headroom', 'nextResetAt', 'latencyMs'] },
  }).query(({ ctx: { rooms, clock }, input }) => {
    const now = clock.now()
    const wanted = input.key === undefined ? null : keyOf(input.key)
    const all = rooms.board.all().filter((one) =>
      wanted === null || one.key === wanted || one.key.startsWith(`${wanted}#`)
    )
    return { data: all.map((one) => viewStanding(one, now)) }
  }),

  quota: operation({
    summary: 'List each quota window of each account: how much is used, when it resets, how old that knowledge is',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object({ account: z.string().max(200).optional().describe('only this account') }).strict(),
    output: z.object({
      data: z.array(z.object({
        provider: z.string(),
        account: z.string(),
        window: z.string(),
        lengthMs: z.number().nullable(),
        model: z.string().nullable().describe('the model or family it limits; null is all'),
        used: z.number().nullable().describe('part used, 0 to 1'),
        usedPercent: z.int().nullable().describe('the same of a hundred'),
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
      columns: ['account', 'window', 'model', 'usedPercent', 'remaining', 'resetsAt', 'status', 'ageMs'],
    },
  }).query(({ ctx: { rooms, clock }, input }) => {
    const rows = quotaRows(rooms.board.all(), clock.now())
      .filter(({ account }) => input.account === undefined || account === input.account)
    return {
      data: rows.map((row) => ({ ...row, usedPercent: row.used === null ? null : Math.round(row.used * 100) })),
    }
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
  }).mutation(({ ctx: { rooms }, input }) => {
    const at = keyOf(input.key)
    return { key: at, known: rooms.board.reset(at) }
  }),
})
