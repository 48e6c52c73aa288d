import { describe, expect, test } from 'bun:test'
import { type JsonObject, sseParser } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { demoModels, demoUpstream } from '../../../lib/demo/mod.ts'
import { dig } from '../../support/dig.ts'

function counter(): () => string {
  let n = 0
  return () => String(++n)
}

const demo = demoUpstream({ pieceDelayMs: 0, unique: counter() })

function post(path: string, body: unknown, upstream = demo, headers: Record<string, string> = {}): Promise<Response> {
  return upstream.fetch(
    new Request(`http://demo.invalid${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  )
}

async function events(reply: Response): Promise<{ event: string; data: JsonObject }[]> {
  const parser = sseParser()
  const found = parser.push(new Uint8Array(await reply.arrayBuffer()))
  expect(parser.pending).toBe(false)
  return found.filter(({ data }) => data !== '[DONE]')
    .map(({ event, data }) => ({ event, data: JSON.parse(data) as JsonObject }))
}

async function json(reply: Promise<Response>): Promise<unknown> {
  return (await reply).json()
}

const user = (content: unknown) => [{ role: 'user', content }]
const say = (content: unknown, rest: object = {}) => ({ model: 'demo-small', messages: user(content), ...rest })

describe('chat completions', () => {
  test('a stream is a role, pieces, a finish, usage in a chunk of its own, and [DONE]', async () => {
    const reply = await post(
      '/v1/chat/completions',
      say('hi', { stream: true, stream_options: { include_usage: true } }),
    )
    const text = await reply.clone().text()
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    const chunks = (await events(reply)).map(({ data }) => data)
    expect(dig(chunks, 0, 'choices', 0, 'delta')).toEqual({ role: 'assistant', content: '', refusal: null })
    expect(chunks.slice(0, -1).every((chunk) => chunk['usage'] === null)).toBe(true)
    expect(dig(chunks.at(-2), 'choices', 0)).toMatchObject({ delta: {}, finish_reason: 'stop' })
    const last = chunks.at(-1)!
    expect(last['choices']).toEqual([])
    expect(dig(last, 'usage', 'completion_tokens')).toBe(chunks.length - 3)
    expect(new Set(chunks.map((chunk) => chunk['id'])).size).toBe(1)
  })

  test('without include_usage no chunk speaks of usage', async () => {
    const chunks = await events(await post('/v1/chat/completions', say('hi', { stream: true })))
    expect(chunks.filter(({ data }) => 'usage' in data)).toEqual([])
  })

  test('max_tokens cuts, and both spellings count', async () => {
    for (const name of ['max_tokens', 'max_completion_tokens']) {
      const reply = await json(post('/v1/chat/completions', say('count to 99', { [name]: 4 })))
      expect([dig(reply, 'choices', 0, 'finish_reason'), dig(reply, 'usage', 'completion_tokens')]).toEqual([
        'length',
        4,
      ])
    }
  })

  test('a conversation reports its earlier part as cached', async () => {
    const messages = [...user('one '.repeat(40)), { role: 'assistant', content: 'yes' }, ...user('two')]
    const reply = await json(post('/v1/chat/completions', { model: 'demo-small', messages }))
    const cached = Number(dig(reply, 'usage', 'prompt_tokens_details', 'cached_tokens'))
    expect(cached).toBeGreaterThan(30)
    expect(cached).toBeLessThan(Number(dig(reply, 'usage', 'prompt_tokens')))
  })

  test('a JSON schema is filled', async () => {
    const schema = {
      type: 'object',
      properties: { mood: { enum: ['calm', 'loud'] }, n: { type: 'integer' }, deep: { $ref: '#/$defs/deep' } },
      required: ['mood', 'n', 'deep'],
      $defs: { deep: { type: 'array', items: { type: 'boolean' } } },
    }
    const response_format = { type: 'json_schema', json_schema: { name: 'x', schema } }
    const reply = await json(post('/v1/chat/completions', say('take 12', { response_format })))
    expect(JSON.parse(String(dig(reply, 'choices', 0, 'message', 'content')))).toEqual({
      mood: 'calm',
      n: 12,
      deep: [true],
    })
  })
})

describe('which tools are called', () => {
  const tool = (name: string, properties: object = {}) => ({
    type: 'function',
    function: { name, parameters: { type: 'object', properties, required: Object.keys(properties) } },
  })
  const calls = async (content: string, tools: unknown[], rest: object = {}): Promise<[string, unknown][]> => {
    const reply = await json(post('/v1/chat/completions', say(content, { tools, ...rest })))
    const made = (dig(reply, 'choices', 0, 'message', 'tool_calls') ?? []) as unknown[]
    return made.map((call) => [
      String(dig(call, 'function', 'name')),
      JSON.parse(String(dig(call, 'function', 'arguments'))),
    ])
  }
  const command = { command: { type: 'string' } }

  for (
    const [content, names, expected] of [
      ['hello', ['get_weather'], []],
      ['write a poem about reading', ['read', 'write'], []],
      ['use the write tool', ['read', 'write'], [['write', {}]]],
      ['please use a tool', ['alpha', 'beta'], [['alpha', {}]]],
      ['how is the weather?', ['get_time', 'get_weather'], [['get_weather', {}]]],
      ['call get_time and get_weather', ['get_time', 'get_weather'], [['get_time', {}], ['get_weather', {}]]],
    ] as const
  ) {
    test(`“${content}” with ${names.join(', ')}`, async () => {
      expect(await calls(content, names.map((name) => tool(name)))).toEqual(expected.map(([n, a]) => [n, a]))
    })
  }

  test('a command in back-ticks goes to the shell, however many tools there are', async () => {
    const tools = ['a', 'b', 'c', 'd', 'e'].map((name) => tool(name))
    expect(await calls('run `ls -l` now', [...tools, tool('bash', command)])).toEqual([['bash', { command: 'ls -l' }]])
  })

  test('tool_choice decides: none, required, by name', async () => {
    const tools = [tool('alpha'), tool('beta')]
    expect(await calls('call alpha', tools, { tool_choice: 'none' })).toEqual([])
    expect(await calls('hello', tools, { tool_choice: 'required' })).toEqual([['alpha', {}]])
    const tool_choice = { type: 'function', function: { name: 'beta' } }
    expect(await calls('hello', tools, { tool_choice })).toEqual([['beta', {}]])
  })

  test('“20 times” is called 20 times, once a turn, then answered', async () => {
    const tools = [tool('step')]
    const messages: unknown[] = user('use the step tool 20 times')
    let turns = 0
    for (; turns < 30; turns++) {
      const reply = await json(post('/v1/chat/completions', { model: 'demo-small', messages, tools }))
      const message = dig(reply, 'choices', 0, 'message')
      const id = dig(message, 'tool_calls', 0, 'id')
      if (id === undefined) {
        expect(dig(message, 'content')).toContain('The last of 20 tool results said: result 20')
        break
      }
      messages.push(message, { role: 'tool', tool_call_id: id, content: `result ${turns + 1}` })
    }
    expect(turns).toBe(20)
  })
})

describe('messages', () => {
  const ask = (content: unknown, rest: object = {}) => say(content, { max_tokens: 500, ...rest })

  test('a stream starts, pings, opens and closes each block, and stops', async () => {
    const found = await events(await post('/v1/messages', ask('hi', { stream: true, thinking: { type: 'adaptive' } })))
    expect(found.every(({ event, data }) => event === data['type'])).toBe(true)
    const kinds = found.map(({ event, data }) => 'index' in data ? `${event} ${String(data['index'])}` : event)
    expect(kinds.filter((kind, i) => kind !== kinds[i - 1])).toEqual([
      'message_start',
      'content_block_start 0',
      'ping',
      'content_block_delta 0',
      'content_block_stop 0',
      'content_block_start 1',
      'content_block_delta 1',
      'content_block_stop 1',
      'message_delta',
      'message_stop',
    ])
  })

  test('cache marks are written by the first turn and read by the next', async () => {
    const system = [{ type: 'text', text: 'long '.repeat(100), cache_control: { type: 'ephemeral' } }]
    const usage = async (messages: unknown): Promise<{ read: number; written: number }> => {
      const reply = await json(post('/v1/messages', { model: 'demo-small', max_tokens: 9, system, messages }))
      const tokens = (name: string): number => Number(dig(reply, 'usage', name))
      return { read: tokens('cache_read_input_tokens'), written: tokens('cache_creation_input_tokens') }
    }
    const first = await usage(user('a'))
    expect(first.read).toBe(0)
    expect(first.written).toBeGreaterThan(100)
    const second = await usage([...user('a'), { role: 'assistant', content: 'b' }, ...user('c')])
    expect(second.read).toBeGreaterThanOrEqual(first.written)
  })

  test('max_tokens is required, as it is there', async () => {
    const reply = await post('/v1/messages', say('hi'))
    expect(reply.status).toBe(400)
    expect(await reply.json()).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error', message: 'max_tokens: Field required' },
    })
  })
})

describe('responses', () => {
  test('tools in a namespace and grammar tools are called as what they are', async () => {
    const tools = [
      { type: 'namespace', name: 'mcp__gw', tools: [{ type: 'function', name: 'lookup', parameters: {} }] },
      { type: 'custom', name: 'apply_patch' },
      { type: 'web_search' },
    ]
    const body = { model: 'demo-small', input: 'call lookup and apply_patch with `*** Begin`', tools, stream: true }
    const found = await events(await post('/v1/responses', body))
    const done = found.filter(({ event }) => event === 'response.output_item.done').map(({ data }) => data['item'])
    expect(done).toMatchObject([
      { type: 'function_call', namespace: 'mcp__gw', name: 'lookup', arguments: '{}' },
      { type: 'custom_tool_call', name: 'apply_patch', input: '*** Begin' },
    ])
  })

  test('too few tokens end as incomplete', async () => {
    const body = { model: 'demo-small', input: 'count to 99', max_output_tokens: 4, stream: true }
    const last = (await events(await post('/v1/responses', body))).at(-1)!
    expect(last.event).toBe('response.incomplete')
    expect(last.data['response']).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      usage: { output_tokens: 4 },
    })
  })

  test('a previous response is never found', async () => {
    const reply = await post('/v1/responses', { model: 'demo-small', input: 'x', previous_response_id: 'resp_9' })
    expect([reply.status, dig(await reply.json(), 'error', 'code')]).toEqual([400, 'previous_response_not_found'])
  })
})

describe('failures on request', () => {
  for (const status of [400, 401, 403, 404, 413, 429, 500, 503, 529]) {
    test(`demo-error-${status} answers ${status} in the shape of the path`, async () => {
      const model = `demo-error-${status}`
      const chat = await post('/v1/chat/completions', { model, messages: user('x') })
      expect(chat.status).toBe(status)
      expect(await chat.json()).toMatchObject({ error: { message: expect.any(String), type: expect.any(String) } })
      const message = await post('/v1/messages', { model, messages: user('x'), max_tokens: 9 })
      expect(await message.json()).toMatchObject({
        type: 'error',
        error: { type: expect.stringMatching(/_error|_too_/) },
      })
      expect(message.headers.get('retry-after')).toBe([429, 503, 529].includes(status) ? '2' : null)
    })
  }

  test('demo-delay paces pieces by the clock, and stops when the reader leaves', async () => {
    const clock = manualClock()
    const paced = demoUpstream({ clock })
    const reply = await post(
      '/v1/chat/completions',
      { model: 'demo-delay-1000', messages: user('x'), stream: true },
      paced,
    )
    const reader = reply.body!.getReader()
    await reader.read() // role
    await reader.read() // the first piece comes at once
    let second = false
    const waiting = reader.read().then(() => second = true)
    await clock.advance(999)
    expect(second).toBe(false)
    await clock.advance(1)
    await waiting
    const third = reader.read()
    await reader.cancel()
    expect(await third).toEqual({ done: true, value: undefined })
  })

  for (const [path, rest] of [['/v1/chat/completions', {}], ['/v1/responses', { input: 'hi' }]] as const) {
    test(`demo-break on ${path} is 500 unstreamed and an error event streamed`, async () => {
      const body = { model: 'demo-break', messages: user('hello'), ...rest }
      expect((await post(path, body)).status).toBe(500)
      const last = (await events(await post(path, { ...body, stream: true }))).at(-1)!
      expect(JSON.stringify(last.data)).toContain('the demo upstream broke')
    })
  }
})

describe('bad input', () => {
  for (
    const [name, path, body, status] of [
      ['no JSON', '/v1/chat/completions', '{', 400],
      ['not an object', '/v1/messages', '[]', 400],
      ['no model', '/v1/responses', { input: 'x' }, 400],
      ['unknown model', '/v1/embeddings', { model: 'x', input: 'x' }, 404],
      ['no messages', '/v1/chat/completions', { model: 'demo-small' }, 400],
      ['messages of strings', '/v1/messages', { model: 'demo-small', max_tokens: 9, messages: ['x'] }, 400],
      ['a bad role', '/v1/chat/completions', { model: 'demo-small', messages: [{ role: 'x' }] }, 400],
      ['no input', '/v1/embeddings', { model: 'demo-embed', input: [] }, 400],
      ['no such path', '/v1/nothing', {}, 404],
      ['no form', '/v1/audio/transcriptions', {}, 400],
    ] as const
  ) {
    test(`${name} is ${status}`, async () => {
      const reply = await post(path, body)
      expect(reply.status).toBe(status)
      expect(JSON.stringify(await reply.json())).toContain('"message":')
    })
  }

  test('a key, once set, is asked for', async () => {
    const closed = demoUpstream({ key: 'sk-right' })
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await post('/v1/messages', say('x', { max_tokens: 9 }), closed, headers)).status
    expect(await status({})).toBe(401)
    expect(await status({ authorization: 'Bearer sk-wrong' })).toBe(401)
    expect(await status({ authorization: 'Bearer sk-right' })).toBe(200)
    expect(await status({ 'x-api-key': 'sk-right' })).toBe(200)
  })
})

test('each model of the list can be asked for', async () => {
  for (const { id, capabilities } of demoModels) {
    if (!capabilities.includes('chat') || id === 'demo-hang') continue
    const fast = demoUpstream({ clock: { ...manualClock(), sleep: () => Promise.resolve() } })
    const reply = await post('/v1/chat/completions', { model: id, messages: user('x') }, fast)
    expect([id, reply.status]).toEqual([id, Number(/error-(\d+)/.exec(id)?.[1] ?? (id === 'demo-break' ? 500 : 200))])
    await reply.body?.cancel()
  }
})

test('vectors of texts with common words lie closer', async () => {
  const input = ['the red cat sleeps', 'a red cat sleeps', 'quarterly tax report']
  const reply = await json(post('/v1/embeddings', { model: 'demo-embed', input }))
  const [a = [], b = [], c = []] = [0, 1, 2].map((i) => dig(reply, 'data', i, 'embedding') as number[])
  const dot = (x: number[], y: number[]): number => x.reduce((sum, n, i) => sum + n * y[i]!, 0)
  expect(dot(a, a)).toBeCloseTo(1, 5)
  expect(dot(a, b)).toBeGreaterThan(dot(a, c))
})
