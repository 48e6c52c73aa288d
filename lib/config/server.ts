import { z } from 'zod'

const seconds = z.number().positive().max(86_400)
const bytes = z.int().min(1024).max(1024 ** 3)

/** `[server]`: where gw listens and whom it lets near. */
export const serverConfig = z.object({
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on. Beyond loopback, say so on purpose.'),
  port: z.int().min(0).max(65535).default(8080).describe('Port to listen on; 0 picks a free one.'),
  public_url: z.url({ protocol: /^https?$/ }).optional().describe(
    'URL that clients reach gw under, when a proxy stands before it. Its host is allowed in the Host header.',
  ),
  allowed_hosts: z.array(z.string().min(1)).default([]).describe(
    'Further Host names to answer to, besides the loopback names and those of host and public_url.',
  ),
  allowed_origins: z.array(z.string().min(1)).default([]).describe(
    'Origins of web pages that may call gw. Empty: none, as a page in a browser has no business here.',
  ),
  openai_api: z.boolean().default(true).describe('Serve the OpenAI paths; off, they answer 404.'),
  anthropic_api: z.boolean().default(true).describe('Serve the Anthropic paths; off, they answer 404.'),
  gemini_api: z.boolean().default(true).describe('Serve the generateContent paths of Gemini; off, they answer 404.'),
  api_format: z.enum(['auto', 'anthropic', 'messages', 'bedrock', 'invoke', 'vertex', 'rawpredict']).default('auto')
    .describe(
      'The one form in which clients may speak to Claude: anthropic, bedrock or vertex. auto takes all.',
    ),
  metrics: z.boolean().default(true).describe('Serve /metrics; off, it answers 404.'),
  docs: z.boolean().default(true).describe('Serve the API documentation at /docs.'),
  drain_secs: seconds.default(30).describe('Seconds that open streams get to finish after SIGTERM.'),
}).strict().prefault({})

/** `[limits]`: the bounds and deadlines of one request. */
export const limitsConfig = z.object({
  body_bytes: bytes.default(32 * 1024 * 1024).describe('Largest request body.'),
  header_bytes: z.int().min(1024).max(1024 * 1024).default(64 * 1024).describe('Largest sum of request headers.'),
  event_bytes: bytes.default(16 * 1024 * 1024).describe('Largest single event of an upstream stream.'),
  reply_bytes: bytes.default(64 * 1024 * 1024).describe('Largest upstream answer that is not a stream, decompressed.'),
  stream_bytes: z.int().min(1024).max(1024 ** 4).default(1024 ** 3).describe(
    'Most that an upstream may send in one stream: what goes on for longer never ends.',
  ),
  body_secs: seconds.default(30).describe('Seconds a caller may take between two parts of its body.'),
  head_secs: seconds.default(300).describe('Seconds an upstream may take to the head of its answer.'),
  idle_secs: seconds.default(1200).describe(
    'Seconds an upstream stream may be silent; three times as long where it only shows that it is alive.',
  ),
  total_secs: z.int().min(0).max(7 * 86_400).default(0).describe(
    'Seconds that the whole of a request may take, its stream included; 0 is no limit.',
  ),
  concurrent: z.int().min(1).max(1_000_000).default(20_000).describe('Requests at once before gw answers 503.'),
}).strict().prefault({})

/** `[translation]`: how requests are put into another protocol. */
export const translationConfig = z.object({
  auto_cache: z.boolean().default(false).describe(
    'Mark prompts for caching when an OpenAI client asks a model whose protocol caches by marks.',
  ),
}).strict().prefault({})

/** `[responses]`: what gw keeps for clients of the responses protocol whose upstream keeps nothing. */
export const responsesConfig = z.object({
  keep_secs: z.int().min(0).max(365 * 86_400).default(30 * 86_400).describe(
    'Seconds that a stored response can be continued by its id; 0 stores none.',
  ),
  max_bytes: bytes.default(64 * 1024 * 1024).describe('Most that is stored for one token; beyond it the oldest go.'),
}).strict().prefault({})

/** `[log]`: what gw prints about itself. */
export const logConfig = z.object({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least level that is printed to stderr.'),
}).strict().prefault({})
