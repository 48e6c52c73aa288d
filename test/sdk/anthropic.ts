import Anthropic, { APIError } from '@anthropic-ai/sdk'
import { expect, test } from 'bun:test'
import type { Target } from './target.ts'

const weather = {
  name: 'get_weather',
  description: 'The weather of a place.',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
} as const satisfies Anthropic.Tool

/** What the official `@anthropic-ai/sdk` package must be able to do through `open()`'s target. */
export function anthropicScenario(name: string, open: () => Promise<Target>): void {
  const says = (text: string): string => `anthropic SDK through ${name}: ${text}`
  async function use(work: (client: Anthropic, target: Target) => Promise<void>): Promise<void> {
    await using target = await open()
    await work(new Anthropic({ baseURL: target.url, apiKey: target.key, authToken: null, maxRetries: 0 }), target)
  }
  const user = (content: string): Anthropic.MessageParam => ({ role: 'user', content })

  test(says('a message is answered, and counted as count_tokens said'), () =>
    use(async (client, { prefix }) => {
      const ask = { model: `${prefix}demo-small`, system: 'be short', messages: [user('hello there')] }
      const reply = await client.messages.create({ ...ask, max_tokens: 1000 })
      expect(reply.content.map((block) => block.type)).toEqual(['text'])
      expect(JSON.stringify(reply.content)).toContain('hello there')
      expect(reply.stop_reason).toBe('end_turn')
      const counted = await client.messages.countTokens(ask)
      expect(counted.input_tokens).toBe(reply.usage.input_tokens)
    }))

  test(says('a stream keeps its grammar, thinking and signature included'), () =>
    use(async (client, { prefix }) => {
      const types: string[] = []
      const stream = client.messages.stream({
        model: `${prefix}demo-large`,
        max_tokens: 4000,
        thinking: { type: 'enabled', budget_tokens: 1024 },
        messages: [user('grüße 👋')],
      }).on('streamEvent', (event) => types.push(event.type))
      const final = await stream.finalMessage()
      expect(final.content.map((block) => block.type)).toEqual(['thinking', 'text'])
      expect(JSON.stringify(final.content)).toContain('grüße 👋')
      expect(final.content[0]).toHaveProperty('signature', expect.stringMatching(/./))
      expect(final.usage.output_tokens).toBeGreaterThan(5)
      expect([types[0], types.at(-2), types.at(-1)]).toEqual(['message_start', 'message_delta', 'message_stop'])
      expect(types.filter((type) => type === 'message_start')).toHaveLength(1)
    }))

  test(says('a tool is called and its result answered'), () =>
    use(async (client, { prefix }) => {
      const model = `${prefix}demo-small`
      const messages: Anthropic.MessageParam[] = [user('What is the weather in Oslo?')]
      const first = await client.messages.stream({ model, max_tokens: 1000, messages, tools: [weather] }).finalMessage()
      expect(first.stop_reason).toBe('tool_use')
      const call = first.content.find((block) => block.type === 'tool_use')!
      expect([call.name, call.input]).toEqual(['get_weather', { city: 'Oslo' }])
      messages.push({ role: 'assistant', content: first.content }, {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: call.id, content: 'rain, 4 °C' }],
      })
      const second = await client.messages.create({ model, max_tokens: 1000, messages, tools: [weather] })
      expect(JSON.stringify(second.content)).toContain('rain, 4 °C')
    }))

  test(
    says('too few tokens end with max_tokens, a stop sequence with its name'),
    () =>
      use(async (client, { prefix }) => {
        const ask = { model: `${prefix}demo-small`, messages: [user('count to 50')] }
        const short = await client.messages.create({ ...ask, max_tokens: 5 })
        expect([short.stop_reason, short.usage.output_tokens]).toEqual(['max_tokens', 5])
        const stopped = await client.messages.create({ ...ask, max_tokens: 500, stop_sequences: ['17'] })
        expect([stopped.stop_reason, stopped.stop_sequence]).toEqual(['stop_sequence', '17'])
      }),
  )

  test(says('an abort ends the stream here and upstream within 250 ms'), () =>
    use(async (client, target) => {
      const stream = await client.messages.create({
        model: `${target.prefix}demo-delay-30000`,
        max_tokens: 100,
        messages: [user('count to 9')],
        stream: true,
      })
      for await (const event of stream) {
        if (event.type !== 'content_block_delta') continue
        await target.upstreamIs(1, 1000)
        stream.controller.abort()
      }
      await target.upstreamIs(0, 250)
    }))

  for (
    const [model, status, type] of [
      ['demo-error-400', 400, 'invalid_request_error'],
      ['demo-error-429', 429, 'rate_limit_error'],
      ['no-such-model', 404, 'not_found_error'],
    ] as const
  ) {
    test(says(`${model} is an APIError ${status}`), () =>
      use(async (client, { prefix }) => {
        const error = await client.messages.create({ model: `${prefix}${model}`, max_tokens: 9, messages: [user('x')] })
          .then(() => undefined, (caught: unknown) => caught)
        if (!(error instanceof APIError)) throw new Error(`not an APIError: ${String(error)}`)
        expect([error.status, error.type]).toEqual([status, type])
      }))
  }

  for (const model of ['demo-break', 'demo-cut']) {
    test(says(`${model} never looks like a finished answer`), () =>
      use(async (client, { prefix }) => {
        const types: string[] = []
        const error = await client.messages.stream({
          model: `${prefix}${model}`,
          max_tokens: 100,
          messages: [user('hello there')],
        }).on('streamEvent', (event) => types.push(event.type)).finalMessage()
          .then(() => undefined, (caught: unknown) => caught)
        expect(types).toContain('content_block_delta')
        expect(types).not.toContain('message_stop')
        expect(error).toBeInstanceOf(Error)
      }))
  }
}
