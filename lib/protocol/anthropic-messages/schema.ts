import {
  anyObject,
  both,
  byTag,
  count,
  flag,
  integer,
  list,
  name,
  number,
  object,
  oneOf,
  optional,
  positive,
  record,
  required,
  type Shape,
  string,
  text,
  textOr,
} from '../schema-kit.ts'

const cache = optional(record({ type: string, ttl: text }))

const source = byTag('type', {
  base64: record({ media_type: string, data: string }),
  url: record({ url: string }),
  text: record({ data: string }),
  file: record({ file_id: string }),
})

const inner = byTag('type', {
  text: record({ text: string, cache_control: cache }),
  image: record({ source, cache_control: cache }),
  document: record({ source, cache_control: cache, title: text }),
})

const block = byTag('type', {
  text: record({ text: string, cache_control: cache }),
  image: record({ source, cache_control: cache }),
  document: record({ source, cache_control: cache, title: text }),
  thinking: record({ thinking: string, signature: string }),
  redacted_thinking: record({ data: string }),
  tool_use: record({ id: string, name: string, input: anyObject, cache_control: cache }),
  tool_result: record({
    tool_use_id: string,
    content: textOr(inner),
    is_error: flag,
    cache_control: cache,
  }),
})

/** What gw checks of a tool definition; only tools with a schema of their own are looked into. */
const tool = byTag('type', {
  custom: record({
    name,
    description: text,
    input_schema: anyObject,
    strict: flag,
    cache_control: cache,
  }),
}, 'custom')

const fields = {
  model: string,
  messages: list(
    both(record({ role: oneOf('user', 'assistant', 'system') }), record({ content: required(textOr(block)) })),
    1,
  ),
  system: textOr(byTag('type', { text: record({ text: string, cache_control: cache }) })),
  tools: optional(list(tool)),
  tool_choice: optional(byTag('type', { tool: record({ name: string, disable_parallel_tool_use: flag }) })),
  thinking: optional(byTag('type', { enabled: record({ budget_tokens: integer }) })),
  output_config: optional(record({
    effort: text,
    format: optional(byTag('type', { json_schema: record({ schema: anyObject }) })),
  })),
  cache_control: cache,
}

/**
 * What gw checks of a messages request. Fields it does not know pass.
 *
 * @see https://docs.anthropic.com/en/api/messages
 */
export const messagesRequest: Shape = record({
  ...fields,
  max_tokens: positive,
  temperature: number,
  top_p: number,
  top_k: count,
  stop_sequences: optional(list(string)),
  stream: flag,
  metadata: optional(record({ user_id: text })),
  service_tier: text,
  context_management: object,
})
