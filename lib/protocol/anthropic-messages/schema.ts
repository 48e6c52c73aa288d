import { z } from 'zod'
import { byTag, count, flag, number, object, text, textOr } from '../schema-kit.ts'

const cache = z.looseObject({ type: z.string(), ttl: text }).nullish()

const source = byTag('type', {
  base64: z.looseObject({ media_type: z.string(), data: z.string() }),
  url: z.looseObject({ url: z.string() }),
  text: z.looseObject({ data: z.string() }),
  file: z.looseObject({ file_id: z.string() }),
})

const inner = byTag('type', {
  text: z.looseObject({ text: z.string(), cache_control: cache }),
  image: z.looseObject({ source, cache_control: cache }),
  document: z.looseObject({ source, cache_control: cache, title: text }),
})

const block = byTag('type', {
  text: z.looseObject({ text: z.string(), cache_control: cache }),
  image: z.looseObject({ source, cache_control: cache }),
  document: z.looseObject({ source, cache_control: cache, title: text }),
  thinking: z.looseObject({ thinking: z.string(), signature: z.string() }),
  redacted_thinking: z.looseObject({ data: z.string() }),
  tool_use: z.looseObject({ id: z.string(), name: z.string(), input: z.looseObject({}), cache_control: cache }),
  tool_result: z.looseObject({
    tool_use_id: z.string(),
    content: textOr(inner),
    is_error: flag,
    cache_control: cache,
  }),
})

/** What gw checks of a tool definition; only tools with a schema of their own are looked into. */
const tool = byTag('type', {
  custom: z.looseObject({
    name: z.string().min(1),
    description: text,
    input_schema: z.looseObject({}),
    strict: flag,
    cache_control: cache,
  }),
}, 'custom')

const fields = {
  model: z.string(),
  messages: z.array(
    z.looseObject({ role: z.enum(['user', 'assistant', 'system']), content: z.unknown() }).and(
      z.looseObject({ content: textOr(block).refine((value) => value != null, 'expected a string or a list') }),
    ),
  ).min(1),
  system: textOr(byTag('type', { text: z.looseObject({ text: z.string(), cache_control: cache }) })),
  tools: z.array(tool).nullish(),
  tool_choice: byTag('type', { tool: z.looseObject({ name: z.string(), disable_parallel_tool_use: flag }) }).nullish(),
  thinking: byTag('type', { enabled: z.looseObject({ budget_tokens: z.number().int() }) }).nullish(),
  output_config: z.looseObject({
    effort: text,
    format: byTag('type', { json_schema: z.looseObject({ schema: z.looseObject({}) }) }).nullish(),
  }).nullish(),
  cache_control: cache,
}

/**
 * What gw checks of a messages request. Fields it does not know pass.
 *
 * @see https://docs.anthropic.com/en/api/messages
 */
export const messagesRequest: z.ZodType = z.looseObject({
  ...fields,
  max_tokens: z.number().int().positive(),
  temperature: number,
  top_p: number,
  top_k: count,
  stop_sequences: z.array(z.string()).nullish(),
  stream: flag,
  metadata: z.looseObject({ user_id: text }).nullish(),
  service_tier: text,
  context_management: object,
})
