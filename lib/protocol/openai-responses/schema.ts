import { isObject } from '../../base/mod.ts'
import {
  anyObject,
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
  input_text: record({ text: string }),
  output_text: record({ text: string }),
  text: record({ text: string }),
  refusal: record({ refusal: string }),
  input_image: record({ image_url: text, file_id: text, detail: text }),
  input_file: record({ file_data: text, file_id: text, file_url: text, filename: text }),
})

const tool: Shape = byTag('type', {
  function: record({ name, description: text, parameters: object, strict: flag }),
  custom: record({
    name,
    description: text,
    format: optional(byTag('type', { grammar: record({ syntax: string, definition: string }) })),
  }),
  namespace: record({
    name,
    description: text,
    tools: list(byTag('type', {
      function: record({ name, description: text, parameters: object, strict: flag }),
      custom: record({ name, description: text }),
    })),
  }),
  tool_search: record({ execution: text, description: text, parameters: object }),
})

const result = record({ call_id: string, output: textOr(part) })

const item = byTag('type', {
  message: record({ role: oneOf('user', 'assistant', 'system', 'developer'), content: textOr(part) }),
  function_call: record({ call_id: string, name: string, arguments: string, namespace: text }),
  custom_tool_call: record({ call_id: string, name: string, input: string, namespace: text }),
  function_call_output: result,
  custom_tool_call_output: result,
  reasoning: record({
    id: text,
    summary: optional(list(record({ text: string }))),
    content: optional(list(record({ text: string }))),
    encrypted_content: text,
  }),
  tool_search_call: record({ call_id: text, execution: text }),
  tool_search_output: record({ call_id: text, execution: text, tools: list(tool) }),
  additional_tools: record({ tools: list(tool) }),
}, 'message')

/** An item without role and type names one that the provider stored. */
const reference: Shape = {
  fits: (value) => isObject(value) && !('role' in value) && !('type' in value) && 'id' in value,
  explain: item.explain,
}
const anyItem = either(item, reference)

/**
 * What gw checks of a responses request. Items, tools and fields it does not know pass.
 *
 * @see https://platform.openai.com/docs/api-reference/responses/create
 */
export const responsesRequest: Shape = record({
  model: string,
  input: optional(either(string, list(anyItem))),
  instructions: text,
  tools: optional(list(tool)),
  tool_choice: optional(either(
    oneOf('none', 'auto', 'required'),
    byTag('type', {
      function: record({ name: string }),
      custom: record({ name: string }),
      allowed_tools: record({ mode: oneOf('auto', 'required'), tools: list(anyObject) }),
    }),
  )),
  parallel_tool_calls: flag,
  max_output_tokens: count,
  temperature: number,
  top_p: number,
  reasoning: optional(record({ effort: text, summary: text })),
  text: optional(record({
    verbosity: text,
    format: optional(byTag('type', { json_schema: record({ name: text, schema: anyObject, strict: flag }) })),
  })),
  include: optional(list(string)),
  stream: flag,
  store: flag,
  user: text,
  service_tier: text,
  previous_response_id: text,
})
