import { z } from 'zod'
import { area, nothing, operation } from './operation.ts'

const version = z.object({
  version: z.string(),
  runtime: z.string(),
  runtimeVersion: z.string(),
})

const status = version.extend({
  ready: z.boolean(),
  reason: z.string().nullable().describe('why it takes no requests'),
  url: z.string().nullable(),
  startedAt: z.int().describe('epoch ms'),
  uptimeMs: z.int(),
  inFlight: z.int().describe('requests in flight'),
  configPath: z.string(),
  configProblem: z.string().nullable().describe('why the file as it stands is not in force'),
  home: z.string(),
})

/** What gw is and how it fares. */
export const system = area({
  version: operation({
    summary: 'Show the version of gw and of the runtime it runs on',
    scope: 'read',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: version,
    cli: { command: 'version' },
  }).query(({ ctx: { rooms } }) => ({
    version: rooms.system.version,
    runtime: rooms.system.runtime.name,
    runtimeVersion: rooms.system.runtime.version,
  })),

  status: operation({
    summary: 'Show whether gw is ready, since when, and with which configuration',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: status,
    cli: { hidden: true },
  }).query(({ ctx: { rooms: { system: facts, config }, clock } }) => {
    const reason = facts.notReady()
    return {
      version: facts.version,
      runtime: facts.runtime.name,
      runtimeVersion: facts.runtime.version,
      ready: reason === null,
      reason,
      url: facts.url,
      startedAt: facts.startedAt,
      uptimeMs: Math.max(0, clock.now() - facts.startedAt),
      inFlight: facts.inFlight(),
      configPath: config.current().path,
      configProblem: config.problem()?.message ?? null,
      home: facts.paths.data,
    }
  }),

  doctor: operation({
    summary: 'Look for what is wrong with this home and say what to do',
    description: 'state.doctor looks at the accounts and the evidence instead, state.runtime at programs and files.',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: z.object({
      ok: z.boolean(),
      checks: z.array(z.object({
        name: z.string(),
        status: z.enum(['ok', 'warn', 'fail']),
        found: z.string(),
        fix: z.string().nullable().describe('what to do; null when nothing'),
      })),
    }),
    // `gw doctor` looks by itself, so that it helps where nothing opens.
    cli: { hidden: true },
  }).query(async ({ ctx: { rooms } }) => {
    const { ok, checks } = await rooms.examine()
    return { ok, checks: [...checks] }
  }),

  rotateKey: operation({
    summary: 'Make a new key for the stored secrets and seal every one of them again',
    description:
      'Older keys still open what is sealed elsewhere, such as login files. For the tokens of clients: tokens.rotateKey.',
    scope: 'admin',
    effect: 'mutates',
    input: nothing,
    output: z.object({ sealed: z.int().describe('secrets sealed again') }),
  }).mutation(async ({ ctx: { rooms } }) => ({ sealed: await rooms.secrets.rotate() })),
})
