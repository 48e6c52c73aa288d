import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startGateway, type TestGateway } from '../support/gateway.ts'

// Limits of what a request may cost or be used for, from the caller's socket to the one it comes to.

const hits: string[] = []
const upstream = (name: string) =>
  Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      hits.push(name)
      const body = await request.text()
      if (body.includes('provider')) hits.push(`${name} was told`)
      return Response.json({
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: name } }],
      })
    },
  })
const dear = upstream('dear')
const cheap = upstream('cheap')
let at: TestGateway
beforeAll(async () => {
  const provider = (port: number, price: Record<string, number>) => ({
    protocol: 'openai-chat',
    base_url: `http://127.0.0.1:${port}/v1`,
    auth: 'bearer',
    capabilities: ['chat'],
    models: { m: { price } },
  })
  at = await startGateway({
    settings: {
      'egress.allow_origins': [`http://127.0.0.1:${dear.port}`, `http://127.0.0.1:${cheap.port}`],
      'providers.dear': provider(dear.port!, { input: 1, output: 2, image: 0.04, audio: 10 }),
      'providers.cheap': provider(cheap.port!, { input: 1, output: 2, image: 0.01, audio: 2 }),
      'accounts.dear': { provider: 'dear', token_env: 'PLANTED_KEY', tags: ['distillable'], priority: 9 },
      'accounts.cheap': { provider: 'cheap', token_env: 'PLANTED_KEY' },
      'routing.pools.m': { members: ['dear/m', 'cheap/m'], strategy: 'priority' },
    },
  })
})
afterAll(async () => {
  await at.close()
  await Promise.all([dear.stop(true), cheap.stop(true)])
})

async function ask(provider: object) {
  hits.length = 0
  const reply = await fetch(`${at.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${at.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: crypto.randomUUID() }], provider }),
  })
  return { status: reply.status, text: await reply.text(), by: reply.headers.get('x-gw-target') }
}

test.each([
  [{}, 'dear'],
  [{ max_price: { image: 0.04, audio: 10 } }, 'dear'],
  [{ max_price: { image: 0.03 } }, 'cheap'],
  [{ max_price: { audio: '9.99' } }, 'cheap'],
  [{ max_price: { image: 0.01, audio: 2 } }, 'cheap'],
  [{ enforce_distillable_text: false, order: ['cheap'] }, 'cheap'],
  [{ enforce_distillable_text: true, order: ['cheap'] }, 'dear'],
])('%j is served by %s, and nobody else is asked or told', async (controls, name) => {
  const { status, by } = await ask(controls)
  expect([status, by, hits]).toEqual([200, `${name}:${name}#chat`, [name]])
})

test.each([
  [{ max_price: { image: 0.005 } }, 503, 'an image costs $0.01 and the limit is $0.005'],
  [{ max_price: { audio: 1 } }, 503, 'a million audio tokens cost $10 and the limit is $1'],
  [{ enforce_distillable_text: true, only: ['cheap'] }, 503, 'nothing says that m may be distilled'],
  [{ enforce_distillable_text: true, max_price: { image: 0.03 } }, 503, 'an image costs $0.04'],
  [{ max_price: { image: -1 } }, 400, 'provider.max_price.image'],
  [{ max_price: { audio: 'cheap' } }, 400, 'provider.max_price.audio'],
  [{ enforce_distillable_text: 'yes' }, 400, 'provider.enforce_distillable_text'],
])('%j ends with %d and says why; no upstream is asked', async (controls, status, said) => {
  const refused = await ask(controls)
  expect([refused.status, refused.text.includes(said) || refused.text, hits]).toEqual([status, true, []])
})
