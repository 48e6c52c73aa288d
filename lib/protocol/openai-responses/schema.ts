import { isObject } from '../../base/mod.ts'
import * as is from '../schema-kit.ts'

const part = is.byTag('type', {
  input_text: is.record({ text: is.string }),
  output_text: is.record({ text: is.string }),
  text: is.record({ text: is.string }),
  refusal: is.record({ refusal: is.string }),
  input_image: is.record({ image_url: is.text, file_id: is.text, detail: is.text }),
  input_file: is.record({ file_data: is.text, file_id: is.text, file_url: is.text, filename: is.text }),
})

const tool: is.Shape = is.byTag('type', {
  function: is.record({ name: is.name, description: is.text, parameters: is.object, strict: is.flag }),
  custom: is.record({
    name: is.name,
    description: is.text,
    format: is.optional(is.byTag('type', { grammar: is.record({ syntax: is.string, definition: is.string }) })),
  }),
  namespace: is.record({
    name: is.name,
    description: is.text,
    tools: is.list(is.byTag('type', {
      function: is.record({ name: is.name, description: is.text, parameters: is.object, strict: is.flag }),
      custom: is.record({ name: is.name, description: is.text }),
    })),
  }),
  tool_search: is.record({ execution: is.text, description: is.text, parameters: is.object }),
})

const result = is.record({ call_id: is.string, output: is.textOr(part) })

const item = is.byTag('type', {
  message: is.record({ role: is.oneOf('user', 'assistant', 'system', 'developer'), content: is.textOr(part) }),
  function_call: is.record({ call_id: is.string, name: is.string, arguments: is.string, namespace: is.text }),
  custom_tool_call: is.record({ call_id: is.string, name: is.string, input: is.string, namespace: is.text }),
  function_call_output: result,
  custom_tool_call_output: result,
  reasoning: is.record({
    id: is.text,
    summary: is.optional(is.list(is.record({ text: is.string }))),
    content: is.optional(is.list(is.record({ text: is.string }))),
    encrypted_content: is.text,
  }),
  tool_search_call: is.record({ call_id: is.text, execution: is.text }),
  tool_search_output: is.record({ call_id: is.text, execution: is.text, tools: is.list(tool) }),
  additional_tools: is.record({ tools: is.list(tool) }),
}, 'message')

/** An item without role and type names one that the provider stored. */
const reference: is.Shape = {
  fits: (value) => isObject(value) && !('role' in value) && !('type' in value) && 'id' in value,
  explain: item.explain,
}
const anyItem = is.either(item, reference)

/**
 * What gw checks of a responses request. Items, tools and fields it does not know pass.
 *
 * @see https://platform.openai.com/docs/api-reference/responses/create
 */
export const responsesRequest: is.Shape = is.record({
  model: is.string,
  input: is.optional(is.either(is.string, is.list(anyItem))),
  instructions: is.text,
  tools: is.optional(is.list(tool)),
  tool_choice: is.optional(is.either(
    is.oneOf('none', 'auto', 'required'),
    is.byTag('type', {
      function: is.record({ name: is.string }),
      custom: is.record({ name: is.string }),
      allowed_tools: is.record({ mode: is.oneOf('auto', 'required'), tools: is.list(is.anyObject) }),
    }),
  )),
  parallel_tool_calls: is.flag,
  max_output_tokens: is.count,
  temperature: is.number,
  top_p: is.number,
  reasoning: is.optional(is.record({ effort: is.text, summary: is.text })),
  text: is.optional(is.record({
    verbosity: is.text,
    format: is.optional(
      is.byTag('type', { json_schema: is.record({ name: is.text, schema: is.anyObject, strict: is.flag }) }),
    ),
  })),
  include: is.optional(is.list(is.string)),
  stream: is.flag,
  store: is.flag,
  user: is.text,
  service_tier: is.text,
  previous_response_id: is.text,
})
