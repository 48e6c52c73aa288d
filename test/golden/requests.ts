import type { JsonObject } from '../../lib/base/mod.ts'

// Written by hand after the public references of the four APIs: one feature per case, the same name for the same thing.

type Cases = Readonly<Record<string, JsonObject>>

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const pdf = 'JVBERi0xLjQKJSVFT0YK'
const schema = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}
const longId = `call_${'x'.repeat(80)}`

const chatTool = { type: 'function', function: { name: 'weather', description: 'Looks up', parameters: schema } }
const user = { role: 'user', content: 'Weather in Köln? 🦊' }
const chatCall = (id: string, city: string) => ({
  id,
  type: 'function',
  function: { name: 'weather', arguments: JSON.stringify({ city }) },
})
const chat = (more: JsonObject): JsonObject => ({ model: 'm', messages: [user], ...more })

/** Bodies for chat completions. */
const chatCases: Cases = {
  text: chat({}),
  system: chat({
    messages: [{ role: 'system', content: 'Be brief.' }, { role: 'developer', content: 'No lists.' }, user],
  }),
  turns: chat({ messages: [user, { role: 'assistant', content: 'Rain.' }, { role: 'user', content: 'Tomorrow?' }] }),
  sampling: chat({ temperature: 0.5, top_p: 0.9, max_completion_tokens: 100, stop: ['END', '###'] }),
  'legacy-limit': chat({ max_tokens: 50, stop: 'END' }),
  penalties: chat({ frequency_penalty: 0.5, presence_penalty: 0.5, seed: 7, logit_bias: { '50256': -100 } }),
  choices: chat({ n: 2, logprobs: true, top_logprobs: 3 }),
  'image-data': chat({
    messages: [{
      role: 'user',
      content: [{ type: 'text', text: 'What?' }, {
        type: 'image_url',
        image_url: { url: `data:image/png;base64,${png}` },
      }],
    }],
  }),
  'image-url': chat({
    messages: [{
      role: 'user',
      content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } }],
    }],
  }),
  file: chat({
    messages: [{
      role: 'user',
      content: [{ type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${pdf}` } }],
    }],
  }),
  audio: chat({
    messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }] }],
  }),
  tools: chat({ tools: [chatTool], tool_choice: 'auto', parallel_tool_calls: false }),
  'tool-required': chat({ tools: [chatTool], tool_choice: 'required' }),
  'tool-named': chat({ tools: [chatTool], tool_choice: { type: 'function', function: { name: 'weather' } } }),
  'tool-strict': chat({ tools: [{ ...chatTool, function: { ...chatTool.function, strict: true } }] }),
  'tool-results': chat({
    tools: [chatTool],
    messages: [
      user,
      { role: 'assistant', content: null, tool_calls: [chatCall('call_1', 'Köln'), chatCall(longId, 'Bonn')] },
      { role: 'tool', tool_call_id: 'call_1', content: 'rain' },
      { role: 'tool', tool_call_id: longId, content: [{ type: 'text', text: 'sun' }] },
    ],
  }),
  'orphaned-call': chat({
    tools: [chatTool],
    messages: [user, { role: 'assistant', content: null, tool_calls: [chatCall('call_1', 'Köln')] }, user],
  }),
  'custom-tool': chat({
    tools: [{
      type: 'custom',
      custom: { name: 'patch', format: { type: 'grammar', grammar: { syntax: 'lark', definition: 'start: "a"' } } },
    }],
  }),
  'structured-output': chat({
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
  }),
  'json-output': chat({ response_format: { type: 'json_object' } }),
  effort: chat({ reasoning_effort: 'high', verbosity: 'low' }),
  bookkeeping: chat({ user: 'u-1', store: true, metadata: { a: 'b' }, service_tier: 'flex', prompt_cache_key: 'k' }),
  unknown: chat({ x_vendor: { deep: [1, 2] } }),
  stream: chat({ stream: true, stream_options: { include_usage: true } }),
  refusal: chat({ messages: [user, { role: 'assistant', content: null, refusal: 'I will not.' }, user] }),
  'cache-breakpoint': chat({
    prompt_cache_options: { mode: 'explicit', ttl: '30m' },
    messages: [{
      role: 'user',
      content: [{ type: 'text', text: 'What?', prompt_cache_breakpoint: { mode: 'explicit', ttl: '12h' } }],
    }],
  }),
  'safety-identifier': chat({ safety_identifier: 'u-1' }),
  'end-user': chat({ user: 'u-1', safety_identifier: 'u-2' }),
  'usual-values': chat({
    modalities: ['text'],
    stream: true,
    stream_options: { include_obfuscation: false },
    service_tier: 'auto',
    store: false,
  }),
  'some-tools': chat({
    tools: [chatTool, { type: 'function', function: { name: 'time' } }],
    tool_choice: {
      type: 'allowed_tools',
      allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'time' } }] },
    },
  }),
}

const said = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Weather in Köln? 🦊' }] }
const responsesTool = { type: 'function', name: 'weather', description: 'Looks up', parameters: schema, strict: false }
const responses = (more: JsonObject): JsonObject => ({ model: 'm', input: [said], ...more })
const responsesCall = (call_id: string, city: string) => ({
  type: 'function_call',
  call_id,
  name: 'weather',
  arguments: JSON.stringify({ city }),
})

/** Bodies for responses. */
const responsesCases: Cases = {
  text: { model: 'm', input: 'Weather in Köln? 🦊' },
  system: responses({
    instructions: 'Be brief.',
    input: [{ type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'No lists.' }] }, said],
  }),
  turns: responses({
    input: [said, { role: 'assistant', content: [{ type: 'output_text', text: 'Rain.' }] }, {
      role: 'user',
      content: '?',
    }],
  }),
  sampling: responses({ temperature: 0.5, top_p: 0.9, max_output_tokens: 100 }),
  'image-data': responses({
    input: [{ role: 'user', content: [{ type: 'input_image', image_url: `data:image/png;base64,${png}` }] }],
  }),
  'image-url': responses({
    input: [{
      role: 'user',
      content: [{ type: 'input_image', image_url: 'https://example.com/a.png', detail: 'low' }],
    }],
  }),
  file: responses({
    input: [{
      role: 'user',
      content: [{ type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${pdf}` }],
    }],
  }),
  tools: responses({ tools: [responsesTool], tool_choice: 'auto', parallel_tool_calls: false }),
  'tool-required': responses({ tools: [responsesTool], tool_choice: 'required' }),
  'tool-named': responses({ tools: [responsesTool], tool_choice: { type: 'function', name: 'weather' } }),
  'tool-strict': responses({ tools: [{ ...responsesTool, strict: true }] }),
  'tool-results': responses({
    tools: [responsesTool],
    input: [
      said,
      responsesCall('call_1', 'Köln'),
      responsesCall(longId, 'Bonn'),
      { type: 'function_call_output', call_id: 'call_1', output: 'rain' },
      { type: 'function_call_output', call_id: longId, output: [{ type: 'input_text', text: 'sun' }] },
    ],
  }),
  'orphaned-call': responses({ tools: [responsesTool], input: [said, responsesCall('call_1', 'Köln'), said] }),
  'custom-tool': responses({
    tools: [{ type: 'custom', name: 'patch', format: { type: 'grammar', syntax: 'lark', definition: 'start: "a"' } }],
    input: [
      said,
      { type: 'custom_tool_call', call_id: 'call_1', name: 'patch', input: '*** Begin' },
      { type: 'custom_tool_call_output', call_id: 'call_1', output: 'done' },
    ],
  }),
  'namespace-tools': responses({
    tools: [{
      type: 'namespace',
      name: 'mcp__files__',
      description: 'Files',
      tools: [{ ...responsesTool, name: 'read' }],
    }],
  }),
  'hosted-tool': responses({ tools: [{ type: 'web_search' }, responsesTool] }),
  'structured-output': responses({ text: { format: { type: 'json_schema', name: 'answer', schema, strict: true } } }),
  'json-output': responses({ text: { format: { type: 'json_object' } } }),
  effort: responses({ reasoning: { effort: 'high', summary: 'auto' }, text: { verbosity: 'low' } }),
  reasoning: responses({
    include: ['reasoning.encrypted_content'],
    input: [
      said,
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'AbC=' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Rain.' }] },
      said,
    ],
  }),
  bookkeeping: responses({
    user: 'u-1',
    store: true,
    metadata: { a: 'b' },
    service_tier: 'flex',
    prompt_cache_key: 'k',
  }),
  truncation: responses({ truncation: 'auto', background: true, max_tool_calls: 3 }),
  unknown: responses({ x_vendor: { deep: [1, 2] } }),
  stream: responses({ stream: true }),
  'cache-breakpoint': responses({
    input: [{
      role: 'user',
      content: [{ type: 'input_text', text: 'What?', prompt_cache_breakpoint: { mode: 'explicit', ttl: '30m' } }],
    }],
  }),
  'safety-identifier': responses({ safety_identifier: 'u-1' }),
  'usual-values': responses({
    reasoning: { effort: 'low', context: 'auto', mode: 'standard' },
    stream: true,
    stream_options: { include_obfuscation: false },
  }),
  'summary-by-first-name': responses({ reasoning: { effort: 'low', generate_summary: 'detailed' } }),
  'system-image': responses({
    input: [{
      role: 'developer',
      content: [
        { type: 'input_text', text: 'Draw like this.' },
        { type: 'input_image', image_url: 'https://example.com/a.png' },
      ],
    }, said],
  }),
  'tools-first': responses({ input: [{ type: 'additional_tools', role: 'developer', tools: [responsesTool] }, said] }),
  'some-tools': responses({
    tools: [responsesTool, { type: 'function', name: 'time' }, { type: 'web_search' }],
    tool_choice: {
      type: 'allowed_tools',
      mode: 'required',
      tools: [{ type: 'function', name: 'time' }, { type: 'web_search' }],
    },
  }),
  'service-tier': responses({ service_tier: 'ultrafast' }),
}

const messages = (more: JsonObject): JsonObject => ({ model: 'm', max_tokens: 1000, messages: [user], ...more })
const messagesTool = { name: 'weather', description: 'Looks up', input_schema: schema }
const messagesCall = (id: string, city: string) => ({ type: 'tool_use', id, name: 'weather', input: { city } })

/** Bodies for messages. */
const messagesCases: Cases = {
  text: messages({}),
  system: messages({ system: [{ type: 'text', text: 'Be brief.' }, { type: 'text', text: 'No lists.' }] }),
  turns: messages({
    messages: [user, { role: 'assistant', content: 'Rain.' }, { role: 'user', content: 'Tomorrow?' }],
  }),
  sampling: messages({ temperature: 0.5, top_p: 0.9, stop_sequences: ['END', '###'] }),
  'top-k': messages({ top_k: 5 }),
  'image-data': messages({
    messages: [{
      role: 'user',
      content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }],
    }],
  }),
  'image-url': messages({
    messages: [{
      role: 'user',
      content: [{ type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }],
    }],
  }),
  file: messages({
    messages: [{
      role: 'user',
      content: [{ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: pdf } }],
    }],
  }),
  citations: messages({
    messages: [{
      role: 'user',
      content: [{
        type: 'document',
        title: 'T',
        source: { type: 'text', media_type: 'text/plain', data: 'body' },
        citations: { enabled: true },
      }],
    }],
  }),
  tools: messages({ tools: [messagesTool], tool_choice: { type: 'auto', disable_parallel_tool_use: true } }),
  'tool-required': messages({ tools: [messagesTool], tool_choice: { type: 'any' } }),
  'tool-named': messages({ tools: [messagesTool], tool_choice: { type: 'tool', name: 'weather' } }),
  'tool-results': messages({
    tools: [messagesTool],
    messages: [
      user,
      { role: 'assistant', content: [messagesCall('toolu_1', 'Köln'), messagesCall('toolu_2', 'Bonn')] },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'toolu_1', content: 'rain' },
          { type: 'tool_result', tool_use_id: 'toolu_2', content: [{ type: 'text', text: 'sun' }] },
        ],
      },
    ],
  }),
  'tool-error': messages({
    tools: [messagesTool],
    messages: [
      user,
      { role: 'assistant', content: [messagesCall('toolu_1', 'Köln')] },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: 'toolu_1', is_error: true, content: 'no such city' }],
      },
    ],
  }),
  'tool-image': messages({
    tools: [messagesTool],
    messages: [
      user,
      { role: 'assistant', content: [messagesCall('toolu_1', 'Köln')] },
      {
        role: 'user',
        content: [{
          type: 'tool_result',
          tool_use_id: 'toolu_1',
          content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }],
        }],
      },
    ],
  }),
  'orphaned-call': messages({
    tools: [messagesTool],
    messages: [user, { role: 'assistant', content: [messagesCall('toolu_1', 'Köln')] }, user],
  }),
  'hosted-tool': messages({ tools: [{ type: 'web_search_20250305', name: 'web_search', max_uses: 2 }, messagesTool] }),
  thinking: messages({
    thinking: { type: 'enabled', budget_tokens: 1024 },
    max_tokens: 4096,
    messages: [
      user,
      {
        role: 'assistant',
        content: [{ type: 'thinking', thinking: 'hm', signature: 'c2ln' }, { type: 'text', text: 'R' }],
      },
      user,
    ],
  }),
  'redacted-thinking': messages({
    messages: [
      user,
      { role: 'assistant', content: [{ type: 'redacted_thinking', data: 'cmVk' }, { type: 'text', text: 'R' }] },
      user,
    ],
  }),
  caching: messages({
    system: [{ type: 'text', text: 'Long.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi', cache_control: { type: 'ephemeral' } }] }],
  }),
  bookkeeping: messages({ metadata: { user_id: 'u-1' }, service_tier: 'standard_only' }),
  'server-features': messages({
    container: 'c-1',
    context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] },
  }),
  unknown: messages({ x_vendor: { deep: [1, 2] } }),
  stream: messages({ stream: true }),
  'early-output-format': messages({ output_format: { type: 'json_schema', schema } }),
  'thinking-updates': messages({
    max_tokens: 9000,
    thinking: { type: 'enabled', budget_tokens: 4096, display: 'updates' },
  }),
  'thinking-shown': messages({ thinking: { type: 'adaptive', display: 'summarized' } }),
  'system-settings': messages({
    messages: [user, { role: 'system', output_config: { effort: 'low' } }, {
      role: 'system',
      content: 'Be brief.',
      clear_at: 'next_user_message',
    }],
  }),
  'usual-values': messages({
    speed: 'standard',
    messages: [{
      role: 'user',
      content: [{
        type: 'document',
        source: { type: 'text', media_type: 'text/plain', data: 'Rain.' },
        citations: { enabled: false },
      }],
    }],
  }),
}

const geminiUser = { role: 'user', parts: [{ text: 'Weather in Köln? 🦊' }] }
const geminiTool = {
  functionDeclarations: [{ name: 'weather', description: 'Looks up', parametersJsonSchema: schema }],
}
const gemini = (more: JsonObject): JsonObject => ({ model: 'm', contents: [geminiUser], ...more })
const geminiConfig = (generationConfig: JsonObject): JsonObject => gemini({ generationConfig })
const geminiParts = (...parts: JsonObject[]): JsonObject => gemini({ contents: [{ role: 'user', parts }] })
const geminiCall = (city: string, more: JsonObject = {}) => ({
  functionCall: { name: 'weather', args: { city } },
  ...more,
})
const geminiResult = (response: JsonObject) => ({ functionResponse: { name: 'weather', response } })
const geminiTurns = (...contents: JsonObject[]): JsonObject =>
  gemini({ tools: [geminiTool], contents: [geminiUser, ...contents] })

/** Bodies for generateContent, with the model that stands in the path. */
const geminiCases: Cases = {
  text: gemini({}),
  system: gemini({ systemInstruction: { parts: [{ text: 'Be brief.' }, { text: 'No lists.' }] } }),
  'snake-case': {
    model: 'm',
    contents: [{ role: 'user', parts: [{ inline_data: { mime_type: 'image/png', data: png } }] }],
    system_instruction: { parts: [{ text: 'Be brief.' }] },
    generation_config: { max_output_tokens: 9, stop_sequences: ['END'] },
  },
  turns: gemini({
    contents: [geminiUser, { role: 'model', parts: [{ text: 'Rain.' }] }, {
      role: 'user',
      parts: [{ text: 'Tomorrow?' }],
    }],
  }),
  sampling: geminiConfig({ temperature: 0.5, topP: 0.9, maxOutputTokens: 100, stopSequences: ['END', '###'] }),
  'top-k': geminiConfig({ topK: 5 }),
  penalties: geminiConfig({ frequencyPenalty: 0.5, presencePenalty: 0.5, seed: 7 }),
  choices: geminiConfig({ candidateCount: 2, responseLogprobs: true, logprobs: 3 }),
  'image-data': geminiParts({ text: 'What?' }, { inlineData: { mimeType: 'image/png', data: png } }),
  'image-url': geminiParts({ fileData: { mimeType: 'image/png', fileUri: 'https://example.com/a.png' } }),
  file: geminiParts({ inlineData: { mimeType: 'application/pdf', data: pdf } }),
  'uploaded-file': geminiParts({
    fileData: {
      mimeType: 'application/pdf',
      fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/abc',
    },
  }),
  audio: geminiParts({ inlineData: { mimeType: 'audio/wav', data: 'AAAA' } }),
  video: geminiParts({
    fileData: { mimeType: 'video/mp4', fileUri: 'https://example.com/a.mp4' },
    videoMetadata: { startOffset: '1s' },
  }),
  tools: gemini({ tools: [geminiTool], toolConfig: { functionCallingConfig: { mode: 'AUTO' } } }),
  'own-schema': gemini({
    tools: [{
      functionDeclarations: [{
        name: 'weather',
        parameters: {
          type: 'OBJECT',
          properties: { city: { type: 'STRING', nullable: true }, days: { type: 'ARRAY', items: { type: 'INTEGER' } } },
          required: ['city'],
        },
      }],
    }],
  }),
  'tool-required': gemini({ tools: [geminiTool], toolConfig: { functionCallingConfig: { mode: 'ANY' } } }),
  'tool-named': gemini({
    tools: [geminiTool],
    toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['weather'] } },
  }),
  'tool-none': gemini({ tools: [geminiTool], toolConfig: { functionCallingConfig: { mode: 'NONE' } } }),
  'tool-validated': gemini({ tools: [geminiTool], toolConfig: { functionCallingConfig: { mode: 'VALIDATED' } } }),
  'tool-results': geminiTurns(
    { role: 'model', parts: [geminiCall('Köln'), geminiCall('Bonn')] },
    { role: 'user', parts: [geminiResult({ output: 'rain' }), geminiResult({ sky: 'sun', wind: 3 })] },
  ),
  'tool-ids': geminiTurns(
    { role: 'model', parts: [{ functionCall: { id: longId, name: 'weather', args: { city: 'Köln' } } }] },
    { role: 'user', parts: [{ functionResponse: { id: longId, name: 'weather', response: { output: 'rain' } } }] },
  ),
  'tool-error': geminiTurns(
    { role: 'model', parts: [geminiCall('Köln')] },
    { role: 'user', parts: [geminiResult({ error: 'no such place' })] },
  ),
  'tool-image': geminiTurns(
    { role: 'model', parts: [geminiCall('Köln')] },
    {
      role: 'user',
      parts: [{
        functionResponse: {
          name: 'weather',
          response: { output: 'see' },
          parts: [{ inlineData: { mimeType: 'image/png', data: png } }],
        },
      }],
    },
  ),
  'orphaned-call': geminiTurns({ role: 'model', parts: [geminiCall('Köln')] }, geminiUser),
  signature: geminiTurns(
    { role: 'model', parts: [{ text: 'hm', thought: true }, geminiCall('Köln', { thoughtSignature: 'c2ln' })] },
    { role: 'user', parts: [geminiResult({ output: 'rain' })] },
  ),
  'signed-text': geminiTurns(
    { role: 'model', parts: [{ text: 'Rain.', thoughtSignature: 'c2ln' }, { text: '', thoughtSignature: 'c2lo' }] },
    geminiUser,
  ),
  'hosted-tools': gemini({ tools: [{ googleSearch: {} }, { codeExecution: {} }, { urlContext: {} }] }),
  'executed-code': gemini({
    contents: [
      geminiUser,
      {
        role: 'model',
        parts: [
          { executableCode: { language: 'PYTHON', code: 'print(1)' } },
          { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' } },
          { text: 'One.' },
        ],
      },
      geminiUser,
    ],
  }),
  'json-output': geminiConfig({ responseMimeType: 'application/json' }),
  'structured-output': geminiConfig({ responseMimeType: 'application/json', responseJsonSchema: schema }),
  'structured-output-own': geminiConfig({
    responseMimeType: 'application/json',
    responseSchema: { type: 'OBJECT', properties: { city: { type: 'STRING' } } },
  }),
  'enum-output': geminiConfig({
    responseMimeType: 'text/x.enum',
    responseSchema: { type: 'STRING', enum: ['rain', 'sun'] },
  }),
  modalities: geminiConfig({ responseModalities: ['TEXT', 'IMAGE'] }),
  'thinking-budget': geminiConfig({ thinkingConfig: { thinkingBudget: 2048, includeThoughts: true } }),
  'thinking-level': geminiConfig({ thinkingConfig: { thinkingLevel: 'HIGH' } }),
  'thinking-off': geminiConfig({ thinkingConfig: { thinkingBudget: 0 } }),
  'thinking-dynamic': geminiConfig({ thinkingConfig: { thinkingBudget: -1 } }),
  safety: gemini({ safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }] }),
  cached: gemini({ cachedContent: 'cachedContents/abc' }),
  bookkeeping: gemini({ serviceTier: 'flex', labels: { team: 'a' } }),
  unknown: gemini({ x_vendor: { deep: [1, 2] } }),
  stream: gemini({ stream: true }),
  'named-file': geminiParts({ inlineData: { mimeType: 'application/pdf', data: pdf, displayName: 'a.pdf' } }),
  'usual-values': gemini({
    serviceTier: 'unspecified',
    generationConfig: {
      responseModalities: ['TEXT'],
      mediaResolution: 'MEDIA_RESOLUTION_UNSPECIFIED',
      audioTimestamp: false,
    },
    tools: [{ functionDeclarations: [{ name: 'time', behavior: 'BLOCKING' }] }],
    toolConfig: {
      functionCallingConfig: { mode: 'MODE_UNSPECIFIED', streamFunctionCallArguments: false },
      includeServerSideToolInvocations: false,
    },
  }),
  'streamed-arguments': gemini({
    tools: [geminiTool],
    toolConfig: { functionCallingConfig: { mode: 'AUTO', streamFunctionCallArguments: true } },
  }),
  'some-tools': gemini({
    tools: [{ functionDeclarations: [{ name: 'time' }, { name: 'weather' }] }],
    toolConfig: { functionCallingConfig: { mode: 'AUTO', allowedFunctionNames: ['time'] } },
  }),
  'nullable-schema': geminiConfig({
    responseMimeType: 'application/json',
    responseSchema: {
      type: 'OBJECT',
      properties: {
        sky: { type: 'STRING', enum: ['rain', 'sun'], nullable: true },
        wind: { anyOf: [{ type: 'INTEGER' }, { type: 'STRING' }], nullable: true },
      },
    },
  }),
}

/** What clients ask, by protocol and feature. */
export const requests = {
  'openai-chat': chatCases,
  'openai-responses': responsesCases,
  'anthropic-messages': messagesCases,
  'gemini': geminiCases,
} as const
