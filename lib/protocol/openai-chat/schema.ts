import {
  anyObject,
  both,
  byTag,
  count,
  either,
  flag,
  list,
  name,
  number,
  object,
  oneOf,
  optional,
  record,
  type Shape,
  string,
  text,
  textOr,
} from '../schema-kit.ts'

const part = byTag('type', {
  text: record({ text: string }),
  image_url: record({ image_url: either(string, record({ url: string, detail: text })) }),
  input_audio: record({ input_audio: record({ data: string, format: string }) }),
  file: record({ file: record({ file_data: text, file_id: text, filename: text }) }),
  refusal: record({ refusal: string }),
})

const toolCall = byTag('type', {
  function: record({
    id: string,
    function: record({ name: string, arguments: optional(either(string, anyObject)) }),
  }),
  custom: record({ id: string, custom: record({ name: string, input: string }) }),
}, 'function')

const content = textOr(part)
const named = record({ content, name: text })

/** A chat message of any role. */
const chatMessage: Shape = both(
  record({
    role: oneOf('system', 'developer', 'user', 'assistant', 'tool', 'function'),
  }),
  byTag('role', {
    system: named,
    developer: named,
    user: named,
    assistant: record({
      content,
      refusal: text,
      tool_calls: optional(list(toolCall)),
      function_call: optional(record({ name: string, arguments: string })),
    }),
    tool: record({ content, tool_call_id: string }),
    function: record({ content, name: string }),
  }),
)

const tool = byTag('type', {
  function: record({
    function: record({ name, description: text, parameters: object, strict: flag }),
  }),
  custom: record({
    custom: record({
      name,
      description: text,
      format: optional(byTag('type', {
        grammar: record({ grammar: record({ definition: string, syntax: string }) }),
      })),
    }),
  }),
}, 'function')

/**
 * What gw checks of a chat completion request. Fields it does not know pass.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/create
 */
export const chatRequest: Shape = record({
  model: string,
  messages: list(chatMessage, 1),
  tools: optional(list(tool)),
  tool_choice: optional(either(
    oneOf('none', 'auto', 'required'),
    byTag('type', {
      function: record({ function: record({ name: string }) }),
      custom: record({ custom: record({ name: string }) }),
      allowed_tools: record({
        allowed_tools: record({ mode: oneOf('auto', 'required'), tools: list(anyObject) }),
      }),
    }),
  )),
  parallel_tool_calls: flag,
  functions: optional(list(record({ name, description: text, parameters: object }))),
  function_call: optional(either(oneOf('none', 'auto'), record({ name: string }))),
  max_tokens: count,
  max_completion_tokens: count,
  temperature: number,
  top_p: number,
  top_k: count,
  n: count,
  stop: optional(either(string, list(string))),
  seed: number,
  frequency_penalty: number,
  presence_penalty: number,
  reasoning_effort: text,
  verbosity: text,
  response_format: optional(byTag('type', {
    json_schema: record({
      json_schema: record({ name: text, description: text, schema: object, strict: flag }),
    }),
  })),
  stream: flag,
  stream_options: optional(record({ include_usage: flag })),
  user: text,
  store: flag,
  service_tier: text,
})
