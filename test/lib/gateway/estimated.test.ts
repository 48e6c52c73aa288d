import { afterAll, expect, test } from 'bun:test'
import { fakeUpstream, type Step } from '../../support/fake-upstream.ts'
import { providerAt, startGateway } from '../../support/gateway.ts'

const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

const piece = (content: string) => ({
  id: 'c1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: { content } }],
})

/** The record of one request that an upstream answers in this way. */
async function recordOf(step: Step, body: object, path = '/v1/chat/completions', chatOnly = false) {
  const far = await fakeUpstream(step)
  const gateway = await startGateway(
    chatOnly ? { settings: providerAt(far.url, 'openai-chat') } : { upstream: far.url },
  )
  closers.push(() => far.close(), () => gateway.close())
  const answer = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  await answer.text()
  const { usage } = gateway.gateway.rooms
  const { requests } = await usage.requests({ limit: 1 })
  return requests[0]!
}

const ask = { model: 'openai/gpt-5', stream: true, messages: [{ role: 'user', content: 'Count to four, please.' }] }

test('a stream that names no usage is written down as an estimate', async () => {
  const record = await recordOf(async (exchange) => {
    await exchange.sse()
    for (const word of ['one', ' two', ' three', ' four']) await exchange.event(piece(word))
    await exchange.event({ id: 'c1', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
    await exchange.event('[DONE]')
    await exchange.end()
  }, ask)
  expect(record).toMatchObject({ outcome: 'ok', estimated: true, tokens: { outputTokens: 5 } })
  expect(record.tokens.inputTokens).toBeGreaterThan(3)
})

for (const size of [1, 7]) {
  test(`so is one that is translated, ${size} events at a time`, async () => {
    const words = Array.from({ length: 42 }, (_, i) => `data: ${JSON.stringify(piece(` w${i}`))}\n\n`)
    const record = await recordOf(
      async (exchange) => {
        await exchange.sse()
        for (let at = 0; at < words.length; at += size) await exchange.chunk(words.slice(at, at + size).join(''))
        await exchange.event({ id: 'c1', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
        await exchange.event('[DONE]')
        await exchange.end()
      },
      { ...ask, model: 'up/m', max_tokens: 9 },
      '/v1/messages',
      true,
    )
    expect(record).toMatchObject({ outcome: 'ok', estimated: true, tokens: { outputTokens: 42 } })
  })
}

test('few long pieces count by their length', async () => {
  const record = await recordOf(async (exchange) => {
    await exchange.sse()
    await exchange.event(piece('a'))
    await exchange.event(piece('a'.repeat(401)))
    await exchange.event('[DONE]')
    await exchange.end()
  }, ask)
  expect(record).toMatchObject({ estimated: true, tokens: { outputTokens: 100 } })
})

test('what the upstream counts is believed', async () => {
  const record = await recordOf(async (exchange) => {
    await exchange.sse()
    await exchange.event(piece('one two three'))
    await exchange.event({ id: 'c1', choices: [], usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } })
    await exchange.event('[DONE]')
    await exchange.end()
  }, ask)
  expect(record).toMatchObject({ estimated: false, tokens: { inputTokens: 9, outputTokens: 3 } })
})

test('a stream that breaks off is billed for what came, as an estimate', async () => {
  const record = await recordOf(async (exchange) => {
    await exchange.sse()
    for (const word of ['one', ' two']) await exchange.event(piece(word))
    exchange.reset()
  }, ask)
  expect(record).toMatchObject({ outcome: 'truncated', estimated: true, tokens: { outputTokens: 2 } })
})

test('vectors have no output to estimate', async () => {
  const record = await recordOf(
    (exchange) => exchange.json({ object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.5] }] }),
    { model: 'openai/text-embedding-3-small', input: 'x' },
    '/v1/embeddings',
  )
  expect(record).toMatchObject({ outcome: 'ok', estimated: false, tokens: { outputTokens: null } })
})

test('a refused attempt is written with its status', async () => {
  const record = await recordOf(
    (exchange) => exchange.json({ error: { message: 'slow down', code: 'rate_limit_exceeded' } }, { status: 429 }),
    ask,
  )
  expect(record.attempts[0]).toMatchObject({ status: 429, failure: 'rate_limited' })
})
