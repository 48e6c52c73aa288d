import { expect, test } from 'bun:test'
import { createHash, createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject } from '../../lib/base/mod.ts'
import { hear } from '../../lib/conform/grammar.ts'
import { awsFrame, awsFrames } from '../../lib/protocol/mod.ts'
import { plantedKey, startGateway, type TestGatewayOptions } from '../support/gateway.ts'
import { claudeAnswer as whole, claudeEvents as events, claudeStream as sse } from '../support/vendors/claude-answer.ts'

const keys = { id: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', session: 'a-session' }

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Uint8Array, text: string): Uint8Array => createHmac('sha256', key).update(text).digest()

/**
 * Whether a request is signed as AWS wants it. Written from AWS's description of the signature alone.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
function isSigned(request: Request, body: Uint8Array): boolean {
  const field = request.headers.get('authorization') ?? ''
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
      .exec(field)
  if (!match) return false
  const [, id, day, region, service, names, signature] = match as unknown as string[]
  const at = request.headers.get('x-amz-date') ?? ''
  if (id !== keys.id || !at.startsWith(day!)) return false
  if (Math.abs(Date.now() - Date.parse(at.replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:'))) > 300_000) return false
  const url = new URL(request.url)
  const once = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  // Every service but S3 signs the path encoded once more.
  const path = url.pathname.split('/').map(once).join('/')
  const query = [...url.searchParams].map(([name, value]) => `${once(name)}=${once(value)}`).sort().join('&')
  const fields = names!.split(';').map((name) => `${name}:${(request.headers.get(name) ?? '').trim()}\n`).join('')
  const canonical = [request.method, path, query, fields, names, sha256(body)].join('\n')
  const scope = `${day}/${region}/${service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', at, scope, sha256(canonical)].join('\n')
  const key = [day!, region!, service!, 'aws4_request'].reduce<string | Uint8Array>(
    (key, part) => hmac(key, part),
    `AWS4${keys.secret}`,
  )
  return createHmac('sha256', key).update(text).digest('hex') === signature &&
    request.headers.get('x-amz-security-token') === keys.session
}

interface Seen {
  readonly path: string
  readonly text: string
  readonly body: JsonObject
  readonly headers: Headers
}

/** What a request for a count would have sent to a model. */
function invoked(body: JsonObject): JsonObject {
  const { input } = body as { input: { invokeModel: { body: string } } }
  return JSON.parse(Buffer.from(input.invokeModel.body, 'base64').toString()) as JsonObject
}

/** Counts for the one model that it counts for, by its own name; wants of a request what an answer would take. */
function countedByBedrock(path: string, text: string): Response {
  const asked = invoked(JSON.parse(text) as JsonObject)
  const wrong = !path.includes('/anthropic.claude-sonnet-4-5-20250929-v1')
    ? "The provided model doesn't support counting tokens."
    : asked.anthropic_version !== 'bedrock-2023-05-31' || !asked.max_tokens || !asked.messages || 'model' in asked
    ? 'Malformed input request'
    : null
  return wrong === null
    ? Response.json({ inputTokens: 21 })
    : Response.json({ message: wrong }, { status: 400, headers: { 'x-amzn-errortype': 'ValidationException' } })
}

/** Both clouds and the vendor itself on one port; what is not signed or not asked as it must be is refused. */
function clouds(broken = false) {
  const seen: Seen[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const bytes = new Uint8Array(await request.arrayBuffer())
      const text = new TextDecoder().decode(bytes)
      const { pathname } = new URL(request.url)
      seen.push({ path: pathname, text, body: JSON.parse(text) as JsonObject, headers: request.headers })
      if (pathname.startsWith('/model/')) {
        if (!isSigned(request, bytes)) return Response.json({ message: 'bad signature' }, { status: 403 })
        if (pathname.endsWith('/invoke')) return Response.json(whole)
        if (pathname.endsWith('/count-tokens')) return countedByBedrock(pathname, text)
        const frames = Buffer.concat(events.map((event) => awsFrame(JSON.stringify(event))))
        return new Response(broken ? frames.subarray(0, frames.length - 150) : frames, {
          headers: { 'content-type': 'application/vnd.amazon.eventstream' },
        })
      }
      if (request.headers.get('authorization') !== `Bearer ${plantedKey}` && pathname.includes('publishers')) {
        return Response.json({ error: { message: 'no' } }, { status: 401 })
      }
      if (pathname.includes('count')) return Response.json({ input_tokens: 42 })
      const stream = pathname.endsWith(':streamRawPredict') || (JSON.parse(text) as JsonObject).stream === true
      return stream ? new Response(sse, { headers: { 'content-type': 'text/event-stream' } }) : Response.json(whole)
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, seen, [Symbol.asyncDispose]: () => server.stop(true) }
}

async function gatewayBefore(
  url: string,
  provider: 'amazon-bedrock' | 'google-vertex' | 'anthropic',
  more: TestGatewayOptions = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'gw-clouds-'))
  const file = join(folder, 'credentials')
  await writeFile(
    file,
    `[work]\naws_access_key_id = ${keys.id}\naws_secret_access_key = ${keys.secret}\naws_session_token = ${keys.session}\n`,
    { mode: 0o600 },
  )
  const account = provider === 'amazon-bedrock' ? { aws_profile: 'work' } : { token_env: 'PLANTED_KEY' }
  const gateway = await startGateway({
    ...more,
    env: {
      AWS_SHARED_CREDENTIALS_FILE: file,
      GOOGLE_CLOUD_PROJECT: 'a-project',
      GOOGLE_CLOUD_LOCATION: 'europe-west1',
    },
    settings: {
      'egress.allow_origins': [url],
      'accounts.cloud': { provider, base_url: url, ...account },
      ...more.settings,
    },
  })
  return {
    gateway,
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      fetch(gateway.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.token}`, ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    async [Symbol.asyncDispose]() {
      await gateway.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const question = { max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }
const bedrockModel = 'anthropic.claude-sonnet-4-5-20250929-v1:0'
const vertexModel = 'claude-sonnet-4-5@20250929'
const vertexBase = '/v1/projects/p/locations/l/publishers/anthropic/models'

async function framesOf(reply: Response): Promise<string> {
  expect(reply.status).toBe(200)
  expect(reply.headers.get('content-type')).toBe('application/vnd.amazon.eventstream')
  const frames = awsFrames()
  const text = frames.push(new Uint8Array(await reply.arrayBuffer()))
  expect(frames.pending).toBe(false)
  return text
}

test('a client of Bedrock is served by Bedrock: signed, its own bytes, frames out', async () => {
  await using far = clouds()
  await using near = await gatewayBefore(far.url, 'amazon-bedrock')
  const body = `{ "anthropic_version":"bedrock-2023-05-31", "anthropic_beta":["b-1"], "x":1, ${
    JSON.stringify(question).slice(1)
  }`
  const path = `/model/${encodeURIComponent(bedrockModel)}`
  const reply = await near.post(`${path}/invoke-with-response-stream`, body)
  expect(hear('anthropic-messages', await framesOf(reply)).text).toBe('grüße 🦊')
  expect(far.seen[0]!.text).toBe(body)
  expect(far.seen[0]!.path).toBe(`${path}/invoke-with-response-stream`)
  const answer = await near.post(`${path}/invoke`, body)
  expect(await answer.json()).toEqual(whole)
  const short = await near.post('/invoke', { ...JSON.parse(body) as JsonObject, model: bedrockModel })
  expect(await short.json()).toEqual(whole)
})

test('every protocol is served by Bedrock over a signed request', async () => {
  await using far = clouds()
  await using near = await gatewayBefore(far.url, 'amazon-bedrock')
  const { messages } = question
  const asks = [
    ['/v1/messages', { ...question }, 'anthropic-messages'],
    ['/v1/chat/completions', { messages }, 'openai-chat'],
    ['/v1/responses', { input: 'hi', store: false }, 'openai-responses'],
  ] as const
  for (const [path, body, protocol] of asks) {
    const reply = await near.post(path, { model: bedrockModel, stream: true, ...body })
    const text = await reply.text()
    expect(reply.status === 200 ? hear(protocol, text).text : text).toBe('grüße 🦊')
    const answer = await near.post(path, { model: bedrockModel, ...body })
    expect(await answer.text()).toContain('grüße 🦊')
  }
})

test('tokens are counted by Bedrock: of a model whatever its regions, for each client, and estimated where it refuses', async () => {
  await using far = clouds()
  await using near = await gatewayBefore(far.url, 'amazon-bedrock')
  const { messages } = question
  const system = [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }]
  const asked = { anthropic_version: 'bedrock-2023-05-31', max_tokens: 1, system, messages }
  for (const model of [bedrockModel, `us.${bedrockModel}`, `global.${bedrockModel}`]) {
    const counted = await near.post('/v1/messages/count_tokens', { model, system, messages }, {
      'anthropic-beta': 'b-1',
    })
    expect(await counted.json()).toEqual({ input_tokens: 21 })
    expect(counted.headers.get('x-gw-estimated')).toBeNull()
    expect(far.seen.at(-1)!.path).toBe(`/model/${encodeURIComponent(bedrockModel)}/count-tokens`)
    expect(invoked(far.seen.at(-1)!.body)).toEqual({ ...asked, anthropic_beta: ['b-1'] })
  }
  const body = Buffer.from(JSON.stringify({ ...asked, max_tokens: 7 })).toString('base64')
  const own = await near.post(`/model/${encodeURIComponent(bedrockModel)}/count-tokens`, {
    input: { invokeModel: { body } },
  })
  expect(await own.json()).toEqual({ inputTokens: 21 })
  expect(invoked(far.seen.at(-1)!.body)).toEqual({ ...asked, max_tokens: 7 })
  const contents = [{ role: 'user', parts: [{ text: 'hi' }] }]
  const gemini = await near.post(`/v1beta/models/${bedrockModel.replace(':0', '')}:countTokens`, { contents })
  expect(await gemini.json()).toEqual({ totalTokens: 21 })

  const refused = await near.post('/v1/messages/count_tokens', {
    model: 'anthropic.claude-opus-4-1-20250805-v1:0',
    messages,
  })
  expect(refused.headers.get('x-gw-estimated')).toBe('true')
  expect(await refused.json()).toEqual({ input_tokens: expect.any(Number) })
  // That says nothing about the account.
  expect((await near.post('/v1/messages', { model: bedrockModel, ...question })).status).toBe(200)
})

test.each([
  [{ input: { converse: { messages: [] } } }, 'input.converse'],
  [{ input: { invokeModel: { body: 'bm8=' } } }, 'input.invokeModel.body'],
  [{}, 'input.invokeModel.body'],
])('a count of %p is refused, and where', async (body, param) => {
  await using far = clouds()
  await using near = await gatewayBefore(far.url, 'amazon-bedrock')
  const reply = await near.post(`/model/${encodeURIComponent(bedrockModel)}/count-tokens`, body)
  expect(reply.status).toBe(400)
  expect(await reply.text()).toContain(param)
  expect(far.seen).toHaveLength(0)
})

test('a stream of Bedrock that breaks off ends in an exception frame, not in an end', async () => {
  await using far = clouds(true)
  await using near = await gatewayBefore(far.url, 'amazon-bedrock')
  const reply = await near.post(`/model/${encodeURIComponent(bedrockModel)}/invoke-with-response-stream`, question)
  const text = await framesOf(reply)
  expect(hear('anthropic-messages', text).error).toBeTruthy()
  expect(text).not.toContain('message_stop')
})

test('a client of Vertex is served by Vertex, its stream an ordinary one, its tokens counted there', async () => {
  await using far = clouds()
  await using near = await gatewayBefore(far.url, 'google-vertex')
  const body = { anthropic_version: 'vertex-2023-10-16', stream: true, ...question }
  const reply = await near.post(`${vertexBase}/${vertexModel}:streamRawPredict`, body)
  expect(reply.headers.get('content-type')).toContain('text/event-stream')
  expect(hear('anthropic-messages', await reply.text()).text).toBe('grüße 🦊')
  const upstream = '/v1/projects/a-project/locations/europe-west1/publishers/anthropic/models'
  expect(far.seen[0]).toMatchObject({ path: `${upstream}/${vertexModel}:streamRawPredict`, text: JSON.stringify(body) })
  expect(await (await near.post(`${vertexBase}/${vertexModel}:rawPredict`, { ...body, stream: false })).json())
    .toEqual(whole)
  const counted = await near.post(`${vertexBase}/count-tokens:rawPredict`, {
    anthropic_version: 'vertex-2023-10-16',
    model: vertexModel,
    messages: question.messages,
  })
  expect(await counted.json()).toEqual({ input_tokens: 42 })
  expect(far.seen.at(-1)).toMatchObject({ path: `${upstream}/count-tokens:rawPredict`, body: { model: vertexModel } })
})

test('clients of both clouds are served by the vendor itself, beta flags and all', async () => {
  await using far = clouds()
  await using near = await gatewayBefore(far.url, 'anthropic')
  const reply = await near.post(
    '/model/claude-sonnet-4-5/invoke-with-response-stream',
    { anthropic_version: 'bedrock-2023-05-31', anthropic_beta: ['b-1'], ...question },
    { 'anthropic-beta': 'h-1' },
  )
  expect(hear('anthropic-messages', await framesOf(reply)).text).toBe('grüße 🦊')
  expect(far.seen[0]!.body).toEqual({ model: 'claude-sonnet-4-5', ...question, stream: true })
  expect(far.seen[0]!.headers.get('anthropic-beta')).toBe('h-1,b-1')
  const vertex = await near.post(`${vertexBase}/claude-sonnet-4-5:rawPredict`, {
    anthropic_version: 'vertex-2023-10-16',
    ...question,
  })
  expect(await vertex.json()).toEqual(whole)
})

test('server.api_format leaves one form open, and the switches of both families work', async () => {
  await using far = clouds()
  const bedrock = '/model/claude-sonnet-4-5/invoke'
  const vertex = `${vertexBase}/claude-sonnet-4-5:rawPredict`
  const gemini = '/v1beta/models/claude-sonnet-4-5:generateContent'
  const table = [
    [{ 'server.api_format': 'bedrock' }, { [bedrock]: 200, [vertex]: 404, '/v1/messages': 404 }],
    [{ 'server.api_format': 'rawpredict' }, { [bedrock]: 404, [vertex]: 200, '/v1/messages': 404 }],
    [{ 'server.api_format': 'messages' }, { [bedrock]: 404, [vertex]: 404, '/v1/messages': 200 }],
    [{ 'server.anthropic_api': false }, { [bedrock]: 404, [vertex]: 404, '/v1/messages': 404 }],
    [{ 'server.openai_api': false }, { '/v1/messages': 200, '/v1/chat/completions': 404 }],
    [{ 'server.gemini_api': false }, { '/v1/messages': 200, [gemini]: 404, '/v1beta/models': 404 }],
  ] as const
  for (const [settings, expected] of table) {
    await using near = await gatewayBefore(far.url, 'anthropic', { settings })
    for (const [path, status] of Object.entries(expected)) {
      const reply = await near.post(path, { model: 'claude-sonnet-4-5', ...question })
      expect([path, reply.status]).toEqual([path, status])
      await reply.body?.cancel()
    }
  }
}, 30_000)

test('the paths of both clouds are closed without a token, in the shape of their errors', async () => {
  await using far = clouds()
  await using near = await gatewayBefore(far.url, 'anthropic')
  for (
    const path of ['/invoke', '/model/m/invoke', `${vertexBase}/m:rawPredict`, `${vertexBase}/count-tokens:rawPredict`]
  ) {
    const reply = await fetch(near.gateway.url + path, { method: 'POST', body: '{}' })
    expect(reply.status).toBe(401)
    expect(await reply.json()).toMatchObject({ type: 'error', error: { type: 'authentication_error' } })
  }
  expect(far.seen.length).toBe(0)
})
