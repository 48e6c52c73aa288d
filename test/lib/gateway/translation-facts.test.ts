import { afterAll, expect, test } from 'bun:test'
import type { JsonObject } from '../../../lib/base/mod.ts'
import { openLine } from './harness.ts'

const closers: (() => unknown)[] = []
afterAll(() => Promise.all(closers.map((close) => close())))

/** What an upstream of the messages protocol is sent for a chat request. */
async function sent(autoCache: boolean, maxOutputTokens: number | null): Promise<JsonObject> {
  let body: JsonObject = {}
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      body = await request.json() as JsonObject
      return Response.json({
        id: 'm',
        type: 'message',
        role: 'assistant',
        content: [{ type: 'text', text: 'x' }],
        stop_reason: 'end_turn',
        usage: { input_tokens: 1, output_tokens: 1 },
      })
    },
  })
  closers.push(() => server.stop(true))
  const line = await openLine({
    urls: [`http://127.0.0.1:${server.port}`],
    protocol: 'anthropic-messages',
    rooms: { translation: { autoCache, maxOutputTokens: () => maxOutputTokens } },
  })
  const messages = [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'hi' }]
  expect((await line.post('/v1/chat/completions', { model: 'm', messages })).status).toBe(200)
  line.close()
  return body
}

test('prompts are marked for caching only where the owner wants it', async () => {
  expect(JSON.stringify(await sent(true, null))).toContain('"cache_control":{"type":"ephemeral"')
  expect(JSON.stringify(await sent(false, null))).not.toContain('cache_control')
})

test("a caller that sets no limit gets no more than the catalogue's model can write", async () => {
  expect((await sent(false, 1_000)).max_tokens).toBe(1_000)
  expect((await sent(false, null)).max_tokens).toBeGreaterThan(1_000)
})

test('a long body that is no JSON deep inside is the mistake of its caller, also before it is translated', async () => {
  const line = await openLine({ urls: ['http://127.0.0.1:9'], protocol: 'anthropic-messages' })
  const body = `{"model":"m","messages":[{"role":"user","content":"${'x'.repeat(20_000)}","also":,}]}`
  const reply = await line.post('/v1/chat/completions', body)
  expect([reply.status, await reply.text()]).toEqual([400, expect.stringContaining('not a valid JSON object')])
  line.close()
})
