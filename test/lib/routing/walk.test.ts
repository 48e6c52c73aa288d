import { expect, test } from 'bun:test'
import { fakeUpstream, type Step } from '../../support/fake-upstream.ts'
import { startGateway } from '../../support/gateway.ts'
import { ask, env, play, pool, refusal, said, type Surface, surfaces, well, why } from './surfaces.ts'

const soon = () => String(Math.floor(Date.now() / 1000) + 600)

/** What befalls the first account, whether the caller streams, and the kind of failure in the record. */
const blows: readonly (readonly [what: string, step: (surface: Surface) => Step, stream: boolean, kind: string])[] = [
  ['a dead key', () => refusal(401, 'authentication_error'), false, 'unauthorized'],
  ['no money', () => refusal(402, 'insufficient_quota'), true, 'billing'],
  ['a provider that fails', () => refusal(500, 'api_error'), true, 'server_error'],
  ['an overloaded provider', () => refusal(529, 'overloaded_error'), false, 'overloaded'],
  ['a lost connection', () => (exchange) => exchange.reset(), true, 'unreachable'],
  ['a 200 that errs before content', ({ broken }) => (exchange) => play(exchange, broken), true, ''],
  ['an empty completion', ({ empty }) => (exchange) => exchange.json(empty), false, 'empty'],
  ['a stream that ends before content', ({ broken }) => (exchange) => play(exchange, broken.slice(0, 1)), true, ''],
  ['silence', () => () => new Promise(() => {}), false, 'timeout'],
  ['seconds to wait', () => refusal(429, 'rate_limit_error', { 'retry-after': '600' }), false, 'rate_limited'],
  [
    'milliseconds to wait',
    () => refusal(429, 'rate_limit_error', { 'retry-after-ms': '600000' }),
    true,
    'rate_limited',
  ],
  [
    'a date to wait for',
    () => refusal(429, 'rate_limit_error', { 'retry-after': new Date(Date.now() + 600_000).toUTCString() }),
    false,
    'rate_limited',
  ],
  [
    'requests that come back by their own header',
    () =>
      refusal(429, 'rate_limit_error', { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '10m' }),
    false,
    'rate_limited',
  ],
  [
    'a plan whose five hours are spent',
    () =>
      refusal(429, 'rate_limit_error', {
        'anthropic-ratelimit-unified-status': 'rejected',
        'anthropic-ratelimit-unified-5h-status': 'rejected',
        'anthropic-ratelimit-unified-5h-reset': soon(),
      }),
    true,
    'quota_exhausted',
  ],
  [
    'a plan whose primary window is full',
    () =>
      refusal(429, 'usage_limit_reached', {
        'x-codex-primary-used-percent': '100',
        'x-codex-primary-reset-at': soon(),
      }),
    false,
    'quota_exhausted',
  ],
  ['a reset in the year 9999', () => refusal(429, 'rate_limit_error', { 'retry-after': '253402300799' }), false, ''],
  ['a reset in the past', () => refusal(429, 'rate_limit_error', { 'retry-after': '-5' }), false, ''],
  ['garbage for a reset', () => refusal(429, 'rate_limit_error', { 'retry-after': 'soon\u00a0\u00a0NaN' }), true, ''],
]

for (const surface of surfaces) {
  test(`${surface.path}: an account, a key or a provider is lost in mid-work and nobody notices`, async () => {
    await using one = await fakeUpstream(well(surface))
    await using two = await fakeUpstream(well(surface))
    await using three = await fakeUpstream(well(surface))
    await using gw = await startGateway({ settings: pool([one.url, two.url, three.url], surface.protocol), env })
    const { board } = gw.gateway.rooms
    for (const [what, step, stream, kind] of blows) {
      for (const { key } of board.all()) board.reset(key)
      one.follow(step(surface))
      const reply = await ask(gw, surface, stream ? { stream: true } : {}, what)
      const text = await reply.text()
      const tried = reply.headers.get('x-gw-attempts')
      expect([what, reply.status, text.includes(said), text.includes('error":{')]).toEqual([what, 200, true, false])
      expect([what, tried, reply.headers.get('x-gw-target')?.startsWith('red:one')]).toEqual([what, '2', false])
      const told = await why(gw, reply)
      expect([what, told.outcome, told.attempts.length]).toEqual([what, 'ok', 2])
      expect(told.attempts[0]!.target).toBe('red:one#chat')
      if (kind !== '') expect([what, told.attempts[0]!.failure]).toEqual([what, kind])
      expect(told.sentence).toContain('1 failed before it')
    }
    // A provider that is gone as a whole is left for another one.
    for (const { key } of board.all()) board.reset(key)
    one.follow(refusal(401, 'authentication_error'))
    two.follow(refusal(500, 'api_error'))
    const reply = await ask(gw, surface, {}, 'last')
    expect([reply.status, reply.headers.get('x-gw-target'), reply.headers.get('x-gw-attempts')])
      .toEqual([200, 'blue:three#chat', '3'])
    await reply.text()
  }, 60_000)

  test(
    `${surface.path}: when all is spent, and for wrong wishes, the answer says why in the caller's protocol`,
    async () => {
      await using one = await fakeUpstream(refusal(429, 'rate_limit_error', { 'retry-after': '300' }))
      await using two = await fakeUpstream(refusal(429, 'rate_limit_error', { 'retry-after': '120' }))
      await using three = await fakeUpstream(refusal(429, 'rate_limit_error', { 'retry-after': '600' }))
      await using gw = await startGateway({ settings: pool([one.url, two.url, three.url], surface.protocol), env })
      const anthropic = surface.protocol === 'anthropic-messages'
      const check = async (reply: Response, status: number, part: string) => {
        const text = await reply.text()
        const body = JSON.parse(text) as { type?: string; error: { message: string; type: string } }
        expect([part, reply.status, text.includes(part)]).toEqual([part, status, true])
        expect(body.type).toBe(anthropic ? 'error' : undefined as never)
        expect(reply.headers.get('x-gw-request-id')).toStartWith('req_')
        return body
      }
      for (const attempts of ['3', '0']) {
        const reply = await ask(gw, surface)
        const wait = Number(reply.headers.get('retry-after'))
        expect([attempts, reply.status, reply.headers.get('x-gw-attempts'), wait > 100 && wait <= 120])
          .toEqual([attempts, 429, attempts, true])
        const told = await why(gw, reply)
        expect(told.attempts.length).toBe(Number(attempts))
        if (attempts === '0') {
          expect(told.plan!.dropped.map(({ because }) => because)).toEqual([
            'rate_limited',
            'rate_limited',
            'rate_limited',
          ])
        }
        await reply.text()
      }
      const before = [one, two, three].map(({ requests }) => requests.length)
      await check(await ask(gw, surface, { provider: { only: ['red'], ignore: ['red'] } }), 400, 'provider.ignore')
      await check(await ask(gw, surface, { provider: { sort: 'luck' } }), 400, 'provider.sort')
      await check(await ask(gw, surface, { provider: { max_price: { prompt: 0.1 } } }), 503, 'price')
      await check(await ask(gw, surface, { model: 'openai/gpt-5' }), 404, 'openai')
      await check(await ask(gw, surface, { model: 'no-such-model' }), 404, 'no-such-model')
      expect([one, two, three].map(({ requests }) => requests.length)).toEqual(before)
    },
    30_000,
  )
}
