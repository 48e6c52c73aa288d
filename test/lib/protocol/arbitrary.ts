import fc from 'fast-check'
import type { Json, JsonObject } from '../../../lib/base/mod.ts'
import type { ProtocolId } from '../../../lib/protocol/mod.ts'

/** Where a marker stands in generated text: each becomes a word of its own, to be found again or be accounted for. */
const slot = '§'

const text = fc.constantFrom(slot, `${slot} é🦊`, `line\r\n${slot}`, `"${slot}"\\`, `${slot}\u2028`)
const url = fc.constantFrom(`https://x.test/${slot}.png`, `data:image/png;base64,${slot}AAA=`)
const pdf = fc.constant(`data:application/pdf;base64,${slot}AAA=`)
const rarely = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 3 })
const name = fc.constantFrom('bash', 'read_file', 'mcp__x__y')
const unknown = fc.option(fc.constant({ x_new: slot, x_deep: { a: [slot, 7] } }), { nil: {}, freq: 8 })

/** An object of which each member may be missing, now and then with members nobody knows. */
function record(shape: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<JsonObject> {
  return fc.tuple(fc.record(shape), unknown).map(([known, more]) => ({ ...known, ...more }) as JsonObject)
}

const schema = fc.constantFrom<JsonObject>(
  { type: 'object', properties: { [slot]: { type: 'string', description: slot } }, required: [slot] },
  { type: 'object', properties: {} },
)
const json = fc.constantFrom(`{"k":"${slot}"}`, '{}', `{"a":[1,{"b":"${slot}"}]}`)
const unit = fc.integer({ min: 1, max: 9999 }).map((n) => n / 10_000)
const effort = fc.constantFrom('none', 'minimal', 'low', 'medium', 'high', 'xhigh')

// ---- openai-chat ----------------------------------------------------------------------------------------------------

const chatText = record({ type: fc.constant('text'), text })
const chatPart = fc.oneof(
  { weight: 5, arbitrary: chatText },
  record({
    type: fc.constant('image_url'),
    image_url: fc.record({ url, detail: rarely(fc.constantFrom('auto', 'high')) }),
  }),
  record({ type: fc.constant('file'), file: fc.record({ file_data: pdf, filename: text }) }),
  record({ type: fc.constant('input_audio'), input_audio: fc.record({ data: text, format: fc.constant('wav') }) }),
  record({ type: fc.constant('x_part'), body: text }),
)

function chatTurn(id: string): fc.Arbitrary<JsonObject[]> {
  const user = record({
    role: fc.constant('user'),
    content: fc.oneof(text, fc.array(chatPart, { minLength: 1, maxLength: 3 })),
    name: rarely(text),
  })
  const assistant = record({ role: fc.constant('assistant'), content: text, refusal: rarely(text) })
  const calls = fc.tuple(fc.array(fc.tuple(name, json), { minLength: 1, maxLength: 3 }), fc.option(text), text).map(
    ([list, content, result]): JsonObject[] => [
      {
        role: 'assistant',
        content,
        tool_calls: list.map(([tool, args], i) => ({
          id: `${id}_${i}`,
          type: 'function',
          function: { name: tool, arguments: args },
        })),
      },
      ...list.map((_, i): JsonObject => ({ role: 'tool', tool_call_id: `${id}_${i}`, content: result })),
    ],
  )
  return fc.oneof(
    user.map((message) => [message]),
    fc.tuple(user, assistant).map((pair) => [...pair]),
    fc.tuple(user, calls).map(([first, rest]) => [first, ...rest]),
    record({ role: fc.constantFrom('system', 'developer'), content: text }).map((message) => [message]),
  )
}

const turns = (turn: (id: string) => fc.Arbitrary<JsonObject[]>): fc.Arbitrary<JsonObject[]> =>
  fc.integer({ min: 1, max: 4 }).chain((length) =>
    fc.tuple(...Array.from({ length }, (_, i) => turn(`call${i}`))).map((list) => list.flat())
  )

const chatTool = record({
  type: fc.constant('function'),
  function: record({ name, description: rarely(text), parameters: rarely(schema), strict: rarely(fc.boolean()) }),
})

const chat = record({
  model: fc.constant('m'),
  messages: turns(chatTurn),
  tools: rarely(
    fc.uniqueArray(chatTool, { minLength: 1, maxLength: 3, selector: (tool) => (tool.function as JsonObject).name }),
  ),
  tool_choice: rarely(
    fc.constantFrom<Json[]>('none', 'auto', 'required', { type: 'function', function: { name: 'bash' } }),
  ),
  parallel_tool_calls: rarely(fc.boolean()),
  max_completion_tokens: rarely(fc.integer({ min: 2000, max: 90_000 })),
  temperature: rarely(unit),
  top_p: rarely(unit),
  stop: rarely(fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 2 }))),
  seed: rarely(fc.integer({ min: 100_000 })),
  frequency_penalty: rarely(unit),
  presence_penalty: rarely(unit),
  reasoning_effort: rarely(effort),
  verbosity: rarely(fc.constantFrom('low', 'high')),
  response_format: rarely(fc.oneof(
    fc.constant({ type: 'json_object' }),
    fc.record({
      type: fc.constant('json_schema'),
      json_schema: fc.record({ name: fc.constant(slot), schema, strict: rarely(fc.boolean()) }, {
        requiredKeys: ['name', 'schema'],
      }),
    }),
  )),
  stream: rarely(fc.boolean()),
  user: rarely(text),
  store: rarely(fc.boolean()),
  metadata: rarely(fc.constant({ k: slot })),
  logit_bias: rarely(fc.constant({ [slot]: 5 })),
  prompt_cache_key: rarely(text),
})

// ---- anthropic-messages ---------------------------------------------------------------------------------------------

const mark = rarely(fc.constantFrom({ type: 'ephemeral' }, { type: 'ephemeral', ttl: '1h' }))
const source = fc.constantFrom<JsonObject>(
  { type: 'base64', media_type: 'image/png', data: `${slot}AAA=` },
  { type: 'url', url: `https://x.test/${slot}` },
)
const blockText = record({ type: fc.constant('text'), text, cache_control: mark })
const blockImage = record({ type: fc.constant('image'), source, cache_control: mark })
const blockDocument = record({
  type: fc.constant('document'),
  source: fc.constantFrom<JsonObject>(
    { type: 'base64', media_type: 'application/pdf', data: `${slot}AAA=` },
    { type: 'text', media_type: 'text/plain', data: 'mkPLAINx' },
    { type: 'file', file_id: slot },
  ),
  title: rarely(text),
})
const thinking = fc.oneof(
  fc.constant<JsonObject>({ type: 'thinking', thinking: slot, signature: slot }),
  fc.constant<JsonObject>({ type: 'redacted_thinking', data: slot }),
)

function anthropicTurn(id: string): fc.Arbitrary<JsonObject[]> {
  const parts = fc.array(fc.oneof({ weight: 4, arbitrary: blockText }, blockImage, blockDocument), {
    minLength: 1,
    maxLength: 3,
  })
  const user = record({ role: fc.constant('user'), content: fc.oneof(text, parts) })
  const calls = fc.tuple(
    fc.array(fc.tuple(name, fc.boolean()), { minLength: 1, maxLength: 3 }),
    fc.option(thinking),
    fc.oneof(text, fc.array(fc.oneof(blockText, blockImage), { minLength: 1, maxLength: 2 })),
    fc.array(blockText, { maxLength: 1 }),
  ).map(([list, thought, result, after]): JsonObject[] => [
    {
      role: 'assistant',
      content: [
        ...(thought === null ? [] : [thought]),
        { type: 'text', text: slot },
        ...list.map(([tool], i): JsonObject => ({
          type: 'tool_use',
          id: `${id}_${i}`,
          name: tool,
          input: { k: slot, n: [1] },
        })),
      ],
    },
    {
      role: 'user',
      content: [
        ...list.map(([, failed], i): JsonObject => ({
          type: 'tool_result',
          tool_use_id: `${id}_${i}`,
          content: result as Json,
          ...(failed ? { is_error: true } : {}),
        })),
        ...after,
      ],
    },
  ])
  return fc.oneof(
    user.map((message) => [message]),
    fc.tuple(
      user,
      record({
        role: fc.constant('assistant'),
        content: fc.oneof(text, fc.tuple(thinking, blockText).map((pair) => [...pair])),
      }),
    ).map((pair) => [...pair]),
    fc.tuple(user, calls).map(([first, rest]) => [first, ...rest]),
  )
}

const anthropicTool = record({
  name,
  description: rarely(text),
  input_schema: schema,
  strict: rarely(fc.boolean()),
  cache_control: mark,
})

const anthropic = record({
  model: fc.constant('m'),
  max_tokens: fc.integer({ min: 2000, max: 90_000 }),
  system: rarely(fc.oneof(text, fc.array(blockText, { minLength: 1, maxLength: 3 }))),
  messages: turns(anthropicTurn),
  tools: rarely(
    fc.uniqueArray(
      fc.oneof(
        { weight: 6, arbitrary: anthropicTool },
        fc.constant<JsonObject>({ type: 'web_search_20250305', name: 'web_search', max_uses: 50_001 }),
      ),
      {
        minLength: 1,
        maxLength: 3,
        selector: (tool) => tool.name,
      },
    ),
  ),
  tool_choice: rarely(
    fc.constantFrom<JsonObject[]>(
      { type: 'auto' },
      { type: 'any', disable_parallel_tool_use: true },
      { type: 'none' },
      { type: 'tool', name: 'bash' },
    ),
  ),
  temperature: rarely(unit),
  top_p: rarely(unit),
  top_k: rarely(fc.integer({ min: 100_000, max: 200_000 })),
  stop_sequences: rarely(fc.array(text, { minLength: 1, maxLength: 2 })),
  stream: rarely(fc.boolean()),
  thinking: rarely(
    fc.constantFrom<JsonObject[]>({ type: 'adaptive' }, { type: 'enabled', budget_tokens: 54_321 }, {
      type: 'disabled',
    }, { type: 'between_tools' }),
  ),
  output_config: rarely(
    fc.record({
      effort: rarely(fc.constantFrom('low', 'high', 'max')),
      format: rarely(schema.map((value) => ({ type: 'json_schema', schema: value }))),
    }),
  ),
  metadata: rarely(fc.constant({ user_id: slot })),
  service_tier: rarely(fc.constantFrom('auto', 'standard_only')),
  context_management: rarely(fc.constant({ edits: [{ type: slot }] })),
})

// ---- openai-responses -----------------------------------------------------------------------------------------------

const inputPart = fc.oneof(
  { weight: 4, arbitrary: record({ type: fc.constant('input_text'), text }) },
  record({ type: fc.constant('input_image'), image_url: url, detail: fc.constantFrom('auto', 'high') }),
  record({ type: fc.constant('input_file'), file_data: pdf, filename: text }),
  fc.constant<JsonObject>({ type: 'input_file', file_url: `https://x.test/${slot}` }),
)

function responsesTurn(id: string): fc.Arbitrary<JsonObject[]> {
  const user = record({
    type: fc.constant('message'),
    role: fc.constant('user'),
    content: fc.array(inputPart, { minLength: 1, maxLength: 3 }),
  })
  const assistant = fc.constant<JsonObject>({
    type: 'message',
    role: 'assistant',
    content: [{ type: 'output_text', text: slot, annotations: [] }],
  })
  const reasoning = fc.constantFrom<JsonObject>(
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: slot }], encrypted_content: slot },
    { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: slot },
  )
  const output = fc.oneof(text, fc.array(inputPart, { minLength: 1, maxLength: 2 }))
  const call = fc.oneof(
    fc.tuple(name, json, output).map(([tool, args, result]): [JsonObject, JsonObject] => [
      { type: 'function_call', call_id: id, name: tool, arguments: args },
      { type: 'function_call_output', call_id: id, output: result as Json },
    ]),
    output.map((result): [JsonObject, JsonObject] => [
      { type: 'custom_tool_call', call_id: id, name: 'apply_patch', input: `*** Begin Patch\n${slot}` },
      { type: 'custom_tool_call_output', call_id: id, output: result as Json },
    ]),
    fc.tuple(json, output).map(([args, result]): [JsonObject, JsonObject] => [
      { type: 'function_call', call_id: id, namespace: 'mcp__gw', name: 'echo', arguments: args },
      { type: 'function_call_output', call_id: id, output: result as Json },
    ]),
    fc.constant<[JsonObject, JsonObject]>([
      { type: 'tool_search_call', call_id: id, execution: 'client', arguments: { query: slot }, status: 'completed' },
      {
        type: 'tool_search_output',
        call_id: id,
        execution: 'client',
        status: 'completed',
        tools: [{
          type: 'function',
          name: 'found',
          description: slot,
          parameters: { type: 'object', properties: {} },
          defer_loading: true,
        }],
      },
    ]),
  )
  return fc.oneof(
    user.map((item) => [item]),
    fc.tuple(user, fc.option(reasoning), assistant).map(([a, b, c]) => b === null ? [a, c] : [a, b, c]),
    fc.tuple(user, fc.option(reasoning), call).map(([a, b, c]) => b === null ? [a, ...c] : [a, b, ...c]),
    fc.constant<JsonObject[]>([{ type: 'message', role: 'developer', content: [{ type: 'input_text', text: slot }] }]),
    fc.constant<JsonObject[]>([{ type: 'x_item', id: slot, body: slot }]),
    fc.constant<JsonObject[]>([{
      type: 'additional_tools',
      role: 'developer',
      tools: [{ type: 'custom', name: 'exec', description: slot }],
    }]),
  )
}

const responsesTool = fc.oneof(
  record({
    type: fc.constant('function'),
    name,
    description: rarely(text),
    parameters: schema,
    strict: rarely(fc.boolean()),
  }),
  fc.constant<JsonObject>({
    type: 'custom',
    name: 'apply_patch',
    description: slot,
    format: { type: 'grammar', syntax: 'lark', definition: slot },
  }),
  fc.constant<JsonObject>({
    type: 'namespace',
    name: 'mcp__gw',
    description: slot,
    tools: [{ type: 'function', name: 'echo', description: slot, parameters: { type: 'object', properties: {} } }],
  }),
  fc.constant<JsonObject>({ type: 'web_search', external_web_access: true }),
  fc.constant<JsonObject>({
    type: 'tool_search',
    execution: 'client',
    description: slot,
    parameters: { type: 'object', properties: {} },
  }),
)

const responses = record({
  model: fc.constant('m'),
  input: fc.oneof({ weight: 5, arbitrary: turns(responsesTurn) }, text),
  instructions: rarely(text),
  tools: rarely(
    fc.uniqueArray(responsesTool, { minLength: 1, maxLength: 4, selector: (tool) => tool.name ?? tool.type }),
  ),
  tool_choice: rarely(
    fc.constantFrom<Json[]>('none', 'auto', 'required', { type: 'function', name: 'bash' }, { type: 'web_search' }),
  ),
  parallel_tool_calls: rarely(fc.boolean()),
  max_output_tokens: rarely(fc.integer({ min: 2000, max: 90_000 })),
  temperature: rarely(unit),
  top_p: rarely(unit),
  reasoning: rarely(fc.record({ effort: rarely(effort), summary: rarely(fc.constantFrom('auto', 'detailed')) })),
  text: rarely(fc.oneof(
    fc.record({ verbosity: fc.constantFrom('low', 'high') }),
    schema.map((value) => ({ format: { type: 'json_schema', name: slot, schema: value, strict: true } })),
  )),
  include: rarely(
    fc.constantFrom(['reasoning.encrypted_content'], ['reasoning.encrypted_content', 'file_search_call.results']),
  ),
  stream: rarely(fc.boolean()),
  store: rarely(fc.boolean()),
  user: rarely(text),
  prompt_cache_key: rarely(text),
  previous_response_id: rarely(text),
  truncation: rarely(fc.constantFrom('auto', 'disabled')),
  metadata: rarely(fc.constant({ k: slot })),
})

// ---- gemini ---------------------------------------------------------------------------------------------------------

const geminiPart = fc.oneof(
  { weight: 4, arbitrary: record({ text }) },
  record({ inlineData: fc.constant({ mimeType: 'image/png', data: `${slot}AAA=` }) }),
  record({ fileData: fc.constant({ mimeType: 'application/pdf', fileUri: `https://x.test/${slot}` }) }),
)

function geminiTurn(id: string): fc.Arbitrary<JsonObject[]> {
  const user = record({ role: fc.constant('user'), parts: fc.array(geminiPart, { minLength: 1, maxLength: 3 }) })
  const calls = fc.tuple(name, fc.boolean()).map(([tool, signed]): JsonObject[] => [
    {
      role: 'model',
      parts: [{ functionCall: { id, name: tool, args: { k: slot } }, ...(signed ? { thoughtSignature: slot } : {}) }],
    },
    { role: 'user', parts: [{ functionResponse: { id, name: tool, response: { result: slot } } }] },
  ])
  return fc.oneof(
    user.map((content) => [content]),
    fc.tuple(user, fc.constant<JsonObject>({ role: 'model', parts: [{ text: slot }] })).map((pair) => [...pair]),
    fc.tuple(user, calls).map(([first, rest]) => [first, ...rest]),
  )
}

const gemini = record({
  model: fc.constant('m'),
  contents: turns(geminiTurn),
  systemInstruction: rarely(fc.constant({ parts: [{ text: slot }, { text: slot }] })),
  tools: rarely(fc.constantFrom<JsonObject[][]>(
    [{ functionDeclarations: [{ name: 'bash', description: slot, parameters: { type: 'OBJECT', properties: {} } }] }],
    [{ functionDeclarations: [{ name: 'bash', parametersJsonSchema: { type: 'object', properties: {} } }] }, {
      googleSearch: {},
    }],
  )),
  toolConfig: rarely(fc.constantFrom<JsonObject[]>(
    { functionCallingConfig: { mode: 'ANY' } },
    { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['bash'] } },
    { functionCallingConfig: { mode: 'NONE' } },
  )),
  generationConfig: rarely(fc.record({
    temperature: rarely(unit),
    topP: rarely(unit),
    topK: rarely(fc.integer({ min: 100_000, max: 200_000 })),
    maxOutputTokens: rarely(fc.integer({ min: 2000, max: 90_000 })),
    stopSequences: rarely(fc.array(text, { minLength: 1, maxLength: 2 })),
    seed: rarely(fc.integer({ min: 100_000, max: 2_000_000 })),
    thinkingConfig: rarely(
      fc.constantFrom<JsonObject[]>({ thinkingBudget: 54_321 }, { includeThoughts: true }, { thinkingLevel: 'low' }),
    ),
    responseModalities: rarely(fc.constant([slot])),
  })),
  safetySettings: rarely(fc.constant([{ category: slot, threshold: slot }])),
})

const requests: Readonly<Record<ProtocolId, fc.Arbitrary<JsonObject>>> = {
  'openai-chat': chat,
  'openai-responses': responses,
  'anthropic-messages': anthropic,
  gemini,
}

/** A schema-valid request of a protocol, in which every text holds a word that stands nowhere else. */
export function arbitraryRequest(protocol: ProtocolId): fc.Arbitrary<JsonObject> {
  return requests[protocol].map((body) => {
    let n = 0
    const fill = (value: Json | undefined): Json | undefined => {
      if (typeof value === 'string') return value.replaceAll(slot, () => `mk${n++}x`)
      if (Array.isArray(value)) return value.map((item) => fill(item as Json)!)
      if (typeof value !== 'object' || value === null) return value
      const out: Record<string, Json> = {}
      for (const [key, item] of Object.entries(value)) {
        const filled = fill(item as Json | undefined)
        if (filled !== undefined) out[key.replaceAll(slot, () => `mk${n++}x`)] = filled
      }
      return out
    }
    return fill(body) as JsonObject
  })
}
