import { expect, test } from 'bun:test'
import type { Json } from '../../../lib/base/mod.ts'
import { type Exchange, fakeUpstream } from '../../support/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'

const now = () => Math.floor(Date.now() / 1000)
const answer = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-4-5',
  content: [{ type: 'text', text: 'yes' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 10, output_tokens: 2, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 },
}

/** Two accounts of one provider, each at an upstream of its own. */
function accountsAt(first: string, second: string): Record<string, Json> {
  return {
    'egress.allow_origins': [new URL(first).origin, new URL(second).origin],
    'routing.strategy': 'priority',
    'accounts.one': { provider: 'anthropic', base_url: first, token_env: 'PLANTED_KEY', priority: 2 },
    'accounts.two': { provider: 'anthropic', base_url: second, token_env: 'OTHER_KEY', priority: 1 },
  }
}

function post(
  gw: TestGateway,
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${gw.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': gw.token, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      model: 'anthropic/claude-sonnet-4-5',
      max_tokens: 10,
      messages: [{ role: 'user', content: 'hi' }],
      ...more,
    }),
  })
}

const spent = (exchange: Exchange) =>
  exchange.json({ type: 'error', error: { type: 'rate_limit_error', message: 'This would exceed your limit.' } }, {
    status: 429,
    headers: {
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-5h-status': 'rejected',
      'anthropic-ratelimit-unified-5h-reset': String(now() + 3_000),
      'anthropic-ratelimit-unified-7d-status': 'allowed',
      'anthropic-ratelimit-unified-7d-utilization': '0.4',
    },
  })

test('a spent account is left for the next one unnoticed, and stays out until the reset that it named', async () => {
  await using one = await fakeUpstream(spent)
  await using two = await fakeUpstream((exchange) =>
    exchange.json(answer, {
      headers: {
        'anthropic-ratelimit-unified-5h-status': 'allowed',
        'anthropic-ratelimit-unified-5h-utilization': '0.25',
        'anthropic-ratelimit-unified-5h-reset': String(now() + 9_000),
      },
    })
  )
  await using gw = await startGateway({ settings: accountsAt(one.url, two.url), env: { OTHER_KEY: 'sk-ant-other' } })
  const first = await post(gw)
  expect(first.status).toBe(200)
  expect(first.headers.get('x-gw-target')).toBe('anthropic:two#chat')
  expect(first.headers.get('x-gw-attempts')).toBe('2')
  expect(await first.json()).toMatchObject({ id: 'msg_1' })
  const second = await post(gw)
  expect(second.headers.get('x-gw-attempts')).toBe('1')
  expect([one.requests.length, two.requests.length]).toEqual([1, 2])

  const { rooms } = gw.gateway
  const windows = rooms.board.get('anthropic:two' as Parameters<typeof rooms.board.get>[0])!.windows
  expect(windows[0]).toMatchObject({ id: '5h', used: 0.25 })

  const id = first.headers.get('x-gw-request-id')!
  const kept = await rooms.receipts.find(id)
  expect(kept!.candidates.map(({ target, because }) => [target, because])).toEqual([
    ['anthropic:one#chat', 'priority 2'],
    ['anthropic:two#chat', 'priority 1'],
  ])
  const later = await rooms.receipts.find(second.headers.get('x-gw-request-id')!)
  expect(later!.dropped[0]).toMatchObject({ target: 'anthropic:one#chat', because: 'quota_exhausted' })
  expect(later!.dropped[0]!.detail).toContain('resets')
  expect((await rooms.usage.request(id, undefined)).request.attempts).toHaveLength(2)
})

test('when all accounts are spent, the caller is told when the first returns', async () => {
  await using one = await fakeUpstream(spent)
  await using two = await fakeUpstream((exchange) =>
    exchange.json({ type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } }, {
      status: 429,
      headers: { 'retry-after': '90' },
    })
  )
  await using gw = await startGateway({ settings: accountsAt(one.url, two.url), env: { OTHER_KEY: 'sk-ant-other' } })
  await (await post(gw)).text()
  const reply = await post(gw)
  expect(reply.status).toBe(429)
  const wait = Number(reply.headers.get('retry-after'))
  expect(wait).toBeGreaterThan(80)
  expect(wait).toBeLessThanOrEqual(90)
  const body = await reply.json() as { error: { type: string; message: string } }
  expect(body.error.type).toBe('rate_limit_error')
  expect(body.error.message).toContain('the first returns at')
  expect([one.requests.length, two.requests.length]).toEqual([1, 1])
})

test('one source that cannot be read, and one account that waits: both are named, and when the first returns', async () => {
  await using one = await fakeUpstream(spent)
  await using gw = await startGateway({ settings: accountsAt(one.url, one.url), env: {} })
  for (const attempts of ['2', '1']) {
    const reply = await post(gw)
    const wait = Number(reply.headers.get('retry-after'))
    expect([reply.headers.get('x-gw-attempts'), wait > 2_900 && wait <= 3_030]).toEqual([attempts, true])
    const { error } = await reply.json() as { error: { message: string; details: { targets: { target: string }[] } } }
    expect(error.details.targets.map(({ target }) => target).sort()).toEqual([
      'anthropic:one#chat',
      'anthropic:two#chat',
    ])
    expect(JSON.stringify(error)).toContain('OTHER_KEY is not set')
  }
  expect(one.requests).toHaveLength(1)
})

test('a session comes back to its account, and says so', async () => {
  await using one = await fakeUpstream((exchange) => exchange.json(answer))
  await using two = await fakeUpstream((exchange) => exchange.json(answer))
  await using gw = await startGateway({
    settings: { ...accountsAt(one.url, two.url), 'routing.strategy': 'round-robin' },
    env: { OTHER_KEY: 'sk-ant-other' },
  })
  const seen = new Set<string | null>()
  const caches: (string | null)[] = []
  for (let i = 0; i < 4; i++) {
    const reply = await post(gw, {}, { 'x-claude-code-session-id': 'session-1' })
    await reply.text()
    seen.add(reply.headers.get('x-gw-target'))
    caches.push(reply.headers.get('x-gw-cache'))
  }
  expect(seen.size).toBe(1)
  expect(caches).toEqual(['cold', 'warm', 'warm', 'warm'])
})

test("contradictory controls are the caller's mistake, in its own protocol", async () => {
  await using one = await fakeUpstream((exchange) => exchange.json(answer))
  await using gw = await startGateway({ settings: accountsAt(one.url, one.url), env: { OTHER_KEY: 'sk-ant-other' } })
  const reply = await post(gw, { provider: { only: ['anthropic'], ignore: ['anthropic'] } })
  expect(reply.status).toBe(400)
  expect(await reply.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } })
  const kept = await post(gw, { provider: { order: ['anthropic'] } })
  expect(kept.status).toBe(200)
  await kept.text()
  // The router's own fields are no business of an upstream that does not know them.
  expect(new TextDecoder().decode(one.requests[0]!.body)).not.toContain('provider')
})
