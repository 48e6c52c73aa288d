import { expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isGwError } from '../../../lib/base/mod.ts'
import { createGateway } from '../../../lib/mod.ts'
import { strategyNames } from '../../../lib/routing/mod.ts'
import { fakeUpstream } from '../../support/fake-upstream.ts'
import { startGateway } from '../../support/gateway.ts'
import { ask, env, pool, refusal, surfaces, well } from './surfaces.ts'

interface Refusal {
  readonly type?: string
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param?: string | null
    readonly details?: {
      readonly targets?: readonly { readonly target: string; readonly reason: string; readonly until?: string }[]
      readonly retry_at?: string
    }
  }
}

for (const surface of surfaces) {
  const anthropic = surface.protocol === 'anthropic-messages'

  /** The status, the sentence and the reason of each target, after a look at the shape. */
  const read = async (reply: Response) => {
    const body = await reply.json() as Refusal
    expect(body.type).toBe(anthropic ? 'error' : undefined as never)
    expect(reply.headers.get('x-gw-request-id')).toStartWith('req_')
    const { message, param, details } = body.error
    const reasons = (details?.targets ?? []).map(({ target, reason }) => `${target} ${reason.split(':')[0]}`)
    return { status: reply.status, message, param: param ?? null, reasons, details, headers: reply.headers }
  }

  test(`${surface.path}: wrong and contradictory wishes are a 400 that names the field`, async () => {
    await using upstream = await fakeUpstream(well(surface))
    await using gw = await startGateway({
      settings: pool([upstream.url, upstream.url, upstream.url], surface.protocol),
      env,
    })
    const strategy = await read(
      await fetch(`${gw.url}${surface.path}`, {
        method: 'POST',
        headers: { 'x-api-key': gw.token, 'content-type': 'application/json', 'x-gw-strategy': 'luck' },
        body: JSON.stringify({ model: 'mix', ...surface.body }),
      }),
    )
    expect([strategy.status, strategy.message]).toEqual([400, expect.stringContaining('"luck"')])
    for (const name of strategyNames) expect(strategy.message).toContain(name)
    for (
      const [body, field] of [
        [{ provider: { sort: 'luck' } }, 'provider.sort'],
        [{ provider: { only: ['red'], ignore: ['red'] } }, 'provider.ignore'],
        [{ provider: { order: ['red'], ignore: ['red'] } }, 'provider.ignore'],
        [{ provider: { only: [] } }, 'provider.only'],
        [{ provider: { order: [], allow_fallbacks: false } }, 'provider.order'],
        [{ provider: { max_price: { prompt: 'cheap' } } }, 'provider.max_price.prompt'],
        [{ provider: { preferred_max_latency: { p95: 1 } } }, 'provider.preferred_max_latency.p95'],
        [{ provider: { strategy: 'luck' } }, 'provider.strategy'],
      ] as const
    ) {
      const refused = await read(await ask(gw, surface, body))
      expect([field, refused.status, refused.message.includes(field)]).toEqual([field, 400, true])
      if (!anthropic) expect(refused.param).toBe(field)
    }
    expect(upstream.requests).toHaveLength(0)
  })

  test(`${surface.path}: the strategy of one request is obeyed`, async () => {
    await using upstream = await fakeUpstream(well(surface))
    await using gw = await startGateway({
      settings: pool([upstream.url, upstream.url, upstream.url], surface.protocol),
      env,
    })
    const targets = new Set<string>()
    for (let i = 0; i < 6; i++) {
      const reply = await fetch(`${gw.url}${surface.path}`, {
        method: 'POST',
        headers: {
          'x-api-key': gw.token,
          'content-type': 'application/json',
          'x-gw-strategy': 'round-robin',
          'x-gw-session': `s${i}`,
        },
        body: JSON.stringify({ model: 'mix', ...surface.body }),
      })
      targets.add(reply.headers.get('x-gw-target')!)
      await reply.text()
    }
    expect(targets.size).toBe(3)
    for (const { headers } of upstream.requests) expect(headers.has('x-gw-strategy')).toBe(false)
  })

  test(`${surface.path}: a limit that nothing meets names the limit and each target`, async () => {
    await using upstream = await fakeUpstream(well(surface))
    await using gw = await startGateway({
      settings: pool([upstream.url, upstream.url, upstream.url], surface.protocol),
      env,
    })
    const refused = await read(await ask(gw, surface, { provider: { max_price: { prompt: 0.1 } } }))
    expect([refused.status, refused.reasons]).toEqual([
      503,
      ['red:one#chat price', 'red:two#chat price', 'blue:three#chat price'],
    ])
    expect(refused.details!.targets![0]!.reason).toContain('a million prompt tokens cost $1 and the limit is $0.1')
    // Nothing that time mends: SDKs must not ask again.
    expect([refused.headers.get('x-should-retry'), refused.headers.get('retry-after')]).toEqual(['false', null])
    if (!anthropic) expect(refused.param).toBe('provider.max_price')
  })

  test(`${surface.path}: a pool without accounts, and a model whose accounts are all lost, say so`, async () => {
    await using upstream = await fakeUpstream(refusal(401, 'authentication_error'))
    await using gw = await startGateway({
      settings: {
        ...pool([upstream.url, upstream.url, upstream.url], surface.protocol),
        'routing.pools.nobody': { members: ['openai/gpt-5'] },
      },
      env,
    })
    const empty = await read(await ask(gw, surface, { model: 'nobody' }))
    expect([empty.status, empty.message]).toEqual([404, expect.stringContaining('gw accounts add openai')])
    // The first time every key is asked, and refused; after that nobody is.
    const first = await read(await ask(gw, surface))
    expect([first.status, first.reasons]).toEqual([
      502,
      ['red:one#chat unauthorized (401)', 'red:two#chat unauthorized (401)', 'blue:three#chat unauthorized (401)'],
    ])
    expect(first.message).toContain('none of the 3 targets for mix served')
    const { length } = upstream.requests
    const dead = await read(await ask(gw, surface))
    expect([dead.status, dead.reasons]).toEqual([503, [
      'red:one#chat dead',
      'red:two#chat dead',
      'blue:three#chat dead',
    ]])
    expect(dead.details!.targets![0]!.reason).toContain('token revoked since')
    expect(upstream.requests).toHaveLength(length)
  })

  test(`${surface.path}: when all is spent, header and body name the first return, by the vendors' own words`, async () => {
    const inSeconds = (seconds: number) => String(Math.floor(Date.now() / 1000) + seconds)
    await using one = await fakeUpstream(refusal(429, 'rate_limit_error', {
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-5h-status': 'rejected',
      'anthropic-ratelimit-unified-5h-reset': inSeconds(7_200),
    }))
    await using two = await fakeUpstream(refusal(429, 'usage_limit_reached', {
      'x-codex-primary-used-percent': '100',
      'x-codex-primary-window-minutes': '300',
      'x-codex-primary-reset-at': inSeconds(1_800),
    }))
    await using three = await fakeUpstream(refusal(429, 'rate_limit_error', { 'retry-after': '5400' }))
    await using gw = await startGateway({ settings: pool([one.url, two.url, three.url], surface.protocol), env })
    for (const [attempts, slack] of [['3', 5], ['0', 35]] as const) {
      const refused = await read(await ask(gw, surface))
      const wait = Number(refused.headers.get('retry-after'))
      expect([refused.status, refused.headers.get('x-gw-attempts')]).toEqual([429, attempts])
      expect(Math.abs(wait - 1_800)).toBeLessThan(slack)
      const at = Date.parse(refused.details!.retry_at!)
      expect(Math.abs(at - (Date.now() + wait * 1_000))).toBeLessThan(3_000)
      expect(refused.message).toContain(`the first returns at ${refused.details!.retry_at}`)
      expect(refused.reasons).toHaveLength(3)
    }
  })
}

test('generateContent: the reason of each target and the first return stand in the details of a Google error', async () => {
  await using upstream = await fakeUpstream(refusal(429, 'rate_limit_error', { 'retry-after': '120' }))
  await using gw = await startGateway({
    settings: pool([upstream.url, upstream.url, upstream.url], 'openai-chat'),
    env,
  })
  const reply = await fetch(`${gw.url}/v1beta/models/mix:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': gw.token, 'content-type': 'application/json' },
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }),
  })
  const { error } = await reply.json() as { error: { status: string; details: Record<string, unknown>[] } }
  expect([reply.status, error.status, reply.headers.get('retry-after')]).toEqual([429, 'RESOURCE_EXHAUSTED', '120'])
  const reasons = error.details.find((detail) => String(detail['@type']).endsWith('PreconditionFailure'))
  expect((reasons!.violations as { subject: string; type: string }[]).map(({ subject, type }) => `${subject} ${type}`))
    .toEqual(['red:one#chat', 'red:two#chat', 'blue:three#chat'].map((target) => `${target} rate_limited (429)`))
})

for (
  const [text, place] of [
    ['[routing]\nstrategy = "luck"\n', '2: routing.strategy'],
    ['[routing.pools.work]\nmembers = ["openai/gpt-5"]\nstrategy = "luck"\n', '3: routing.pools.work.strategy'],
    ['\n[routing.provider_strategies]\nopenai = "luck"\n', '3: routing.provider_strategies.openai'],
  ] as const
) {
  test(`an unknown strategy stops the start: ${place}`, async () => {
    const home = await mkdtemp(join(tmpdir(), 'gw-strategy-'))
    try {
      await writeFile(join(home, 'config.toml'), text, { mode: 0o600 })
      const error = await createGateway({ home, cwd: home, env: {}, keychain: null }).then(
        (gateway) => gateway.close().then(() => null),
        (error: unknown) => error,
      )
      if (!isGwError(error)) throw new Error('it started')
      expect(error.exit).toBe(200)
      const said = `${error.message} ${error.hint ?? ''} ${JSON.stringify(error.details ?? {})}`
      expect(said).toContain(`config.toml:${place}`)
      for (const name of strategyNames) expect(said).toContain(name)
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })
}
