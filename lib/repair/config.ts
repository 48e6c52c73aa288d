import { z } from 'zod'
import { refine } from './inventory/check.ts'
import { inventoryShape } from './inventory/schema.ts'

/** `[stay_afloat]`: what keeps accounts usable, and which further accounts it looks after. */
export const stayAfloatConfig = z.strictObject({
  enabled: z.boolean().default(true).describe('Look after accounts while the gateway runs'),
  execute: z.boolean().default(true).describe('Take the steps that the policy admits, rather than only plan them'),
  interval_secs: z.number().min(1).max(86_400).default(60).describe('Seconds between two looks'),
  refresh_ahead_secs: z.number().min(0).max(86_400).default(600)
    .describe('Renew a credential this long before it ends, with some jitter'),
  ...inventoryShape,
}).superRefine(refine).prefault({})

/** A validated `[stay_afloat]`. */
export type StayAfloatConfig = z.output<typeof stayAfloatConfig>
