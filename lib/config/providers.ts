import { z } from 'zod'

const headers = z.record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is no header name'), z.string())

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
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Provider overlays by id. */
export const providersConfig = z.record(
  z.string().regex(idPattern, 'must be letters, digits, `.`, `_` or `-`, 64 at most'),
  providerConfig,
).default({})

/** One entry of `[providers]`, validated. */
export type ProviderConfig = z.output<typeof providerConfig>
