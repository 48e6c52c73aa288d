import { expect, test } from 'bun:test'
import { GwError } from '../../lib/base/mod.ts'
import { errorResponse } from '../../lib/gateway/mod.ts'
import { openServed, type ServedGateway } from './served.ts'

const ask = async ({ url, token }: ServedGateway, path: string): Promise<number> => {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo-small', max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] }),
  })
  await answer.text()
  return answer.status
}
const [chat, messages] = ['/v1/chat/completions', '/api/latest/anthropic/v1/messages']

test.each([
  [{ GW_SERVER_OPENAI_API: 'false' }, 404, 200],
  [{ DISABLE_ANTHROPIC_API: '1' }, 200, 404],
  [{ ENABLE_OPENAI_API: 'off', DISABLE_ANTHROPIC_API: 'true' }, 404, 404],
])('with %j the OpenAI paths answer %d and the Anthropic paths %d', async (env, openai, anthropic) => {
  const served = await openServed(env as Record<string, string>)
  try {
    expect([await ask(served, chat), await ask(served, messages)]).toEqual([openai, anthropic])
  } finally {
    await served.close()
  }
})

test('a limit of a token is said in the header fields that clients read', async () => {
  const served = await openServed()
  try {
    const made = await fetch(`${served.url}/api/tokens/issue`, {
      method: 'POST',
      headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ rpm_limit: 1 }),
    })
    const { token } = await made.json()
    const call = () =>
      fetch(served.url + chat, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'demo-small', messages: [{ role: 'user', content: 'hello' }] }),
      })
    expect((await call()).status).toBe(200)
    const refused = await call()
    expect(refused.status).toBe(429)
    expect(refused.headers.get('x-ratelimit-limit-requests')).toBe('1')
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0')
    expect(refused.headers.get('x-ratelimit-reset-requests')).toMatch(/^\d+ms$/)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  } finally {
    await served.close()
  }
})

test('an error that is no limit of gw says nothing of limits', () => {
  const error = new GwError('upstream.rate_limited', 'x', { details: { kind: 'requests', limit: 1, remaining: 0 } })
  expect([...errorResponse(error, 'openai').headers.keys()]).toEqual(['content-type'])
})
