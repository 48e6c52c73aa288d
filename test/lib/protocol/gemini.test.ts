import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { JsonObject } from '../../../lib/base/mod.ts'
import { packedMarks, type ProtocolId, stripReasoning, translator } from '../../../lib/protocol/mod.ts'
import { protocolOf } from '../../../lib/protocol/protocols.ts'
import { hear } from '../../../lib/conform/grammar.ts'

const utf8 = new TextEncoder()
const own: Readonly<Record<Exclude<ProtocolId, 'gemini'>, JsonObject>> = {
  'openai-chat': { model: 'm', messages: [{ role: 'user', content: 'hi' }] },
  'openai-responses': { model: 'm', input: [{ role: 'user', content: 'hi' }] },
  'anthropic-messages': { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] },
}
const generate = (more: JsonObject = {}): JsonObject => ({
  model: 'm',
  contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
  generationConfig: { thinkingConfig: { includeThoughts: true } },
  ...more,
})

function ask(client: ProtocolId, upstream: ProtocolId, body: JsonObject, model = 'gemini-2.5-pro') {
  const exchange = translator(client, upstream, { id: 'x1', now: 0 })
  const { body: sent, losses } = exchange.request(body, {
    model: upstream === 'anthropic-messages' ? 'claude-opus-4-7' : model,
  })
  return { exchange, sent, losses: losses.map(({ path }) => path) }
}

/** The next turn of a caller that sends the answer back as it got it, with a result for each call. */
function next(client: ProtocolId, body: JsonObject, answer: JsonObject): JsonObject {
  const list = (value: unknown): JsonObject[] => value as JsonObject[]
  switch (client) {
    case 'openai-chat': {
      const message = list(answer.choices)[0]!.message as JsonObject
      const results = list(message.tool_calls ?? []).map(({ id }) => ({
        role: 'tool',
        tool_call_id: id!,
        content: 'ok',
      }))
      return { ...body, messages: [...list(body.messages), message, ...results] }
    }
    case 'openai-responses': {
      const calls = list(answer.output).filter(({ type }) => type === 'function_call')
      const results = calls.map(({ call_id }) => ({ type: 'function_call_output', call_id: call_id!, output: 'ok' }))
      return { ...body, input: [...list(body.input), ...list(answer.output), ...results] }
    }
    case 'anthropic-messages': {
      const calls = list(answer.content).filter(({ type }) => type === 'tool_use')
      const results = calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id!, content: 'ok' }))
      const said = { role: 'assistant', content: answer.content! }
      return { ...body, messages: [...list(body.messages), said, { role: 'user', content: results }] }
    }
    case 'gemini': {
      const content = list(answer.candidates)[0]!.content as JsonObject
      const calls = list(content.parts).flatMap((part) => part.functionCall ? [part.functionCall as JsonObject] : [])
      const results = calls.map(({ id, name }): JsonObject => ({
        functionResponse: { id: id!, name: name!, response: { output: 'ok' } },
      }))
      return { ...body, contents: [...list(body.contents), content, { role: 'user', parts: results }] }
    }
  }
}

const reply = (parts: JsonObject[], more: JsonObject = {}): JsonObject => ({
  candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0, ...more }],
})
const call = (name: string, more: JsonObject = {}): JsonObject => ({ functionCall: { name, args: { a: 1 } }, ...more })

describe('a thought signature', () => {
  // What the model said, and what of it must be in the next request, part for part.
  const table: readonly (readonly [name: string, said: JsonObject[], back: JsonObject[]])[] = [
    ['on a call', [call('f', { thoughtSignature: 'AbC+/==' })], [call('f', { thoughtSignature: 'AbC+/==' })]],
    [
      'on the first of parallel calls, behind a text',
      [{ text: 'Both.' }, call('f', { thoughtSignature: 'AbC+/==' }), call('g')],
      [{ text: 'Both.' }, call('f', { thoughtSignature: 'AbC+/==' }), call('g')],
    ],
    [
      'behind thoughts that were shown',
      [{ text: 'hm', thought: true }, call('f', { thoughtSignature: 'AbC+/==' })],
      [{ text: 'hm', thought: true }, call('f', { thoughtSignature: 'AbC+/==' })],
    ],
    [
      'on a text',
      [{ text: 'Rain.', thoughtSignature: 'AbC+/==' }, call('f')],
      [{ text: 'Rain.', thoughtSignature: 'AbC+/==' }, call('f')],
    ],
  ]
  for (const client of ['openai-chat', 'openai-responses', 'anthropic-messages'] as const) {
    for (const [name, said, back] of table) {
      test(`${name} goes through ${client} and comes back byte for byte, on the part that it came on`, () => {
        for (const streamed of [false, true]) {
          const first = ask(client, 'gemini', { ...own[client], ...(streamed ? { stream: true } : {}) })
          const whole = streamed ? heardAs(client, first.exchange.streamOf(reply(said)).end()) : null
          const { body } = whole ?? first.exchange.response(reply(said))
          const { sent } = ask(client, 'gemini', next(client, own[client], body))
          const parts = (sent.contents as JsonObject[]).find(({ role }) => role === 'model')!.parts as JsonObject[]
          // Chat has no place for thoughts without a proof once there is one with it.
          const shown = client === 'openai-chat' ? back.filter((part) => part.thought === undefined) : back
          const seen = client === 'openai-chat' ? parts.filter((part) => part.thought === undefined) : parts
          expect(seen).toEqual(shown)
        }
      })
    }
  }

  test('of another issuer goes through a client of generateContent, whatever base64 it writes', () => {
    const thinking = { type: 'thinking', thinking: 'step 1\n"é🦊"??>>', signature: 'EqQB+/=' }
    const redacted = { type: 'redacted_thinking', data: 'Opaque+/==' }
    const content = [thinking, redacted, { type: 'tool_use', id: 't', name: 'f', input: {} }]
    const first = ask('gemini', 'anthropic-messages', generate())
    const { body } = first.exchange.response({ content, stop_reason: 'tool_use' })
    const again = next('gemini', generate(), body)
    expect(packedMarks.some((mark) => JSON.stringify(again).includes(mark))).toBe(true)
    const urlSafe = JSON.parse(
      JSON.stringify(again).replace(
        /"thoughtSignature":"[^"]+"/g,
        (text) => text.replaceAll('+', '-').replaceAll('/', '_'),
      ),
    ) as JsonObject
    for (const turn of [again, urlSafe]) {
      const { sent, losses } = ask('gemini', 'anthropic-messages', turn)
      expect((sent.messages as JsonObject[])[1]!.content).toEqual(content)
      expect(losses).toEqual([])
      // The vendor itself is never sent what it did not make.
      const home = ask('gemini', 'gemini', turn)
      expect(JSON.stringify(home.sent)).not.toContain('Z3cxL')
      expect(home.losses.length).toBe(2)
    }
    // Who does not ask for thoughts is not shown them, and the signature still comes.
    const { generationConfig: _, ...plain } = generate()
    const quiet = ask('gemini', 'anthropic-messages', plain).exchange.response({ content, stop_reason: 'tool_use' })
    const parts = ((quiet.body.candidates as JsonObject[])[0]!.content as JsonObject).parts as JsonObject[]
    expect(parts.map((part) => Object.keys(part))).toEqual([['functionCall', 'thoughtSignature']])
  })

  test('is taken out where another account serves, and what only carried it too', () => {
    const contents = [{
      role: 'model',
      parts: [
        { text: 'x', thoughtSignature: 'AA' },
        { text: '', thoughtSignature: 'BB' },
        call('f', { thoughtSignature: 'CC' }),
      ],
    }]
    const stripped = stripReasoning('gemini', { contents })!
    expect(stripped.body).toEqual({ contents: [{ role: 'model', parts: [{ text: 'x' }, call('f')] }] })
    expect(stripped.losses.map(({ path }) => path)).toEqual(
      [0, 1, 2].map((i) => `contents[0].parts[${i}].thoughtSignature`),
    )
    expect(stripReasoning('gemini', generate())).toBeNull()
  })

  test('that is missing on a call of another model has the stand-in that the vendor documents, from its third line on', () => {
    const messages = [
      { role: 'user', content: 'hi' },
      {
        role: 'assistant',
        content: null,
        tool_calls: ['f', 'g'].map((name) => ({
          id: `c_${name}`,
          type: 'function',
          function: { name, arguments: '{}' },
        })),
      },
      { role: 'tool', tool_call_id: 'c_f', content: 'ok' },
      { role: 'tool', tool_call_id: 'c_g', content: 'ok' },
    ]
    for (
      const [model, expected] of [
        ['gemini-3-pro-preview', ['skip_thought_signature_validator', undefined]],
        ['gemini-2.5-pro', [undefined, undefined]],
      ] as const
    ) {
      const { sent } = ask('openai-chat', 'gemini', { model: 'm', messages }, model)
      const parts = (sent.contents as JsonObject[])[1]!.parts as JsonObject[]
      expect(parts.map((part) => part.thoughtSignature as string | undefined)).toEqual([...expected])
    }
  })
})

/** A stream as the whole answer that its client would make of it, read by the protocol's own decoder. */
function heardAs(client: ProtocolId, bytes: readonly Uint8Array[]): { readonly body: JsonObject } {
  if (client === 'openai-responses') {
    const last = new TextDecoder().decode(bytes.at(-1)).split('data: ').at(-1)!
    return { body: (JSON.parse(last) as { response: JsonObject }).response }
  }
  const exchange = translator(client, client, { id: 'x1', now: 0 })
  exchange.request(client === 'gemini' ? generate() : own[client], { model: 'm' })
  const aggregator = exchange.aggregate()
  for (const piece of bytes) aggregator.push(piece)
  return aggregator.end()
}

describe('calls without ids', () => {
  test('meet their results by name and order, and get none on the way back', () => {
    const contents = [
      { role: 'user', parts: [{ text: 'hi' }] },
      { role: 'model', parts: [call('f'), call('g'), call('f')] },
      {
        role: 'user',
        parts: ['g', 'f', 'f'].map((name, i) => ({ functionResponse: { name, response: { output: `r${i}` } } })),
      },
    ]
    const { sent } = ask('gemini', 'openai-chat', { model: 'm', contents })
    const [, said, ...results] = sent.messages as JsonObject[]
    const ids = (said!.tool_calls as JsonObject[]).map(({ id }) => id)
    expect(new Set(ids).size).toBe(3)
    expect(results.map(({ tool_call_id, content }) => [ids.indexOf(tool_call_id), content]).sort()).toEqual([
      [0, 'r1'],
      [1, 'r0'],
      [2, 'r2'],
    ])
    const { body } = ask('openai-chat', 'gemini', own['openai-chat']).exchange.response(reply([call('f'), call('g')]))
    const again = ask('openai-chat', 'gemini', next('openai-chat', own['openai-chat'], body))
    expect(JSON.stringify(again.sent)).not.toContain('"id"')
  })
})

describe('a stream', () => {
  const wire = (...events: JsonObject[]): Uint8Array =>
    utf8.encode(events.map((event) => `data: ${JSON.stringify(event)}\r\n\r\n`).join(''))
  const run = (client: ProtocolId, bytes: Uint8Array) => {
    const body = client === 'gemini' ? generate() : own[client]
    const stream = ask(client, 'gemini', { ...body, stream: true }).exchange.stream()
    const out = [...stream.push(bytes), ...stream.end()].map((piece) => new TextDecoder().decode(piece)).join('')
    return { stream, heard: hear(client, out) }
  }

  test('of a model that names a finish in every piece ends once, with the usage of the last', () => {
    const usage = (n: number) => ({
      promptTokenCount: 3,
      candidatesTokenCount: n,
      thoughtsTokenCount: 2,
      toolUsePromptTokenCount: 4,
    })
    const pieces = [1, 2, 3].map((n) => ({ ...reply([{ text: `w${n} ` }]), usageMetadata: usage(n) }))
    for (const client of ['openai-chat', 'anthropic-messages', 'openai-responses'] as const) {
      const { stream, heard } = run(client, wire(...pieces, { usageMetadata: usage(5) }))
      expect(heard.text).toBe('w1 w2 w3 ')
      expect(stream.usage).toMatchObject({ inputTokens: 7, outputTokens: 7, reasoningTokens: 2 })
    }
  })

  const ends = [
    ['STOP', 'end_turn', 'stop'],
    ['MAX_TOKENS', 'max_tokens', 'length'],
    ...[
      'SAFETY',
      'RECITATION',
      'LANGUAGE',
      'BLOCKLIST',
      'PROHIBITED_CONTENT',
      'SPII',
      'IMAGE_SAFETY',
      'IMAGE_RECITATION',
    ]
      .map((word) => [word, 'refusal', 'content_filter'] as const),
    ['OTHER', 'pause_turn', 'length'],
  ] as const
  for (const [word, anthropic, chat] of ends) {
    test(`that ends in ${word} ends so everywhere`, () => {
      const bytes = wire(reply([{ text: 'x' }], { finishReason: word }))
      expect(run('anthropic-messages', bytes).heard.stop).toBe(anthropic)
      expect(run('openai-chat', bytes).heard.stop).toBe(chat)
    })
  }
  for (const word of ['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL', 'MALFORMED_RESPONSE', 'NEW_WORD']) {
    test(`that ends in ${word} is a failure, and never a normal end`, () => {
      const { stream, heard } = run('anthropic-messages', wire(reply([{ text: 'x' }], { finishReason: word })))
      expect([stream.failure?.kind, heard.stop]).toEqual(['malformed', null])
    })
  }

  test('whose prompt was blocked is filtered, and not empty', () => {
    const { heard } = run('openai-chat', wire({ promptFeedback: { blockReason: 'SAFETY' } }))
    expect(heard.stop).toBe('content_filter')
  })

  test('says what a whole answer says, for any parts in any order', () => {
    const part = fc.oneof(
      fc.string({ minLength: 1 }).map((text): JsonObject => ({ text })),
      fc.string({ minLength: 1 }).map((text): JsonObject => ({ text, thought: true })),
      fc.constantFrom(call('f'), call('g', { thoughtSignature: 'AbC=' })),
      fc.constant<JsonObject>({ text: '', thoughtSignature: 'AbC=' }),
    )
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...Object.keys(own)),
        (parts, name) => {
          const client = name as Exclude<ProtocolId, 'gemini'>
          const pieces = parts.map((item, i) => ({
            candidates: [{
              content: { parts: [item] },
              index: 0,
              ...(i === parts.length - 1 ? { finishReason: 'STOP' } : {}),
            }],
          }))
          const { stream, heard } = run(client, wire(...pieces))
          const whole = ask(client, 'gemini', own[client]).exchange.response(reply(parts))
          expect(stream.failure?.kind ?? null).toBe(whole.failure?.kind ?? null)
          if (whole.failure !== null) return
          const again = protocolOf(client).decodeResponse(whole.body, 's')
          if (!again.ok) throw new Error('the answer does not read')
          const text = again.response.parts.flatMap((item) => item.type === 'text' ? item.text : []).join('')
          const calls = again.response.parts.flatMap((item) => item.type === 'tool-call' ? item.name : [])
          expect([heard.text, heard.calls.map((item) => item.name)]).toEqual([text, calls])
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('an error', () => {
  const detail = (reason: string) => [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }]
  const table = [
    [400, { status: 'INVALID_ARGUMENT', message: 'bad' }, 'invalid_request'],
    [
      400,
      { status: 'INVALID_ARGUMENT', message: 'API key not valid.', details: detail('API_KEY_INVALID') },
      'unauthorized',
    ],
    [400, {
      status: 'INVALID_ARGUMENT',
      message: 'The input token count (2000000) exceeds the maximum number of tokens allowed (1048575).',
    }, 'context_length'],
    [400, { status: 'FAILED_PRECONDITION', message: 'User location is not supported' }, 'entitlement'],
    [401, { status: 'UNAUTHENTICATED', message: 'no' }, 'unauthorized'],
    [403, { status: 'PERMISSION_DENIED', message: 'no', details: detail('BILLING_DISABLED') }, 'billing'],
    [404, { status: 'NOT_FOUND', message: 'no' }, 'model_unavailable'],
    [429, { status: 'RESOURCE_EXHAUSTED', message: 'no' }, 'rate_limited'],
    [500, { status: 'INTERNAL', message: 'no' }, 'server_error'],
    [503, { status: 'UNAVAILABLE', message: 'no' }, 'overloaded'],
    [504, { status: 'DEADLINE_EXCEEDED', message: 'no' }, 'timeout'],
  ] as const
  for (const [code, error, kind] of table) {
    test(`${error.status} (${error.message.slice(0, 20)}) is ${kind}, in a list as well`, () => {
      const body = { error: { code, ...error } }
      const { decodeFailure, encodeFailure } = protocolOf('gemini')
      expect(decodeFailure(code, body)).toMatchObject({ kind, status: code, code: error.status })
      expect(decodeFailure(null, [body]).kind).toBe(kind)
      const again = encodeFailure(decodeFailure(code, body)).error as JsonObject
      expect(again).toMatchObject({ code: expect.any(Number), message: error.message, status: expect.any(String) })
    })
  }

  test('says how long to wait where it says so', () => {
    const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '36.5s' }
    const error = { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'no', details: [retry] }
    expect(protocolOf('gemini').decodeFailure(429, { error }).retryAfterMs).toBe(36_500)
  })
})

describe('thinking', () => {
  const table = [
    ['gemini-2.5-pro', { reasoning_effort: 'none' }, { thinkingBudget: 0 }, []],
    ['gemini-2.5-pro', { reasoning_effort: 'medium' }, { thinkingBudget: 8192 }, []],
    ['gemini-2.5-pro', { reasoning_effort: 'xhigh' }, { thinkingBudget: 24_576 }, ['reasoning_effort']],
    ['gemini-3-flash-preview', { reasoning_effort: 'minimal' }, { thinkingLevel: 'minimal' }, []],
    ['gemini-3-pro-preview', { reasoning_effort: 'high' }, { thinkingLevel: 'high' }, []],
    ['gemini-3-pro-preview', { reasoning_effort: 'none' }, { thinkingLevel: 'low' }, ['reasoning_effort']],
  ] as const
  for (const [model, wish, config, lost] of table) {
    test(`${JSON.stringify(wish)} for ${model} is ${JSON.stringify(config)}`, () => {
      const { sent, losses } = ask('openai-chat', 'gemini', { ...own['openai-chat'], ...wish }, model)
      expect((sent.generationConfig as JsonObject).thinkingConfig).toEqual(config)
      expect(losses).toEqual([...lost])
    })
  }
})
