import { expect, test } from 'bun:test'
import OpenAI, { APIError, toFile } from 'openai'
import type { Target } from './target.ts'

const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather of a place.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
} as const

/** What the official `openai` package must be able to do through `open()`'s target. */
export function openaiScenario(name: string, open: () => Promise<Target>): void {
  const says = (text: string): string => `openai SDK through ${name}: ${text}`
  async function use(work: (client: OpenAI, target: Target) => Promise<void>): Promise<void> {
    await using target = await open()
    await work(new OpenAI({ baseURL: `${target.url}/v1`, apiKey: target.key, maxRetries: 0 }), target)
  }

  test(says('chat answers, with usage that adds up'), () =>
    use(async (client, { prefix }) => {
      const reply = await client.chat.completions.create({
        model: `${prefix}demo-small`,
        messages: [{ role: 'system', content: 'be short' }, { role: 'user', content: 'hello there' }],
      })
      expect(reply.choices[0]!.message.content).toContain('hello there')
      expect(reply.choices[0]!.finish_reason).toBe('stop')
      const usage = reply.usage!
      expect(usage.prompt_tokens).toBeGreaterThan(0)
      expect(usage.prompt_tokens + usage.completion_tokens).toBe(usage.total_tokens)
    }))

  test(says('a chat stream holds the same text, and usage when asked'), () =>
    use(async (client, { prefix }) => {
      const stream = await client.chat.completions.create({
        model: `${prefix}demo-small`,
        messages: [{ role: 'user', content: 'grüße 👋' }],
        stream: true,
        stream_options: { include_usage: true },
      })
      let text = ''
      let usage: OpenAI.CompletionUsage | null | undefined
      const finishes: string[] = []
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? ''
        if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason)
        usage = chunk.usage ?? usage
      }
      expect(text).toContain('grüße 👋')
      expect(finishes).toEqual(['stop'])
      expect(usage!.prompt_tokens + usage!.completion_tokens).toBe(usage!.total_tokens)
    }))

  test(says('a chat tool call comes in pieces, and its result is answered'), () =>
    use(async (client, { prefix }) => {
      const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'What is the weather in Oslo?' }]
      const stream = client.chat.completions.stream({ model: `${prefix}demo-small`, messages, tools: [weather] })
      const first = (await stream.finalChatCompletion()).choices[0]!
      expect(first.finish_reason).toBe('tool_calls')
      const call = first.message.tool_calls![0]!
      if (call.type !== 'function') throw new Error(`called a ${call.type} tool`)
      expect([call.function.name, JSON.parse(call.function.arguments)]).toEqual(['get_weather', { city: 'Oslo' }])
      messages.push(first.message, { role: 'tool', tool_call_id: call.id, content: 'rain, 4 °C' })
      const second = await client.chat.completions.create({ model: `${prefix}demo-small`, messages, tools: [weather] })
      expect(second.choices[0]!.message.content).toContain('rain, 4 °C')
    }))

  test(says('responses answer, streamed and not'), () =>
    use(async (client, { prefix }) => {
      const ask = { model: `${prefix}demo-large`, input: 'hello there', reasoning: { effort: 'low' } } as const
      const whole = await client.responses.create(ask)
      expect([whole.status, whole.output.map((item) => item.type)]).toEqual(['completed', ['reasoning', 'message']])
      expect(whole.output_text).toContain('hello there')
      expect(whole.usage!.input_tokens + whole.usage!.output_tokens).toBe(whole.usage!.total_tokens)
      const types: string[] = []
      const numbers: number[] = []
      const stream = client.responses.stream(ask).on('event', (event) => {
        types.push(event.type)
        numbers.push(event.sequence_number)
      })
      const final = await stream.finalResponse()
      expect(final.output_text).toBe(whole.output_text)
      expect([types[0], types.at(-1)]).toEqual(['response.created', 'response.completed'])
      expect(numbers).toEqual(numbers.map((_, i) => i))
    }))

  test(says('a responses tool call is made and its result answered'), () =>
    use(async (client, { prefix }) => {
      const tools = [{ ...weather.function, type: 'function', strict: false }] as const
      const model = `${prefix}demo-small`
      const input: OpenAI.Responses.ResponseInputItem[] = [{ role: 'user', content: 'What is the weather in Oslo?' }]
      const first = await client.responses.stream({ model, input, tools: [...tools] }).finalResponse()
      const call = first.output[0]!
      if (call.type !== 'function_call') throw new Error(`answered with a ${call.type}`)
      expect([call.name, JSON.parse(call.arguments)]).toEqual(['get_weather', { city: 'Oslo' }])
      input.push(call, { type: 'function_call_output', call_id: call.call_id, output: 'rain, 4 °C' })
      const second = await client.responses.create({ model, input, tools: [...tools] })
      expect(second.output_text).toContain('rain, 4 °C')
    }))

  test(says('an abort ends the stream here and upstream within 250 ms'), () =>
    use(async (client, target) => {
      const stream = await client.chat.completions.create({
        model: `${target.prefix}demo-delay-30000`,
        messages: [{ role: 'user', content: 'count to 9' }],
        stream: true,
      })
      for await (const chunk of stream) {
        if (!chunk.choices[0]?.delta.content) continue
        await target.upstreamIs(1, 1000)
        stream.controller.abort()
      }
      await target.upstreamIs(0, 250)
    }))

  for (
    const [model, status, type] of [
      ['demo-error-400', 400, 'invalid_request_error'],
      ['demo-error-429', 429, undefined],
      ['demo-error-500', 500, undefined],
    ] as const
  ) {
    test(says(`${model} is an APIError ${status}`), () =>
      use(async (client, { prefix }) => {
        const messages = [{ role: 'user', content: 'x' }] as const
        const error = await client.chat.completions.create({ model: `${prefix}${model}`, messages: [...messages] })
          .then(() => undefined, (caught: unknown) => caught)
        if (!(error instanceof APIError)) throw new Error(`not an APIError: ${String(error)}`)
        expect(error.status).toBe(status)
        expect(error.message.length).toBeGreaterThan(5)
        if (type !== undefined) expect(error.type).toBe(type)
      }))
  }

  test(says('an unknown model is 404 with the code model_not_found'), () =>
    use(async (client, { prefix }) => {
      const error = await client.responses.create({ model: `${prefix}no-such-model`, input: 'x' })
        .then(() => undefined, (caught: unknown) => caught)
      if (!(error instanceof APIError)) throw new Error(`not an APIError: ${String(error)}`)
      expect([error.status, error.code]).toEqual([404, 'model_not_found'])
    }))

  for (const model of ['demo-break', 'demo-cut']) {
    test(says(`${model} never looks like a finished answer`), () =>
      use(async (client, { prefix }) => {
        const stream = await client.chat.completions.create({
          model: `${prefix}${model}`,
          messages: [{ role: 'user', content: 'hello there' }],
          stream: true,
        })
        let text = ''
        let finish: string | null = null
        const error = await (async () => {
          for await (const chunk of stream) {
            text += chunk.choices[0]?.delta.content ?? ''
            finish ??= chunk.choices[0]?.finish_reason ?? null
          }
        })().then(() => undefined, (caught: unknown) => caught)
        expect(text.length).toBeGreaterThan(0)
        expect(finish).toBeNull()
        expect(error).toBeInstanceOf(Error)
      }))
  }

  test(says('models are listed'), () =>
    use(async (client, { prefix }) => {
      const ids: string[] = []
      for await (const model of client.models.list()) ids.push(model.id)
      expect(ids.some((id) => id.endsWith('demo-small'))).toBe(true)
      expect((await client.models.retrieve(`${prefix}demo-small`)).id).toEndWith('demo-small')
    }))

  test(says('embeddings are the same for the same text'), () =>
    use(async (client, { prefix }) => {
      const input = ['the cat sat', 'the cat sat', 'quantum flux']
      const { data, usage } = await client.embeddings.create({ model: `${prefix}demo-embed`, input })
      expect(data.map(({ embedding }) => embedding.length)).toEqual([256, 256, 256])
      expect(data[0]!.embedding).toEqual(data[1]!.embedding)
      expect(data[0]!.embedding).not.toEqual(data[2]!.embedding)
      expect(usage.prompt_tokens).toBeGreaterThan(0)
    }))

  test(says('audio is transcribed, whole and streamed'), () =>
    use(async (client, { prefix }) => {
      const file = await toFile(new Uint8Array(48_000), 'note.wav', { type: 'audio/wav' })
      const model = `${prefix}demo-transcribe`
      const whole = await client.audio.transcriptions.create({ model, file })
      expect(whole.text).toContain('note.wav: 48000 bytes')
      const text = await client.audio.transcriptions.create({ model, file, response_format: 'text' })
      expect(text).toContain('note.wav')
      let streamed = ''
      for await (const event of await client.audio.transcriptions.create({ model, file, stream: true })) {
        if (event.type === 'transcript.text.delta') streamed += event.delta
      }
      expect(streamed).toBe(whole.text)
    }))
}
