import { afterAll, expect, test } from 'bun:test'
import { openLine, upstreamKey } from './harness.ts'

const encoder = new TextEncoder()
const servers: { stop(force: boolean): void }[] = []
afterAll(() => servers.forEach((server) => server.stop(true)))

interface Seen {
  readonly path: string
  readonly headers: Headers
  readonly body: string
}

/** An upstream that answers every call with the same thing and remembers what it was sent. */
function upstream(answer: (request: Request, body: string) => Response | Promise<Response>) {
  const seen: Seen[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const body = await request.text()
      const url = new URL(request.url)
      seen.push({ path: url.pathname + url.search, headers: request.headers, body })
      return await answer(request, body)
    },
  })
  servers.push(server)
  return { url: `http://127.0.0.1:${server.port}`, seen }
}

const events = (...pieces: string[]) =>
  new Response(
    new ReadableStream({
      async start(controller) {
        for (const piece of pieces) {
          controller.enqueue(encoder.encode(piece))
          await Bun.sleep(1)
        }
        controller.close()
      },
    }),
    { headers: { 'content-type': 'text/event-stream' } },
  )

const chunk = (delta: unknown, more = {}) =>
  `data: ${JSON.stringify({ id: 'c1', choices: [{ index: 0, delta, finish_reason: null, ...more }] })}\n\n`
const answered = {
  id: 'c1',
  choices: [{ message: { content: 'hi' } }],
  usage: { prompt_tokens: 3, completion_tokens: 2 },
}

test("serve() sends the caller's bytes on with only the model name changed", async () => {
  const far = upstream(() => Response.json(answered))
  const line = await openLine({ urls: [`${far.url}/v1`] })
  const body =
    '{ "messages" : [{"role":"user","content":"\\u00e9 model"}],\n "model":"x/alias" , "unknown_field": {"a":[1, 2]}}'
  const reply = await line.post('/v1/chat/completions', body)
  expect(reply.status).toBe(200)
  expect(await reply.json()).toEqual(answered)
  expect(far.seen[0]!.body).toBe(body.replace('x/alias', 'm-1'))
  expect(far.seen[0]!.path).toBe('/v1/chat/completions')
  expect(line.records[0]).toMatchObject({
    outcome: 'ok',
    provider: 'fake',
    requestedModel: 'x/alias',
    tokens: { inputTokens: 3, outputTokens: 2 },
  })
  line.close()
})

test('serve() passes a stream on byte for byte and reads its usage', async () => {
  const pieces = [
    chunk({ role: 'assistant', content: '' }),
    chunk({ content: 'h\u00e9' }),
    ': a comment\n\n',
    'event: vendor.new\ndata: {"odd":true}\n\n',
    chunk({}, { finish_reason: 'stop' }),
    `data: {"id":"c1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}\n\n`,
    'data: [DONE]\n\n',
  ]
  const far = upstream(() => events(...pieces))
  const line = await openLine({ urls: [`${far.url}/v1`] })
  const reply = await line.post('/v1/chat/completions', { model: 'm-1', stream: true })
  expect(await reply.text()).toBe(pieces.join(''))
  expect(line.records[0]).toMatchObject({ outcome: 'ok', stream: true, tokens: { inputTokens: 7, outputTokens: 5 } })
  line.close()
})

test('serve() streams a chat completion whose query says so, whatever its body says', async () => {
  const stream = [chunk({ content: 'yes' }), chunk({}, { finish_reason: 'stop' }), 'data: [DONE]\n\n']
  const far = upstream((_, body) => JSON.parse(body).stream ? events(...stream) : Response.json(answered))
  const line = await openLine({ urls: [`${far.url}/v1`] })
  for (
    const [query, body, sent] of [
      ['?stream=true', '{ "model": "m-1", "stream" : false }', '{ "model": "m-1", "stream" : true }'],
      ['?api-version=3&stream=1', '{"model":"m-1"}', '{"stream":true,"model":"m-1"}'],
    ] as const
  ) {
    const reply = await line.post(`/v1/chat/completions${query}`, body)
    expect(await reply.text()).toBe(stream.join(''))
    expect(far.seen.at(-1)!.body).toBe(sent)
    expect(line.records.at(-1)).toMatchObject({ stream: true })
  }
  expect(far.seen.map(({ path }) => path)).toEqual(['/v1/chat/completions', '/v1/chat/completions?api-version=3'])
  expect(await (await line.post('/v1/chat/completions?stream=false', '{"model":"m-1"}')).json()).toEqual(answered)
  line.close()
})

test('serve() knows a stream by what it says, whatever its label', async () => {
  const pieces = [
    ': hello\n\n',
    chunk({ content: 'h\u00e9' }),
    chunk({}, { finish_reason: 'stop' }),
    'data: [DONE]\n\n',
  ]
  for (const type of ['application/json', 'text/plain', null]) {
    const far = upstream(() => {
      const reply = events(...pieces)
      if (type === null) reply.headers.delete('content-type')
      else reply.headers.set('content-type', type)
      return reply
    })
    const line = await openLine({ urls: [`${far.url}/v1`] })
    const reply = await line.post('/v1/chat/completions', { model: 'm-1', stream: true })
    expect(reply.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(await reply.text()).toBe(pieces.join(''))
    expect(line.records[0]).toMatchObject({ outcome: 'ok', stream: true })
    line.close()
  }
})

test('serve() puts a stream together that nobody asked for, and tries the next target when it was cut', async () => {
  const cut = upstream(() => events(chunk({ content: 'half' })))
  const far = upstream(() =>
    events(
      chunk({ content: 'h\u00e9 ' }),
      chunk({ content: 'you' }),
      chunk({}, { finish_reason: 'stop' }),
      'data: [DONE]\n\n',
    )
  )
  const line = await openLine({ urls: [`${cut.url}/v1`, `${far.url}/v1`] })
  const reply = await line.post('/v1/chat/completions', { model: 'm-1', messages: [{ role: 'user', content: 'hi' }] })
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'application/json'])
  expect(await reply.json()).toMatchObject({
    object: 'chat.completion',
    choices: [{ message: { content: 'h\u00e9 you' }, finish_reason: 'stop' }],
  })
  expect(line.records[0]!.attempts.map(({ failure }) => failure)).toEqual(['truncated', null])
  line.close()
})

test('serve() asks a ChatGPT plan as its backend wants it, and puts its stream together for a caller who wanted none', async () => {
  const said = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'hé', annotations: [] }] }
  const wire = [
    { type: 'response.created', response: { id: 'resp_1', status: 'in_progress', output: [] } },
    { type: 'response.output_item.added', output_index: 0, item: { ...said, id: 'msg_1', content: [] } },
    { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'hé' },
    { type: 'response.output_item.done', output_index: 0, item: { ...said, id: 'msg_1' } },
    {
      type: 'response.completed',
      response: { id: 'resp_1', status: 'completed', output: [said], usage: { input_tokens: 3, output_tokens: 2 } },
    },
  ].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  const far = upstream(() => {
    const reply = events(...wire)
    reply.headers.set('content-type', 'application/json')
    return reply
  })
  const line = await openLine({
    urls: [far.url],
    protocol: 'openai-responses',
    provider: { quirks: ['codex-backend'] },
  })
  const headers = { accept: 'application/json' }
  const asked = { model: 'm-1', input: 'hi', max_output_tokens: 9, temperature: 0.2 }
  const reply = await line.post('/v1/responses', asked, { headers })
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'application/json'])
  expect(reply.headers.get('x-gw-losses')).toBe('max_output_tokens, temperature')
  expect(await reply.json()).toMatchObject({
    status: 'completed',
    output: [{ type: 'message', content: [{ type: 'output_text', text: 'hé' }] }],
    usage: { input_tokens: 3, output_tokens: 2 },
  })
  const { body, headers: sent, path } = far.seen[0]!
  expect([path, sent.get('accept')]).toEqual(['/responses', 'text/event-stream'])
  expect(JSON.parse(body)).toEqual({
    model: 'm-1',
    input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }],
    instructions: expect.stringMatching(/./),
    include: ['reasoning.encrypted_content'],
    store: false,
    stream: true,
  })
  const strict = await line.post('/v1/responses', asked, { headers: { 'x-gw-strict': '1' } })
  expect([strict.status, await strict.json()]).toMatchObject([400, {
    error: { code: 'request_lossy', message: expect.stringContaining('max_output_tokens'), param: 'max_output_tokens' },
  }])
  expect(far.seen.length).toBe(1)
  const chat = await line.post('/v1/chat/completions', { model: 'm-1', messages: [{ role: 'user', content: 'hi' }] })
  expect(await chat.json()).toMatchObject({ choices: [{ message: { content: 'hé' }, finish_reason: 'stop' }] })
  line.close()
})

for (
  const { says, protocols, sent, answer } of [
    { says: 'its only target', protocols: ['anthropic-messages'], sent: 0, answer: [400, 'request_lossy', 'seed'] },
    {
      says: 'every target, whatever it speaks',
      protocols: ['anthropic-messages', 'openai-responses'],
      sent: 0,
      answer: [400, 'request_lossy', 'seed'],
    },
    { says: 'none but the first', protocols: ['anthropic-messages', 'openai-chat'], sent: 1, answer: [200] },
    { says: 'none but the last', protocols: ['openai-chat', 'anthropic-messages'], sent: 1, answer: [200] },
  ] as const
) {
  test(`serve() in strict mode asks who takes the request whole, and names the field: refused by ${says}`, async () => {
    const far = upstream(() =>
      Response.json({ id: 'c', choices: [{ message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }] })
    )
    const line = await openLine({ urls: protocols.map(() => `${far.url}/v1`), protocols })
    const asked = { model: 'm-1', seed: 7, messages: [{ role: 'user', content: 'hi' }] }
    const reply = await line.post('/v1/chat/completions', asked, { headers: { 'x-gw-strict': 'true' } })
    const { error } = await reply.json() as { error?: { code: string; param: string } }
    expect([[reply.status, ...error ? [error.code, error.param] : []], far.seen.length]).toEqual([[...answer], sent])
    line.close()
  })
}

test('serve() lets no stream with the wrong label look finished, and tries the next target before its content', async () => {
  const json = { headers: { 'content-type': 'application/json' } }
  const broken = upstream(() => new Response('event: error\ndata: {"error":{"message":"busy","code":"503"}}\n\n', json))
  const cut = upstream(() => new Response(chunk({ content: 'half' }), json))
  const line = await openLine({ urls: [`${broken.url}/v1`, `${cut.url}/v1`] })
  const text = await (await line.post('/v1/chat/completions', { model: 'm-1', stream: true })).text()
  expect(text.startsWith(chunk({ content: 'half' }))).toBe(true)
  expect(text).toContain('upstream_truncated')
  expect(text).not.toContain('[DONE]')
  expect(line.records[0]!.attempts.map(({ account }) => account as string)).toEqual(['a0', 'a1'])
  line.close()
})

test('serve() tries the next target when the first fails before content, and the caller sees one clean stream', async () => {
  const broken = upstream(() =>
    events(chunk({ role: 'assistant', content: '' }), 'data: {"error":{"message":"overloaded","code":"503"}}\n\n')
  )
  const good = upstream(() => events(chunk({ content: 'yes' }), 'data: [DONE]\n\n'))
  const line = await openLine({ urls: [`${broken.url}/v1`, `${good.url}/v1`] })
  const reply = await line.post('/v1/chat/completions', { model: 'm-1', stream: true })
  expect(await reply.text()).toBe(chunk({ content: 'yes' }) + 'data: [DONE]\n\n')
  expect(line.records[0]!.attempts.map(({ account, failure }) => [account as string, failure])).toEqual([[
    'a0',
    'overloaded',
  ], ['a1', null]])
  line.close()
})

test('serve() never lets a cut stream look finished', async () => {
  const far = upstream(() => events(chunk({ content: 'half' }), 'data: {"id":"c1","cho'))
  const line = await openLine({ urls: [`${far.url}/v1`] })
  const text = await (await line.post('/v1/chat/completions', { model: 'm-1', stream: true })).text()
  expect(text.startsWith(chunk({ content: 'half' }))).toBe(true)
  expect(text).not.toContain('[DONE]')
  expect(JSON.parse(text.slice(chunk({ content: 'half' }).length + 6)).error.code).toBe('upstream_truncated')
  expect(line.records[0]!.outcome).toBe('truncated')
  line.close()
})

test("serve() keeps the caller's token, cookies and unknown headers here, and the client's own headers pass", async () => {
  const far = upstream(() => Response.json(answered))
  const line = await openLine({ urls: [`${far.url}/v1`] })
  await line.post('/v1/chat/completions', { model: 'm-1' }, {
    headers: {
      'x-stainless-lang': 'js',
      'x-claude-code-session-id': 's1',
      'anthropic-beta': 'a,b',
      'http-referer': 'https://app.example',
      cookie: 'a=b',
      'x-internal': '1',
      'x-forwarded-for': '1.2.3.4',
    },
  })
  const { headers } = far.seen[0]!
  expect(headers.get('authorization')).toBe(`Bearer ${upstreamKey}`)
  expect([
    headers.get('x-stainless-lang'),
    headers.get('x-claude-code-session-id'),
    headers.get('anthropic-beta'),
    headers.get('http-referer'),
  ])
    .toEqual(['js', 's1', 'a,b', 'https://app.example'])
  expect([headers.get('cookie'), headers.get('x-internal'), headers.get('x-forwarded-for')]).toEqual([null, null, null])
  line.close()
})

for (
  const [what, path, body, status, code] of [
    ['malformed JSON', '/v1/chat/completions', '{"model":"m",', 400, 'request_invalid'],
    ['a trailing comma', '/v1/chat/completions', '{"model":"m","messages":[1,]}', 400, 'request_invalid'],
    ['an array', '/v1/responses', '[]', 400, 'request_invalid'],
    ['no body', '/v1/embeddings', '', 400, 'request_invalid'],
    ['a model that is no string', '/v1/chat/completions', '{"model":7}', 400, 'request_invalid'],
    ['two models', '/v1/chat/completions', '{"model":"a","model":"b"}', 400, 'request_invalid'],
    ['a model in disguise', '/v1/chat/completions', '{"model":"a","Model":"b"}', 400, 'request_invalid'],
    ['a stream that is no boolean', '/v1/chat/completions', '{"model":"a","stream":"yes"}', 400, 'request_invalid'],
    ['a body that is too large', '/v1/chat/completions', `{"model":"${'a'.repeat(3000)}"}`, 413, 'request_too_large'],
    ['a form that is none', '/v1/audio/transcriptions', '{"model":"a"}', 415, 'request_media_type'],
  ] as const
) {
  test(`serve() refuses ${what} with ${status} and asks no upstream`, async () => {
    const far = upstream(() => Response.json({}))
    const line = await openLine({ urls: [far.url], limits: { bodyBytes: 2048 } })
    const reply = await line.post(path, body)
    expect([reply.status, (await reply.json() as { error: { code: string } }).error.code]).toEqual([status, code])
    expect(far.seen).toEqual([])
    expect(line.records.map(({ outcome }) => outcome)).toEqual(['denied'])
    line.close()
  })
}

test("serve() speaks Anthropic's error shape on Anthropic's paths", async () => {
  const line = await openLine({ urls: ['http://127.0.0.1:9'], protocol: 'anthropic-messages' })
  const bad = await line.post('/v1/messages', '{')
  expect([bad.status, await bad.json()]).toEqual([400, {
    type: 'error',
    error: expect.objectContaining({
      type: 'invalid_request_error',
      message: expect.stringContaining('not a valid JSON object'),
    }),
  }])
  const dead = await line.post('/v1/messages', { model: 'm-1', messages: [] })
  expect([dead.status, (await dead.json() as { error: { type: string } }).error.type]).toEqual([502, 'api_error'])
  line.close()
})
