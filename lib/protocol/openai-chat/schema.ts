import { z } from 'zod'
import { byTag, count, flag, number, object, text, textOr } from '../schema-kit.ts'

const part = byTag('type', {
  text: z.looseObject({ text: z.string() }),
  image_url: z.looseObject({ image_url: z.union([z.string(), z.looseObject({ url: z.string(), detail: text })]) }),
  input_audio: z.looseObject({ input_audio: z.looseObject({ data: z.string(), format: z.string() }) }),
  file: z.looseObject({ file: z.looseObject({ file_data: text, file_id: text, filename: text }) }),
  refusal: z.looseObject({ refusal: z.string() }),
})

const toolCall = byTag('type', {
  function: z.looseObject({
    id: z.string(),
    function: z.looseObject({ name: z.string(), arguments: z.union([z.string(), z.looseObject({})]).nullish() }),
  }),
  custom: z.looseObject({ id: z.string(), custom: z.looseObject({ name: z.string(), input: z.string() }) }),
}, 'function')

const content = textOr(part)
const named = z.looseObject({ content, name: text })

/** A chat message of any role. */
const chatMessage: z.ZodType = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
}).and(byTag('role', {
  system: named,
  developer: named,
  user: named,
  assistant: z.looseObject({
    content,
    refusal: text,
    tool_calls: z.array(toolCall).nullish(),
    function_call: z.looseObject({ name: z.string(), arguments: z.string() }).nullish(),
  }),
  tool: z.looseObject({ content, tool_call_id: z.string() }),
  function: z.looseObject({ content, name: z.string() }),
}))

const tool = byTag('type', {
  function: z.looseObject({
    function: z.looseObject({ name: z.string().min(1), description: text, parameters: object, strict: flag }),
  }),
  custom: z.looseObject({
    custom: z.looseObject({
      name: z.string().min(1),
      description: text,
      format: byTag('type', {
        grammar: z.looseObject({ grammar: z.looseObject({ definition: z.string(), syntax: z.string() }) }),
      }).nullish(),
    }),
  }),
}, 'function')

/**
 * What gw checks of a chat completion request. Fields it does not know pass.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/create
 */
export const chatRequest: z.ZodType = z.looseObject({
  model: z.string(),
  messages: z.array(chatMessage).min(1),
  tools: z.array(tool).nullish(),
  tool_choice: z.union([
    z.enum(['none', 'auto', 'required']),
    byTag('type', {
      function: z.looseObject({ function: z.looseObject({ name: z.string() }) }),
      custom: z.looseObject({ custom: z.looseObject({ name: z.string() }) }),
      allowed_tools: z.looseObject({
        allowed_tools: z.looseObject({ mode: z.enum(['auto', 'required']), tools: z.array(z.looseObject({})) }),
      }),
    }),
  ]).nullish(),
  parallel_tool_calls: flag,
  functions: z.array(z.looseObject({ name: z.string().min(1), description: text, parameters: object })).nullish(),
  function_call: z.union([z.enum(['none', 'auto']), z.looseObject({ name: z.string() })]).nullish(),
  max_tokens: count,
  max_completion_tokens: count,
  temperature: number,
  top_p: number,
  top_k: count,
  n: count,
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  seed: number,
  frequency_penalty: number,
  presence_penalty: number,
  reasoning_effort: text,
  verbosity: text,
  response_format: byTag('type', {
    json_schema: z.looseObject({
      json_schema: z.looseObject({ name: text, description: text, schema: object, strict: flag }),
    }),
  }).nullish(),
  stream: flag,
  stream_options: z.looseObject({ include_usage: flag }).nullish(),
  user: text,
  store: flag,
  service_tier: text,
})
