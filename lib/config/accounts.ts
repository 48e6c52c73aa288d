import { z } from 'zod'

const patterns = z.array(z.string().min(1))
const headers = z.record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is no header name'), z.string())

/** How `from` may be written, for messages and help. */
export const sourceForms =
  'env:NAME, file:PATH, store[:REF], keychain:SERVICE/ACCOUNT, sops:PATH[#KEY], age:PATH, login:VENDOR[.BINDING], ' +
  'foreign:TOOL[=PATH], none, or { command = ["program", "arg"] }'

const sourceText = /^(?:(?:env:[A-Za-z_]\w*)|(?:(?:file|sops|age|keychain|login|foreign|store):.+)|store|none)$/

const commandSource = z.object({
  command: z.array(z.string().min(1)).min(1).describe('argv, never a shell line; prints exactly one token'),
  cache_ttl_secs: z.number().min(0).max(86_400).default(300),
  timeout_secs: z.number().positive().max(600).default(30),
}).strict()

/** Where a credential comes from: a short text, or a program to run. Never the secret itself. */
export const sourceConfig = z.union([z.string().regex(sourceText), commandSource], {
  error: `must be one of ${sourceForms}`,
})

/** `[accounts.<id>]`: one standing with a provider. */
export const accountConfig = z.object({
  provider: z.string().min(1).describe('Id of a provider, as `gw providers list` shows it.'),
  from: sourceConfig.describe(`Where its credential comes from: ${sourceForms}.`),
  kind: z.enum(['api-key', 'auth-token']).optional().describe('Needed only where a provider takes both.'),
  label: z.string().max(200).optional(),
  enabled: z.boolean().default(true),
  priority: z.int().min(-1000).max(1000).default(0).describe('Higher is tried first.'),
  weight: z.number().min(0).max(1000).default(1).describe('Share among accounts of one priority.'),
  base_url: z.string().min(1).optional().describe(
    'Overrides the URL of its provider: this credential is then bound to that origin.',
  ),
  models: patterns.default([]).describe('Models it may be used for, as patterns; empty is all.'),
  tags: patterns.default([]),
  account_id: z.string().optional().describe('Sent beside the token where the provider asks for it.'),
  allow_undocumented_use: z.boolean().default(false).describe(
    'Permit uses of a plan login that its vendor does not document. Read the vendor terms first.',
  ),
  limits: z.object({
    concurrency: z.int().min(1).optional(),
    requests_per_minute: z.int().min(1).optional(),
    spend_per_day: z.number().min(0).optional().describe('USD'),
  }).strict().prefault({}),
}).strict()

const price = z.object({
  input: z.number().min(0).describe('USD per million input tokens'),
  output: z.number().min(0).describe('USD per million output tokens'),
  cached_input: z.number().min(0).optional(),
  cache_write: z.number().min(0).optional(),
  cache_write_1h: z.number().min(0).optional(),
}).strict()

const authConfig = z.discriminatedUnion('type', [
  z.object({ type: z.literal('bearer') }).strict(),
  z.object({ type: z.literal('anthropic') }).strict(),
  z.object({ type: z.literal('chatgpt') }).strict(),
  z.object({ type: z.literal('header'), name: z.string().min(1), prefix: z.string().optional() }).strict(),
  z.object({ type: z.literal('query'), name: z.string().min(1) }).strict(),
  z.object({ type: z.literal('sigv4'), service: z.string().min(1) }).strict(),
  z.object({ type: z.literal('google') }).strict(),
  z.object({ type: z.literal('none') }).strict(),
])

/** `[providers.<id>]`: a provider of one's own, or what differs from the built-in one, field by field. */
export const providerConfig = z.object({
  name: z.string().optional(),
  base_url: z.string().min(1).optional().describe('Without a trailing slash; may hold ${ENV}.'),
  protocol: z.string().min(1).optional().describe('Wire protocol; needed for a provider that is not built in.'),
  auth: authConfig.optional().describe('How a credential is laid on a request.'),
  headers: headers.default({}).describe('Sent with every request to it.'),
  query: z.record(z.string(), z.string()).default({}),
  endpoints: z.partialRecord(
    z.enum(['chat', 'responses', 'messages', 'embeddings', 'transcription', 'models']),
    z.string().min(1),
  ).default({}).describe('Paths that differ, by surface.'),
  models: z.array(z.string().min(1)).default([]).describe('Models it offers, besides the known ones.'),
  default_model: z.string().optional().describe('Used by a request to this provider that names no model.'),
  prices: z.record(z.string(), price).default({}).describe('USD per million tokens, by model.'),
  local: z.boolean().optional().describe('Runs on this machine or network: its private address is meant.'),
  enabled: z.boolean().default(true),
}).strict()

/** Ids that appear in URLs, target keys and environment names. */
export const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** `[accounts]` and `[providers]` by id. */
export const accountsConfig = z.record(
  z.string().regex(idPattern, 'must be letters, digits, `.`, `_` or `-`, 64 at most'),
  accountConfig,
).default({})

/** Provider overlays by id. */
export const providersConfig = z.record(
  z.string().regex(idPattern, 'must be letters, digits, `.`, `_` or `-`, 64 at most'),
  providerConfig,
).default({})

/** One entry of `[accounts]`, validated. */
export type AccountConfig = z.output<typeof accountConfig>
/** One entry of `[providers]`, validated. */
export type ProviderConfig = z.output<typeof providerConfig>
/** One `from`, validated. */
export type SourceConfig = z.output<typeof sourceConfig>
