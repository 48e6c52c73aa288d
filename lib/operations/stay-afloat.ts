import { tracked } from '@trpc/server'
import { z } from 'zod'
import { GwError, type JsonObject } from '../base/mod.ts'
import type { OperationContext, OperationRooms } from './context.ts'
import { explaining, name, reports, scope, scoped } from './explanation.ts'
import { area, nothing, operation, stream } from './operation.ts'

/** A report whose members are its own business: checked for being an object, passed whole. */
const whole = z.looseObject({})

/** A value as plain JSON: what leaves on every surface alike. */
const plain = <T>(value: unknown): T => JSON.parse(JSON.stringify(value)) as T

const events = z.object({
  limit: z.int().min(1).max(1_000).default(50),
  before: z.int().optional().describe('only older ones than this position'),
  after: z.int().optional().describe('only newer ones than this position, oldest first'),
  provider: name.optional(),
  account: name.optional(),
}).strict()

/** Finding out, and mending. */
export const repair = area({
  plan: explaining('repair-plan', { summary: 'Show what would mend each route', mcp: true }),

  probe: operation({
    summary: 'Find out whether one capability of one account works, and remember it',
    description: 'A cheap call is what was asked for; one that uses paid quota also needs confirm_spend.',
    scope: 'repair',
    effect: 'spends',
    mcp: true,
    input: z.object({
      provider: name,
      account: name,
      capability: name.optional().describe('absent: only read the credential and its expiry'),
      confirm_spend: z.boolean().default(false).describe('allow a probe that uses paid quota'),
    }).strict(),
    output: whole,
    cli: { hidden: true },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const { confirm_spend, ...asked } = input
    return plain(await rooms.repair.probe({ ...asked, consent: (await room()).probeConsent(confirm_spend) }))
  }),

  run: operation({
    summary: 'Mend the first route that can be mended without a person, if confirmed',
    scope: 'repair',
    effect: 'mutates',
    mcp: true,
    input: z.object({ ...scope, confirm_repair: z.boolean().default(false) }).strict(),
    output: whole,
    cli: { hidden: true },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const { confirm_repair, ...asked } = input
    return plain(await rooms.repair.run({ ...asked, confirm: confirm_repair, json: true }))
  }),

  refresh: operation({
    summary: 'Refresh the credentials of a scope, where that is ours to do',
    scope: 'repair',
    effect: 'mutates',
    mcp: true,
    input: scoped,
    output: z.object({ ok: z.boolean(), refreshed: reports }),
    cli: { command: 'stay-afloat refresh', columns: ['provider', 'account', 'outcome', 'reason', 'executed'] },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const done = await rooms.repair.refresh(input)
    return { ok: done.every(({ ok }) => ok), refreshed: plain<JsonObject[]>(done) }
  }),

  events: operation({
    summary: 'List what stay-afloat did or would not do, newest first',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: events,
    output: z.object({ events: reports, next: z.int().nullable() }),
    cli: { command: 'events', columns: ['ts', 'kind', 'provider', 'account', 'action', 'outcome', 'reason'] },
  }).query(async ({ ctx: { rooms }, input }) => plain(await rooms.repair.events.list(input))),

  watch: stream({
    summary: 'Follow what stay-afloat does and what waits for a person; resumes after the last one that was seen',
    scope: 'route:read',
    input: z.object({ lastEventId: z.string().regex(/^\d{1,15}$/).nullish() }).strict(),
  }).subscription(async function* ({ ctx: { rooms }, input, signal }) {
    const after = input.lastEventId ? Number(input.lastEventId) : undefined
    const ended = signal ?? new AbortController().signal
    for await (const { position, event } of rooms.repair.events.follow({ after, signal: ended })) {
      yield tracked(String(position), plain<JsonObject>(event))
    }
  }),
})

const handoffInput = z.object(scope).strict()
const handoffReport = z.object({
  ok: z.boolean(),
  action: z.string(),
  profile: z.string().nullable(),
  provider: z.string(),
  account: z.string(),
  capability: z.string().nullable(),
  handoff_pending: z.boolean(),
  handoff_acknowledged: z.boolean(),
  handoff_resolved: z.boolean(),
  event_recorded: z.boolean(),
  reason: z.string(),
})

/** Staying afloat: one bounded step at a time, and what waits for a person. */
export const afloat = area({
  tick: operation({
    summary: 'Look once, and with execute take at most one admitted step',
    scope: 'repair',
    effect: 'mutates',
    mcp: true,
    input: z.object({ ...scope, execute: z.boolean().default(false) }).strict(),
    output: whole,
    cli: { hidden: true },
  }).mutation(async ({ ctx: { rooms }, input }) => plain(await rooms.repair.tick(input))),

  next: operation({
    summary: 'Show which route the next run would use, and whether another stands behind it',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object({ ...scope, argv: z.array(z.string()).default([]).describe('the program to run') }).strict(),
    output: whole,
    cli: { hidden: true },
  }).query(async ({ ctx: { rooms }, input }) => {
    const { argv, ...asked } = input
    return plain(await rooms.repair.next(asked, argv))
  }),

  handoffs: operation({
    summary: 'List the steps that wait for a person',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object({
      all: z.boolean().default(false).describe('include the resolved ones'),
      limit: z.int().min(1).max(1_000).default(50),
    }).strict(),
    output: z.object({ handoffs: reports }),
    cli: {
      command: 'stay-afloat handoffs',
      columns: ['provider', 'account', 'capability', 'action', 'reason', 'command', 'queued_at'],
    },
  }).query(async ({ ctx: { rooms }, input }) => ({
    handoffs: plain<JsonObject[]>(await rooms.repair.handoffs.list(input)),
  })),

  ack: operation({
    summary: 'Say that a handoff has been seen; it stays pending',
    scope: 'repair',
    effect: 'mutates',
    idempotent: true,
    mcp: true,
    input: handoffInput,
    output: handoffReport,
    cli: { command: 'stay-afloat handoff ack', aliases: ['acknowledge'] },
  }).mutation(async ({ ctx: { rooms }, input }) => await rooms.repair.handoffs.acknowledge(keyOf(input))),

  clear: operation({
    summary: 'Say that a handoff is done; the same problem may queue again',
    scope: 'repair',
    effect: 'mutates',
    idempotent: true,
    mcp: true,
    input: handoffInput,
    output: handoffReport,
    cli: { command: 'stay-afloat handoff clear', aliases: ['resolve'] },
  }).mutation(async ({ ctx: { rooms }, input }) => await rooms.repair.handoffs.clear(keyOf(input))),
})

function keyOf({ profile, provider, account, capability }: z.output<typeof handoffInput>) {
  if (!provider || !account) {
    throw new GwError('scope.invalid', 'a handoff is named by provider and account', {
      hint: 'gw stay-afloat handoffs',
    })
  }
  return { profile: profile ?? null, provider, account, capability: capability ?? null }
}

const listed = <T extends z.ZodRawShape>(shape: T) => z.object(shape)

/** What is there and how it fares. */
export const state = area({
  status: operation({
    summary: 'Show the accounts, how they fare and what waits for you',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: whole,
    cli: { hidden: true },
  }).query(async ({ ctx: { rooms } }) => plain(await (await room()).status(rooms.repair.context, configFacts(rooms)))),

  health: operation({
    summary: 'Show what is believed of each key',
    description: 'The report behind gw health: circuit, counts, last status, last probe. liveness.list has the quota ' +
      'windows and when each may serve again.',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object({ provider: name.optional().describe('exactly this provider') }).strict(),
    output: listed({ accounts: reports }),
    cli: { hidden: true },
  }).query(async ({ ctx: { rooms }, input }) => plain((await room()).health(rooms.repair.context, input.provider))),

  discover: operation({
    summary: 'Show what is there, for agents: no secret, nothing spent, and the commands they may run',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: whole,
    cli: { command: 'discover' },
  }).query(async ({ ctx: { rooms } }) =>
    plain({
      ...await (await room()).discover(rooms.repair.context, configFacts(rooms)),
      logins: await foreignLogins(rooms),
    })
  ),

  report: operation({
    summary: 'Print a report that can be shared',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: z.object({
      redacted: z.boolean().default(false).describe(
        'leave out where secrets are; this is how it is unless paths are asked for',
      ),
      include_paths: z.boolean().default(false).describe('say where secrets are, never what they are'),
    }).strict(),
    output: whole,
    cli: { command: 'report' },
  }).query(async ({ ctx: { rooms }, input }) => {
    const { config, data, database, auth, runtime } = rooms.system.paths
    return plain(
      await (await room()).supportReport(rooms.repair.context, configFacts(rooms), {
        includePaths: input.include_paths && !input.redacted,
        paths: { config, data, database, auth, runtime },
      }),
    )
  }),

  doctor: operation({
    summary: 'Check the configuration and the evidence',
    description: 'About accounts and routes; system.doctor looks at the home itself.',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: whole,
    cli: { hidden: true },
  }).query(async ({ ctx: { rooms } }) => plain((await room()).doctor(rooms.repair.context, configFacts(rooms)))),

  runtime: operation({
    summary: 'Check whether this machine is ready: programs, directories, session files',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: scoped,
    output: whole,
    cli: { hidden: true },
  }).query(async ({ ctx: { rooms }, input }) =>
    plain(await (await room()).doctorRuntime(rooms.repair.context, configFacts(rooms), input))
  ),

  providers: operation({
    summary: 'List every provider that stay-afloat knows, with how far it is supported',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: listed({ providers: reports }),
    cli: {
      command: 'stay-afloat providers',
      columns: ['name', 'support_status', 'repair_owner', 'configured_accounts', 'capabilities'],
    },
  }).query(async ({ ctx: { rooms } }) => ({
    providers: plain<JsonObject[]>(await (await room()).listProviders(rooms.repair.context)),
  })),

  accounts: operation({
    summary: 'List every account with the state of each of its capabilities',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object({ provider: name.optional() }).strict(),
    output: whole,
    cli: { command: 'stay-afloat accounts' },
  }).query(async ({ ctx: { rooms }, input }) =>
    plain(await (await room()).listRouteAccounts(rooms.repair.context, input.provider))
  ),

  enrollment: operation({
    summary: 'Show the steps to add an account; adds nothing',
    scope: 'route:read',
    effect: 'reads',
    mcp: true,
    input: z.object({
      provider: name.meta({ positional: 0 }),
      account: name.optional(),
      mode: z.enum(['oauth', 'pat', 'plan']).optional(),
    }).strict(),
    output: whole,
    cli: { hidden: true },
  }).query(async ({ ctx: { rooms }, input }) => plain((await room()).enrollPlan(rooms.repair.inventory(), input))),
})

/** The room itself, loaded when first asked: printing help does not need it. */
const room = () => import('../repair/mod.ts')

/** What the reports say about the configuration. */
function configFacts(rooms: OperationContext['rooms']) {
  const { path, exists } = rooms.config.current()
  const problem = rooms.config.problem()
  return {
    configured: exists,
    valid: problem === null,
    path,
    error: problem?.message ?? null,
    messages: problem ? problem.message.split('\n') : [],
    stateDir: rooms.system.paths.data,
    database: rooms.system.paths.database,
  }
}

/** Logins of other programs that could be shared: not whose they are nor where, which `auth.discover` tells an admin. */
async function foreignLogins(rooms: OperationRooms) {
  const accounts = rooms.accounts.list()
  return (await rooms.logins.discover()).map(({ tool, vendor, provider, expiresAt, problem }) => ({
    tool,
    vendor,
    provider,
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    readable: problem === null,
    configured: accounts.some(({ source }) => source.type === 'foreign' && source.tool === tool),
    import: `gw auth import ${tool}`,
  }))
}
