import { z } from 'zod'
import { definitionSchema } from './definition/schema.ts'
import { refine } from './inventory/check.ts'
import { inventorySchemas } from './inventory/schema.ts'

const { codexPolicy, daemonPolicy, defaults, shape } = inventorySchemas()

/** A table whose members have no flag of their own: they name one another, so they are set together. */
const table = z.record(z.string(), z.unknown())

/** `[stay_afloat]`: what keeps accounts usable, and which further accounts it looks after. */
export const stayAfloatConfig = z.strictObject({
  enabled: z.boolean().default(true).describe('Look after accounts while the gateway runs'),
  execute: z.boolean().default(true).describe('Take the steps that the policy admits, rather than only plan them'),
  interval_secs: z.number().min(1).max(86_400).default(60).describe('Seconds between two looks'),
  refresh_ahead_secs: z.number().min(0).max(86_400).default(600)
    .describe('Renew a credential this long before it ends, with some jitter'),
  ...shape,
  // Described whole: a schema of its inside would be drawn up at every start, to be read by nobody.
  provider_definitions: z.record(z.string(), table.pipe(definitionSchema())).default({})
    .describe('Providers of your own, and replacements of the built-in ones'),
  defaults: table.pipe(defaults).prefault({})
    .describe('What is meant when a call names nothing: provider, profile, capability, strategy, shell'),
  policy: z.strictObject({
    daemon: daemonPolicy.prefault({}),
    codex: table.pipe(codexPolicy).optional()
      .describe('Widens the policy for the provider of that name only, once it is written down'),
  }).prefault({}).describe('What may run without being asked for'),
}).superRefine(refine).prefault({})

/** A validated `[stay_afloat]`. */
export type StayAfloatConfig = z.output<typeof stayAfloatConfig>
