import { afterAll, expect, test } from 'bun:test'
import type { Json, JsonObject } from '../../lib/base/mod.ts'
import { providerAt, startGateway } from '../support/gateway.ts'

// What the plan changes in a body before it goes to a target, through a running gateway: the bytes that the provider gets,
// and what the caller is told about them.

const servers: { stop(force: boolean): unknown }[] = []
afterAll(() => Promise.all(servers.map((server) => server.stop(true))))

interface Asked {
  readonly path: string
  readonly key: string
  readonly body: JsonObject
}

/** A provider that notes what it is asked and answers as it is told. */
function provider(answer: (asked: Asked, count: number) => Response): { url: string; asked: Asked[] } {
  const asked: Asked[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const one = {
        path: new URL(request.url).pathname,
        key: request.headers.get('x-api-key') ?? request.headers.get('authorization') ?? '',
        body: await request.json() as JsonObject,
      }
      asked.push(one)
      return answer(one, asked.length)
    },
  })
  servers.push(server)
  return { url: `http://127.0.0.1:${server.port}`, asked }
}

const chatAnswer = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'small',
  choices: [{ index: 0, message: { role: 'assistant', content: 'short' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 800, completion_tokens: 1, total_tokens: 801 },
}
const message = (text: string): JsonObject => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [{ type: 'thinking', thinking: 'hm', signature: 'c2lnbmVk' }, { type: 'text', text }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 2 },
})

/** A conversation whose first and last turn say so, and whose middle is far more than a small model takes. */
const conversation = [
  { role: 'user', content: 'the first turn' },
  ...Array.from({ length: 40 }, (_, i) => [
    { role: 'assistant', content: `answer ${i}: ${'word '.repeat(60)}` },
    { role: 'user', content: `question ${i}: ${'word '.repeat(60)}` },
  ]).flat(),
  { role: 'user', content: 'the last turn' },
]

for (const upstream of ['openai-chat', 'anthropic-messages'] as const) {
  test(`middle-out leaves out the middle of a prompt too long for its model, which speaks ${upstream}`, async () => {
    const far = provider(() => Response.json(upstream === 'openai-chat' ? chatAnswer : message('short')))
    const settings = providerAt(far.url, upstream)
    Object.assign(settings['providers.up'] as object, { models: { small: { context_tokens: 1000 } } })
    await using gateway = await startGateway({ settings })
    const ask = (extra: JsonObject): Promise<Response> =>
      fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'up/small', max_tokens: 100, messages: conversation, ...extra }),
      })
    const reply = await ask({ transforms: ['middle-out'] })
    const answer = await reply.json() as typeof chatAnswer
    expect([reply.status, answer.choices[0]!.message.content]).toEqual([200, 'short'])
    const [sent] = far.asked
    const text = JSON.stringify(sent!.body)
    expect(text).toContain('the first turn')
    expect(text).toContain('the last turn')
    expect(text).not.toContain('question 20:')
    // About 810 tokens are left for the prompt: four characters each at most.
    expect(text.length).toBeLessThan(810 * 6)
    expect(sent!.body.transforms).toBeUndefined()
    expect(reply.headers.get('x-gw-losses')).toMatch(/^messages\[\d+\.\.\d+\]$/)
    // Without the wish the provider sees all of it, and may say what it takes.
    const whole = await ask({})
    expect([whole.status, whole.headers.get('x-gw-losses')]).toEqual([200, null])
    expect(JSON.stringify(far.asked[1]!.body).length).toBeGreaterThan(20_000)
  })
}

test('middle-out serves callers of Gemini too', async () => {
  const far = provider(() => Response.json(chatAnswer))
  const settings = providerAt(far.url, 'openai-chat')
  Object.assign(settings['providers.up'] as object, { models: { small: { context_tokens: 1000 } } })
  await using gateway = await startGateway({ settings })
  const contents = conversation.map(({ role, content }) => ({
    role: role === 'assistant' ? 'model' : 'user',
    parts: [{ text: content }],
  }))
  const reply = await fetch(`${gateway.url}/v1beta/models/up/small:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': gateway.token, 'content-type': 'application/json' },
    body: JSON.stringify({ contents, generationConfig: { maxOutputTokens: 100 }, transforms: ['middle-out'] }),
  })
  expect([reply.status, await reply.text()]).toEqual([200, expect.stringContaining('short')])
  const text = JSON.stringify(far.asked[0]!.body)
  expect(text).toContain('the first turn')
  expect(text).toContain('the last turn')
  expect(text).not.toContain('question 20:')
  expect(text.length).toBeLessThan(810 * 6)
  expect(reply.headers.get('x-gw-losses')).toMatch(/^contents\[\d+\.\.\d+\]$/)
})

/** Two accounts of one provider; the one that answered first is out of quota from its second request on. */
async function twoAccounts(settings: Record<string, Json>) {
  let home = ''
  const far = provider(({ key }) => {
    if (home === '') home = key
    else if (key === home) {
      return Response.json({ type: 'error', error: { type: 'rate_limit_error', message: 'weekly limit' } }, {
        status: 429,
        headers: { 'retry-after': '7200' },
      })
    }
    return Response.json(message(`served by ${key}`))
  })
  const account = (name: string) => ({ provider: 'anthropic', base_url: far.url, token_env: `KEY_${name}` })
  const gateway = await startGateway({
    env: { KEY_A: 'sk-key-of-account-a', KEY_B: 'sk-key-of-account-b' },
    settings: {
      'egress.allow_origins': [far.url],
      'accounts.a': account('A'),
      'accounts.b': account('B'),
      ...settings,
    },
  })
  const ask = (messages: Json[]): Promise<Response> =>
    fetch(`${gateway.url}/v1/messages`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${gateway.token}`,
        'content-type': 'application/json',
        'anthropic-version': '2023-06-01',
        'x-claude-code-session-id': 'session-1',
      },
      body: JSON.stringify({ model: 'anthropic/claude-sonnet-4-5', max_tokens: 99, messages }),
    })
  return { far, gateway, ask }
}

test('reasoning of an account that is spent is left out for another, where its owner said so', async () => {
  const { far, gateway, ask } = await twoAccounts({ 'routing.strip_foreign_reasoning': true })
  await using _ = gateway
  const turns: Json[] = [{ role: 'user', content: 'think' }]
  const first = await ask(turns)
  const { content } = await first.json() as { content: Json[] }
  expect(first.status).toBe(200)
  const second = await ask([...turns, { role: 'assistant', content }, { role: 'user', content: 'go on' }])
  expect([second.status, await second.text()]).toEqual([200, expect.stringContaining('served by')])
  const [home, again, moved] = far.asked
  // Its own account got the reasoning as it was; the other one got everything else.
  expect(again!.key).toBe(home!.key)
  expect(JSON.stringify(again!.body)).toContain('c2lnbmVk')
  expect(moved!.key).not.toBe(home!.key)
  expect(JSON.stringify(moved!.body)).not.toContain('c2lnbmVk')
  expect(moved!.body.messages).toEqual([
    ...turns,
    { role: 'assistant', content: [content[1]!] },
    { role: 'user', content: 'go on' },
  ])
  expect(second.headers.get('x-gw-losses')).toBe('messages[1].content[0]')
})

test('without that word the caller is told when its account is back', async () => {
  const { far, gateway, ask } = await twoAccounts({})
  await using _ = gateway
  const turns: Json[] = [{ role: 'user', content: 'think' }]
  const { content } = await (await ask(turns)).json() as { content: Json[] }
  const second = await ask([...turns, { role: 'assistant', content }, { role: 'user', content: 'go on' }])
  expect(second.status).toBe(429)
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(7100)
  expect(await second.json()).toMatchObject({ type: 'error', error: { type: 'rate_limit_error' } })
  expect(new Set(far.asked.map(({ key }) => key)).size).toBe(1)
})
