import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { expect, test } from 'bun:test'
import OpenAI from 'openai'
import { systemClock } from '../../lib/base/mod.ts'
import { openLine, token } from '../lib/gateway/harness.ts'
import { scriptedUpstream, speech } from '../lib/gateway/scripted.ts'

// The official clients on a stream that gw opened itself, with signs of life before the answer and in the middle of it.

const speakers = Object.keys(speech) as (keyof typeof speech)[]
const messages = [{ role: 'user' as const, content: 'hi' }]

/** What each client says of the answer: its text and its input and output tokens. */
const clients: Readonly<Record<keyof typeof speech, (url: string) => Promise<readonly unknown[]>>> = {
  async 'openai-chat'(url) {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0 })
    const stream = client.chat.completions.stream({
      model: 'm',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    })
    const { choices, usage } = await stream.finalChatCompletion()
    return [choices[0]!.message.content, usage?.prompt_tokens, usage?.completion_tokens]
  },
  async 'openai-responses'(url) {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0 })
    const { output_text, usage } = await client.responses.stream({ model: 'm', input: 'hi' }).finalResponse()
    return [output_text, usage?.input_tokens, usage?.output_tokens]
  },
  async 'anthropic-messages'(url) {
    const client = new Anthropic({ baseURL: url, apiKey: token, authToken: null, maxRetries: 0 })
    const { content, usage } = await client.messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage()
    const [block] = content
    const input = usage.input_tokens + (usage.cache_read_input_tokens ?? 0)
    return [block?.type === 'text' ? block.text : block, input, usage.output_tokens]
  },
  async 'gemini'(url) {
    const client = new GoogleGenAI({ apiKey: token, vertexai: false, httpOptions: { baseUrl: url } })
    const chat = client.chats.create({ model: 'm' })
    let text = ''
    let counts: readonly unknown[] = []
    for await (const piece of await chat.sendMessageStream({ message: 'hi' })) {
      text += piece.text ?? ''
      const { promptTokenCount, candidatesTokenCount, thoughtsTokenCount } = piece.usageMetadata ?? {}
      counts = [promptTokenCount, (candidatesTokenCount ?? 0) + (thoughtsTokenCount ?? 0)]
    }
    // A chat that was sent an invalid piece forgets the turn.
    expect(chat.getHistory(true).length).toBeGreaterThan(1)
    return [text, ...counts]
  },
}

for (const caller of speakers) {
  for (const upstream of speakers) {
    test(`an ${caller} client takes a stream that gw opened before ${upstream} spoke`, async () => {
      const of = speech[upstream]
      const far = scriptedUpstream([
        { headMs: 0, steps: [[0, of(1).handshake], [300, of(1).overload]] },
        { headMs: 0, steps: [[0, of(2).handshake], [200, of(2).text], [200, of(2).end]] },
      ], systemClock)
      const line = await openLine({
        urls: ['http://up1.test', 'http://up2.test'],
        protocol: upstream,
        limits: { openAfterMs: 40, keepAliveMs: 40 },
        rooms: { upstream: far.upstream },
      })
      const server = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        idleTimeout: 0,
        fetch: (request) => line.door.fetch(request, { address: '127.0.0.1', loopback: true })!,
      })
      try {
        expect(await clients[caller](`http://127.0.0.1:${server.port}`)).toEqual(['grüße 🦊', 1203, 7])
        expect(far.calls.length).toBe(2)
      } finally {
        await server.stop(true)
        line.close()
      }
    }, 20_000)
  }
}
