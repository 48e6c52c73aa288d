import { z } from 'zod'
import { strategyNames } from './strategies/mod.ts'

const strategy = z.enum(strategyNames)

/** Cross-provider fallback. */
const fallback = z.object({
  enabled: z.boolean().default(true).describe('whether another provider may serve what the first ones could not'),
  order: z.record(z.string(), z.array(z.string().min(1)).max(20)).default({})
    .describe(
      'fallback references (provider or provider/model) by op:provider/model, op:provider, provider/model, provider or model',
    ),
  retry_statuses: z.array(z.number().int().min(400).max(599)).default([
    401,
    402,
    403,
    408,
    429,
    500,
    502,
    503,
    504,
    529,
  ])
    .describe('upstream statuses after which a fallback is tried; no answer at all always is one'),
  max_attempts: z.number().int().min(1).max(32).default(6).describe('most upstream calls for one request'),
}).strict().prefault({})

const sticky = z.object({
  enabled: z.boolean().default(true).describe('whether a session stays on the account that holds its cached prefix'),
  ttl_minutes: z.number().int().min(1).max(1440).default(60).describe(
    'minutes of silence after which a session is free',
  ),
  min_gain_points: z.number().min(0).max(100).default(10)
    .describe('points of headroom by which another account must be better before a session moves'),
  expected_turns: z.number().int().min(1).max(200).default(8)
    .describe('turns that a session is expected to have left, for weighing a move'),
}).strict().prefault({})

const pool = z.object({
  members: z.array(z.string().min(1)).min(1).max(200)
    .describe('model references, such as "anthropic/claude-sonnet-4-5" or "openai:work/gpt-5"'),
  strategy: strategy.optional().describe('how its targets are ordered'),
}).strict()

/** Routing part of the config file. */
export const routingConfig = z.object({
  strategy: strategy.default('drain-soonest-reset').describe('how the targets of a request are ordered'),
  provider_strategies: z.record(z.string(), strategy).default({}).describe(
    'strategy by provider, over the general one',
  ),
  pools: z.record(z.string().min(1).max(200), pool).default({})
    .describe('names that mean several targets of any providers, used like a model name'),
  reserve: z.number().min(0).max(0.5).default(0.02)
    .describe('part of a quota window left unused by new sessions, so that running ones can finish'),
  sticky,
  fallback,
  strip_foreign_reasoning: z.boolean().default(false).describe(
    'when the issuer of signed or encrypted reasoning cannot serve, leave the reasoning out and let another account serve',
  ),
  retry_budget: z.number().min(0).max(1).default(0.2)
    .describe('further attempts allowed, as a part of the requests of the last minute; ten are always allowed'),
}).strict().prefault({})

/** Settings of the router. */
export type RoutingSettings = z.infer<typeof routingConfig>
