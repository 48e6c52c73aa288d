import { z } from 'zod'
import { toolRulesConfig } from '../access/config.ts'

const server = z.object({
  url: z.url({ protocol: /^https?$/ }).optional().describe('exact endpoint of a Streamable HTTP server'),
  command: z.array(z.string().min(1)).min(1).optional().describe('argv of a stdio server; only from this file'),
  env: z.record(z.string(), z.string()).default({}).describe('environment of the command; ${NAME} is looked up'),
  cwd: z.string().optional().describe('working folder of the command'),
  account: z.string().optional().describe('account whose credential is injected'),
  auth: z.union([
    z.object({ type: z.literal('bearer') }).strict(),
    z.object({ type: z.literal('header'), name: z.string(), prefix: z.string().default('') }).strict(),
    z.object({ type: z.literal('none') }).strict(),
  ]).default({ type: 'bearer' }).describe('how that credential is laid on a request'),
  headers: z.record(z.string(), z.string()).default({}).describe('fixed headers; ${NAME} is looked up'),
  local: z.boolean().default(false).describe('allows this exact origin although it is on this machine or network'),
  merge: z.boolean().default(true).describe('whether its tools appear in the merged endpoint'),
  namespace: z.string().regex(/^[A-Za-z0-9-]{0,32}$/).optional().describe(
    'prefix of its tools in the merged endpoint; its name otherwise, none when empty',
  ),
  extra_methods: z.array(z.string()).default([]).describe('methods beyond the specification that are forwarded'),
  call_timeout_secs: z.number().int().min(1).max(86_400).default(300).describe('longest time of one call'),
}).strict().refine(
  (value) => (value.url === undefined) !== (value.command === undefined),
  'needs either url or command',
)

/** `[mcp]`: the tool servers behind gw, and which of their tools may be called. */
export const mcpConfig = z.object({
  servers: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/), server).default({})
    .describe('Tool servers by name'),
  permissions: toolRulesConfig().prefault({})
    .describe('tool rules; deny beats ask beats allow'),
  changed_descriptions: z.enum(['log', 'ask']).default('log')
    .describe('what to do when a server changes the text of a tool: log it, or ask before the tool is called again'),
  approve_in_client: z.boolean().default(false).describe(
    "whether a yes in the dialog of the caller's own client counts as the approval of a person; for clients you trust to ask one",
  ),
  search: z.enum(['auto', 'on', 'off']).default('auto')
    .describe('offer tool search in the merged endpoint instead of every tool; auto turns it on above search_above'),
  search_above: z.number().int().min(1).default(100).describe('number of tools above which auto means on'),
  max_sessions: z.number().int().min(1).default(2_000).describe('open sessions; the longest idle one makes room'),
  session_idle_secs: z.number().int().min(60).default(3_600).describe('idle time after which a session ends'),
}).strict().prefault({})

/** The `[mcp]` section, with its defaults filled in. */
export type McpConfig = z.infer<typeof mcpConfig>
/** One server of it. */
export type McpServerConfig = McpConfig['servers'][string]
