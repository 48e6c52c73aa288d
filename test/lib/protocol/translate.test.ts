import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Json, JsonObject } from '../../../lib/base/mod.ts'
import { packedMarks, type ProtocolId, translator } from '../../../lib/protocol/mod.ts'
import { repairs } from '../../../lib/protocol/repair.ts'
import type { TranslatorOptions } from '../../../lib/protocol/translate.ts'
import { hear } from '../../../lib/conform/grammar.ts'

const utf8 = new TextEncoder()

function ask(client: ProtocolId, upstream: ProtocolId, body: JsonObject, options: Partial<TranslatorOptions> = {}) {
  const exchange = translator(client, upstream, { id: 'x1', now: 0, ...options })
  const { body: sent, losses } = exchange.request(body, { model: 'claude-opus-4-5' })
  return { exchange, sent, losses: losses.map(({ path }) => path) }
}

const user = (content: Json): JsonObject => ({ role: 'user', content })
const messagesOf = (body: JsonObject): JsonObject[] => body.messages as JsonObject[]

describe('a growing conversation', () => {
  const turn = fc.oneof(
    fc.record({ text: fc.string(), answer: fc.string({ minLength: 1 }) }),
    fc.record({ text: fc.string(), calls: fc.array(fc.json(), { minLength: 1, maxLength: 3 }), result: fc.string() }),
  )
  type Turn = { text: string; answer?: string; calls?: string[]; result?: string }
  const chatOf = (turns: readonly Turn[]): JsonObject[] =>
    turns.flatMap(({ text, answer, calls, result }, i): JsonObject[] => [
      user(`${i} ${text}`),
      ...(answer === undefined ? [] : [{ role: 'assistant', content: answer }]),
      ...(calls === undefined ? [] : [
        {
          role: 'assistant',
          content: null,
          tool_calls: calls.map((input, j) => ({
            id: `c${i}_${j}`,
            type: 'function',
            function: { name: 'f', arguments: JSON.stringify({ input }) },
          })),
        },
        ...calls.map((_, j): JsonObject => ({ role: 'tool', tool_call_id: `c${i}_${j}`, content: result ?? '' })),
        { role: 'assistant', content: `done ${i}` },
      ]),
    ])

  for (const upstream of ['anthropic-messages', 'openai-responses', 'gemini'] as const) {
    test(`keeps its serialised prefix on the way to ${upstream}`, () => {
      fc.assert(
        fc.property(fc.array(turn, { minLength: 1, maxLength: 6 }), (turns) => {
          let before = ''
          for (let n = 1; n <= turns.length; n++) {
            const messages = [{ role: 'system', content: 'S' }, ...chatOf(turns.slice(0, n) as Turn[])]
            const { sent } = ask('openai-chat', upstream, { model: 'm', messages })
            const text = JSON.stringify(sent.messages ?? sent.input ?? sent.contents)
            expect(text.startsWith(before)).toBe(true)
            before = text.slice(0, -1)
          }
        }),
        { numRuns: 1000, seed: 7 },
      )
    }, 60_000)
  }
})

describe('tools', () => {
  const patch = '*** Begin Patch\n+"é\\ 🦊"\t\u2028\n*** End'
  const tools = [{
    type: 'custom',
    name: 'apply_patch',
    description: 'p',
    format: { type: 'grammar', syntax: 'lark', definition: 'x' },
  }]

  test('a custom tool goes through JSON arguments and comes back, split at every byte', () => {
    const { exchange, sent, losses } = ask('openai-responses', 'anthropic-messages', {
      model: 'm',
      input: 'hi',
      stream: true,
      tools,
    })
    expect((sent.tools as JsonObject[])[0]!.input_schema).toMatchObject({ required: ['input'] })
    expect(losses).toEqual(['tools[0].format'])
    const json = JSON.stringify({ input: patch })
    for (let size = 1; size <= json.length; size++) {
      const deltas = Array.from(
        { length: Math.ceil(json.length / size) },
        (_, i) => json.slice(i * size, (i + 1) * size),
      )
      const wire = [
        { type: 'message_start', message: { id: 'm', content: [], usage: { input_tokens: 1 } } },
        {
          type: 'content_block_start',
          index: 0,
          content_block: { type: 'tool_use', id: 't', name: 'apply_patch', input: {} },
        },
        ...deltas.map((partial_json) => ({
          type: 'content_block_delta',
          index: 0,
          delta: { type: 'input_json_delta', partial_json },
        })),
        { type: 'content_block_stop', index: 0 },
        { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 2 } },
        { type: 'message_stop' },
      ].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
      const stream = exchange.stream()
      const out = Buffer.concat([...stream.push(utf8.encode(wire)), ...stream.end()]).toString()
      expect(hear('openai-responses', out).calls).toEqual([{ id: 't', name: 'apply_patch', input: patch }])
      expect(out).toContain('custom_tool_call_input.delta')
    }
  })

  test('tools of a namespace get one name upstream and their own on the way back', () => {
    const namespace = {
      type: 'namespace',
      name: 'mcp__gw',
      description: '',
      tools: [{ type: 'function', name: 'echo', parameters: {} }],
    }
    const { exchange, sent } = ask('openai-responses', 'openai-chat', { model: 'm', input: 'hi', tools: [namespace] })
    expect(sent.tools).toEqual([{ type: 'function', function: { name: 'mcp__gw__echo', parameters: {} } }])
    const call = { id: 'c', type: 'function', function: { name: 'mcp__gw__echo', arguments: '{"a":1}' } }
    const { body } = exchange.response({ choices: [{ message: { tool_calls: [call] }, finish_reason: 'tool_calls' }] })
    expect((body.output as JsonObject[])[0]).toMatchObject({
      type: 'function_call',
      namespace: 'mcp__gw',
      name: 'echo',
    })
  })

  test('the client runs its own tool search, whatever the model', () => {
    const search = { type: 'tool_search', execution: 'client', description: 'd', parameters: { type: 'object' } }
    const { exchange, sent } = ask('openai-responses', 'anthropic-messages', {
      model: 'm',
      input: 'hi',
      tools: [search],
    })
    expect((sent.tools as JsonObject[])[0]).toMatchObject({ name: 'tool_search' })
    const { body } = exchange.response({
      content: [{ type: 'tool_use', id: 't', name: 'tool_search', input: { query: 'q' } }],
      stop_reason: 'tool_use',
    })
    expect((body.output as JsonObject[])[0]).toMatchObject({
      type: 'tool_search_call',
      execution: 'client',
      call_id: 't',
      arguments: { query: 'q' },
    })
  })

  test('tools that come in an item of the input are offered like the others', () => {
    const input = [
      { type: 'additional_tools', role: 'developer', tools: [{ type: 'custom', name: 'exec', description: 'js' }] },
      user('hi'),
    ]
    const { sent, losses } = ask('openai-responses', 'anthropic-messages', { model: 'm', input })
    expect((sent.tools as JsonObject[]).map((tool) => tool.name)).toEqual(['exec'])
    expect(losses).toEqual([])
  })

  test('ids and names that are too long are shortened alike in calls and results, and found again', () => {
    const id = 'x'.repeat(200)
    const name = `f${'o'.repeat(90)}`
    const body = {
      model: 'm',
      max_tokens: 9,
      tools: [{ name, input_schema: { type: 'object' } }],
      messages: [
        user('hi'),
        { role: 'assistant', content: [{ type: 'tool_use', id, name, input: {} }] },
        user([{ type: 'tool_result', tool_use_id: id, content: 'ok' }]),
      ],
    }
    const { exchange, sent } = ask('anthropic-messages', 'openai-chat', body)
    const [, call, result] = messagesOf(sent)
    const made = (call!.tool_calls as JsonObject[])[0]!
    const short = (made.function as JsonObject).name as string
    expect((made.id as string).length).toBeLessThanOrEqual(40)
    expect(result!.tool_call_id).toBe(made.id)
    expect(short.length).toBeLessThanOrEqual(64)
    const again = exchange.response({
      choices: [{ message: { tool_calls: [{ ...made }] }, finish_reason: 'tool_calls' }],
    })
    expect((again.body.content as JsonObject[])[0]).toMatchObject({ type: 'tool_use', id, name })
  })

  test('ids that messages cannot hold are made plain for its clients, alike in every answer', () => {
    const call = { id: 'functions.f:0 / é', type: 'function', function: { name: 'f', arguments: '{}' } }
    const reply = { choices: [{ message: { tool_calls: [call] }, finish_reason: 'tool_calls' }] }
    const tools = [{ name: 'f', input_schema: { type: 'object' } }]
    const heard = () => {
      const body = { model: 'm', max_tokens: 9, tools, messages: [user('hi')] }
      const { exchange } = ask('anthropic-messages', 'openai-chat', body)
      return (exchange.response(reply).body.content as JsonObject[])[0]!.id as string
    }
    expect(heard()).toMatch(/^[a-zA-Z0-9_-]{1,40}$/)
    expect(heard()).toBe(heard())
    const chat = ask('openai-responses', 'openai-chat', { model: 'm', input: 'hi' }).exchange.response(reply)
    expect((chat.body.output as JsonObject[])[0]!.call_id).toBe(call.id)
  })
})

describe('reasoning', () => {
  test('goes back to its issuer byte for byte through every protocol', () => {
    const thinking = { type: 'thinking', thinking: 'step 1\n"é🦊"', signature: 'EqQB+/=' }
    const redacted = { type: 'redacted_thinking', data: 'Opaque+/==' }
    const reply = {
      content: [thinking, redacted, { type: 'tool_use', id: 't', name: 'f', input: {} }],
      stop_reason: 'tool_use',
    }
    const chat = ask('openai-chat', 'anthropic-messages', { model: 'm', messages: [user('hi')] }).exchange.response(
      reply,
    )
    const said = (chat.body.choices as JsonObject[])[0]!.message as JsonObject
    const next = { model: 'm', messages: [user('hi'), said, { role: 'tool', tool_call_id: 't', content: 'ok' }] }
    expect((messagesOf(ask('openai-chat', 'anthropic-messages', next).sent)[1]!.content as Json[]).slice(0, 2))
      .toEqual([thinking, redacted])

    const responses = ask('openai-responses', 'anthropic-messages', { model: 'm', input: 'hi' }).exchange.response(
      reply,
    )
    const input = [
      user('hi'),
      ...(responses.body.output as JsonObject[]),
      { type: 'function_call_output', call_id: 't', output: 'ok' },
    ]
    expect(
      (messagesOf(ask('openai-responses', 'anthropic-messages', { model: 'm', input }).sent)[1]!.content as Json[])
        .slice(0, 2),
    )
      .toEqual([thinking, redacted])
  })

  test('of a responses upstream survives an anthropic client', () => {
    const item = {
      type: 'reasoning',
      id: 'rs_9',
      summary: [{ type: 'summary_text', text: 'sum' }],
      encrypted_content: 'gAAA+/=',
    }
    const hidden = { type: 'reasoning', id: 'rs_8', summary: [], encrypted_content: 'gBBB' }
    const base = { model: 'm', max_tokens: 9, messages: [user('hi')] }
    const { body } = ask('anthropic-messages', 'openai-responses', base).exchange.response({
      status: 'completed',
      output: [item, hidden, { type: 'message', content: [{ type: 'output_text', text: 'a' }] }],
    })
    const messages = [user('hi'), { role: 'assistant', content: body.content! }, user('go on')]
    const { sent } = ask('anthropic-messages', 'openai-responses', { ...base, messages })
    expect((sent.input as Json[]).slice(1, 3)).toEqual([item, hidden])
    // Sent to Anthropic itself, it is left out with a word about it, and never as a signature that is none.
    const own = ask('anthropic-messages', 'anthropic-messages', { ...base, messages })
    expect(JSON.stringify(own.sent)).not.toContain('gw1.')
    expect(own.losses).toEqual(['messages[1].content[0]', 'messages[1].content[1]'])
  })
})

describe('cache marks', () => {
  test('at most four reach anthropic-messages: the first and the last three', () => {
    const mark = { cache_control: { type: 'ephemeral', ttl: '1h' } }
    const messages = Array.from({ length: 7 }, (_, i) => user([{ type: 'text', text: `t${i}`, ...mark }]))
    const { sent, losses } = ask('openai-chat', 'anthropic-messages', { model: 'm', messages })
    const kept = messagesOf(sent).flatMap((message, i) => JSON.stringify(message).includes('"ttl":"1h"') ? [i] : [])
    expect(kept).toEqual([0, 4, 5, 6])
    expect(losses.length).toBe(3)
  })

  test('are set for callers who have none, if that is wanted', () => {
    const body = { model: 'm', messages: [{ role: 'system', content: 'S' }, user('hi')] }
    const { sent } = ask('openai-chat', 'anthropic-messages', body, { autoCache: true })
    expect(JSON.stringify(sent.system)).toContain('cache_control')
    expect(JSON.stringify(sent.messages)).toContain('cache_control')
  })
})

describe('the chatgpt backend', () => {
  test('gets the body it takes, and every field it does not take is a loss', () => {
    const body = {
      model: 'm',
      temperature: 0.5,
      max_completion_tokens: 99,
      messages: [{ role: 'system', content: 'S' }, user('hi')],
    }
    const { sent, losses } = ask('openai-chat', 'openai-responses', body, { quirks: ['codex-backend'] })
    expect(sent).toMatchObject({ stream: true, store: false, instructions: 'S' })
    expect(sent.include).toEqual(['reasoning.encrypted_content'])
    expect('temperature' in sent || 'max_output_tokens' in sent).toBe(false)
    expect(losses).toEqual(['max_completion_tokens', 'temperature'])
    expect(
      ask('openai-responses', 'openai-responses', { model: 'm', input: 'hi' }, { quirks: ['codex-backend'] }).sent
        .input,
    )
      .toEqual([{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }])
  })
})

describe('what an upstream does not take', () => {
  test('is named as its caller named it', () => {
    const lost = (from: ProtocolId, to: ProtocolId, body: JsonObject, quirk: string) =>
      ask(from, to, body, { quirks: [quirk] }).losses
    const gemini = { model: 'm', contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }
    const responses = 'openai-responses'
    expect(lost('openai-chat', responses, { model: 'm', max_tokens: 9, messages: [user('hi')] }, 'codex-backend'))
      .toEqual(['max_tokens'])
    expect(
      lost('anthropic-messages', responses, { model: 'm', max_tokens: 9, messages: [user('hi')] }, 'codex-backend'),
    )
      .toEqual(['max_tokens'])
    expect(
      lost('gemini', responses, { ...gemini, generationConfig: { maxOutputTokens: 9, topP: 0.5 } }, 'codex-backend'),
    )
      .toEqual(['generationConfig.maxOutputTokens', 'generationConfig.topP'])
    expect(
      lost(
        'gemini',
        'openai-chat',
        { ...gemini, generationConfig: { thinkingConfig: { thinkingLevel: 'high' } } },
        'no-reasoning-effort',
      ),
    ).toEqual(['generationConfig.thinkingConfig.thinkingLevel'])
    expect(lost(responses, responses, { model: 'm', input: 'hi', max_output_tokens: 9 }, 'codex-backend'))
      .toEqual(['max_output_tokens'])
  })
})

describe('sampling of Claude', () => {
  const sampled = (model: string, wishes: JsonObject) => {
    const exchange = translator('openai-chat', 'anthropic-messages', { id: 'x', now: 0 })
    const { body, losses } = exchange.request({ model: 'm', messages: [user('hi')], ...wishes }, { model })
    return [body.temperature, body.top_p, losses.map(({ path }) => path)]
  }
  for (const model of ['claude-opus-4-7', 'claude-opus-4.8', 'us.anthropic.claude-opus-4-8-v1:0', 'claude-sonnet-5']) {
    test(`${model} takes none, and is asked for none`, () => {
      expect(sampled(model, { temperature: 0.2, top_p: 0.9 })).toEqual([undefined, undefined, ['temperature', 'top_p']])
      expect(sampled(model, { temperature: 1, top_p: 1 })).toEqual([undefined, undefined, []])
    })
  }
  for (
    const model of ['claude-opus-4-1-20250805', 'claude-sonnet-4-5@20250929', 'claude-haiku-4-5', 'claude-sonnet-4.6']
  ) {
    test(`${model} takes a temperature or top_p`, () => {
      expect(sampled(model, { temperature: 0.2, top_p: 0.9 })).toEqual([0.2, undefined, ['top_p']])
      expect(sampled(model, { temperature: 0.2, top_p: 1 })).toEqual([0.2, undefined, []])
      expect(sampled(model, { temperature: 1, top_p: 0.9 })).toEqual([undefined, 0.9, []])
      expect(sampled(model, { top_p: 0.9 })).toEqual([undefined, 0.9, []])
    })
  }
  for (const model of ['claude-sonnet-4-20250514', 'claude-3-7-sonnet-20250219', 'claude-3-5-haiku-latest']) {
    test(`${model} takes both`, () => {
      expect(sampled(model, { temperature: 0.2, top_p: 0.9 })).toEqual([0.2, 0.9, []])
    })
  }
  test('a budget of thinking is an effort where the model takes no budget', () => {
    const exchange = translator('gemini', 'anthropic-messages', { id: 'x', now: 0 })
    const generationConfig = { thinkingConfig: { thinkingBudget: 8000 } }
    const contents = [{ role: 'user', parts: [{ text: 'hi' }] }]
    const asked = (model: string) => exchange.request({ model: 'm', contents, generationConfig }, { model })
    const { body, losses } = asked('claude-opus-4-7')
    expect([body.thinking, body.output_config]).toEqual([{ type: 'adaptive' }, { effort: 'medium' }])
    expect(losses.map(({ path }) => path)).toEqual(['generationConfig.thinkingConfig.thinkingBudget'])
    expect(asked('claude-opus-4-6').body.thinking).toEqual({ type: 'enabled', budget_tokens: 8000 })
  })
})

describe('thinking and sampling of OpenAI', () => {
  const asked = (upstream: ProtocolId, model: string, wishes: JsonObject) => {
    const exchange = translator('anthropic-messages', upstream, { id: 'x', now: 0 })
    const { body, losses } = exchange.request({ model: 'm', max_tokens: 99, messages: [user('hi')], ...wishes }, {
      model,
    })
    const effort = body.reasoning_effort ?? (body.reasoning as JsonObject | undefined)?.effort
    const { temperature, top_p, stop } = body
    return { effort, temperature, top_p, stop, losses: losses.map(({ path }) => path) }
  }
  const wishes = {
    thinking: { type: 'adaptive' },
    output_config: { effort: 'max' },
    temperature: 0.2,
    top_p: 0.9,
    stop_sequences: ['X'],
  }
  const stops = ['stop_sequences']
  const none = ['temperature', 'top_p']
  for (
    const [model, effort, sampled, stopped, lost] of [
      ['gpt-4o', undefined, true, true, ['output_config.effort']],
      ['gpt-4.1-mini', undefined, true, true, ['output_config.effort']],
      ['gpt-5-chat-latest', undefined, true, true, ['output_config.effort']],
      ['gpt-5.1-chat-latest', undefined, true, true, ['output_config.effort']],
      ['o3', 'high', false, false, ['output_config.effort', ...none, ...stops]],
      ['o3-mini', 'high', false, true, ['output_config.effort', ...none]],
      ['gpt-5-mini', 'high', false, false, ['output_config.effort', ...none, ...stops]],
      ['gpt-5.1', 'high', false, true, ['output_config.effort', ...none]],
      ['gpt-5.2-codex', 'xhigh', false, true, ['output_config.effort', ...none]],
      ['some-model', 'max', true, true, []],
      ['openai/gpt-5', 'max', true, true, []],
    ] as const
  ) {
    test(`${model} is asked for what it takes`, () => {
      const chat = asked('openai-chat', model, wishes)
      expect([chat.effort, chat.temperature, chat.top_p, chat.stop]).toEqual([
        effort,
        sampled ? 0.2 : undefined,
        sampled ? 0.9 : undefined,
        stopped ? ['X'] : undefined,
      ])
      expect(chat.losses).toEqual([...lost])
      const responses = asked('openai-responses', model, wishes)
      expect([responses.effort, responses.temperature]).toEqual([effort, sampled ? 0.2 : undefined])
      expect(responses.losses.toSorted()).toEqual([...new Set([...lost, ...stops])].toSorted())
    })
  }
  test('a model that may be told not to think is told so, and sampled', () => {
    const off = { thinking: { type: 'disabled' }, temperature: 0 }
    for (const upstream of ['openai-chat', 'openai-responses'] as const) {
      expect(asked(upstream, 'gpt-5.1', off)).toMatchObject({ effort: 'none', temperature: 0, losses: [] })
      expect(asked(upstream, 'gpt-5', off)).toMatchObject({
        temperature: undefined,
        losses: ['thinking', 'temperature'],
      })
      expect(asked(upstream, 'gpt-4o', off)).toMatchObject({ effort: undefined, temperature: 0, losses: [] })
      expect(asked(upstream, 'gpt-5', { temperature: 1 })).toMatchObject({ temperature: undefined, losses: [] })
    }
  })
})

describe('repair', () => {
  const call = (id: string): JsonObject => ({
    role: 'assistant',
    content: null,
    tool_calls: [{ id, type: 'function', function: { name: 'f', arguments: '' } }],
  })
  const chunks = (...deltas: JsonObject[]): string =>
    deltas.map((delta) => `data: ${JSON.stringify({ choices: [delta] })}\n\n`).join('') + 'data: [DONE]\n\n'
  const delta = (value: JsonObject, finish_reason: string | null = null): JsonObject => ({
    index: 0,
    delta: value,
    finish_reason,
  })
  const stream = (upstream: ProtocolId, wire: string) => {
    const { exchange } = ask('anthropic-messages', upstream, {
      model: 'm',
      max_tokens: 9,
      stream: true,
      messages: [user('hi')],
      tools: [{ name: 'Bash', input_schema: { type: 'object' } }],
    })
    const answer = exchange.stream()
    const out = Buffer.concat([...answer.push(utf8.encode(wire)), ...answer.end()]).toString()
    return { ...hear('anthropic-messages', out), failure: answer.failure?.kind ?? null }
  }
  const tool = (value: JsonObject): JsonObject => delta({ tool_calls: [value] })
  const responses = (...events: JsonObject[]): string =>
    events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')

  const proofs: Record<keyof typeof repairs, () => void> = {
    'orphan-call': () => {
      const { sent, losses } = ask('openai-chat', 'anthropic-messages', {
        model: 'm',
        messages: [user('hi'), call('c'), user('well?')],
      })
      expect(messagesOf(sent)[2]!.content).toMatchObject([
        { type: 'tool_result', tool_use_id: 'c', is_error: true },
        { type: 'text', text: 'well?' },
      ])
      expect(losses).toEqual(['messages[1].tool_calls[0]'])
    },
    'orphan-result': () => {
      const messages = [user('hi'), { role: 'tool', tool_call_id: 'gone', content: 'lost' }]
      const { sent, losses } = ask('openai-chat', 'anthropic-messages', { model: 'm', messages })
      expect(JSON.stringify(sent.messages)).toContain('lost')
      expect(JSON.stringify(sent.messages)).not.toContain('tool_result')
      expect(losses).toEqual(['messages[1]'])
    },
    'late-result': () => {
      const messages = [user('hi'), call('c'), user('meanwhile'), { role: 'tool', tool_call_id: 'c', content: 'ok' }]
      const { sent, losses } = ask('openai-chat', 'anthropic-messages', { model: 'm', messages })
      expect((messagesOf(sent)[2]!.content as JsonObject[]).map((block) => block.type)).toEqual(['tool_result', 'text'])
      expect(losses).toEqual(['messages[3]'])
    },
    'missing-tool-id': () => {
      const heard = stream(
        'openai-chat',
        chunks(tool({ index: 0, function: { name: 'Bash', arguments: '{}' } }), delta({}, 'tool_calls')),
      )
      expect(heard.calls[0]!.id).toMatch(/^call_/)
    },
    'missing-index': () => {
      const heard = stream(
        'openai-chat',
        chunks(
          tool({ id: 'a', function: { name: 'Bash', arguments: '{"x"' } }),
          tool({ id: 'a', function: { arguments: ':1}' } }),
          delta({}, 'tool_calls'),
        ),
      )
      expect(heard.calls).toEqual([{ id: 'a', name: 'Bash', input: '{"x":1}' }])
    },
    'duplicate-index': () => {
      const heard = stream(
        'openai-chat',
        chunks(
          tool({ index: 0, id: 'a', function: { name: 'Bash', arguments: '{"x":1}' } }),
          tool({ index: 0, id: 'b', function: { name: 'Bash', arguments: '{"x":2}' } }),
          delta({}, 'tool_calls'),
        ),
      )
      expect(heard.calls.map(({ id, input }) => [id, input])).toEqual([['a', '{"x":1}'], ['b', '{"x":2}']])
    },
    'repeated-name': () => {
      const heard = stream(
        'openai-chat',
        chunks(
          tool({ index: 0, id: 'a', function: { name: 'Bash', arguments: '{' } }),
          tool({ index: 0, id: 'a', function: { name: 'Bash', arguments: '}' } }),
          delta({}, 'tool_calls'),
        ),
      )
      expect(heard.calls).toEqual([{ id: 'a', name: 'Bash', input: '{}' }])
    },
    'missing-item': () => {
      const heard = stream(
        'openai-responses',
        responses(
          { type: 'response.created', response: {} },
          { type: 'response.output_text.delta', output_index: 0, content_index: 0, delta: 'hey' },
          { type: 'response.completed', response: { status: 'completed', output: [] } },
        ),
      )
      expect([heard.text, heard.stop]).toEqual(['hey', 'end_turn'])
    },
    'items-at-the-end': () => {
      const output = [{ type: 'message', content: [{ type: 'output_text', text: 'late' }] }]
      const heard = stream(
        'openai-responses',
        responses({ type: 'response.completed', response: { status: 'completed', output } }),
      )
      expect(heard.text).toBe('late')
      const call = { type: 'function_call', call_id: 'c1', name: 'Bash' }
      const begun = stream(
        'openai-responses',
        responses(
          { type: 'response.output_item.added', output_index: 0, item: { ...call, arguments: '' } },
          {
            type: 'response.completed',
            response: { status: 'completed', output: [{ ...call, arguments: '{"command":"ls"}' }] },
          },
        ),
      )
      expect(begun.calls.map(({ input }) => input)).toEqual(['{"command":"ls"}'])
    },
    'missing-finish': () => {
      expect(stream('openai-chat', chunks(delta({ content: 'hey' }))).stop).toBe('end_turn')
    },
    'finish-everywhere': () => {
      const heard = stream(
        'openai-chat',
        chunks(delta({ content: 'he' }, 'stop'), delta({ content: 'y' }, 'stop'), delta({ content: '!' }, 'length')),
      )
      expect([heard.text, heard.stop]).toEqual(['hey!', 'max_tokens'])
    },
    'finish-mismatch': () => {
      const heard = stream(
        'openai-chat',
        chunks(tool({ index: 0, id: 'a', function: { name: 'Bash', arguments: '{}' } }), delta({}, 'stop')),
      )
      expect(heard.stop).toBe('tool_use')
    },
    'empty-arguments': () => {
      const heard = stream(
        'openai-chat',
        chunks(tool({ index: 0, id: 'a', function: { name: 'Bash', arguments: '' } }), delta({}, 'tool_calls')),
      )
      expect(heard.calls[0]!.input).toBe('{}')
    },
    'arguments-object': () => {
      const heard = stream(
        'openai-chat',
        chunks(tool({ index: 0, id: 'a', function: { name: 'Bash', arguments: { x: 1 } } }), delta({}, 'tool_calls')),
      )
      expect(heard.calls[0]!.input).toBe('{"x":1}')
    },
    'empty-completion': () => {
      const heard = stream('openai-chat', chunks(delta({ content: '' }, 'stop')))
      expect([heard.stop, heard.failure]).toEqual([null, 'empty'])
    },
    'undeclared-tool': () => {
      const heard = stream(
        'openai-chat',
        chunks(
          tool({ index: 0, id: 'a', function: { name: 'functions.bash', arguments: '{}' } }),
          delta({}, 'tool_calls'),
        ),
      )
      expect(heard.calls[0]!.name).toBe('Bash')
    },
  }
  for (const [name, proof] of Object.entries(proofs)) test(name, proof)
})

describe('ends of an answer', () => {
  for (
    const [word, chat, status, reason] of [
      ['end_turn', 'stop', 'completed', null],
      ['stop_sequence', 'stop', 'completed', null],
      ['max_tokens', 'length', 'incomplete', 'max_output_tokens'],
      ['model_context_window_exceeded', 'length', 'incomplete', 'max_output_tokens'],
      ['refusal', 'content_filter', 'incomplete', 'content_filter'],
      ['pause_turn', 'length', 'incomplete', 'max_output_tokens'],
    ] as const
  ) {
    test(`${word} is never taken for another end`, () => {
      const reply = {
        content: [{ type: 'text', text: 'a' }],
        stop_reason: word,
        usage: { input_tokens: 1, output_tokens: 1 },
      }
      const toChat = ask('openai-chat', 'anthropic-messages', { model: 'm', messages: [user('hi')] }).exchange.response(
        reply,
      )
      expect((toChat.body.choices as JsonObject[])[0]!.finish_reason).toBe(chat)
      const { body } = ask('openai-responses', 'anthropic-messages', { model: 'm', input: 'hi' }).exchange.response(
        reply,
      )
      expect([body.status, (body.incomplete_details as JsonObject | null)?.reason ?? null]).toEqual([status, reason])
      const back = ask('anthropic-messages', 'anthropic-messages', {
        model: 'm',
        max_tokens: 9,
        messages: [user('hi')],
      }).exchange.response(reply)
      expect(back.body.stop_reason).toBe(word)
    })
  }
})

test('a place on the web that another model cites is shown to clients of messages, and never sent to Anthropic', () => {
  const asked = { model: 'm', max_tokens: 9, messages: [user('news?')] }
  const { exchange } = ask('anthropic-messages', 'openai-responses', asked)
  const annotations = [
    { type: 'url_citation', url: 'https://e.com/a', title: 'A', start_index: 0, end_index: 4 },
    { type: 'file_citation', file_id: 'f', index: 3 },
  ]
  const content = [{ type: 'output_text', text: 'Rain, says A.', annotations }]
  const output = [{ type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content }]
  const { body, losses } = exchange.response({ id: 'r', status: 'completed', output })
  const said = (body.content as JsonObject[])[0]!
  expect(said).toMatchObject({
    text: 'Rain, says A.',
    citations: [{ type: 'web_search_result_location', url: 'https://e.com/a', title: 'A', cited_text: '' }],
  })
  expect(losses.map(({ path }) => path)).toEqual(['output[0].annotations[1]'])

  const own = { ...(said.citations as JsonObject[])[0]!, encrypted_index: 'Eo8B', cited_text: 'rain' }
  for (const [citations, sent] of [[[], undefined], [[own], [own]]] as const) {
    const block = { ...said, citations: [...said.citations as JsonObject[], ...citations] }
    const next = { ...asked, messages: [user('news?'), { role: 'assistant', content: [block] }, user('and?')] }
    expect(packedMarks.some((mark) => JSON.stringify(next).includes(mark))).toBe(true)
    const again = ask('anthropic-messages', 'anthropic-messages', next)
    expect([messagesOf(again.sent)[1]!.content, again.losses]).toEqual([[{
      type: 'text',
      text: 'Rain, says A.',
      ...(sent === undefined ? {} : { citations: [...sent] }),
    }], []])
  }
})
