import { z } from 'zod'

const patterns = z.array(
  z.string().regex(/^[a-zA-Z*]+(\.[a-zA-Z*]+)*$/, 'must look like accounts.remove or accounts.*'),
)

/** `[operations]`: which changes agents may make through the MCP server, and which a person is asked about first. */
export const operationsConfig = z.object({
  ask: patterns.default([]).describe('Operations that agents may run only after somebody approved the exact call.'),
  deny: patterns.default([]).describe('Operations that agents may not run at all.'),
  ask_destructive: z.boolean().default(true).describe('Ask before every operation that takes something away.'),
  approval_secs: z.int().min(10).max(86_400).default(600).describe('How long an approval can be given and used.'),
}).strict().prefault({})

/** The parsed `[operations]`. */
export type OperationsPolicy = z.output<typeof operationsConfig>
