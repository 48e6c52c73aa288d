import * as is from '../schema-kit.ts'

const cache = is.optional(is.record({ type: is.string, ttl: is.text }))

const source = is.byTag('type', {
  base64: is.record({ media_type: is.string, data: is.string }),
  url: is.record({ url: is.string }),
  text: is.record({ data: is.string }),
  file: is.record({ file_id: is.string }),
})

const inner = is.byTag('type', {
  text: is.record({ text: is.string, cache_control: cache }),
  image: is.record({ source, cache_control: cache }),
  document: is.record({ source, cache_control: cache, title: is.text }),
})

const block = is.byTag('type', {
  text: is.record({ text: is.string, cache_control: cache }),
  image: is.record({ source, cache_control: cache }),
  document: is.record({ source, cache_control: cache, title: is.text }),
  thinking: is.record({ thinking: is.string, signature: is.string }),
  redacted_thinking: is.record({ data: is.string }),
  tool_use: is.record({ id: is.string, name: is.string, input: is.anyObject, cache_control: cache }),
  tool_result: is.record({
    tool_use_id: is.string,
    content: is.textOr(inner),
    is_error: is.flag,
    cache_control: cache,
  }),
})

const said = is.record({ content: is.required(is.textOr(block)) })

/** What gw checks of a tool definition; only tools with a schema of their own are looked into. */
const tool = is.byTag('type', {
  custom: is.record({
    name: is.name,
    description: is.text,
    input_schema: is.anyObject,
    strict: is.flag,
    cache_control: cache,
  }),
}, 'custom')

const fields = {
  model: is.string,
  messages: is.list(
    is.both(
      is.record({ role: is.oneOf('user', 'assistant', 'system') }),
      is.byTag('role', {
        user: said,
        assistant: said,
        // It may be there for its settings alone.
        system: is.record({ content: is.textOr(block) }),
      }),
    ),
    1,
  ),
  system: is.textOr(is.byTag('type', { text: is.record({ text: is.string, cache_control: cache }) })),
  tools: is.optional(is.list(tool)),
  tool_choice: is.optional(
    is.byTag('type', { tool: is.record({ name: is.string, disable_parallel_tool_use: is.flag }) }),
  ),
  thinking: is.optional(is.byTag('type', { enabled: is.record({ budget_tokens: is.integer }) })),
  output_config: is.optional(is.record({
    effort: is.text,
    format: is.optional(is.byTag('type', { json_schema: is.record({ schema: is.anyObject }) })),
  })),
  output_format: is.optional(is.byTag('type', { json_schema: is.record({ schema: is.anyObject }) })),
  cache_control: cache,
}

/**
 * What gw checks of a messages request. Fields it does not know pass.
 *
 * @see https://docs.anthropic.com/en/api/messages
 */
export const messagesRequest: is.Shape = is.record({
  ...fields,
  max_tokens: is.positive,
  temperature: is.number,
  top_p: is.number,
  top_k: is.count,
  stop_sequences: is.optional(is.list(is.string)),
  stream: is.flag,
  metadata: is.optional(is.record({ user_id: is.text })),
  service_tier: is.text,
  context_management: is.object,
})
