import { expect, test } from 'bun:test'
import type { GenerateContentConfig, GenerateContentResponse } from '@google/genai'
import type { BetaMessage, MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/beta/messages/messages'
import type { ChatCompletion, ChatCompletionCreateParamsBase } from 'openai/resources/chat/completions/completions'
import type { Response, ResponseCreateParamsBase } from 'openai/resources/responses/responses'
import type { Json, JsonObject } from '../../../lib/base/mod.ts'
import { type ProtocolId, translator } from '../../../lib/protocol/mod.ts'

// Every field of the official SDKs' requests and answers, and what becomes of it elsewhere. The tables are checked against
// the SDKs' types when they are compiled: a field that is new in one of them has to be written down here.

const [C, R, A, G] = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini'] as const
const all = [C, R, A, G] as const

/** A value that is not the default, and the protocols that carry it; to the others it is a loss. */
type Row = readonly [value: Json, ...carriedTo: readonly ProtocolId[]]
/** What is asked at all; what a client keeps to itself, or other tests look at because it means something in company only. */
type Fields<T> = Readonly<Record<keyof T, Row | 'asked' | 'elsewhere'>>

const schema = { type: 'object', properties: {} }
const jsonSchema = { type: 'json_schema', name: 'a', schema }

const chat: Fields<ChatCompletionCreateParamsBase> = {
  model: 'asked',
  messages: 'asked',
  tools: 'asked',
  stream: 'asked',
  logprobs: [true, R, G],
  audio: [{ voice: 'ash', format: 'wav' }],
  frequency_penalty: [0.5, G],
  function_call: [{ name: 'f' }, R, A, G],
  functions: [[{ name: 'g' }], R, A, G],
  logit_bias: [{ '5': 1 }],
  max_completion_tokens: [9000, R, A, G],
  max_tokens: [9000, R, A, G],
  metadata: [{ a: 'b' }, R],
  modalities: [['text', 'audio']],
  moderation: [{ model: 'm' }, R],
  n: [2, G],
  parallel_tool_calls: [false, R, A],
  prediction: [{ type: 'content', content: 'x' }],
  presence_penalty: [0.5, G],
  prompt_cache_key: ['k', R],
  prompt_cache_options: [{ mode: 'explicit' }, R],
  prompt_cache_retention: ['24h', R],
  reasoning_effort: ['low', R, A, G],
  response_format: [{ type: 'json_schema', json_schema: jsonSchema }, R, A, G],
  safety_identifier: ['u', R, A],
  seed: [7, G],
  service_tier: ['flex', R, G],
  stop: [['END'], A, G],
  store: [true, R],
  // How an event is padded says nothing of the answer: no loss elsewhere.
  stream_options: 'elsewhere',
  temperature: [0.5, R, A, G],
  tool_choice: ['required', R, A, G],
  top_logprobs: [2, R, G],
  top_p: [0.5, R, A, G],
  user: ['u', R, A],
  verbosity: ['low', R],
  web_search_options: [{ search_context_size: 'low' }],
}

const responses: Fields<ResponseCreateParamsBase> = {
  model: 'asked',
  input: 'asked',
  tools: 'asked',
  stream: 'asked',
  include: [['message.output_text.logprobs'], C, G],
  access_programs: [{ cyber: 'standard' }],
  background: [true],
  context_management: [[{ type: 'compaction', compact_threshold: 9 }]],
  conversation: ['conv_1'],
  image: [{ context_compression: 'enabled' }],
  instructions: ['Be brief.', C, A, G],
  max_output_tokens: [9000, C, A, G],
  max_tool_calls: [3],
  metadata: [{ a: 'b' }, C],
  moderation: [{ model: 'm' }, C],
  parallel_tool_calls: [false, C, A],
  previous_response_id: ['resp_1'],
  prompt: [{ id: 'pmpt_1' }],
  prompt_cache_key: ['k', C],
  prompt_cache_options: [{ mode: 'explicit' }, C],
  prompt_cache_retention: ['24h', C],
  reasoning: [{ effort: 'low' }, C, A, G],
  safety_identifier: ['u', C, A],
  service_tier: ['flex', C, G],
  store: [true, C],
  stream_options: 'elsewhere',
  temperature: [0.5, C, A, G],
  text: [{ format: jsonSchema }, C, A, G],
  tool_choice: ['required', C, A, G],
  top_logprobs: [2],
  top_p: [0.5, C, A, G],
  truncation: ['auto'],
  user: ['u', C, A],
}

const messages: Fields<MessageCreateParamsBase> = {
  model: 'asked',
  messages: 'asked',
  tools: 'asked',
  stream: 'asked',
  max_tokens: [9000, C, R, G],
  betas: 'elsewhere',
  billing_policy: [{ type: 'x' }],
  cache_control: [{ type: 'ephemeral' }],
  compaction: [{ type: 'summarize' }],
  container: ['c'],
  context_management: [{ edits: [{ type: 'clear_tool_uses_20250919' }] }],
  diagnostics: [{ previous_message_id: 'msg_1' }],
  fallback_credit_token: ['t'],
  fallbacks: ['default'],
  inference_geo: ['us'],
  mcp_servers: [[{ type: 'url', name: 's', url: 'https://example.com' }]],
  metadata: [{ user_id: 'u' }, C, R],
  output_config: [{ effort: 'low', format: { type: 'json_schema', schema } }, C, R, G],
  output_format: [{ type: 'json_schema', schema }, C, R, G],
  service_tier: 'elsewhere',
  speed: ['fast'],
  stop_sequences: [['END'], C, G],
  system: ['Be brief.', C, R, G],
  thinking: [{ type: 'enabled', budget_tokens: 2048 }, C, R, G],
  thread: [{ type: 'create' }],
  tool_choice: [{ type: 'any' }, C, R, G],
  user_profile_id: ['p'],
  workspace_id: ['w'],
}

const gemini: Fields<GenerateContentConfig> = {
  tools: 'asked',
  httpOptions: 'elsewhere',
  abortSignal: 'elsewhere',
  automaticFunctionCalling: 'elsewhere',
  automaticContinuation: 'elsewhere',
  audioTimestamp: [true],
  audioTranscriptionConfig: [{ languageCodes: ['de'] }],
  cachedContent: ['cachedContents/a'],
  candidateCount: [2, C],
  continuationToken: ['dA=='],
  enableEnhancedCivicAnswers: [true],
  frequencyPenalty: [0.5, C],
  generationOutputConfig: [{ a: 'b' }],
  imageConfig: [{ aspectRatio: '1:1' }],
  labels: [{ a: 'b' }],
  logprobs: 'elsewhere',
  maxOutputTokens: [9000, C, R, A],
  mediaResolution: ['MEDIA_RESOLUTION_LOW'],
  modelArmorConfig: [{ promptTemplateName: 'a' }],
  modelSelectionConfig: [{ featureSelectionPreference: 'BALANCED' }],
  presencePenalty: [0.5, C],
  responseJsonSchema: 'elsewhere',
  responseLogprobs: [true, C, R],
  responseMimeType: ['application/json', C, R],
  responseModalities: [['IMAGE']],
  responseSchema: 'elsewhere',
  routingConfig: [{ manualMode: { modelName: 'x' } }],
  safetySettings: [[{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }]],
  seed: [7, C],
  serviceTier: ['flex', C, R],
  speechConfig: [{ languageCode: 'de' }],
  stopSequences: [['END'], C, A],
  store: [true],
  systemInstruction: [{ parts: [{ text: 'Be brief.' }] }, C, R, A],
  temperature: [0.5, C, R, A],
  thinkingConfig: [{ thinkingBudget: 2048 }, C, R, A],
  toolConfig: [{ functionCallingConfig: { mode: 'ANY' } }, C, R, A],
  topK: [5, A],
  topP: [0.5, C, R, A],
}

/** What the SDK's configuration holds beside the `generationConfig` of the wire. */
const besideConfig = new Set([
  ...['cachedContent', 'continuationToken', 'labels', 'modelArmorConfig', 'safetySettings', 'serviceTier', 'store'],
  ...['systemInstruction', 'toolConfig'],
])

const questions: Readonly<Record<ProtocolId, JsonObject>> = {
  [C]: {
    model: 'm',
    messages: [{ role: 'user', content: 'hi' }],
    tools: [{ type: 'function', function: { name: 'f' } }],
  },
  [R]: { model: 'm', input: 'hi', tools: [{ type: 'function', name: 'f' }] },
  [A]: {
    model: 'm',
    max_tokens: 8000,
    messages: [{ role: 'user', content: 'hi' }],
    tools: [{ name: 'f', input_schema: schema }],
  },
  [G]: {
    model: 'm',
    contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
    tools: [{ functionDeclarations: [{ name: 'f' }] }],
  },
}

/** The question with one field more, and the field's path. */
function asking(from: ProtocolId, name: string, value: Json): { readonly body: JsonObject; readonly path: string } {
  const question = questions[from]
  if (from === G && !besideConfig.has(name)) {
    return { body: { ...question, generationConfig: { [name]: value } }, path: `generationConfig.${name}` }
  }
  // Which tokens are likely is told only to those who ask how likely they are.
  const more = name === 'top_logprobs' && from === C ? { logprobs: true } : {}
  return { body: { ...question, ...more, [name]: value }, path: name }
}

const within = (path: string, whole: string): boolean => path === whole || path.startsWith(`${whole}.`)

for (const [from, fields] of Object.entries({ [C]: chat, [R]: responses, [A]: messages, [G]: gemini })) {
  for (const [name, row] of Object.entries(fields as Readonly<Record<string, Row | 'asked' | 'elsewhere'>>)) {
    if (typeof row === 'string') continue
    const [value, ...carriedTo] = row
    test(`${name} of ${from} is carried to ${carriedTo.join(', ') || 'nobody'}, and a loss to the others`, () => {
      const near = from as ProtocolId
      const { body, path } = asking(near, name, value)
      for (const to of all.filter((id) => id !== near)) {
        const translate = (asked: JsonObject) =>
          translator(near, to, { id: 'x1', now: 0 }).request(asked, { model: 'm-upstream' })
        const [plain, told] = [translate(questions[near]), translate(body)]
        const carried = JSON.stringify(told.body) !== JSON.stringify(plain.body)
        const named = told.losses.some((loss) => within(loss.path, path) || within(path, loss.path))
        expect([to, carriedTo.includes(to) ? carried : named]).toEqual([to, true])
        if (!named) expect([to, carried]).toEqual([to, true])
      }
    })
  }
}

/** A value that nobody elsewhere gets to see and that is named, `read`, or `own`: gw says that itself. */
type Told<T> = Readonly<Record<keyof T, { readonly named: Json } | 'read' | 'own'>>

const completion: Told<ChatCompletion> = {
  id: 'own',
  object: 'own',
  created: 'own',
  model: 'own',
  system_fingerprint: 'own',
  metadata: 'own',
  choices: 'read',
  usage: 'read',
  moderation: { named: { input: { flagged: true } } },
  service_tier: 'read',
}

/** What a response repeats of its request is gw's own: it repeats what its caller asked. */
type Repeated = Exclude<keyof Response & keyof ResponseCreateParamsBase, 'moderation' | 'service_tier'>

const response: Told<Omit<Response, Repeated>> = {
  id: 'own',
  object: 'own',
  created_at: 'own',
  completed_at: 'own',
  output_text: 'own',
  error: 'read',
  incomplete_details: 'read',
  output: 'read',
  status: 'read',
  usage: 'read',
  input_transformations: { named: [{ type: 'reasoning', action: 'removed' }] },
  moderation: { named: { input: { flagged: true } } },
  prompt_cache_diagnostics: { named: { type: 'cache_hit' } },
  service_tier: 'read',
  tool_usage: { named: { web_search: { num_requests: 1 } } },
}

const message: Told<BetaMessage> = {
  id: 'own',
  type: 'own',
  role: 'own',
  model: 'own',
  content: 'read',
  stop_reason: 'read',
  stop_sequence: 'read',
  usage: 'read',
  container: { named: { id: 'c' } },
  context_management: { named: { applied_edits: [{ type: 'clear_tool_uses_20250919', cleared_tool_uses: 1 }] } },
  diagnostics: { named: { cache_miss_reason: { type: 'model_changed' } } },
  input_transformations: { named: [{ type: 'thinking_dropped' }] },
  stop_details: { named: { type: 'refusal', category: 'cyber' } },
}

/** What the SDK makes itself, for its caller's comfort. */
type Made =
  | 'sdkHttpResponse'
  | 'automaticFunctionCallingHistory'
  | 'initialPromptTokenCount'
  | 'text'
  | 'data'
  | 'functionCalls'
  | 'executableCode'
  | 'codeExecutionResult'

const content: Told<Omit<GenerateContentResponse, Made>> = {
  responseId: 'own',
  modelVersion: 'own',
  createTime: 'own',
  candidates: 'read',
  promptFeedback: 'read',
  usageMetadata: 'read',
  modelStatus: { named: { modelStage: 'RETIRED' } },
}

const answers: Readonly<Record<ProtocolId, JsonObject>> = {
  [C]: { choices: [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }] },
  [R]: { status: 'completed', output: [{ type: 'message', content: [{ type: 'output_text', text: 'x' }] }] },
  [A]: { content: [{ type: 'text', text: 'x' }], stop_reason: 'end_turn' },
  [G]: { candidates: [{ content: { parts: [{ text: 'x' }] }, finishReason: 'STOP' }] },
}

for (const [from, fields] of Object.entries({ [C]: completion, [R]: response, [A]: message, [G]: content })) {
  test(`what an answer of ${from} tells and nobody elsewhere gets to see is named`, () => {
    for (const [name, row] of Object.entries(fields as Readonly<Record<string, { named: Json } | string>>)) {
      if (typeof row === 'string') continue
      for (const to of all.filter((id) => id !== from)) {
        const exchange = translator(to, from as ProtocolId, { id: 'x1', now: 0 })
        exchange.request(questions[to], { model: 'm-upstream' })
        const { losses } = exchange.response({ ...answers[from as ProtocolId], [name]: row.named })
        expect([to, ...losses.map(({ path }) => path)]).toEqual([to, name])
      }
    }
  })
}
