import { z } from 'zod'
import { approvalPage } from './approval-page.ts'
import { area, operation } from './operation.ts'

const approval = z.object({
  id: z.string(),
  principal: z.string().describe('who asked'),
  subject: z.string().describe('what for'),
  preview: z.string().describe('the arguments'),
  state: z.enum(['pending', 'approved', 'denied', 'used', 'expired']),
  createdAt: z.int(),
  expiresAt: z.int(),
})

const id = z.string().min(1).max(100).meta({ positional: 0 })

/** Questions that agents are waiting on. */
export const approvals = area({
  list: operation({
    summary: 'List what agents have asked leave for',
    scope: 'admin',
    effect: 'reads',
    input: z.object({ pending: z.boolean().default(false).describe('only what is still open') }).strict(),
    output: z.object({ data: z.array(approval) }),
    cli: { columns: ['id', 'state', 'principal', 'subject', 'preview', 'expiresAt'] },
  }).query(async ({ ctx, input }) => ({
    data: await ctx.rooms.approvals.list({ pendingOnly: input.pending }),
  })),

  approve: operation({
    summary: 'Allow one exact call, once',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({ id }).strict(),
    output: approval,
  }).mutation(({ ctx, input }) => ctx.rooms.approvals.decide(input.id, 'approved', ctx.principal)),

  link: operation({
    summary: 'Make a link to the page where this one call can be allowed or refused, good for one answer',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({ id }).strict(),
    output: z.object({ url: z.string(), expiresAt: z.int() }),
    cli: { print: 'url', example: 'gw approvals link apr_…' },
  }).mutation(async ({ ctx, input }) => {
    const { code, approval } = await ctx.rooms.approvals.link(input.id, ctx.principal)
    // The code stands behind the #, so that no server, log or referrer ever gets it.
    const url = `${
      approvalPage(ctx.rooms.config.current().config.server, ctx.rooms.system.url, input.id)
    }#${code.reveal()}`
    return { url, expiresAt: approval.expiresAt }
  }),

  deny: operation({
    summary: 'Refuse a call that was asked for',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({ id }).strict(),
    output: approval,
  }).mutation(({ ctx, input }) => ctx.rooms.approvals.decide(input.id, 'denied', ctx.principal)),
})
