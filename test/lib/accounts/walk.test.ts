import { expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json } from '../../../lib/base/mod.ts'
import { memoryKeychain } from '../../support/memory-keychain.ts'
import { fakeUpstream, type Step } from '../../support/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'

/** From the config file to what stands on the wire upstream: every way to hold a credential, over real sockets. */

const whole: Step = (exchange) =>
  exchange.json({
    ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
    choices: [{ index: 0, message: { role: 'assistant', content: 'all is well' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4 },
  })

const ask = (gw: TestGateway, model: string, headers: Record<string, string> = {}) =>
  fetch(`${gw.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'x-api-key': gw.token, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] }),
  })

function tools() {
  const folder = mkdtempSync(join(tmpdir(), 'gw-walk-'))
  const script = (name: string, body: string) => {
    const path = join(folder, name)
    writeFileSync(path, `#!/bin/sh\n${body}\n`)
    chmodSync(path, 0o755)
    return path
  }
  return { folder, script, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

const own = (url: string): Record<string, Json> => ({
  'egress.allow_origins': [url],
  'routing.strategy': 'priority',
  'providers.own': { base_url: `${url}/v1`, protocol: 'openai-chat', auth: 'bearer', capabilities: ['chat'] },
})

test('every source of a credential reaches the wire', async () => {
  using kit = tools()
  const { folder, script } = kit
  writeFileSync(join(folder, 'key'), 'sk-from-file\n')
  script('sops', 'echo sk-from-sops')
  script('age', 'cat > /dev/null; echo sk-from-age')
  const keychain = memoryKeychain()
  await keychain.set('my service', 'me', 'sk-from-keychain')
  const sources: Record<string, Record<string, Json>> = {
    literal: { token: 'sk-from-literal' },
    variable: { token: '${WALK_KEY}' },
    env: { token_env: 'WALK_KEY' },
    file: { token_file: join(folder, 'key') },
    command: { token_command: [script('tok', 'echo sk-from-command; echo noise >&2')] },
    keychain: { keychain: { service: 'my service', account: 'me' } },
    sops: { sops: { path: join(folder, 's.yaml'), key: 'a' } },
    age: { age: { path: join(folder, 's.age'), identity: '/nowhere/key.txt' } },
  }
  await using upstream = await fakeUpstream(whole)
  await using gw = await startGateway({
    env: { WALK_KEY: 'sk-from-env', PATH: `${folder}:${process.env.PATH}`, HOME: folder },
    settings: {
      ...own(upstream.url),
      ...Object.fromEntries(
        Object.entries(sources).map(([id, source]) => [`accounts.${id}`, { provider: 'own', ...source }]),
      ),
    },
    options: { keychain },
  })
  await gw.gateway.rooms.accounts.add({ provider: 'own', id: 'stored', token: 'sk-from-store' })
  for (const id of [...Object.keys(sources), 'stored']) {
    const reply = await ask(gw, `own:${id}/m`)
    const text = await reply.text()
    expect([id, reply.status, text.includes('all is well')]).toEqual([id, 200, true])
    const from = id === 'variable' ? 'env' : id === 'stored' ? 'store' : id
    expect([id, upstream.requests.at(-1)!.headers.get('authorization')]).toEqual([id, `Bearer sk-from-${from}`])
  }
  const log = gw.log.join('\n')
  for (const part of ['sk-from-', 'noise']) expect(log).not.toContain(part)
}, 30_000)

test('a source that fails is passed over for that request, says why, and harms no account', async () => {
  using kit = tools()
  const { script } = kit
  await using upstream = await fakeUpstream(whole)
  const broken: Record<string, Record<string, Json>> = {
    missing: { token_env: 'NOT_SET_ANYWHERE' },
    twice: { token_command: [script('twice', 'echo one; echo two')] },
    silent: { token_command: [script('silent', 'true')] },
    failing: { token_command: [script('failing', 'echo canary-stderr >&2; exit 3')] },
    slow: { token_command: [script('slow', 'sleep 60')], timeout_secs: 0.1 },
    absent: { token_file: '/no/such/file' },
    locked: { keychain: { service: 'nobody', account: 'has' } },
  }
  await using gw = await startGateway({
    settings: {
      ...own(upstream.url),
      // What never leaves this machine is no attempt on anybody's budget.
      'routing.retry_budget': 0,
      'routing.fallback.max_attempts': 1,
      ...Object.fromEntries(
        Object.entries(broken).map(([id, source]) => [`accounts.${id}`, { provider: 'own', priority: 5, ...source }]),
      ),
      'accounts.good': { provider: 'own', token: 'sk-good' },
    },
  })
  const reply = await ask(gw, 'own/m')
  expect([reply.status, reply.headers.get('x-gw-target'), reply.headers.get('x-gw-attempts')])
    .toEqual([200, 'own:good#chat', '8'])
  const why = await fetch(`${gw.url}/api/route/why?request=${reply.headers.get('x-gw-request-id')}`, {
    headers: { 'x-api-key': gw.token },
  }).then((told) => told.json()) as { attempts: { target: string; failure: string | null; message: string | null }[] }
  expect(why.attempts.slice(0, 7).map(({ failure }) => failure)).toEqual(Array(7).fill('local'))
  const said = JSON.stringify(why)
  for (const part of ['NOT_SET_ANYWHERE', 'more than one line', 'is empty', 'status 3', 'longer than 100 ms']) {
    expect(said).toContain(part)
  }
  expect(said).not.toContain('canary-stderr')
  expect(gw.gateway.rooms.board.all().filter(({ liveness }) => liveness.state !== 'live')).toEqual([])
  expect(upstream.requests).toHaveLength(1)
}, 30_000)

test('an account id comes from a value, a variable or a command, and without one nothing is sent', async () => {
  using kit = tools()
  await using upstream = await fakeUpstream(whole)
  const token = { token: 'chatgpt-token', plan: false }
  await using gw = await startGateway({
    env: { WALK_ID: 'acct-from-env' },
    settings: {
      ...own(upstream.url),
      'providers.own': {
        base_url: `${upstream.url}/v1`,
        protocol: 'openai-chat',
        auth: 'chatgpt',
        capabilities: ['chat'],
      },
      'accounts.value': { provider: 'own', ...token, account_id: 'acct-from-value' },
      'accounts.env': { provider: 'own', ...token, account_id_env: 'WALK_ID' },
      'accounts.command': {
        provider: 'own',
        ...token,
        account_id_command: [kit.script('id', 'echo acct-from-command')],
      },
      'accounts.none': { provider: 'own', ...token },
    },
  })
  for (const id of ['value', 'env', 'command']) {
    expect((await ask(gw, `own:${id}/m`)).status).toBe(200)
    expect(upstream.requests.at(-1)!.headers.get('chatgpt-account-id')).toBe(`acct-from-${id}`)
  }
  const refused = await ask(gw, 'own:none/m')
  expect([refused.status >= 500, await refused.text()]).toEqual([true, expect.stringContaining('account id')])
  expect(upstream.requests).toHaveLength(3)
})

test('the order of credentials: the profile asked for, what its owner ordered, then what the environment has', async () => {
  await using upstream = await fakeUpstream((exchange) =>
    exchange.request.headers.get('authorization') === 'Bearer sk-last'
      ? whole(exchange)
      : exchange.json({ error: { message: 'no', type: 'server_error' } }, { status: 500 })
  )
  await using gw = await startGateway({
    env: { OWN_KEY: 'sk-last' },
    settings: {
      ...own(upstream.url),
      'routing.retry_budget': 1,
      'providers.own': {
        base_url: `${upstream.url}/v1`,
        protocol: 'openai-chat',
        auth: 'bearer',
        capabilities: ['chat'],
        env: ['OWN_KEY'],
      },
      'accounts.second': { provider: 'own', token: 'sk-second', priority: 1 },
      'accounts.first': { provider: 'own', token: 'sk-first', priority: 2 },
      'accounts.third': { provider: 'own', token: 'sk-third' },
    },
  })
  const reply = await ask(gw, 'own/m')
  expect([reply.status, reply.headers.get('x-gw-attempts')]).toEqual([200, '4'])
  const keys = () => upstream.requests.map(({ headers }) => headers.get('authorization')!.slice('Bearer sk-'.length))
  expect(keys()).toEqual(['first', 'second', 'third', 'last'])
  for (const { key } of gw.gateway.rooms.board.all()) gw.gateway.rooms.board.reset(key)
  await ask(gw, 'own/m', { 'x-auth-profile': 'own:third' }).then((told) => told.text())
  expect(keys().slice(4)).toEqual(['third'])
})

test('an account that is another one by a second name is no spare, from the first request on', async () => {
  await using upstream = await fakeUpstream((exchange) =>
    exchange.request.headers.get('authorization') === 'Bearer sk-of-the-other-one' ? whole(exchange) : exchange.json(
      { error: { message: 'quota', type: 'insufficient_quota', code: 'rate_limit_exceeded' } },
      { status: 429, headers: { 'retry-after': '3000' } },
    )
  )
  await using gw = await startGateway({
    env: { SAME_KEY: 'sk-of-the-same-one' },
    settings: {
      ...own(upstream.url),
      'accounts.first': { provider: 'own', token: 'sk-of-the-same-one', priority: 3 },
      'accounts.again': { provider: 'own', token_env: 'SAME_KEY', priority: 2 },
      'accounts.other': { provider: 'own', token: 'sk-of-the-other-one', priority: 1 },
    },
  })
  const reply = await ask(gw, 'own/m')
  expect([reply.status, reply.headers.get('x-gw-target'), reply.headers.get('x-gw-attempts')])
    .toEqual([200, 'own:other#chat', '2'])
  await reply.text()
  const told = await fetch(`${gw.url}/api/route/why`, { headers: { 'x-api-key': gw.token } })
  const { plan } = await told.json() as { plan: { dropped: { target: string; because: string }[] } }
  expect(plan.dropped.map(({ target, because }) => [target, because])).toEqual([['own:again#chat', 'same_identity']])
})
