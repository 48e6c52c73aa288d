import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { isGwError } from '../../../lib/base/mod.ts'
import { catalogConfig, providersConfig } from '../../../lib/catalog/config.ts'
import { createCatalog, loadModelFacts, matchesPattern, resolveModel } from '../../../lib/catalog/mod.ts'
import { providers } from '../../../lib/catalog/providers.ts'

const now = Date.UTC(2026, 10, 1)
const facts = await loadModelFacts()
const settings = catalogConfig.parse({
  aliases: { sonnet: 'anthropic/claude-sonnet-4-5', again: 'sonnet', loop: 'loop2', loop2: 'loop' },
})
const overlays = providersConfig.parse({
  mine: {
    base_url: 'https://mine.test/v1/',
    models: { 'm-1': { context_tokens: 5, price: { input: 0.5, output: 1.5, cached_input: 0.05 } }, 'shared': {} },
  },
  other: { base_url: 'https://other.test/v1', models: { shared: {} } },
  anthropic: { models: { 'claude-sonnet-4-5': { price: { input: 1, output: 2 } } } },
})
const catalog = createCatalog({ settings, overlays, facts })
const active = new Set(['anthropic', 'openai', 'mine', 'openrouter', 'google'])
const resolve = (reference: string | null, more: object = {}) =>
  resolveModel(reference, { catalog, active, now, ...more })

test('providers are in alphabetical order, each name once, each with a page and an address', () => {
  const ids = providers.map(({ id }) => id)
  expect(ids).toEqual([...ids].sort())
  const names = providers.flatMap(({ id, aliases }) => [id, ...aliases]).map((name) => name.toLowerCase())
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  for (const { id, docs, deployments, env } of providers) {
    expect([id, docs.startsWith('https://'), deployments.length > 0, env.length > 0]).toEqual([id, true, true, true])
    for (const { baseUrl } of deployments) expect(baseUrl).toMatch(/^https?:\/\/[^/].*[^/]$/)
  }
})

test('every provider and alias of the catalogues that gw replaces is here', () => {
  const wanted =
    `openai anthropic openai-codex github-copilot google openrouter zai zai-coding zai-air zai-anthropic minimax
    minimax-portal moonshot kimi-coding qwen-portal together huggingface venice xiaomi nvidia qianfan volcengine byteplus
    kilocode opencode synthetic litellm ollama vllm amazon-bedrock cloudflare-ai-gateway voyage groq deepgram cerebras xai
    mistral vercel google-vertex fireworks parasail sambanova cloudflare azure lmstudio llamacpp z.ai z-ai opencode-zen
    qwen kimi-code kimi-for-coding bedrock aws-bedrock bytedance doubao x-ai chatgpt codex copilot gh-copilot`
  const missing = wanted.split(/\s+/).filter((name) => catalog.provider(name) === null)
  expect(missing).toEqual([])
})

test('what runs on this machine never comes by itself', () => {
  for (const id of ['ollama', 'vllm', 'litellm', 'lmstudio', 'llamacpp']) expect(catalog.provider(id)!.local).toBe(true)
  expect(catalog.provider('amazon-bedrock')!.explicit).toBe(true)
})

for (
  const [reference, provider, account, model] of [
    ['anthropic/claude-sonnet-4-5', 'anthropic', null, 'claude-sonnet-4-5'],
    ['claude:work/claude-x', 'anthropic', 'work', 'claude-x'],
    ['openai:work/gpt-5', 'openai', 'work', 'gpt-5'],
    ['openrouter/meta-llama/llama-3.3-70b', 'openrouter', null, 'meta-llama/llama-3.3-70b'],
    ['openrouter/x/y:free', 'openrouter', null, 'x/y:free'],
    ['claude-sonnet-4-5-20250929', 'anthropic', null, 'claude-sonnet-4-5-20250929'],
    ['claude-sonnet-4-5[1m]', 'anthropic', null, 'claude-sonnet-4-5'],
    ['claude-newer-than-the-data', 'anthropic', null, 'claude-newer-than-the-data'],
    ['gpt-5', 'openai', null, 'gpt-5'],
    ['m-1', 'mine', null, 'm-1'],
    ['shared', 'mine', null, 'shared'],
    ['sonnet', 'anthropic', null, 'claude-sonnet-4-5'],
    ['again:floor', 'anthropic', null, 'claude-sonnet-4-5'],
  ] as const
) {
  test(`resolveModel(${reference}) is ${model} of ${provider}`, () => {
    const found = resolve(reference)
    expect([found.provider.id, found.account, found.model]).toEqual([provider, account, model])
  })
}

test('suffixes are taken off and kept apart', () => {
  expect(resolve('gpt-5:nitro')).toMatchObject({ sort: 'throughput', model: 'gpt-5' })
  expect(resolve('sonnet:floor[1m]')).toMatchObject({ sort: 'price', longContext: true, alias: 'sonnet' })
  expect(resolve('mine/m-1:free')).toMatchObject({ free: true, model: 'm-1' })
  expect(resolve('mine/llama3:8b')).toMatchObject({ model: 'llama3:8b', sort: null })
})

for (
  const [name, run, code, hint] of [
    ['a typo', () => resolve('m-2'), 'model.not_found', 'mine/m-1'],
    ['nobody has it', () => resolve('zzzzzzzzzzzz'), 'model.not_found', 'gw models list'],
    [
      'several have it',
      () => resolve('shared', { active: new Set(['mine', 'other']) }),
      'model.not_found',
      'provider/model',
    ],
    ['an alias that leads in a circle', () => resolve('loop'), 'model.not_found', ''],
    ['no name and no default', () => resolve(null), 'model.missing', 'default_model'],
    ['a name of a thousand letters', () => resolve('x'.repeat(1_000)), 'request.invalid', ''],
  ] as const
) {
  test(`resolveModel() with ${name} is ${code}`, () => {
    try {
      run()
      expect.unreachable()
    } catch (error) {
      if (!isGwError(error)) throw error
      expect(error.code).toBe(code)
      expect(error.hint ?? '').toContain(hint)
    }
  })
}

test("the caller's own aliases come before the catalogue's, and the default serves only a request that names none", () => {
  expect(resolve('sonnet', { aliases: { sonnet: 'openai/gpt-5' } }).provider.id).toBe('openai')
  const other = createCatalog({ settings: catalogConfig.parse({ default_model: 'gpt-5' }), facts })
  expect(resolveModel(null, { catalog: other, active, now }).model).toBe('gpt-5')
  expect(() => resolveModel('nope-nope', { catalog: other, active, now })).toThrow('no model')
})

test('the tiers of the old router are a set of aliases that one can choose', () => {
  const tiers = createCatalog({
    settings: catalogConfig.parse({ alias_sets: ['claude-tiers'], aliases: { o3: 'openai/o3' } }),
    facts,
  })
  const of = (name: string) => resolveModel(name, { catalog: tiers, active, now }).model
  expect([of('gpt-4o-mini'), of('gpt-4o'), of('o1')]).toEqual([
    'claude-haiku-4-5-20251001',
    'claude-sonnet-4-5-20250929',
    'claude-opus-4-7',
  ])
  expect(of('o3')).toBe('o3')
})

test('facts are exact, dated, and null when unknown; the config wins field by field', () => {
  const haiku = catalog.model('anthropic', 'claude-haiku-4-5-20251001', now)
  expect(haiku.price).toMatchObject({ inputMicros: 1_000_000, outputMicros: 5_000_000, cachedInputMicros: 100_000 })
  expect(haiku.price!.source).toMatch(/^genai-prices \d.*\d{4}-\d\d-\d\d/)
  expect(catalog.model('anthropic', 'claude-nope', now).price?.source ?? null).toBeNull()
  const sonnet = catalog.model('anthropic', 'claude-sonnet-4-5', now)
  expect(sonnet).toMatchObject({ contextTokens: 200_000, price: { inputMicros: 1_000_000, source: 'config' } })
  expect(catalog.model('mine', 'm-1', now)).toMatchObject({ contextTokens: 5, price: { cachedInputMicros: 50_000 } })
  expect(catalog.model('mine', 'unknown', now)).toMatchObject({ contextTokens: null, price: null })
  const tiered = createCatalog({ settings: catalogConfig.parse({}), facts }).model(
    'anthropic',
    'claude-sonnet-4-5',
    now,
  )
  expect(tiered.price!.tiers![0]).toMatchObject({ aboveTokens: 200_000, inputMicros: 6_000_000 })
  expect(catalog.provider('mine')!.deployments[0]!.baseUrl).toBe('https://mine.test/v1')
})

test('matchesPattern() agrees with a regular expression', () => {
  const text = fc.stringMatching(/^[ab.*-]{0,8}$/)
  fc.assert(fc.property(text, fc.stringMatching(/^[ab.-]{0,8}$/), (pattern, subject) => {
    const expression = new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.-]/g, '\\$&')).join('.*')}$`)
    expect(matchesPattern(pattern, subject)).toBe(expression.test(subject))
  }))
})
