import { afterAll, expect, test } from 'bun:test'
import type { JsonObject } from '../../../lib/base/mod.ts'
import { awsFrame, awsFrames, readBedrockPath, readVertexPath } from '../../../lib/protocol/mod.ts'
import { Secret } from '../../../lib/base/mod.ts'
import { hear } from '../../../lib/conform/grammar.ts'
import { openLine } from './harness.ts'

const servers: { stop(force: boolean): void }[] = []
afterAll(() => servers.forEach((server) => server.stop(true)))

const events = [
  {
    type: 'message_start',
    message: { id: 'm', role: 'assistant', content: [], usage: { input_tokens: 3, output_tokens: 0 } },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'grüße 🦊' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 2 } },
  { type: 'message_stop' },
]
const frames = Buffer.concat(events.map((event) => awsFrame(JSON.stringify(event))))
const aws = JSON.stringify({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI', sessionToken: 'session' })

/** A cloud that takes messages in its envelope and answers with binary frames, or JSON. */
async function cloud(envelope: 'bedrock' | 'vertex', answer: () => Response) {
  const seen: { path: string; headers: Headers; body: JsonObject }[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      seen.push({
        path: new URL(request.url).pathname,
        headers: request.headers,
        body: await request.json() as JsonObject,
      })
      return answer()
    },
  })
  servers.push(server)
  const url = `http://127.0.0.1:${server.port}`
  const line = await openLine({
    urls: [url],
    protocol: 'anthropic-messages',
    model: 'anthropic.claude-v1:0',
    provider: { auth: envelope === 'bedrock' ? { type: 'sigv4', service: 'bedrock' } : { type: 'google' } },
    credential: envelope === 'bedrock' ? { kind: 'aws', secret: new Secret(aws) } : {},
    rooms: {},
  })
  for (const { target } of line.rooms.router.plan({} as never).targets) {
    Object.assign(target.deployment, { envelope })
  }
  return { line, seen }
}

const bodies = {
  '/v1/messages': { model: 'c', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'hi' }] },
  '/v1/chat/completions': { model: 'c', stream: true, messages: [{ role: 'user', content: 'hi' }] },
  '/v1/responses': { model: 'c', stream: true, input: 'hi' },
} as const
const protocolOf = {
  '/v1/messages': 'anthropic-messages',
  '/v1/chat/completions': 'openai-chat',
  '/v1/responses': 'openai-responses',
} as const

for (const [path, body] of Object.entries(bodies) as [keyof typeof bodies, JsonObject][]) {
  test(`${path} is served by Claude behind Bedrock, signed and unframed`, async () => {
    const { line, seen } = await cloud(
      'bedrock',
      () => new Response(frames, { headers: { 'content-type': 'application/vnd.amazon.eventstream' } }),
    )
    const reply = await line.post(path, body, { headers: { 'anthropic-beta': 'a-1, b-2' } })
    expect(reply.headers.get('content-type')).toContain('text/event-stream')
    expect(hear(protocolOf[path], await reply.text()).text).toBe('grüße 🦊')
    const [asked] = seen
    expect(asked!.path).toBe('/model/anthropic.claude-v1%3A0/invoke-with-response-stream')
    expect(asked!.body).toMatchObject({ anthropic_version: 'bedrock-2023-05-31', anthropic_beta: ['a-1', 'b-2'] })
    expect('model' in asked!.body || 'stream' in asked!.body).toBe(false)
    expect(asked!.headers.get('authorization')).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/bedrock\/aws4_request, /,
    )
    expect(asked!.headers.get('x-amz-security-token')).toBe('session')
    line.close()
  })

  test(`${path} is served whole by Claude behind Bedrock`, async () => {
    const whole = {
      id: 'm',
      type: 'message',
      role: 'assistant',
      content: [{ type: 'text', text: 'hey' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 1, output_tokens: 1 },
    }
    const { line, seen } = await cloud('bedrock', () => Response.json(whole))
    const { stream: _, ...rest } = body
    const reply = await line.post(path, rest)
    expect(JSON.stringify(await reply.json())).toContain('hey')
    expect(seen[0]!.path).toEndWith('/invoke')
    line.close()
  })
}

test('a frame cut short or garbled is a failure, and never an end', async () => {
  for (
    const broken of [
      frames.subarray(0, frames.length - 5),
      Buffer.concat([frames.subarray(0, 40), Buffer.alloc(64, 7)]),
    ]
  ) {
    const { line } = await cloud('bedrock', () => new Response(broken))
    const reply = await line.post('/v1/chat/completions', bodies['/v1/chat/completions'])
    const text = await reply.text()
    expect(reply.status === 200 ? hear('openai-chat', text).error : text).toBeTruthy()
    line.close()
  }
})

test('awsFrames() reads the same events however the bytes are split', () => {
  const whole = awsFrames().push(frames)
  for (const size of [1, 2, 3, 7, 64]) {
    const reader = awsFrames()
    let text = ''
    for (let i = 0; i < frames.length; i += size) text += reader.push(frames.subarray(i, i + size))
    expect(text).toBe(whole)
    expect(reader.pending).toBe(false)
  }
})

test('paths of both clouds name the model and the way of answering', () => {
  expect(readBedrockPath('/model/a.b%3A0/invoke')).toEqual({ model: 'a.b:0', stream: false, counts: false })
  expect(readBedrockPath('/model/a.b:0/invoke-with-response-stream')).toMatchObject({ model: 'a.b:0', stream: true })
  expect(readBedrockPath('/model/a.b:0/count-tokens')).toMatchObject({ model: 'a.b:0', stream: false, counts: true })
  expect(readBedrockPath('/model/a/converse')).toBeNull()
  expect(readVertexPath('/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1:streamRawPredict'))
    .toEqual({ model: 'claude-x@1', stream: true })
  for (const name of ['up/a.b:0', 'up%2Fa.b%3A0']) {
    expect(readVertexPath(`/v1/projects/p/locations/l/publishers/anthropic/models/${name}:rawPredict`))
      .toEqual({ model: 'up/a.b:0', stream: false })
  }
  expect(readVertexPath('/v1/projects/p/locations/l/publishers/anthropic/models/%zz:rawPredict')).toBeNull()
})
