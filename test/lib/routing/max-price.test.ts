import { expect, test } from 'bun:test'
import { catalogConfig } from '../../../lib/catalog/config.ts'
import { createCatalog, loadModelFacts } from '../../../lib/catalog/mod.ts'
import type { Capability } from '../../../lib/catalog/mod.ts'
import { account, bench, call, ids, noon } from './support.ts'

const price = { input: 1, output: 2 }
const overlays = {
  /** Prices of everything. */
  full: {
    base_url: 'https://full.test/v1',
    capabilities: ['chat' as const, 'images' as const, 'speech' as const],
    models: { m: { capabilities: ['chat' as const], price: { ...price, request: 5, image: 0.04, audio: 10 } } },
  },
  /** Prices of tokens alone. */
  plain: {
    base_url: 'https://plain.test/v1',
    capabilities: ['chat' as const, 'images' as const, 'speech' as const],
    models: { m: { price } },
  },
  /** No price at all. */
  odd: {
    base_url: 'https://odd.test/v1',
    capabilities: ['chat' as const, 'images' as const, 'speech' as const],
    models: { m: {} },
  },
}
const accounts = ['full', 'plain', 'odd'].map((id) => account(id, id))
const settings = { pools: { m: { members: ['full/m', 'plain/m', 'odd/m'], strategy: 'priority' } } }

for (
  const [capability, limit, targets, reason] of [
    ['chat', {}, ['full', 'plain', 'odd'], null],
    ['chat', { prompt: 1 }, ['full', 'plain'], 'the price of m is not known'],
    ['chat', { prompt: 0.5 }, [], 'a million prompt tokens cost $1 and the limit is $0.5'],
    ['chat', { completion: 1.5 }, [], 'a million completion tokens cost $2 and the limit is $1.5'],
    ['chat', { request: 0.01 }, ['full', 'plain'], 'the price of m is not known'],
    ['chat', { request: 0.001 }, ['plain'], 'a request costs $0.005 and the limit is $0.001'],
    ['chat', { image: 0.05 }, ['full', 'plain'], 'the price of m is not known'],
    ['chat', { image: 0.03 }, ['plain'], 'an image costs $0.04 and the limit is $0.03'],
    ['chat', { audio: 5 }, ['plain'], 'a million audio tokens cost $10 and the limit is $5'],
    ['chat', { audio: 10, image: '0.04' }, ['full', 'plain'], 'the price of m is not known'],
    ['images', { image: 0.05 }, ['full'], 'what an image costs is not known'],
    ['images', { image: 0.03 }, [], 'an image costs $0.04 and the limit is $0.03'],
    ['speech', { audio: 10 }, ['full'], 'what a million audio tokens cost is not known'],
    ['speech', { image: 0.01 }, ['plain'], 'an image costs $0.04 and the limit is $0.01'],
  ] as readonly (readonly [Capability, Record<string, unknown>, readonly string[], string | null])[]
) {
  test(`plan() for ${capability} obeys max_price ${JSON.stringify(limit)}`, async () => {
    const { router } = await bench(accounts, { overlays, settings })
    const body = JSON.stringify({ model: 'm', messages: [], provider: { max_price: limit } })
    const plan = router.plan(call('m', { capability, body }))
    expect(ids(plan)).toEqual([...targets])
    const details = plan.dropped.map(({ because, detail }) => `${because}: ${detail}`)
    if (reason === null) expect(details).toEqual([])
    else expect(details).toContain(`price: ${reason}`)
  })
}

test('a plan that is paid for anyway meets every limit', async () => {
  const plan = account('plan', 'odd', { plan: true, allowUndocumentedUse: true })
  const { router } = await bench([plan], { overlays })
  const body = JSON.stringify({ model: 'odd/m', messages: [], provider: { max_price: { prompt: 0, image: 0 } } })
  expect(ids(router.plan(call('odd/m', { body })))).toEqual(['plan'])
})

test('shipped prices know what sound costs, and say where an image costs an unknown amount', async () => {
  const facts = await loadModelFacts()
  const catalog = createCatalog({ settings: catalogConfig.parse({}), facts })
  const sound = catalog.model('openai', 'gpt-audio', noon).price
  expect(sound!.audioMicros).toBeGreaterThan(sound!.inputMicros)
  expect(catalog.model('openai', 'gpt-image-1', noon).price!.imageMicros).toBeNull()
  const plain = catalog.model('anthropic', 'claude-haiku-4-5', noon).price!
  expect([plain.imageMicros, plain.audioMicros]).toEqual([undefined, undefined])
})

test('a configured fallback comes back for the next request after one that wanted none', async () => {
  const { router } = await bench(accounts, {
    overlays,
    settings: { strategy: 'priority', fallback: { order: { 'full/m': ['plain/m'] } } },
  })
  const ask = (allow_fallbacks: boolean) =>
    call('full/m', { body: JSON.stringify({ model: 'full/m', messages: [], provider: { allow_fallbacks } }) })
  expect(ids(router.plan(ask(false)))).toEqual(['full'])
  expect(ids(router.plan(ask(true)))).toEqual(['full', 'plain'])
  expect(ids(router.plan(ask(false)))).toEqual(['full'])
})
