import { afterEach, beforeEach, expect, test } from 'bun:test'
import { Secret } from '../../lib/base/mod.ts'
import { plantedKey, startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeVendor, fakeVendor } from '../support/vendors/fake-vendor.ts'
import { within } from '../support/wait.ts'

// A login that is over, found out by the request that needed it; and one that somebody made again.

let vendor: FakeVendor
let good: Set<string>
let asked: string[]
let upstream: Bun.Server<undefined>
let at: TestGateway

beforeEach(async () => {
  vendor = await fakeVendor()
  vendor.on('/oauth/token', [400, { error: 'invalid_grant' }])
  good = new Set([plantedKey])
  asked = []
  upstream = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const token = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
      asked.push(token)
      return good.has(token)
        ? Response.json({
          id: 'c',
          object: 'chat.completion',
          created: 1,
          model: 'gpt-4.1',
          choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hi' } }],
        })
        : Response.json({ error: { message: 'no', type: 'invalid_request_error', code: 'invalid_api_key' } }, {
          status: 401,
        })
    },
  })
  const base = `http://127.0.0.1:${upstream.port}`
  at = await startGateway({
    upstream: base,
    settings: {
      'routing.strategy': 'priority',
      'logins.chatgpt': { token_url: `${vendor.url}/oauth/token` },
      'egress.allow_origins': [base, vendor.url],
      'accounts.plan': {
        provider: 'openai',
        base_url: `${base}/v1`,
        login: 'chatgpt',
        allow_undocumented_use: true,
        priority: 10,
      },
    },
  })
})
afterEach(async () => {
  await at.close()
  await upstream.stop(true)
  await vendor.close()
})

async function keep(token: string, lifeMs: number) {
  const { logins } = at.gateway.rooms
  await logins.keepToken(logins.own('chatgpt'), new Secret(token), new Secret(`rt-${token}`), Date.now() + lifeMs)
}

/** Asks something new, so that no conversation keeps its account. */
async function ask(path = '/v1/chat/completions', body: object = {}) {
  const reply = await fetch(at.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${at.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'openai/gpt-4.1',
      messages: [{ role: 'user', content: crypto.randomUUID() }],
      ...body,
    }),
  })
  const text = await reply.text()
  return {
    status: reply.status,
    text,
    handoff: reply.headers.get('x-gw-handoff'),
    by: reply.headers.get('x-gw-target'),
  }
}

test.each([
  ['its token is refused, and so is its renewal', 3_600_000, ['at-1', plantedKey]],
  ['its token has ended and cannot be renewed', -1_000, [plantedKey]],
])('the request that finds out names it: %s', async (_, lifeMs, tokens) => {
  await keep('at-1', lifeMs)
  const first = await ask()
  expect([first.status, asked]).toEqual([200, [...tokens]])
  expect(first.handoff).toMatch(/^openai:plan gw .*--account plan/)
  // Nobody asks with it again, neither us nor its vendor.
  const second = await ask()
  expect(second.handoff).toBe(first.handoff)
  expect(asked).toEqual([...tokens, plantedKey])
  expect(vendor.requests.filter(({ path }) => path === '/oauth/token')).toHaveLength(1)
})

test('a refusal names it too, in the answer to the very request', async () => {
  good.clear()
  await keep('at-1', 3_600_000)
  const first = await ask()
  expect(first.status).toBeGreaterThanOrEqual(400)
  expect(first.handoff).toMatch(/^openai:plan gw /)
})

test('so does a stream', async () => {
  await keep('at-1', -1_000)
  expect((await ask('/v1/chat/completions', { stream: true })).handoff).toMatch(/^openai:plan gw /)
})

test('a new login is used at once, and nothing waits any more', async () => {
  await keep('at-1', -1_000)
  await ask()
  good.add('at-2')
  await keep('at-2', 3_600_000)
  const after = await ask()
  expect([after.status, after.handoff, asked.at(-1)]).toEqual([200, null, 'at-2'])
  expect(at.gateway.rooms.afloat.pending()).toEqual([])
  const { events } = await at.gateway.rooms.repair.events.list({})
  expect(events.map(({ outcome }) => outcome)).toEqual(['handoff_resolved', 'handoff_queued'])
})

test('the login that was refused does not come back by being looked at', async () => {
  await keep('at-1', 3_600_000)
  await ask()
  await at.gateway.rooms.afloat.raise()
  expect((await ask()).handoff).toMatch(/^openai:plan /)
  expect(asked.filter((token) => token === 'at-1')).toHaveLength(1)
})

test('a key that was replaced is used at once; a removed account leaves nothing to its successor', async () => {
  const { accounts, board } = at.gateway.rooms
  await accounts.add({ provider: 'openai', id: 'mine', base_url: `${upstream.url}v1`, priority: 20 }, new Secret('k-1'))
  await ask()
  await within(5_000, 'its death', until(() => board.get('openai:mine' as never)?.liveness.state === 'dead'))
  await (at.gateway.rooms.afloat.handing() ?? Promise.resolve())
  good.add('k-2')
  await accounts.update('mine', {}, new Secret('k-2'))
  expect([(await ask()).by, asked.at(-1)]).toEqual(['openai:mine#chat', 'k-2'])

  good.delete('k-2')
  await ask()
  expect(board.get('openai:mine' as never)?.liveness.state).toBe('dead')
  await accounts.remove('mine')
  expect(board.get('openai:mine' as never)).toBeNull()
})

async function until(is: () => boolean) {
  while (!is()) await Bun.sleep(10)
}
