import { expect, test } from 'bun:test'
import type { Json } from '../../../lib/base/mod.ts'
import { catalogConfig } from '../../../lib/catalog/config.ts'
import { createCatalog } from '../../../lib/catalog/mod.ts'
import { resolveVendors } from '../../../lib/credentials/vendors/registry.ts'
import { type FakeUpstream, fakeUpstream, type Step } from '../../support/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'

const builtinVendors = resolveVendors({}, {}).list()

const catalog = createCatalog({ settings: catalogConfig.parse({}) })
const inference = builtinVendors.filter(({ provider }) => provider !== null)

test('every login that serves models has a row of terms at its provider, and both say the same', () => {
  expect(inference.length).toBeGreaterThan(5)
  for (const vendor of inference) {
    const provider = catalog.provider(vendor.provider!)
    const terms = provider?.plan
    expect([vendor.id, terms?.page.startsWith('https://')]).toEqual([vendor.id, true])
    const api = vendor.uses.find(({ use }) => use === 'api')
    expect([vendor.id, terms!.documented.includes(vendor.id)]).toEqual([vendor.id, api?.entitlement === 'documented'])
    const native = vendor.uses.some(({ use }) => use === 'native')
    // One provider may have several logins; a client of one of them is a client of the vendor.
    const anyNative = native ||
      inference.some((other) => other.provider === vendor.provider && other.uses.some(({ use }) => use === 'native'))
    expect([vendor.id, terms!.native.length > 0]).toEqual([vendor.id, anyNative])
  }
})

test('no row documents a login that nobody can make', () => {
  const known = new Set(builtinVendors.map(({ id }) => id))
  for (const { id, plan } of catalog.providers) {
    for (const name of plan?.documented ?? []) expect([id, name, known.has(name)]).toEqual([id, name, true])
  }
})

const planToken = `sk-ant-oat01-${'a'.repeat(80)}`
const native = { 'user-agent': 'claude-cli/2.1.330 (external, cli)', 'x-app': 'cli', 'anthropic-version': '2023-06-01' }
const message: Step = (exchange) =>
  exchange.json({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content: [{ type: 'text', text: 'all is well' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 3 },
  })
/** A body that no serializer would write: any change to it shows. */
const oddBody =
  '{ "max_tokens":5 ,"system":[{"type":"text","text":"You are  kind."}],\n "model" : "claude-sonnet-4-5",' +
  '"messages":[{"role":"user","content":"h\\u0069"}], "unknown_field":1e2}'

async function withClaude(upstream: FakeUpstream, more: Record<string, Json> = {}): Promise<TestGateway> {
  const gw = await startGateway({
    settings: {
      'egress.allow_origins': [upstream.url],
      'accounts.max': { provider: 'anthropic', login: 'claude.setup-token', base_url: upstream.url, ...more },
    },
  })
  const kept = await operation(gw, 'auth/setupToken', { token: planToken })
  if (kept.status !== 200) throw new Error(await kept.text())
  // It makes an account of its own at the vendor's real address: this test has one that stays on this machine.
  for (const { id, origin } of gw.gateway.rooms.accounts.list()) {
    if (origin === 'store') await gw.gateway.rooms.accounts.remove(id)
  }
  return gw
}

const operation = (gw: TestGateway, path: string, input: unknown) =>
  fetch(`${gw.url}/api/${path}`, {
    method: 'POST',
    headers: { 'x-api-key': gw.token, 'content-type': 'application/json' },
    body: JSON.stringify(input),
  })

const send = (gw: TestGateway, path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${gw.url}${path}`, {
    method: 'POST',
    headers: { 'x-api-key': gw.token, 'content-type': 'application/json', ...headers },
    body,
  })

const chat = JSON.stringify({ model: 'claude-sonnet-4-5', messages: [{ role: 'user', content: 'hi' }] })

test("native lane: the vendor's own client is served by the login, its bytes untouched", async () => {
  await using upstream = await fakeUpstream(message)
  await using gw = await withClaude(upstream)
  const reply = await send(gw, '/v1/messages?beta=true', oddBody, {
    ...native,
    'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14',
  })
  expect([reply.status, reply.headers.get('x-gw-target')]).toEqual([200, 'anthropic:max#chat'])
  const [sent] = upstream.requests
  expect(sent!.text()).toBe(oddBody)
  expect([sent!.headers.get('authorization'), sent!.headers.get('x-api-key')]).toEqual([
    `Bearer ${planToken}`,
    undefined,
  ])
  expect(sent!.headers.get('user-agent')).toBe(native['user-agent'])
  expect(sent!.headers.get('anthropic-beta')).toStartWith('claude-code-20250219,interleaved-thinking-2025-05-14')
})

test("passthrough lane: the caller's own plan token goes to its vendor, and the pool's login stays where it is", async () => {
  await using upstream = await fakeUpstream(message)
  await using gw = await startGateway({
    settings: {
      'egress.allow_origins': [upstream.url],
      'providers.anthropic': { base_url: upstream.url },
      'accounts.key': { provider: 'anthropic', token: 'sk-ant-api03-of-the-pool' },
    },
  })
  const own = `sk-ant-oat01-${'b'.repeat(80)}`
  const reply = await fetch(`${gw.url}/v1/messages`, {
    method: 'POST',
    headers: { ...native, 'x-gw-token': gw.token, authorization: `Bearer ${own}`, 'content-type': 'application/json' },
    body: oddBody,
  })
  expect([reply.status, reply.headers.get('x-gw-target')]).toEqual([200, 'anthropic:passthrough#chat'])
  expect(upstream.requests[0]!.headers.get('authorization')).toBe(`Bearer ${own}`)
  expect(upstream.requests[0]!.text()).toBe(oddBody)
})

test('documented lane: a login that its vendor documents for other programs serves any client', async () => {
  const answer: Step = (exchange) =>
    exchange.json({
      ...{ id: 'c', object: 'chat.completion', created: 1, model: 'gpt-5' },
      choices: [{ index: 0, message: { role: 'assistant', content: 'all is well' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4 },
    })
  await using upstream = await fakeUpstream(answer)
  await using gw = await startGateway({
    settings: {
      'egress.allow_origins': [upstream.url],
      'accounts.plus': { provider: 'openai', login: 'siwc.plus', base_url: `${upstream.url}/v1` },
    },
  })
  const kept = await operation(gw, 'auth/addToken', { vendor: 'siwc', binding: 'plus', token: 'siwc-token-0123456789' })
  expect([kept.status, await kept.text()]).toEqual([200, expect.stringContaining('siwc')])
  const body = JSON.stringify({ model: 'openai:plus/gpt-5', messages: [{ role: 'user', content: 'hi' }] })
  const reply = await send(gw, '/v1/chat/completions', body, { 'user-agent': 'curl/8' })
  expect([reply.status, await reply.text()]).toEqual([200, expect.stringContaining('all is well')])
  expect(upstream.requests[0]!.headers.get('authorization')).toBe('Bearer siwc-token-0123456789')
})

for (
  const [name, path, body, headers] of [
    ['an OpenAI client', '/v1/chat/completions', chat, { 'user-agent': 'OpenAI/JS 6.0' }],
    ['an Anthropic SDK', '/v1/messages', oddBody, { 'user-agent': 'Anthropic/JS 1.0' }],
    ["the vendor's client in another protocol", '/v1/chat/completions', chat, native],
  ] as const
) {
  test(`undocumented use: ${name} on a plan login is refused with the remedy, until its owner allows it`, async () => {
    await using upstream = await fakeUpstream(message)
    await using gw = await withClaude(upstream)
    const reply = await send(gw, path, body, headers)
    const said = await reply.json() as { type?: string; error: { message: string } }
    const text = JSON.stringify(said)
    expect(reply.status).toBe(503)
    expect(said.type).toBe(path === '/v1/messages' ? 'error' : undefined as never)
    for (const part of ['undocumented_use', 'anthropic:max#chat', 'allow_undocumented_use = true', 'account max']) {
      expect(text).toContain(part)
    }
    expect(text).toContain('https://code.claude.com/docs/en/llm-gateway-protocol')
    expect(text).not.toContain(planToken)
    expect(upstream.requests).toHaveLength(0)

    await using open = await withClaude(upstream, { allow_undocumented_use: true })
    const served = await send(open, path, body, headers)
    expect([served.status, await served.text()]).toEqual([200, expect.stringContaining('all is well')])
    const [sent] = upstream.requests
    expect(sent!.headers.get('authorization')).toBe(`Bearer ${planToken}`)
    // No imitation: nothing of another client's is added.
    expect(sent!.text()).not.toContain('You are Claude Code')
    expect(sent!.headers.get('user-agent') ?? '').not.toContain(headers === native ? 'gw-imitates' : 'claude-cli')
  })
}

for (
  const [source, settings] of [
    ['in the environment', { token_env: 'KEPT' }],
    ['printed by a command', { token_command: ['/bin/sh', '-c', `echo ${planToken}`] }],
    ['declared as an auth token', { token_env: 'ODD', kind: 'auth_token' }],
  ] as readonly (readonly [string, Record<string, Json>])[]
) {
  test(`a plan token ${source} has the terms of a plan, not those of a key`, async () => {
    await using upstream = await fakeUpstream(message)
    await using gw = await startGateway({
      env: { KEPT: planToken, ODD: 'odd-token-0123456789' },
      settings: {
        'egress.allow_origins': [upstream.url],
        'accounts.kept': { provider: 'anthropic', base_url: upstream.url, ...settings },
      },
    })
    // What only reading can tell is told by the first reading, and not sent: its sentence is that of every later one.
    const first = await send(gw, '/v1/chat/completions', chat)
    expect([first.status, await first.text()]).toEqual([
      503,
      expect.stringContaining('or set allow_undocumented_use = true on account kept'),
    ])
    const reply = await send(gw, '/v1/chat/completions', chat)
    expect([reply.status, await reply.text()]).toEqual([503, expect.stringContaining('undocumented_use')])
    expect(upstream.requests).toHaveLength(0)
    const own = await send(gw, '/v1/messages', oddBody, native)
    expect([own.status, upstream.requests.length]).toEqual([200, 1])
  })
}

test("a plan token that only reading reveals: the first request is the next account's, or its own where it may be", async () => {
  await using upstream = await fakeUpstream(message)
  const revealed = {
    provider: 'anthropic',
    base_url: upstream.url,
    token_command: ['/bin/sh', '-c', `echo ${planToken}`],
  }
  const settings = {
    'egress.allow_origins': [upstream.url],
    'routing.strategy': 'priority',
    'accounts.kept': { ...revealed, priority: 5 },
    'accounts.spare': { provider: 'anthropic', base_url: upstream.url, token_env: 'SPARE' },
  }
  await using gw = await startGateway({ env: { SPARE: 'sk-ant-api03-spare' }, settings })
  const reply = await send(gw, '/v1/chat/completions', chat)
  expect([reply.status, reply.headers.get('x-gw-target'), reply.headers.get('x-gw-attempts')])
    .toEqual([200, 'anthropic:spare#chat', '2'])
  const told = await fetch(`${gw.url}/api/route/why?request=${reply.headers.get('x-gw-request-id')}`, {
    headers: { authorization: `Bearer ${gw.token}` },
  }).then((answer) => answer.json()) as { attempts: { target: string; failure: string; message: string }[] }
  expect(told.attempts[0]).toMatchObject({
    ...{ target: 'anthropic:kept#chat', failure: 'local' },
    message: expect.stringContaining('allow_undocumented_use = true on account kept'),
  })
  expect(upstream.requests.map(({ headers }) => headers.get('x-api-key'))).toEqual(['sk-ant-api03-spare'])
  expect(gw.gateway.rooms.board.all().filter(({ liveness }) => liveness.state !== 'live')).toEqual([])
  const next = await send(gw, '/v1/chat/completions', chat)
  expect([next.status, next.headers.get('x-gw-attempts')]).toEqual([200, '1'])

  // The vendor's own client may use it: its very first request is served with it.
  await using other = await startGateway({ env: { SPARE: 'sk-ant-api03-spare' }, settings })
  const own = await send(other, '/v1/messages', oddBody, native)
  expect([own.status, own.headers.get('x-gw-target')]).toEqual([200, 'anthropic:kept#chat'])
  expect(upstream.requests.at(-1)!.headers.get('authorization')).toBe(`Bearer ${planToken}`)
})

test('a plan token that was revealed while a request was under way is not sent for it', async () => {
  const held = Promise.withResolvers<void>()
  await using upstream = await fakeUpstream(message)
  await using slow = await fakeUpstream(async (exchange) => {
    await held.promise
    await exchange.json({ type: 'error', error: { type: 'api_error', message: 'down' } }, { status: 500 })
  })
  await using gw = await startGateway({
    env: { FIRST: 'sk-ant-api03-first' },
    settings: {
      'egress.allow_origins': [upstream.url, slow.url],
      'routing.strategy': 'priority',
      'providers.first': { protocol: 'anthropic-messages', base_url: slow.url, auth: 'anthropic', models: { m: {} } },
      'routing.pools.both': { members: ['first/m', 'anthropic/claude-sonnet-4-5'] },
      'accounts.first': { provider: 'first', token_env: 'FIRST', priority: 5 },
      'accounts.kept': {
        ...{ provider: 'anthropic', base_url: upstream.url },
        token_command: ['/bin/sh', '-c', `echo ${planToken}`],
      },
    },
  })
  const waiting = send(gw, '/v1/chat/completions', chat.replace(/"model":"[^"]+"/, '"model":"both"'))
  await slow.request()
  // Planned with both accounts as keys; meanwhile somebody else's request reads the second one.
  expect((await send(gw, '/v1/messages', oddBody, native)).status).toBe(200)
  held.resolve()
  const reply = await waiting
  expect([reply.status >= 500, await reply.text()]).toEqual([true, expect.stringContaining('allow_undocumented_use')])
  expect(upstream.requests).toHaveLength(1)
})

test("its owner's word beats what a token looks like", async () => {
  await using upstream = await fakeUpstream(message)
  await using gw = await startGateway({
    env: { KEPT: planToken },
    settings: {
      'egress.allow_origins': [upstream.url],
      'accounts.kept': { provider: 'anthropic', base_url: upstream.url, token_env: 'KEPT', plan: false },
    },
  })
  expect((await send(gw, '/v1/chat/completions', chat)).status).toBe(200)
})

test('the raw proxy has the same terms', async () => {
  await using upstream = await fakeUpstream(message)
  await using gw = await withClaude(upstream)
  const refused = await send(gw, '/v1/proxy/anthropic/v1/messages', oddBody)
  expect([refused.status, await refused.text()]).toEqual([
    503,
    expect.stringContaining('allow_undocumented_use = true'),
  ])
  expect(upstream.requests).toHaveLength(0)
  const passed = await send(gw, '/v1/proxy/anthropic/v1/messages', oddBody, native)
  expect([passed.status, upstream.requests[0]?.text()]).toEqual([200, oddBody])
})

test('the raw proxy passes over an account whose source fails, and over one that turns out to be a plan', async () => {
  await using upstream = await fakeUpstream(message)
  const here = { provider: 'anthropic', base_url: upstream.url }
  await using gw = await startGateway({
    env: { SPARE: 'sk-ant-api03-spare' },
    settings: {
      'egress.allow_origins': [upstream.url],
      'accounts.absent': { ...here, token_file: '/no/such/file' },
      'accounts.kept': { ...here, token_command: ['/bin/sh', '-c', `echo ${planToken}`] },
      'accounts.spare': { ...here, token_env: 'SPARE' },
    },
  })
  const reply = await send(gw, '/v1/proxy/anthropic/v1/messages', oddBody)
  expect([reply.status, upstream.requests[0]?.headers.get('x-api-key')]).toEqual([200, 'sk-ant-api03-spare'])
  await using none = await startGateway({
    settings: { 'egress.allow_origins': [upstream.url], 'accounts.absent': { ...here, token_file: '/no/such/file' } },
  })
  const failed = await send(none, '/v1/proxy/anthropic/v1/messages', oddBody)
  expect([failed.status, await failed.text()]).toEqual([503, expect.stringContaining('/no/such/file')])
  expect(upstream.requests).toHaveLength(1)
})
