import { z } from 'zod'
import { anyJson, area, operation } from './operation.ts'

/** The record of changes. */
export const audit = area({
  list: operation({
    summary: 'List the changes made through gw, newest first: who, what, before and after',
    scope: 'admin',
    effect: 'reads',
    input: z.object({
      limit: z.int().min(1).max(200).default(50),
      cursor: z.string().max(100).optional().describe('the next of the page before'),
    }).strict(),
    output: z.object({
      data: z.array(z.object({
        id: z.string(),
        at: z.int().describe('epoch ms'),
        principal: z.string(),
        surface: z.string(),
        operation: z.string(),
        effect: z.string(),
        state: z.enum(['begun', 'done', 'failed']),
        error: z.string().nullable(),
        input: anyJson,
        before: anyJson,
        after: anyJson,
      })),
      next: z.string().nullable(),
    }),
    cli: { columns: ['at', 'principal', 'surface', 'operation', 'state', 'error', 'input'] },
  }).query(async ({ ctx, input }) => {
    const data = await ctx.audit.list(input)
    return { data, next: data.length === input.limit ? data[data.length - 1]!.id : null }
  }),
})
