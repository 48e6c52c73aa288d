import { z } from 'zod'
import { byTag, count, flag, number, object, text, textOr } from '../schema-kit.ts'

const part = byTag('type', {
  input_text: z.looseObject({ text: z.string() }),
  output_text: z.looseObject({ text: z.string() }),
  text: z.looseObject({ text: z.string() }),
  refusal: z.looseObject({ refusal: z.string() }),
  input_image: z.looseObject({ image_url: text, file_id: text, detail: text }),
  input_file: z.looseObject({ file_data: text, file_id: text, file_url: text, filename: text }),
})

const tool: z.ZodType = byTag('type', {
  function: z.looseObject({ name: z.string().min(1), description: text, parameters: object, strict: flag }),
  custom: z.looseObject({
    name: z.string().min(1),
    description: text,
    format: byTag('type', { grammar: z.looseObject({ syntax: z.string(), definition: z.string() }) }).nullish(),
  }),
  namespace: z.looseObject({
    name: z.string().min(1),
    description: text,
    tools: z.array(byTag('type', {
      function: z.looseObject({ name: z.string().min(1), description: text, parameters: object, strict: flag }),
      custom: z.looseObject({ name: z.string().min(1), description: text }),
    })),
  }),
  tool_search: z.looseObject({ execution: text, description: text, parameters: object }),
})

const result = z.looseObject({ call_id: z.string(), output: textOr(part) })

const item = byTag('type', {
  message: z.looseObject({ role: z.enum(['user', 'assistant', 'system', 'developer']), content: textOr(part) }),
  function_call: z.looseObject({ call_id: z.string(), name: z.string(), arguments: z.string(), namespace: text }),
  custom_tool_call: z.looseObject({ call_id: z.string(), name: z.string(), input: z.string(), namespace: text }),
  function_call_output: result,
  custom_tool_call_output: result,
  reasoning: z.looseObject({
    id: text,
    summary: z.array(z.looseObject({ text: z.string() })).nullish(),
    content: z.array(z.looseObject({ text: z.string() })).nullish(),
    encrypted_content: text,
  }),
  tool_search_call: z.looseObject({ call_id: text, execution: text }),
  tool_search_output: z.looseObject({ call_id: text, execution: text, tools: z.array(tool) }),
  additional_tools: z.looseObject({ tools: z.array(tool) }),
}, 'message')

/**
 * What gw checks of a responses request. Items, tools and fields it does not know pass.
 *
 * @see https://platform.openai.com/docs/api-reference/responses/create
 */
export const responsesRequest: z.ZodType = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.looseObject({}))]).nullish(),
  instructions: text,
  tools: z.array(tool).nullish(),
  tool_choice: z.union([
    z.enum(['none', 'auto', 'required']),
    byTag('type', {
      function: z.looseObject({ name: z.string() }),
      custom: z.looseObject({ name: z.string() }),
      allowed_tools: z.looseObject({ mode: z.enum(['auto', 'required']), tools: z.array(z.looseObject({})) }),
    }),
  ]).nullish(),
  parallel_tool_calls: flag,
  max_output_tokens: count,
  temperature: number,
  top_p: number,
  reasoning: z.looseObject({ effort: text, summary: text }).nullish(),
  text: z.looseObject({
    verbosity: text,
    format: byTag('type', { json_schema: z.looseObject({ name: text, schema: z.looseObject({}), strict: flag }) })
      .nullish(),
  }).nullish(),
  include: z.array(z.string()).nullish(),
  stream: flag,
  store: flag,
  user: text,
  service_tier: text,
  previous_response_id: text,
}).superRefine((value, ctx) => {
  if (!Array.isArray(value.input)) return
  for (let i = 0; i < value.input.length; i++) {
    const checked = item.safeParse(value.input[i])
    if (checked.success || isReference(value.input[i])) continue
    const issue = checked.error.issues[0]!
    ctx.addIssue({ code: 'custom', message: issue.message, path: ['input', i, ...issue.path] })
    return
  }
})

/** An item without role and type names one that the provider stored. */
function isReference(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !('role' in value) && !('type' in value) && 'id' in value
}
