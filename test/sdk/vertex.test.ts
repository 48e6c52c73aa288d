import { AnthropicVertex } from '@anthropic-ai/vertex-sdk'
import { GoogleGenAI } from '@google/genai'
import { expect, test } from 'bun:test'
import { startGateway } from '../support/gateway.ts'

const tool = {
  name: 'get_weather',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] },
}

test('the official client of Claude on Vertex is served: whole, streamed, with tools, and its tokens counted', async () => {
  await using gateway = await startGateway({ demo: true })
  const client = new AnthropicVertex({
    baseURL: `${gateway.url}/v1`,
    region: 'europe-west1',
    projectId: 'p',
    // Stands for Google's own login, which this client insists on.
    authClient: {
      projectId: 'p',
      getRequestHeaders: () => Promise.resolve(new Headers({ authorization: `Bearer ${gateway.token}` })),
    } as never,
    maxRetries: 0,
  })
  const ask = { model: 'demo-small', max_tokens: 900, messages: [{ role: 'user' as const, content: 'hello there' }] }
  const whole = await client.messages.create(ask)
  expect(JSON.stringify(whole.content)).toContain('hello there')
  const stream = await client.messages.stream(ask).finalMessage()
  expect(stream.content.map(({ type, ...block }) => [type, 'text' in block && block.text])).toEqual(
    whole.content.map(({ type, ...block }) => [type, 'text' in block && block.text]),
  )
  expect(stream.usage.output_tokens).toBe(whole.usage.output_tokens)
  const { max_tokens: _, ...counted } = ask
  const { input_tokens } = await client.messages.countTokens(counted)
  expect(input_tokens).toBe(whole.usage.input_tokens)
  const messages = [{ role: 'user' as const, content: 'What is the weather in Oslo?' }]
  const call = await client.messages.create({ ...ask, messages, tools: [tool] })
  expect(call.stop_reason).toBe('tool_use')
  expect(call.content.find(({ type }) => type === 'tool_use')).toMatchObject({ name: 'get_weather' })
  const refused = client.messages.create({ ...ask, model: 'no-such-model' })
  expect(await refused.catch((error: { status: number }) => error.status)).toBe(404)
})

test('the official client of Gemini is served in both of its forms: chats, lists, counts, errors', async () => {
  await using gateway = await startGateway({ demo: true })
  const httpOptions = { baseUrl: gateway.url }
  for (
    const client of [
      new GoogleGenAI({ apiKey: gateway.token, vertexai: false, httpOptions }),
      new GoogleGenAI({ apiKey: gateway.token, vertexai: true, httpOptions }),
    ]
  ) {
    const chat = client.chats.create({ model: 'demo-small' })
    const first = await chat.sendMessage({ message: 'hello there' })
    expect(first.text).toContain('hello there')
    let text = ''
    for await (const piece of await chat.sendMessageStream({ message: 'and again' })) text += piece.text ?? ''
    expect(text).toContain('and again')
    // Only a stream whose every piece is a valid answer is kept.
    expect(chat.getHistory(true).map(({ role }) => role)).toContain('model')
    expect(chat.getHistory(true).length).toBeGreaterThanOrEqual(4)
    const { totalTokens } = await client.models.countTokens({ model: 'demo-small', contents: 'hello there' })
    expect(totalTokens).toBeGreaterThan(0)
    const failed = client.models.generateContent({ model: 'demo-error-429', contents: 'x' })
    expect(await failed.catch((error: { status: number }) => error.status)).toBe(429)
  }
  const client = new GoogleGenAI({ apiKey: gateway.token, vertexai: false, httpOptions })
  const names: string[] = []
  for await (const model of await client.models.list({ config: { pageSize: 5 } })) names.push(model.name ?? '')
  expect(names).toContain('models/demo/demo-small')
  expect(new Set(names).size).toBe(names.length)
  expect((await client.models.get({ model: 'demo/demo-small' })).name).toBe('models/demo/demo-small')
})
