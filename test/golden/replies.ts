import type { JsonObject } from '../../lib/base/mod.ts'

// Written by hand after the public references of the four APIs: whole answers, one thing that can happen per case.

type Cases = Readonly<Record<string, JsonObject>>

const chat = (message: JsonObject, finish_reason = 'stop', usage: JsonObject = {}): JsonObject => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1700000000,
  model: 'm-upstream',
  choices: [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason }],
  usage: { prompt_tokens: 20, completion_tokens: 7, total_tokens: 27, ...usage },
})
const chatCall = (id: string, input: string) => ({
  id,
  type: 'function',
  function: { name: 'weather', arguments: input },
})

const chatCases: Cases = {
  text: chat({ content: 'grüße 🦊 "quoted"' }),
  call: chat({ tool_calls: [chatCall('call_1', '{"city":"Köln"}')] }, 'tool_calls'),
  choices: {
    ...chat({}),
    choices: [
      { index: 0, message: { role: 'assistant', content: 'Rain.' }, finish_reason: 'stop' },
      { index: 1, message: { role: 'assistant', content: 'Half of' }, finish_reason: 'length' },
      {
        index: 2,
        message: { role: 'assistant', content: null, tool_calls: [chatCall('call_1', '{"city":"Köln"}')] },
        finish_reason: 'tool_calls',
      },
    ],
  },
  'parallel-calls': chat({
    content: 'Both.',
    tool_calls: [chatCall('call_1', '{"city":"Köln"}'), chatCall(`call_${'y'.repeat(90)}`, '{"city":"Bonn"}')],
  }, 'tool_calls'),
  'empty-arguments': chat({ tool_calls: [chatCall('call_1', '')] }, 'tool_calls'),
  'cut-by-limit': chat({ content: 'half of' }, 'length'),
  filtered: chat({ content: '', refusal: null }, 'content_filter'),
  refused: chat({ refusal: 'I will not.' }),
  usage: chat({ content: 'x' }, 'stop', {
    prompt_tokens_details: { cached_tokens: 12 },
    completion_tokens_details: { reasoning_tokens: 4 },
  }),
  'no-usage': { ...chat({ content: 'x' }), usage: null },
  reasoning: chat({ reasoning_content: 'hm', content: 'x' }),
  'told-more': {
    ...chat({ content: 'x', audio: { id: 'audio_1', data: 'AAAA', expires_at: 1700003600, transcript: 'x' } }, 'stop', {
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 3, accepted_prediction_tokens: 0 },
    }),
    service_tier: 'flex',
    system_fingerprint: 'fp_1',
  },
  annotated: chat({
    content: 'x',
    annotations: [{
      type: 'url_citation',
      url_citation: { url: 'https://e.com', title: 'E', start_index: 0, end_index: 1 },
    }],
  }),
  error: {
    error: { message: 'Rate limit reached', type: 'rate_limit_error', code: 'rate_limit_exceeded', param: null },
  },
}

const responses = (output: JsonObject[], more: JsonObject = {}): JsonObject => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1700000000,
  model: 'm-upstream',
  status: 'completed',
  incomplete_details: null,
  error: null,
  output,
  usage: { input_tokens: 20, output_tokens: 7, total_tokens: 27 },
  ...more,
})
const message = (...content: JsonObject[]): JsonObject => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content,
})
const text = (text: string, annotations: JsonObject[] = []): JsonObject => ({ type: 'output_text', text, annotations })
const call = (call_id: string, input: string): JsonObject => ({
  id: `fc_${call_id.slice(0, 8)}`,
  type: 'function_call',
  status: 'completed',
  call_id,
  name: 'weather',
  arguments: input,
})

const responsesCases: Cases = {
  text: responses([message(text('grüße 🦊 "quoted"'))]),
  call: responses([call('call_1', '{"city":"Köln"}')]),
  'parallel-calls': responses([
    message(text('Both.')),
    call('call_1', '{"city":"Köln"}'),
    call(`call_${'y'.repeat(90)}`, '{"city":"Bonn"}'),
  ]),
  'empty-arguments': responses([call('call_1', '')]),
  'cut-by-limit': responses([message(text('half of'))], {
    status: 'incomplete',
    incomplete_details: { reason: 'max_output_tokens' },
  }),
  filtered: responses([message(text('half of'))], {
    status: 'incomplete',
    incomplete_details: { reason: 'content_filter' },
  }),
  refused: responses([message({ type: 'refusal', refusal: 'I will not.' })]),
  usage: responses([message(text('x'))], {
    usage: {
      input_tokens: 20,
      input_tokens_details: { cached_tokens: 12 },
      output_tokens: 7,
      output_tokens_details: { reasoning_tokens: 4 },
      total_tokens: 27,
    },
  }),
  'no-usage': responses([message(text('x'))], { usage: null }),
  'told-more': responses([
    { ...message(text('x')), phase: 'commentary' },
    { ...call('call_1', '{"city":"Köln"}'), caller: { type: 'program', caller_id: 'prog_1' } },
  ], { service_tier: 'priority', tool_usage: { web_search: { num_requests: 2 } }, truncation: 'disabled' }),
  reasoning: responses([
    { id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'AbC=' },
    message(text('x')),
  ]),
  annotated: responses([
    message(text('x', [{ type: 'url_citation', url: 'https://e.com', title: 'E', start_index: 0, end_index: 1 }])),
  ]),
  'hosted-call': responses([
    { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'q' } },
    message(text('x')),
  ]),
  error: responses([], { status: 'failed', error: { code: 'server_error', message: 'it broke' }, usage: null }),
}

const messages = (content: JsonObject[], stop_reason = 'end_turn', usage: JsonObject = {}): JsonObject => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm-upstream',
  content,
  stop_reason,
  stop_sequence: null,
  usage: { input_tokens: 20, output_tokens: 7, ...usage },
})
const said = { type: 'text', text: 'x' }
const use = (id: string, input: JsonObject): JsonObject => ({ type: 'tool_use', id, name: 'weather', input })

const messagesCases: Cases = {
  text: messages([{ type: 'text', text: 'grüße 🦊 "quoted"' }]),
  call: messages([use('toolu_1', { city: 'Köln' })], 'tool_use'),
  'parallel-calls': messages(
    [{ type: 'text', text: 'Both.' }, use('toolu_1', { city: 'Köln' }), use('toolu_2', { city: 'Bonn' })],
    'tool_use',
  ),
  'empty-arguments': messages([use('toolu_1', {})], 'tool_use'),
  'cut-by-limit': messages([{ type: 'text', text: 'half of' }], 'max_tokens'),
  'full-context': messages([{ type: 'text', text: 'half of' }], 'model_context_window_exceeded'),
  'stop-sequence': { ...messages([said], 'stop_sequence'), stop_sequence: 'END' },
  paused: messages([said], 'pause_turn'),
  refused: messages([{ type: 'text', text: 'I' }], 'refusal'),
  usage: messages([said], 'end_turn', {
    cache_read_input_tokens: 12,
    cache_creation_input_tokens: 9,
    cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 5 },
  }),
  'told-more': {
    ...messages([said, { ...use('toolu_1', {}), caller: { type: 'direct' }, toolset_name: 'desk' }], 'tool_use', {
      server_tool_use: { web_search_requests: 2, web_fetch_requests: 0 },
      service_tier: 'priority',
    }),
    container: { id: 'cntr_1', expires_at: '2026-01-01T00:00:00Z' },
    stop_details: null,
  },
  thinking: messages([{ type: 'thinking', thinking: 'hm', signature: 'c2ln' }, said]),
  'redacted-thinking': messages([{ type: 'redacted_thinking', data: 'cmVk' }, said]),
  cited: messages([{
    ...said,
    citations: [{
      type: 'char_location',
      cited_text: 'b',
      document_index: 0,
      document_title: 'T',
      start_char_index: 0,
      end_char_index: 1,
    }],
  }]),
  'web-cited': messages([
    { type: 'text', text: 'It rains. ' },
    {
      type: 'text',
      text: 'So says the paper',
      citations: [{
        type: 'web_search_result_location',
        url: 'https://e.com/rain',
        title: 'Rain',
        cited_text: 'rain',
        encrypted_index: 'ZW5j',
      }],
    },
  ]),
  'hosted-call': messages([
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'q' } },
    { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] },
    said,
  ]),
  error: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
}

const content = (
  parts: JsonObject[],
  finishReason = 'STOP',
  usage: JsonObject = {},
  more: JsonObject = {},
): JsonObject => ({
  candidates: [{ content: { role: 'model', parts }, finishReason, index: 0, ...more }],
  usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 7, totalTokenCount: 27, ...usage },
  modelVersion: 'm-upstream',
  responseId: 'r1',
})
const functionCall = (city: string, more: JsonObject = {}): JsonObject => ({
  functionCall: { name: 'weather', args: { city } },
  ...more,
})
const sealed = { thoughtSignature: 'c2ln' }

const geminiCases: Cases = {
  text: content([{ text: 'grüße 🦊 "quoted"' }]),
  call: content([functionCall('Köln')]),
  'named-call': content([{ functionCall: { id: 'fc-1', name: 'weather', args: { city: 'Köln' } } }]),
  choices: {
    ...content([]),
    candidates: [
      { content: { role: 'model', parts: [{ text: 'Rain.' }] }, finishReason: 'STOP', index: 0 },
      { content: { role: 'model', parts: [{ text: 'Half of' }] }, finishReason: 'MAX_TOKENS', index: 1 },
      { content: { role: 'model', parts: [functionCall('Köln')] }, finishReason: 'STOP', index: 2 },
    ],
  },
  'parallel-calls': content([{ text: 'Both.' }, functionCall('Köln', sealed), functionCall('Bonn')]),
  'empty-arguments': content([{ functionCall: { name: 'weather' } }]),
  'cut-by-limit': content([{ text: 'half of' }], 'MAX_TOKENS'),
  filtered: content([{ text: 'half of' }], 'SAFETY'),
  recited: content([{ text: 'half of' }], 'RECITATION'),
  'other-end': content([{ text: 'half of' }], 'OTHER'),
  'to-be-continued': content([{ text: 'half of' }], 'CONTINUATION', {}, { continuationToken: 'dG9rZW4=' }),
  'told-more': content([{ text: 'x' }], 'STOP', {
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: 12 }, { modality: 'IMAGE', tokenCount: 8 }],
    candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: 7 }],
    trafficType: 'ON_DEMAND',
  }, { safetyRatings: [{ category: 'HARM_CATEGORY_HARASSMENT', probability: 'NEGLIGIBLE' }], avgLogprobs: -0.1 }),
  'malformed-call': content([], 'MALFORMED_FUNCTION_CALL', {}, { finishMessage: 'Malformed function call: weather(' }),
  'blocked-prompt': {
    promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
    usageMetadata: { promptTokenCount: 20, totalTokenCount: 20 },
    modelVersion: 'm-upstream',
  },
  usage: content([{ text: 'x' }], 'STOP', {
    promptTokenCount: 20,
    cachedContentTokenCount: 12,
    candidatesTokenCount: 7,
    thoughtsTokenCount: 4,
    toolUsePromptTokenCount: 5,
    totalTokenCount: 36,
  }),
  'no-usage': { candidates: [{ content: { role: 'model', parts: [{ text: 'x' }] }, finishReason: 'STOP' }] },
  thinking: content([{ text: 'hm', thought: true }, { text: 'x', ...sealed }]),
  'thinking-before-call': content([{ text: 'hm', thought: true }, functionCall('Köln', sealed)]),
  'signature-at-the-end': content([{ text: 'x' }, { text: '', ...sealed }]),
  grounded: content([{ text: 'Köln: Regen' }], 'STOP', {}, {
    groundingMetadata: {
      webSearchQueries: ['wetter köln'],
      groundingChunks: [{ web: { uri: 'https://e.com', title: 'E' } }],
      groundingSupports: [{
        segment: { startIndex: 0, endIndex: 5, text: 'Köln' },
        groundingChunkIndices: [0],
      }],
    },
  }),
  'executed-code': content([
    { executableCode: { language: 'PYTHON', code: 'print(1)' } },
    { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' } },
    { text: 'One.' },
  ]),
  image: content([{ text: 'Here.' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }]),
  error: { error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' } },
}

/** What upstreams answer, by protocol and happening. */
export const replies = {
  'openai-chat': chatCases,
  'openai-responses': responsesCases,
  'anthropic-messages': messagesCases,
  'gemini': geminiCases,
} as const
