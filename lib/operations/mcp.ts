import { z } from 'zod'
import { area, operation } from './operation.ts'

/** The tool servers behind gw. */
export const mcp = area({
  servers: operation({
    summary: 'List the tool servers behind gw and whether they answer',
    scope: 'read',
    effect: 'reads',
    mcp: true,
    input: z.object({}).strict(),
    output: z.object({
      data: z.array(z.object({
        name: z.string(),
        kind: z.enum(['http', 'stdio']),
        merged: z.boolean().describe('whether its tools are in the merged endpoint'),
        tools: z.int(),
        error: z.string().nullable().describe('why it could not be asked'),
      })),
    }),
    cli: { columns: ['name', 'kind', 'merged', 'tools', 'error'] },
  }).query(async ({ ctx }) => ({ data: await (await ctx.rooms.mcp()).servers() })),

  login: operation({
    summary: 'Make a tool server one can log in to: find who protects it and register gw there',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({ server: z.string().min(1).max(64).meta({ positional: 0 }) }).strict(),
    output: z.object({ vendor: z.string().describe('to log in with: gw auth login <vendor>') }),
    cli: { example: 'gw auth login mcp linear' },
  }).mutation(async ({ ctx, input }) => ({ vendor: await (await ctx.rooms.mcp()).prepareLogin(input.server) })),

  tools: operation({
    summary: 'List the tools of those servers and what the rules say of each for you',
    scope: 'read',
    effect: 'reads',
    mcp: true,
    input: z.object({
      server: z.string().max(64).optional().describe('only this server').meta({ positional: 0 }),
    }).strict(),
    output: z.object({
      data: z.array(z.object({
        server: z.string(),
        tool: z.string(),
        name: z.string().describe('in the merged endpoint'),
        description: z.string(),
        action: z.enum(['allow', 'ask', 'deny']),
        rule: z.string(),
        changed: z.boolean().describe('its server changed its text and nobody has approved that yet'),
      })),
    }),
    cli: { columns: ['name', 'action', 'rule', 'changed', 'description'] },
  }).query(async ({ ctx, input }) => {
    const tools = await (await ctx.rooms.mcp()).tools(ctx.principal)
    return { data: input.server === undefined ? tools : tools.filter(({ server }) => server === input.server) }
  }),

  calls: operation({
    summary: 'Show the latest calls of foreign tools: who, what, by which rule, how it ended',
    scope: 'admin',
    effect: 'reads',
    input: z.object({
      server: z.string().max(64).optional().describe('only this server').meta({ positional: 0 }),
      limit: z.int().min(1).max(500).default(50),
    }).strict(),
    output: z.object({
      data: z.array(z.object({
        id: z.string(),
        at: z.int().describe('epoch ms'),
        principal: z.string(),
        server: z.string(),
        tool: z.string(),
        action: z.string(),
        rule: z.string(),
        outcome: z.string(),
        durationMs: z.number(),
        requestBytes: z.int(),
        responseBytes: z.int(),
      })),
    }),
    cli: { columns: ['at', 'principal', 'server', 'tool', 'action', 'rule', 'outcome', 'durationMs'] },
  }).query(async ({ ctx, input: { server, limit } }) => ({
    data: await (await ctx.rooms.mcp()).calls({ limit, ...(server === undefined ? {} : { server }) }),
  })),
})
