import Anthropic from '@anthropic-ai/sdk'
import { expect, test } from 'bun:test'
import OpenAI from 'openai'
import type { ProtocolId } from '../../lib/protocol/mod.ts'
import { openLine, token } from '../lib/gateway/harness.ts'
import { type Telling, tellings } from '../lib/gateway/lies.ts'
import { speakers } from '../lib/gateway/play.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'

// What the official SDKs make of upstreams that lie, and of ones that are odd and honest.

const schema = { type: 'object' as const, properties: { note: { type: 'string' } } }
const said = 'hi'

/** One answer by each SDK's own helper, to its end: why it stopped. Throws what the SDK throws. */
const clients: Readonly<Partial<Record<ProtocolId, (base: string) => Promise<unknown>>>> = {
  async 'openai-chat'(base) {
    const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: token, maxRetries: 0 })
    const tools = [{ type: 'function' as const, function: { name: 'note', parameters: schema } }]
    const messages = [{ role: 'user' as const, content: said }]
    const answer = await client.chat.completions.stream({ model: 'm', messages, tools }).finalChatCompletion()
    return answer.choices[0]?.finish_reason
  },
  async 'openai-responses'(base) {
    const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: token, maxRetries: 0 })
    const tools = [{ type: 'function' as const, name: 'note', parameters: schema, strict: false }]
    const { status } = await client.responses.stream({ model: 'm', input: said, tools }).finalResponse()
    if (status === 'failed') throw new Error('the response failed')
    return status
  },
  async 'anthropic-messages'(base) {
    const client = new Anthropic({ baseURL: base, apiKey: null, authToken: token, maxRetries: 0 })
    const tools = [{ name: 'note', input_schema: schema }]
    const messages = [{ role: 'user' as const, content: said }]
    return (await client.messages.stream({ model: 'm', max_tokens: 99, messages, tools }).finalMessage()).stop_reason
  },
}

/** What an SDK refuses by itself where gw passes the bytes on: it would refuse the same from the upstream. */
const tooStrict: Readonly<Partial<Record<ProtocolId, readonly string[]>>> = {
  'openai-chat': [
    'comments, unknown events and empty data',
    '[DONE] without a finish',
    '[DONE] and no finish_reason anywhere',
  ],
  'openai-responses': [
    'comments, unknown events and empty data',
    'an event left out with its number',
    'no announcement',
    'only whole items',
    'no places',
    'one index for all items',
  ],
  'anthropic-messages': ['events without names'],
}

for (const upstream of speakers) {
  for (const [caller, ask] of Object.entries(clients)) {
    test(`the SDK of ${caller} over ${upstream} throws at every lie and reads what is honest`, async () => {
      await using far = await fakeUpstream((exchange) => exchange.end())
      const line = await openLine({ urls: [far.url], protocol: upstream })
      const server = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        idleTimeout: 0,
        fetch: (request) =>
          line.door.fetch(request, { address: '127.0.0.1', loopback: true }) ?? new Response(null, { status: 404 }),
      })
      const tell = async ({ events, close }: Telling): Promise<boolean> => {
        far.follow(async (exchange) => {
          await exchange.sse()
          for (const event of events) {
            await exchange.chunk(event)
            await new Promise((resolve) => setTimeout(resolve, 1))
          }
          if (close === 'end') await exchange.end()
          else if (close === 'cut') exchange.reset()
          else await exchange.gone
        })
        return await ask(`http://127.0.0.1:${server.port}`).then(() => true, () => false)
      }
      const { honest, lies, weak } = tellings[upstream]
      const believed: string[] = []
      for (const lie of lies) if (await tell(lie)) believed.push(lie.title)
      expect(believed).toEqual([])
      const refused: string[] = []
      for (const telling of [{ title: 'an honest answer', events: honest }, ...weak]) {
        if (!await tell({ ...telling, close: 'end' })) refused.push(telling.title)
      }
      expect(refused).toEqual([...caller === upstream ? tooStrict[upstream] ?? [] : []])
      await server.stop(true)
      line.close()
    }, 60_000)
  }
}
