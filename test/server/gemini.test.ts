import { expect, test } from 'bun:test'
import type { JsonObject } from '../../lib/base/mod.ts'
import { hear } from '../../lib/conform/grammar.ts'
import { plantedKey, startGateway, type TestGateway, type TestGatewayOptions } from '../support/gateway.ts'

const model = 'gemini-2.5-flash'
const question = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }
const piece = (parts: JsonObject[], more: JsonObject = {}, usage: JsonObject = {}): JsonObject => ({
  candidates: [{ content: { parts, role: 'model' }, index: 0, ...more }],
  usageMetadata: { promptTokenCount: 3, totalTokenCount: 3, ...usage },
  modelVersion: model,
  responseId: 'r-1',
})
const used = { candidatesTokenCount: 2, thoughtsTokenCount: 4, totalTokenCount: 9, cachedContentTokenCount: 1 }
const whole = piece([{ text: 'grüße 🦊' }], { finishReason: 'STOP' }, used)
const pieces = [
  piece([{ text: 'grüße ' }]),
  piece([{ text: '🦊' }]),
  piece([{ text: '', thoughtSignature: 'c2ln' }], { finishReason: 'STOP' }, used),
]
const sse = pieces.map((value) => `data: ${JSON.stringify(value)}\r\n\r\n`).join('')

interface Seen {
  readonly path: string
  readonly search: string
  readonly text: string
  readonly headers: Headers
}

/** The vendor's API and Vertex on one port. */
function google(answer: { readonly status?: number; readonly cut?: boolean } = {}) {
  const seen: Seen[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      seen.push({ path: pathname, search, text: await request.text(), headers: request.headers })
      const given = request.headers.get('x-goog-api-key') ?? request.headers.get('x-api-key') ??
        request.headers.get('authorization')?.slice(7)
      if (given !== plantedKey) {
        return Response.json({ error: { code: 401, message: 'no', status: 'UNAUTHENTICATED' } }, { status: 401 })
      }
      if (answer.status) {
        const error = {
          code: answer.status,
          message: 'the words of the vendor',
          status: 'INVALID_ARGUMENT',
          details: [],
        }
        return Response.json({ error }, { status: answer.status })
      }
      if (pathname.endsWith('/count_tokens')) return Response.json({ input_tokens: 7 })
      if (pathname.endsWith(':countTokens')) return Response.json({ totalTokens: 42 })
      if (pathname.endsWith(':generateContent')) return Response.json(whole)
      const text = answer.cut ? sse.slice(0, sse.length / 2) : sse
      return new Response(text, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, seen, [Symbol.asyncDispose]: () => server.stop(true) }
}

async function before(url: string, provider: string, more: TestGatewayOptions = {}) {
  const gateway = await startGateway({
    ...more,
    env: { GOOGLE_CLOUD_PROJECT: 'a-project', GOOGLE_CLOUD_LOCATION: 'europe-west1' },
    settings: {
      'egress.allow_origins': [url],
      'accounts.up': { provider, base_url: url, token_env: 'PLANTED_KEY' },
      ...more.settings,
    },
  })
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(gateway.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-goog-api-key': gateway.token, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  return { gateway, post, [Symbol.asyncDispose]: () => gateway.close() }
}

const base = `/v1beta/models/${model}`

/** What is written down of the requests so far. */
async function recorded({ gateway }: TestGateway) {
  await gateway.rooms.usage.flush()
  return await gateway.rooms.storage.db.selectFrom('requests').selectAll().execute()
}

test('a client of generateContent is served by the vendor: its own bytes, and the answer as it came', async () => {
  await using far = google()
  await using near = await before(far.url, 'google')
  const body = `{ "x_new":[1], ${JSON.stringify(question).slice(1, -1)}, "generationConfig":{"topK":  5} }`
  const reply = await near.post(`${base}:generateContent`, body)
  expect(await reply.json()).toEqual(whole)
  expect(reply.headers.get('x-gw-target')).toContain('google')
  expect(far.seen[0]).toMatchObject({ path: `${base}:generateContent`, search: '', text: body })
  expect(far.seen[0]!.headers.get('x-goog-api-key')).toBe(plantedKey)
  const streamed = await near.post(`${base}:streamGenerateContent?alt=sse`, body)
  expect(streamed.headers.get('content-type')).toContain('text/event-stream')
  expect(await streamed.text()).toBe(sse)
  expect(far.seen[1]).toMatchObject({ path: `${base}:streamGenerateContent`, search: '?alt=sse', text: body })
  const under = await near.post(`/api${base}:generateContent`, body)
  expect(await under.json()).toEqual(whole)
  const rows = await recorded(near.gateway)
  expect(rows.length).toBe(3)
  for (const { input_tokens, output_tokens, cached_tokens, reasoning_tokens } of rows) {
    expect([input_tokens, output_tokens, cached_tokens, reasoning_tokens]).toEqual([3, 6, 1, 4])
  }
})

test('a stream that was asked for as a list is one, of the same objects', async () => {
  await using far = google()
  await using near = await before(far.url, 'google')
  const reply = await near.post(`${base}:streamGenerateContent`, question)
  expect(reply.headers.get('content-type')).toContain('application/json')
  expect(await reply.json()).toEqual(pieces)
  await using broken = google({ cut: true })
  await using other = await before(broken.url, 'google')
  const cut = await (await other.post(`${base}:streamGenerateContent`, question)).json() as JsonObject[]
  expect(cut.at(-1)).toMatchObject({ error: { code: 500, status: 'INTERNAL' } })
  await using refusing = google({ status: 400 })
  await using third = await before(refusing.url, 'google')
  const refused = await third.post(`${base}:streamGenerateContent`, question)
  expect([refused.status, await refused.json()]).toMatchObject([400, [{
    error: { message: 'the words of the vendor' },
  }]])
})

test('the token may come in the query, and goes no further than the door', async () => {
  await using far = google()
  await using near = await before(far.url, 'google')
  const reply = await fetch(`${near.gateway.url}${base}:generateContent?key=${near.gateway.token}&alt=json`, {
    method: 'POST',
    body: JSON.stringify(question),
  })
  expect(reply.status).toBe(200)
  const listed = await fetch(`${near.gateway.url}/v1beta/models?key=${near.gateway.token}&pageSize=1000`)
  expect(listed.status).toBe(200)
  const secret = near.gateway.token.slice(10)
  for (const { path, search, text, headers } of far.seen) {
    expect([path, search, text, JSON.stringify([...headers])].join()).not.toContain(secret)
  }
  expect(near.gateway.log.join()).not.toContain(secret)
  expect(JSON.stringify(await recorded(near.gateway))).not.toContain(secret)
  const none = await fetch(`${near.gateway.url}${base}:generateContent?key=wrong`, { method: 'POST', body: '{}' })
  expect([none.status, await none.json()]).toMatchObject([401, { error: { code: 401, status: 'UNAUTHENTICATED' } }])
})

test('every protocol is served by generateContent', async () => {
  await using far = google()
  await using near = await before(far.url, 'google')
  const messages = [{ role: 'user', content: 'hi' }]
  const asks = [
    ['/v1/messages', { max_tokens: 9, messages }, 'anthropic-messages'],
    ['/v1/responses', { input: 'hi', store: false }, 'openai-responses'],
  ] as const
  for (const [path, body, protocol] of asks) {
    const reply = await near.post(path, { model, stream: true, ...body })
    expect(hear(protocol, await reply.text()).text).toBe('grüße 🦊')
    expect(await (await near.post(path, { model, ...body })).text()).toContain('grüße 🦊')
    expect(far.seen.at(-1)!.path).toBe(`${base}:generateContent`)
    expect(JSON.parse(far.seen.at(-1)!.text)).not.toHaveProperty('model')
  }
  const counted = await near.post('/v1/messages/count_tokens', { model, messages })
  expect(await counted.json()).toEqual({ input_tokens: 42 })
})

test('tokens are counted by the vendor where it can, and by gw where not', async () => {
  await using far = google()
  await using near = await before(far.url, 'google')
  expect(await (await near.post(`${base}:countTokens`, question)).json()).toEqual({ totalTokens: 42 })
  const wrapped = { generateContentRequest: { model: `models/${model}`, ...question } }
  expect(await (await near.post(`${base}:countTokens`, wrapped)).json()).toEqual({ totalTokens: 42 })
  expect(JSON.parse(far.seen[1]!.text)).toEqual(wrapped)
  const messages = [{ role: 'user', content: 'hi' }]
  const system = 'Be brief.'
  for (const provider of ['google', 'google-vertex']) {
    await using mine = await before(far.url, provider)
    const counted = await mine.post('/v1/messages/count_tokens', { model, system, messages })
    expect(counted.headers.get('x-gw-estimated')).toBeNull()
    expect(await counted.json()).toEqual({ input_tokens: 42 })
    const asked = { contents: question.contents, systemInstruction: { parts: [{ text: system }] } }
    expect(JSON.parse(far.seen.at(-1)!.text)).toEqual(
      provider === 'google' ? { generateContentRequest: { model: `models/${model}`, ...asked } } : asked,
    )
  }
  await using claude = await before(far.url, 'anthropic')
  const foreign = await claude.post('/v1beta/models/claude-sonnet-4-5:countTokens', {
    ...question,
    generationConfig: { maxOutputTokens: 5, temperature: 1 },
  })
  expect(await foreign.json()).toEqual({ totalTokens: 7 })
  expect(JSON.parse(far.seen.at(-1)!.text)).toEqual({
    model: 'claude-sonnet-4-5',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
  })
  await using other = await before(far.url, 'openai')
  const guessed = await other.post('/v1beta/models/gpt-5:countTokens', question)
  expect(guessed.headers.get('x-gw-estimated')).toBe('true')
  expect(await guessed.json()).toEqual({ totalTokens: expect.any(Number) })
})

test('Vertex is asked at its own paths, by clients of either form', async () => {
  await using far = google()
  await using near = await before(far.url, 'google-vertex')
  const upstream = `/v1/projects/a-project/locations/europe-west1/publishers/google/models/${model}`
  const paths = [base, `/v1beta1/projects/p/locations/l/publishers/google/models/${model}`]
  for (const path of paths) {
    expect(await (await near.post(`${path}:generateContent`, question)).json()).toEqual(whole)
    expect(far.seen.at(-1)).toMatchObject({ path: `${upstream}:generateContent`, text: JSON.stringify(question) })
    expect(far.seen.at(-1)!.headers.get('authorization')).toBe(`Bearer ${plantedKey}`)
  }
  const reply = await near.post('/v1/messages', {
    model,
    max_tokens: 9,
    stream: true,
    messages: [{ role: 'user', content: 'hi' }],
  })
  expect(hear('anthropic-messages', await reply.text()).text).toBe('grüße 🦊')
  expect(far.seen.at(-1)).toMatchObject({ path: `${upstream}:streamGenerateContent`, search: '?alt=sse' })
})

test('errors have the shape of the API, gw’s own and the vendor’s', async () => {
  await using far = google({ status: 400 })
  await using near = await before(far.url, 'google')
  const passed = await near.post(`${base}:generateContent`, question)
  expect([passed.status, await passed.json()]).toMatchObject([
    400,
    { error: { message: 'the words of the vendor', status: 'INVALID_ARGUMENT' } },
  ])
  const table = [
    [`/v1beta/models/no-such/model-1:generateContent`, question, 404, 'NOT_FOUND'],
    [`${base}:generateContent`, '{"contents": ', 400, 'INVALID_ARGUMENT'],
    ['/v1beta/models/no-such-model', null, 404, 'NOT_FOUND'],
    ['/v1beta/nothing', null, 404, 'NOT_FOUND'],
  ] as const
  for (const [path, body, status, word] of table) {
    const headers = { 'x-goog-api-key': near.gateway.token }
    const reply = body === null ? await fetch(near.gateway.url + path, { headers }) : await near.post(path, body)
    expect([path, reply.status, await reply.json()]).toMatchObject([path, status, {
      error: { code: status, status: word },
    }])
  }
  await using other = await before(far.url, 'anthropic')
  const shape = await other.post('/v1beta/models/claude-sonnet-4-5:generateContent', {
    contents: [{ role: 'user', parts: [{ functionCall: { name: 7 } }] }],
  })
  expect([shape.status, await shape.json()]).toMatchObject([
    400,
    {
      error: {
        status: 'INVALID_ARGUMENT',
        details: [{ metadata: { param: 'contents[0].parts[0].functionCall.name' } }],
      },
    },
  ])
})

test('models are listed as the API lists them', async () => {
  await using near = await before('http://127.0.0.1:9', 'demo', { demo: true })
  const headers = { 'x-goog-api-key': near.gateway.token }
  const get = async (path: string): Promise<JsonObject> =>
    await (await fetch(near.gateway.url + path, { headers })).json() as JsonObject
  const { models } = await get('/v1beta/models') as { models: JsonObject[] }
  expect(models.length).toBeGreaterThan(1)
  const first = models[0]!
  expect(first.name).toStartWith('models/')
  expect(first.supportedGenerationMethods).toContain('generateContent')
  expect(await get(`/v1beta/${first.name as string}`)).toEqual(first)
  const page = await get('/v1beta/models?pageSize=1')
  expect(page).toEqual({ models: [first], nextPageToken: '1' })
  expect((await get('/v1beta/models?pageSize=1&pageToken=1')).models).toEqual([models[1]!])
})
