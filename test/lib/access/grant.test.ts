import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { allowsModel, allowsProvider, type IssueRequest, operator, requireScope } from '../../../lib/access/mod.ts'
import { coversAll } from '../../../lib/access/pattern.ts'
import { matchesPattern } from '../../../lib/catalog/mod.ts'
import { bearer, inHome } from './home.ts'

const maker: IssueRequest = {
  scopes: ['write', 'tokens', 'proxy'],
  models: ['claude-*', 'gpt-5'],
  providers: ['acme'],
  account: 'acme-work',
  aliases: { fast: 'gpt-5' },
  ttlMs: 3_600_000,
  depth: 2,
  limits: { maxBudgetMicros: 1_000, requestsPerMinute: 60, tokensPerMinute: 10_000, maxParallelRequests: 4 },
}

for (
  const [name, request, param] of [
    ['a scope', { scopes: ['admin'] }, 'scopes'],
    ['one scope among others', { scopes: ['read', 'repair'] }, 'scopes'],
    ['all models', { models: null }, 'models'],
    ['another model', { models: ['claude-opus', 'gemini'] }, 'models'],
    ['a wider pattern', { models: ['c*'] }, 'models'],
    ['a pattern that reaches around', { models: ['*claude-x'] }, 'models'],
    ['all providers', { providers: null }, 'providers'],
    ['another provider', { providers: ['other'] }, 'providers'],
    ['another account', { account: 'acme-home' }, 'account'],
    ['more money', { limits: { maxBudgetMicros: 1_001 } }, 'max_budget'],
    ['more requests per minute', { limits: { requestsPerMinute: 61 } }, 'rpm_limit'],
    ['more tokens per minute', { limits: { tokensPerMinute: 10_001 } }, 'tpm_limit'],
    ['more at once', { limits: { maxParallelRequests: 5 } }, 'max_parallel_requests'],
    ['more time', { ttlMs: 3_600_001 }, 'ttl_hours'],
    ['eternity', { ttlMs: null }, 'ttl_hours'],
    ['the same depth', { depth: 2 }, 'depth'],
  ] as readonly [string, IssueRequest, string][]
) {
  test(`a child never gets ${name} that its maker does not hold`, () =>
    inHome(async ({ open }) => {
      const { access } = await open()
      const parent = await access.issue(maker, operator)
      const by = await access.authenticate(bearer(parent.token.reveal()))
      await expect(access.issue(request, by)).rejects.toMatchObject({ code: 'access.denied', param, status: 403 })
      expect((await access.list({}, by)).tokens.length).toBe(1)
    }))
}

test('a child that asks for nothing gets what its maker holds, less one generation and no more scopes than usual', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const parent = await access.issue(maker, operator)
    const by = await access.authenticate(bearer(parent.token.reveal()))
    const child = await access.issue({}, by)
    expect(child.info).toMatchObject({ parent: parent.info.id, issuer: by.id, expiresAt: parent.info.expiresAt })
    expect(child.info.grant).toMatchObject({
      scopes: ['read', 'write'],
      models: ['claude-*', 'gpt-5'],
      providers: ['acme'],
      account: 'acme-work',
      aliases: { fast: 'gpt-5' },
      depth: 1,
    })
  }))

test('a narrower child works, and its own child ends the line', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const one = await access.issue(maker, operator)
    const by = await access.authenticate(bearer(one.token.reveal()))
    const two = await access.issue({ scopes: ['read', 'tokens'], models: ['claude-haiku-*'], ttlMs: 60_000 }, by)
    const byTwo = await access.authenticate(bearer(two.token.reveal()))
    expect(allowsModel(byTwo, ['claude-haiku-4'])).toBe(true)
    expect(allowsModel(byTwo, ['gpt-5', 'openai/gpt-5'])).toBe(false)
    expect([allowsProvider(byTwo, 'acme'), allowsProvider(byTwo, 'other')]).toEqual([true, false])
    const three = await access.issue({ scopes: ['read', 'tokens'] }, byTwo)
    const byThree = await access.authenticate(bearer(three.token.reveal()))
    await expect(access.issue({ scopes: ['read'] }, byThree)).rejects.toMatchObject({ param: 'depth' })
  }))

test('a token without the scope tokens makes none', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { token } = await access.issue({ scopes: ['write'] }, operator)
    const by = await access.authenticate(bearer(token.reveal()))
    await expect(access.issue({}, by)).rejects.toMatchObject({
      code: 'access.scope',
      message: "Authenticated token is missing required scope 'tokens'.",
    })
    await expect(access.revoke('x', by)).rejects.toMatchObject({ code: 'access.scope' })
    expect(() => requireScope(by, 'read')).not.toThrow()
  }))

for (
  const [name, request] of [
    ['a label of many letters', { label: 'x'.repeat(201) }],
    ['a label of two lines', { label: 'a\nb' }],
    ['a negative life', { ttlMs: -1 }],
    ['a life that is no number', { ttlMs: Number.NaN }],
    ['heavy metadata', { metadata: { text: 'x'.repeat(20_000) } }],
    ['an empty model', { models: [''] }],
    ['a thousand and one models', { models: Array.from({ length: 1_001 }, () => 'm') }],
    ['an empty account', { account: '' }],
    ['half a micro-dollar', { limits: { maxBudgetMicros: 0.5 } }],
    ['a negative rate', { limits: { requestsPerMinute: -1 } }],
    ['a period that is none', { limits: { budgetPeriod: 'sometimes' } }],
  ] as readonly [string, IssueRequest][]
) {
  test(`issue() refuses ${name}`, () =>
    inHome(async ({ open }) => {
      const { access } = await open()
      await expect(access.issue(request, operator)).rejects.toMatchObject({ code: 'request.invalid', status: 400 })
    }))
}

test('coversAll() is never true for a pattern that reaches further', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 5 })
  fc.assert(
    fc.property(
      letters,
      letters,
      fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }),
      (outer, inner, name) => {
        if (coversAll([outer], [inner]) && matchesPattern(inner, name)) expect(matchesPattern(outer, name)).toBe(true)
      },
    ),
    { numRuns: 3_000 },
  )
})
