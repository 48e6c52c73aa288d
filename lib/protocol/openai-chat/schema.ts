import * as is from '../schema-kit.ts'

const part = is.byTag('type', {
  text: is.record({ text: is.string }),
  image_url: is.record({ image_url: is.either(is.string, is.record({ url: is.string, detail: is.text })) }),
  input_audio: is.record({ input_audio: is.record({ data: is.string, format: is.string }) }),
  file: is.record({ file: is.record({ file_data: is.text, file_id: is.text, filename: is.text }) }),
  refusal: is.record({ refusal: is.string }),
})

const toolCall = is.byTag('type', {
  function: is.record({
    id: is.string,
    function: is.record({ name: is.string, arguments: is.optional(is.either(is.string, is.anyObject)) }),
  }),
  custom: is.record({ id: is.string, custom: is.record({ name: is.string, input: is.string }) }),
}, 'function')

const content = is.textOr(part)
const named = is.record({ content, name: is.text })

/** A chat message of any role. */
const chatMessage: is.Shape = is.both(
  is.record({
    role: is.oneOf('system', 'developer', 'user', 'assistant', 'tool', 'function'),
  }),
  is.byTag('role', {
    system: named,
    developer: named,
    user: named,
    assistant: is.record({
      content,
      refusal: is.text,
      tool_calls: is.optional(is.list(toolCall)),
      function_call: is.optional(is.record({ name: is.string, arguments: is.string })),
    }),
    tool: is.record({ content, tool_call_id: is.string }),
    function: is.record({ content, name: is.string }),
  }),
)

const tool = is.byTag('type', {
  function: is.record({
    function: is.record({ name: is.name, description: is.text, parameters: is.object, strict: is.flag }),
  }),
  custom: is.record({
    custom: is.record({
      name: is.name,
      description: is.text,
      format: is.optional(is.byTag('type', {
        grammar: is.record({ grammar: is.record({ definition: is.string, syntax: is.string }) }),
      })),
    }),
  }),
}, 'function')

/**
 * What gw checks of a chat completion request. Fields it does not know pass.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/create
 */
export const chatRequest: is.Shape = is.record({
  model: is.string,
  messages: is.list(chatMessage, 1),
  tools: is.optional(is.list(tool)),
  tool_choice: is.optional(is.either(
    is.oneOf('none', 'auto', 'required'),
    is.byTag('type', {
      function: is.record({ function: is.record({ name: is.string }) }),
      custom: is.record({ custom: is.record({ name: is.string }) }),
      allowed_tools: is.record({
        allowed_tools: is.record({ mode: is.oneOf('auto', 'required'), tools: is.list(is.anyObject) }),
      }),
    }),
  )),
  parallel_tool_calls: is.flag,
  functions: is.optional(is.list(is.record({ name: is.name, description: is.text, parameters: is.object }))),
  function_call: is.optional(is.either(is.oneOf('none', 'auto'), is.record({ name: is.string }))),
  max_tokens: is.count,
  max_completion_tokens: is.count,
  temperature: is.number,
  top_p: is.number,
  top_k: is.count,
  n: is.count,
  stop: is.optional(is.either(is.string, is.list(is.string))),
  seed: is.number,
  frequency_penalty: is.number,
  presence_penalty: is.number,
  reasoning_effort: is.text,
  verbosity: is.text,
  response_format: is.optional(is.byTag('type', {
    json_schema: is.record({
      json_schema: is.record({ name: is.text, description: is.text, schema: is.object, strict: is.flag }),
    }),
  })),
  stream: is.flag,
  stream_options: is.optional(is.record({ include_usage: is.flag })),
  user: is.text,
  store: is.flag,
  service_tier: is.text,
})
