import { z } from 'zod'

const usd = z.number().min(0).max(1_000_000)

/** Prices of one model as its owner writes them, in USD per million tokens. */
const price = z.object({
  input: usd.describe('USD per million input tokens'),
  output: usd.describe('USD per million output tokens'),
  cached_input: usd.optional().describe('USD per million input tokens read from the prompt cache'),
  cache_write: usd.optional().describe('USD per million input tokens written to the prompt cache for 5 minutes'),
  cache_write_1h: usd.optional().describe('USD per million input tokens written to the prompt cache for an hour'),
  request: usd.optional().describe('USD per thousand requests, on top of tokens'),
  image: usd.optional().describe('USD per image; read by provider.max_price alone'),
  audio: usd.optional().describe('USD per million tokens of sound; read by provider.max_price alone'),
}).strict()

/** What an owner says about one model; each key wins over the shipped fact of that name. */
const modelOverlay = z.object({
  context_tokens: z.number().int().positive().optional().describe('longest prompt and answer together, in tokens'),
  max_output_tokens: z.number().int().positive().optional().describe('longest answer, in tokens'),
  capabilities: z.array(z.enum(['chat', 'embeddings', 'transcription', 'speech', 'images', 'rerank'])).optional()
    .describe('what the model is for; guessed from its name when absent'),
  price: price.optional().describe('prices that win over the shipped ones'),
}).strict()

/** What an owner says about one provider: a new one, or fields that win over the shipped row. */
const providerOverlay = z.object({
  name: z.string().min(1).max(100).optional().describe('display name'),
  base_url: z.string().min(1).max(2048).optional()
    .describe('base URL without a trailing slash; ${ENV} and ${ENV:-default} are replaced'),
  protocol: z.enum(['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini']).optional()
    .describe('wire protocol spoken at base_url'),
  capabilities: z.array(z.enum(['chat', 'embeddings', 'transcription', 'speech', 'images', 'rerank', 'mcp', 'task']))
    .optional().describe('what base_url can be asked for'),
  auth: z.union([
    z.enum(['bearer', 'anthropic', 'chatgpt', 'google', 'none']),
    z.object({
      type: z.enum(['header', 'query']).describe('where the key goes'),
      name: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/).describe('header or query parameter name'),
      prefix: z.string().max(50).optional().describe('text before the key, header only'),
    }).strict(),
    z.object({ type: z.literal('sigv4'), service: z.string().min(1) }).strict(),
  ]).optional().describe('how the credential is laid on a request'),
  env: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)).optional()
    .describe('environment variables that may hold its key, in order'),
  aliases: z.array(z.string().min(1).max(64)).optional().describe('other names for it'),
  headers: z.record(z.string(), z.string()).optional().describe('headers sent with each request'),
  query: z.record(z.string(), z.string()).optional().describe('query parameters sent with each request'),
  paths: z.record(z.string(), z.string().startsWith('/')).optional()
    .describe("paths that differ from the protocol's own, by surface"),
  models: z.record(z.string(), modelOverlay).optional().describe('models it offers, with facts that win'),
  only_models: z.boolean().optional().describe('whether the models listed here are all it offers'),
  trains: z.boolean().optional().describe('whether it trains on what callers send (data_collection: deny drops it)'),
  zero_retention: z.boolean().optional().describe('whether it keeps nothing of a request (zdr needs it)'),
  quantization: z.string().max(16).optional().describe("number format of its weights, such as 'fp8'"),
  local: z.boolean().optional().describe('runs on this machine or network'),
  quirks: z.array(z.string()).optional().describe('named properties of its wire dialect'),
  proxy_paths: z.array(z.string().startsWith('/')).optional().describe('paths that the raw proxy may reach'),
}).strict()

/** One entry of `[providers.<id>]`. */
export type ProviderOverlay = z.infer<typeof providerOverlay>

/** One entry of `[providers.<id>.models."<model>"]`. */
export type ModelOverlay = z.infer<typeof modelOverlay>

/** The catalogue part of the config file. */
export const catalogConfig = z.object({
  default_model: z.string().min(1).nullable().default(null)
    .describe('model reference used for requests that name no model'),
  aliases: z.record(z.string().min(1).max(200), z.string().min(1).max(300)).default({})
    .describe('names that mean another model reference, such as sonnet = "anthropic/claude-sonnet-4-5"'),
  alias_sets: z.array(z.enum(['claude-tiers'])).default([])
    .describe("ready-made alias sets; 'claude-tiers' serves OpenAI model names with Claude models"),
}).strict().prefault({})

/** The providers part of the config file: `[providers.<id>]`. */
export const providersConfig = z.record(
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, dot, dash and underscore, at most 64'),
  providerOverlay,
).default({})

/** Settings of the catalogue. */
export type CatalogSettings = z.infer<typeof catalogConfig>
