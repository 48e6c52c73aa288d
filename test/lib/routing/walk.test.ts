import { expect, test } from 'bun:test'
import type { Json } from '../../../lib/base/mod.ts'
import { type Exchange, fakeUpstream, type Step } from '../../support/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'

type Protocol = 'openai-chat' | 'openai-responses' | 'anthropic-messages'

/** What one surface looks like from both sides. */
interface Surface {
  readonly protocol: Protocol
  readonly path: string
  readonly body: Record<string, unknown>
  readonly whole: unknown
  readonly empty: unknown
  /** Events of a stream, name and data. */
  readonly events: readonly (readonly [name: string | undefined, data: unknown])[]
  /** The opening of a stream, without content, and an error in it. */
  readonly broken: readonly (readonly [name: string | undefined, data: unknown])[]
}

const said = 'all is well'
const chatChunk = (delta: unknown, finish: string | null = null) => ({
  id: 'c',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
})
const response = (status: string, output: unknown) => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  model: 'm',
  status,
  output,
  usage: { input_tokens: 1, output_tokens: 3, total_tokens: 4 },
})
const message = (content: unknown, output: number) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content,
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: output },
})
const item = { id: 'i', type: 'message', role: 'assistant', status: 'completed' }
const spoken = [{ ...item, content: [{ type: 'output_text', text: said, annotations: [] }] }]

const surfaces: readonly Surface[] = [
  {
    protocol: 'openai-chat',
    path: '/v1/chat/completions',
    body: { messages: [{ role: 'user', content: 'hi' }] },
    whole: {
      ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
      choices: [{ index: 0, message: { role: 'assistant', content: said }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4 },
    },
    empty: {
      ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
      choices: [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 0, total_tokens: 1 },
    },
    events: [
      [undefined, chatChunk({ role: 'assistant', content: '' })],
      [undefined, chatChunk({ content: said })],
      [undefined, chatChunk({}, 'stop')],
      [undefined, '[DONE]'],
    ],
    broken: [
      [undefined, chatChunk({ role: 'assistant', content: '' })],
      [undefined, { error: { message: 'The server had an error', type: 'server_error', code: null } }],
    ],
  },
  {
    protocol: 'openai-responses',
    path: '/v1/responses',
    body: { input: 'hi' },
    whole: response('completed', spoken),
    empty: { ...response('completed', []), usage: { input_tokens: 1, output_tokens: 0, total_tokens: 1 } },
    events: [
      ['response.created', { type: 'response.created', sequence_number: 0, response: response('in_progress', []) }],
      ['response.output_text.delta', {
        ...{ type: 'response.output_text.delta', sequence_number: 1, item_id: 'i', output_index: 0, content_index: 0 },
        delta: said,
      }],
      ['response.completed', {
        type: 'response.completed',
        sequence_number: 2,
        response: response('completed', spoken),
      }],
    ],
    broken: [
      ['response.created', { type: 'response.created', sequence_number: 0, response: response('in_progress', []) }],
      ['response.failed', {
        type: 'response.failed',
        sequence_number: 1,
        response: { ...response('failed', []), error: { code: 'server_error', message: 'The server had an error' } },
      }],
    ],
  },
  {
    protocol: 'anthropic-messages',
    path: '/v1/messages',
    body: { max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] },
    whole: message([{ type: 'text', text: said }], 3),
    empty: message([], 0),
    events: [
      ['message_start', { type: 'message_start', message: { ...message([], 0), stop_reason: null } }],
      ['content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
      ['content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: said } }],
      ['content_block_stop', { type: 'content_block_stop', index: 0 }],
      ['message_delta', { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } }],
      ['message_stop', { type: 'message_stop' }],
    ],
    broken: [
      ['message_start', { type: 'message_start', message: { ...message([], 0), stop_reason: null } }],
      ['error', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }],
    ],
  },
]

const well = (surface: Surface): Step => async (exchange) => {
  const asked = JSON.parse(new TextDecoder().decode(exchange.request.body)) as { stream?: boolean }
  if (asked.stream !== true) return exchange.json(surface.whole)
  await play(exchange, surface.events)
}

async function play(exchange: Exchange, events: Surface['events']): Promise<void> {
  await exchange.sse()
  for (const [name, data] of events) await exchange.event(data, name)
  await exchange.end()
}

const refusal = (status: number, type: string, headers: Record<string, string> = {}): Step => (exchange) =>
  exchange.json({ type: 'error', error: { type, message: `said ${type}`, code: type } }, { status, headers })

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

/** Three accounts of two providers in a pool; the first is tried first. */
function pool(urls: readonly [string, string, string], protocol: Protocol): Record<string, Json> {
  const base = (url: string) => protocol === 'anthropic-messages' ? url : `${url}/v1`
  const provider = (url: string): Json => ({
    protocol,
    base_url: base(url),
    auth: protocol === 'anthropic-messages' ? 'anthropic' : 'bearer',
    capabilities: ['chat'],
    models: { m: { context_tokens: 8_000, price: { input: 1, output: 2 } } },
  })
  return {
    'egress.allow_origins': urls.map((url) => new URL(url).origin),
    'limits.head_secs': 1,
    'routing.retry_budget': 1,
    'routing.strategy': 'priority',
    'routing.pools.mix': { members: ['red/m', 'blue/m'] },
    'providers.red': provider(urls[0]),
    'providers.blue': provider(urls[2]),
    'accounts.one': { provider: 'red', base_url: base(urls[0]), token_env: 'ONE', priority: 3 },
    'accounts.two': { provider: 'red', base_url: base(urls[1]), token_env: 'TWO', priority: 2 },
    'accounts.three': { provider: 'blue', base_url: base(urls[2]), token_env: 'THREE', priority: 1 },
  }
}

const env = { ONE: 'sk-one-0123456789', TWO: 'sk-two-0123456789', THREE: 'sk-three-0123456789' }

const ask = (
  gw: TestGateway,
  { path, body }: Surface,
  more: Record<string, unknown> = {},
  session = 'one',
): Promise<Response> =>
  fetch(`${gw.url}${path}`, {
    method: 'POST',
    headers: { 'x-api-key': gw.token, 'content-type': 'application/json', 'x-gw-session': session },
    body: JSON.stringify({ model: 'mix', ...body, ...more }),
  })

interface Why {
  readonly sentence: string
  readonly outcome: string
  readonly attempts: readonly { readonly target: string; readonly failure: string | null }[]
  readonly plan: { readonly dropped: readonly { readonly target: string; readonly because: string }[] } | null
}

async function why(gw: TestGateway, reply: Response): Promise<Why> {
  const id = reply.headers.get('x-gw-request-id')!
  const found = await fetch(`${gw.url}/api/route/why?request=${id}`, { headers: { 'x-api-key': gw.token } })
  if (found.status !== 200) throw new Error(await found.text())
  return await found.json() as Why
}

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
