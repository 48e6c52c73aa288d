import { afterAll, expect, test } from 'bun:test'
import type { JsonObject } from '../../../lib/base/mod.ts'
import { hear } from '../../../lib/conform/grammar.ts'
import { openLine } from './harness.ts'

const closers: (() => unknown)[] = []
afterAll(() => Promise.all(closers.map((close) => close())))

/** A messages upstream that says this, or nothing at all, and counts so many tokens. */
function upstream(text: string | null, counted: number) {
  const usage = { input_tokens: 3, output_tokens: counted }
  const content = text === null ? [] : [{ type: 'text', text }]
  const whole = { id: 'm', type: 'message', role: 'assistant', content, stop_reason: 'end_turn', usage }
  const events = [
    {
      type: 'message_start',
      message: { ...whole, content: [], stop_reason: null, usage: { ...usage, output_tokens: 0 } },
    },
    ...content.flatMap((block) => [
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: block.text } },
      { type: 'content_block_stop', index: 0 },
    ]),
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: counted } },
    { type: 'message_stop' },
  ]
  const sse = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      return (await request.json() as JsonObject).stream === true
        ? new Response(sse, { headers: { 'content-type': 'text/event-stream' } })
        : Response.json(whole)
    },
  })
  closers.push(() => server.stop(true))
  return `http://127.0.0.1:${server.port}`
}

const messages = [{ role: 'user', content: 'hi' }]
const callers = [
  ['openai-chat', '/v1/chat/completions', { model: 'm', messages }],
  ['openai-responses', '/v1/responses', { model: 'm', input: 'hi', store: false }],
  ['anthropic-messages', '/v1/messages', { model: 'm', max_tokens: 9, messages }],
] as const

for (const [protocol, path, body] of callers) {
  for (const stream of [true, false]) {
    const what = `${protocol}, ${stream ? 'streamed' : 'whole'}`
    const heard = async (urls: readonly string[]) => {
      const line = await openLine({ urls, protocol: 'anthropic-messages' })
      const reply = await line.post(path, { ...body, stream })
      const text = await reply.text()
      line.close()
      return { status: reply.status, attempts: reply.headers.get('x-gw-attempts'), text }
    }

    test(`${what}: a turn of Anthropic's that ends with nothing is the next target's`, async () => {
      const { status, attempts, text } = await heard([upstream(null, 0), upstream('there', 1)])
      expect([status, attempts]).toEqual([200, '2'])
      expect(stream ? hear(protocol, text).text : text).toContain('there')
    })

    test(`${what}: a silent turn for which tokens were counted is an answer`, async () => {
      const { status, attempts, text } = await heard([upstream(null, 2), upstream('there', 1)])
      expect([status, attempts]).toEqual([200, '1'])
      expect(text).not.toContain('there')
    })
  }
}
