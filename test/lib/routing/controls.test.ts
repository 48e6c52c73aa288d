import { expect, test } from 'bun:test'
import type { Json } from '../../../lib/base/mod.ts'
import { fakeUpstream, type Step } from '../../support/fake-upstream.ts'
import { startGateway } from '../../support/gateway.ts'
import { type Protocol, refusal, type Surface, surfaces, well } from './surfaces.ts'

// Each of OpenRouter's controls as a client sends it: over a real socket, on each surface. The first target is read off
// the request that arrived, the rest of the order and the reasons off the receipt.

/** A protocol that lacks a parameter of each surface's own. */
const foreign: Readonly<Record<Protocol, { readonly speaks: Protocol; readonly parameter: Record<string, unknown> }>> =
  {
    'openai-chat': { speaks: 'anthropic-messages', parameter: { seed: 1 } },
    'openai-responses': { speaks: 'anthropic-messages', parameter: { truncation: 'auto' } },
    'anthropic-messages': { speaks: 'openai-chat', parameter: { top_k: 5 } },
  }

/** Five accounts of five providers that differ in everything a control may ask about, in one pool. */
function five(url: string, { protocol }: Surface): Record<string, Json> {
  const provider = (name: string, price: Json | null, more: Record<string, Json> = {}, speaks = protocol) => {
    const anthropic = speaks === 'anthropic-messages'
    return [
      [`providers.${name}`, {
        protocol: speaks,
        base_url: anthropic ? `${url}/${name}` : `${url}/${name}/v1`,
        auth: anthropic ? 'anthropic' : 'bearer',
        capabilities: ['chat'],
        models: { m: price === null ? {} : { price }, n: { price: { input: 1, output: 1 } } },
        ...more,
      }],
      [`accounts.${name}-key`, { provider: name, token_env: 'KEY', priority: 'edcba'.indexOf(name[0]!) }],
    ] as [string, Json][]
  }
  return {
    'egress.allow_origins': [url],
    'routing.strategy': 'priority',
    'routing.retry_budget': 1,
    'routing.sticky': { enabled: false },
    'routing.pools.mix': { members: ['alpha/m', 'beta/m', 'cora/m', 'dora/m', 'echo/m'] },
    ...Object.fromEntries([
      ...provider('alpha', { input: 2, output: 4 }, { trains: false, quantization: 'fp8' }),
      ...provider('beta', { input: 1, output: 9, request: 3 }, { trains: true, zero_retention: true }),
      ...provider('cora', { input: 0, output: 0 }, { quantization: 'int4' }),
      ...provider('dora', { input: 3, output: 3, image: 0.02, audio: 7 }),
      ...provider('echo', null, {}, foreign[protocol].speaks),
    ]),
  }
}

const all = ['alpha', 'beta', 'cora', 'dora', 'echo']

/** What is asked, the order that follows, and the reason of everybody else. */
const cases: readonly (readonly [asked: Record<string, unknown>, order: readonly string[], reason?: string])[] = [
  [{}, all],
  [{ provider: {} }, all],
  [{ provider: { order: ['dora', 'BETA'] } }, ['dora', 'beta', 'alpha', 'cora', 'echo']],
  [{ provider: { order: ['dora', 'cora'], allow_fallbacks: false } }, ['dora', 'cora'], 'filtered_order'],
  [{ provider: { order: ['dora/fp8'] } }, ['dora', 'alpha', 'beta', 'cora', 'echo']],
  [{ provider: { order: ['dora-key', 'cora:cora-key'] } }, ['dora', 'cora', 'alpha', 'beta', 'echo']],
  [{ provider: { allow_fallbacks: false } }, ['alpha'], 'filtered_order'],
  [{ provider: { allow_fallbacks: true } }, all],
  [{ provider: { only: ['echo', 'beta'] } }, ['beta', 'echo'], 'filtered_only'],
  [{ provider: { ignore: ['alpha', 'cora'] } }, ['beta', 'dora', 'echo'], 'filtered_ignore'],
  [{ provider: { only: ['alpha', 'beta'], ignore: ['echo'], order: ['beta'] } }, ['beta', 'alpha'], 'filtered_only'],
  [{ provider: { require_parameters: true } }, ['alpha', 'beta', 'cora', 'dora'], 'parameters'],
  [{ provider: { require_parameters: false } }, all],
  [{ provider: { data_collection: 'deny' } }, ['alpha'], 'data_policy'],
  [{ provider: { data_collection: 'allow' } }, all],
  [{ provider: { zdr: true } }, ['beta'], 'zdr'],
  [{ provider: { quantizations: ['fp8', 'int4'] } }, ['alpha', 'cora'], 'quantization'],
  [{ provider: { quantizations: ['unknown'] } }, ['beta', 'dora', 'echo'], 'quantization'],
  // Three parts input to one part output: nothing, 2.5, 3, 3, and last what nobody knows.
  [{ provider: { sort: 'price' } }, ['cora', 'alpha', 'beta', 'dora', 'echo']],
  [{ provider: { sort: { by: 'price' } } }, ['cora', 'alpha', 'beta', 'dora', 'echo']],
  [{ provider: { sort: 'throughput' } }, ['echo', 'dora', 'cora', 'beta', 'alpha']],
  [{ provider: { sort: { by: 'latency', partition: 'model' } } }, ['echo', 'dora', 'cora', 'beta', 'alpha']],
  [{ provider: { preferred_min_throughput: 35 } }, ['dora', 'echo', 'alpha', 'beta', 'cora']],
  [{ provider: { preferred_min_throughput: { p90: 15 } } }, ['beta', 'cora', 'dora', 'echo', 'alpha']],
  [{ provider: { preferred_max_latency: 2.5 } }, ['dora', 'echo', 'alpha', 'beta', 'cora']],
  [{ provider: { preferred_max_latency: { p50: 9, p99: 4.5 } } }, ['beta', 'cora', 'dora', 'echo', 'alpha']],
  [{ provider: { max_price: { prompt: 1.5 } } }, ['beta', 'cora'], 'price'],
  [{ provider: { max_price: { completion: '4' } } }, ['alpha', 'cora', 'dora'], 'price'],
  [{ provider: { max_price: { request: 0.001 } } }, ['alpha', 'cora', 'dora'], 'price'],
  [{ provider: { max_price: { image: 0.01 } } }, ['alpha', 'beta', 'cora'], 'price'],
  [{ provider: { max_price: { audio: 5 } } }, ['alpha', 'beta', 'cora'], 'price'],
  [{ provider: { max_price: { prompt: 2, completion: 4 }, sort: 'price' } }, ['cora', 'alpha'], 'price'],
  [{ model: 'mix:floor' }, ['cora', 'alpha', 'beta', 'dora', 'echo']],
  [{ model: 'mix:nitro' }, ['echo', 'dora', 'cora', 'beta', 'alpha']],
  [{ model: 'mix:free' }, ['cora'], 'not_free'],
  [{ model: 'cora/m:free' }, ['cora']],
  [{ model: 'dora/n', models: ['beta/n', 'alpha/n'], route: 'fallback' }, ['dora', 'beta', 'alpha']],
  [{ model: 'dora/n', models: ['dora/n', 'beta/n'] }, ['dora', 'beta']],
  [{ model: 'dora/n', fallbacks: [{ model: 'beta/n' }, { model: 'cora/m' }] }, ['dora', 'beta', 'cora']],
  // Across the models asked for, or one model after the other.
  [{ model: 'dora/m', models: ['cora/m', 'alpha/m'], provider: { sort: 'price' } }, ['dora', 'cora', 'alpha']],
  [
    { model: 'dora/m', models: ['cora/m', 'alpha/m'], provider: { sort: { by: 'price', partition: 'none' } } },
    ['cora', 'alpha', 'dora'],
  ],
  [{ transforms: ['middle-out'] }, all],
  [{ transforms: [] }, all],
]

for (const surface of surfaces) {
  test(
    `${surface.path}: every control is obeyed, said in the receipt, and kept from who does not know it`,
    async () => {
      await using upstream = await fakeUpstream((exchange) => {
        const name = exchange.request.path.split('/')[1]
        const spoken = name === 'echo' ? foreign[surface.protocol].speaks : surface.protocol
        return well(surfaces.find(({ protocol }) => protocol === spoken)!)(exchange)
      })
      await using gw = await startGateway({
        settings: five(upstream.url, surface),
        env: { KEY: 'sk-of-five-0123456789' },
      })
      const { board } = gw.gateway.rooms
      const post = (asked: Record<string, unknown>) =>
        fetch(`${gw.url}${surface.path}`, {
          method: 'POST',
          headers: { 'x-api-key': gw.token, 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'mix', ...surface.body, ...asked }),
        })
      const receipt = async (reply: Response) => {
        const id = reply.headers.get('x-gw-request-id')
        const told = await fetch(`${gw.url}/api/route/why?request=${id}`, { headers: { 'x-api-key': gw.token } })
        return await told.json() as {
          plan: {
            candidates: { target: string; because: string }[]
            dropped: { target: string; because: string; detail: string }[]
          } | null
          attempts: { target: string }[]
        }
      }
      const name = (target: string) => target.split(':')[0]!
      /** Alpha is the slowest, echo the quickest: 5 s and 10 tokens a second down to 1 s and 50. */
      const measure = async () => {
        const { targets } = gw.gateway.rooms.router.plan({
          ...{ capability: 'chat', protocol: surface.protocol, model: 'mix', headers: new Headers(), body: null },
          principal: { id: 'p', models: null, providers: null, aliases: {}, account: null },
        })
        for (const { key } of board.all()) board.reset(key)
        for (const { target } of targets) {
          const at = all.indexOf(target.provider)
          for (let i = 0; i < 10; i++) {
            board.observe(target, { is: 'success', firstByteMs: (5 - at) * 1_000, tokensPerSecond: (at + 1) * 10 })
          }
        }
      }
      await measure()
      for (const [asked, order, reason] of cases) {
        const what = JSON.stringify(asked)
        const parameters = what.includes('"require_parameters":true') ? foreign[surface.protocol].parameter : {}
        const reply = await post({ ...asked, ...parameters })
        const text = await reply.text()
        expect([what, reply.status, text]).toEqual([what, 200, expect.stringContaining('all is well')])
        const { path, text: sent } = upstream.requests.at(-1)!
        expect([what, path.split('/')[1], name(reply.headers.get('x-gw-target')!)]).toEqual([
          what,
          order[0]!,
          order[0]!,
        ])
        for (const key of ['provider', 'models', 'route', 'fallbacks', 'transforms']) {
          expect([what, Object.keys(JSON.parse(sent())).includes(key)]).toEqual([what, false])
        }
        const told = await receipt(reply)
        // Of a request that had one target only, nothing more than its attempt is kept.
        const { candidates, dropped } = told.plan ?? { candidates: told.attempts, dropped: [] }
        expect([what, candidates.map(({ target }) => name(target))]).toEqual([what, [...order]])
        expect([what, [...new Set(dropped.map(({ because }) => because))]]).toEqual([what, reason ? [reason] : []])
        for (const { because } of told.plan?.candidates ?? []) expect(because.length).toBeGreaterThan(3)
        for (const { detail } of dropped) expect(detail.length).toBeGreaterThan(10)
        if (candidates.length > 3) expect(dropped.length + candidates.length).toBe(5)
        // What a served request measured must not change the order of the next one.
        if (asked.provider !== undefined || asked.model !== undefined) await measure()
      }
    },
    120_000,
  )

  test(
    `${surface.path}: a control that is no JSON, or is of the wrong kind, is a 400 and not passed over`,
    async () => {
      await using upstream = await fakeUpstream(well(surface))
      await using gw = await startGateway({
        settings: five(upstream.url, surface),
        env: { KEY: 'sk-of-five-0123456789' },
      })
      const rest = JSON.stringify(surface.body).slice(1)
      for (
        const [part, field] of [
          ['"provider":{"only":[alpha]}', null],
          ['"models":["a",,"b"]', null],
          ['"provider":"alpha"', 'provider'],
          ['"provider":{"allow_fallbacks":"no"}', 'provider.allow_fallbacks'],
          ['"provider":{"require_parameters":1}', 'provider.require_parameters'],
          ['"provider":{"max_price":{"prompt":-1}}', 'provider.max_price.prompt'],
          ['"provider":{"max_price":{"video":1}}', 'provider.max_price.video'],
          ['"provider":{"sort":{"by":"price","partition":"all"}}', 'provider.sort.partition'],
          ['"provider":{"quantizations":["fp5"]}', 'provider.quantizations'],
          ['"models":"alpha/m"', 'models'],
          ['"route":"fallback"', 'models'],
          ['"route":"best"', 'route'],
          ['"fallbacks":[{}]', 'fallbacks[0].model'],
          ['"models":["alpha/n"],"fallbacks":[{"model":"beta/n"}]', 'fallbacks'],
          ['"transforms":["top-out"]', 'transforms'],
        ] as const
      ) {
        const reply = await fetch(`${gw.url}${surface.path}`, {
          method: 'POST',
          headers: { 'x-api-key': gw.token, 'content-type': 'application/json' },
          body: `{"model":"mix",${part},${rest}`,
        })
        const said = await reply.json() as { error: { message: string; param?: string | null } }
        expect([part, reply.status, said.error.message.includes(field ?? 'valid JSON')]).toEqual([part, 400, true])
        if (surface.protocol !== 'anthropic-messages') expect([part, said.error.param ?? null]).toEqual([part, field])
      }
      expect(upstream.requests).toHaveLength(0)
    },
    30_000,
  )

  test(
    `${surface.path}: filters that leave nobody are a 503 that names the filter, an unknown model a 404`,
    async () => {
      await using upstream = await fakeUpstream(well(surface))
      await using gw = await startGateway({
        settings: five(upstream.url, surface),
        env: { KEY: 'sk-of-five-0123456789' },
      })
      for (
        const [asked, status, part] of [
          [{ provider: { only: ['nobody'] } }, 503, 'provider.only'],
          [{ provider: { ignore: all } }, 503, 'provider.ignore'],
          [{ provider: { order: ['nobody'], allow_fallbacks: false } }, 503, 'provider.order'],
          [{ provider: { quantizations: ['fp4'] } }, 503, 'provider.quantizations'],
          [{ provider: { zdr: true, data_collection: 'deny' } }, 503, 'provider.zdr, provider.data_collection'],
          [{ model: 'echo/m', provider: { require_parameters: true } }, 503, 'provider.require_parameters'],
          [{ model: 'alpha/m:free' }, 503, ':free'],
          [{ model: 'nobody/m' }, 404, 'nobody/m'],
          [{ model: 'mix', models: ['nothing-like-it'] }, 404, 'nothing-like-it'],
        ] as const
      ) {
        const what = JSON.stringify(asked)
        const reply = await fetch(`${gw.url}${surface.path}`, {
          method: 'POST',
          headers: { 'x-api-key': gw.token, 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'mix', ...surface.body, ...foreign[surface.protocol].parameter, ...asked }),
        })
        const text = await reply.text()
        expect([what, reply.status, text]).toEqual([what, status, expect.stringContaining(part)])
        expect([what, reply.headers.get('retry-after')]).toEqual([what, null])
        if (status === 503) {
          const { error } = JSON.parse(text) as { error: { details: { targets: unknown[] } } }
          expect(error.details.targets.length).toBeGreaterThan(0)
        }
      }
      expect(upstream.requests).toHaveLength(0)
    },
    30_000,
  )

  test(
    `${surface.path}: a model that cannot take the request is left for the next one named, whose answer it is`,
    async () => {
      const tooLong: Step = refusal(400, 'invalid_request_error')
      await using upstream = await fakeUpstream((exchange) => {
        const { path, text } = exchange.request
        const asked = JSON.parse(text()) as { model: string }
        if (asked.model === 'n') {
          return well({ ...surface, whole: { ...surface.whole as object, model: 'n' } })(exchange)
        }
        const message = 'prompt is too long: 210000 tokens > 200000 maximum'
        if (path.includes('/alpha/')) {
          const error = { message, type: 'invalid_request_error', code: 'context_length_exceeded', param: null }
          return exchange.json({ type: 'error', error }, { status: 400 })
        }
        return tooLong(exchange)
      })
      await using gw = await startGateway({
        settings: five(upstream.url, surface),
        env: { KEY: 'sk-of-five-0123456789' },
      })
      const named = surface.protocol === 'anthropic-messages'
        ? { fallbacks: [{ model: 'beta/n' }] }
        : { models: ['beta/n'], route: 'fallback' }
      const post = (body: Record<string, unknown>) =>
        fetch(`${gw.url}${surface.path}`, {
          method: 'POST',
          headers: { 'x-api-key': gw.token, 'content-type': 'application/json' },
          body: JSON.stringify({ ...surface.body, ...body }),
        })
      const served = await post({ model: 'alpha/m', ...named })
      expect([served.status, served.headers.get('x-gw-target'), served.headers.get('x-gw-attempts')])
        .toEqual([200, 'beta:beta-key#chat', '2'])
      expect(await served.json()).toMatchObject({ model: 'n' })
      const alone = await post({ model: 'alpha/m' })
      expect([alone.status, await alone.text()]).toEqual([400, expect.stringContaining('prompt is too long')])
    },
    30_000,
  )
}
