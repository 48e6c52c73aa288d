import { describe, expect, test } from 'bun:test'
import { Secret } from '../../../lib/base/mod.ts'
import { checkAudience } from '../../../lib/mcp-proxy/audience.ts'

const jwt = (claims: object) =>
  ['{"alg":"RS256"}', JSON.stringify(claims), 'signature'].map((part) => Buffer.from(part).toString('base64url')).join(
    '.',
  )
const server = new URL('https://tools.example/mcp')
const check = (token: string, audience: readonly string[] = []) =>
  checkAudience({ secret: new Secret(token), audience }, server, { whose: 'it', hint: 'log in' })

describe('checkAudience()', () => {
  for (
    const [aud, verdict] of [
      ['https://tools.example/mcp', 'named'],
      ['https://tools.example/mcp/', 'named'],
      ['https://tools.example', 'named'],
      ['HTTPS://TOOLS.example/', 'named'],
      [['https://other.example', 'https://tools.example/mcp'], 'named'],
      [undefined, 'unnamed'],
      ['', 'unnamed'],
      [[], 'unnamed'],
      [7, 'unnamed'],
      ['account', 'unnamed'],
      ['1f0c6b9e-client', 'unnamed'],
      [['account', 'https://other.example'], 'unnamed'],
      ['https://other.example', 'refused'],
      ['https://tools.example/other', 'refused'],
      ['https://tools.example/mc', 'refused'],
      ['https://tools.example/mcp/deeper', 'refused'],
      ['http://tools.example/mcp', 'refused'],
      ['https://tools.example:8443/mcp', 'refused'],
      ['https://tools.example.evil.example/mcp', 'refused'],
      [['https://a.example', 'https://b.example/mcp'], 'refused'],
    ] as const
  ) {
    test(`a token with aud ${JSON.stringify(aud)} is ${verdict}`, () => {
      const verdictOf = () => check(jwt({ sub: 'x', aud }))
      if (verdict !== 'refused') expect(verdictOf()).toBe(verdict)
      else expect(verdictOf).toThrow(expect.objectContaining({ code: 'credential.audience', hint: 'log in' }))
    })
  }

  test('an opaque token or key names nobody', () => {
    for (const token of ['opaque', 'a.b.c', 'lin_api_x', '..']) expect(check(token)).toBe('unnamed')
  })

  test('what gw knows of a credential counts whatever the token says', () => {
    expect(check('opaque', ['https://tools.example'])).toBe('unnamed')
    for (const token of ['opaque', jwt({ aud: 'https://tools.example/mcp' })]) {
      expect(() => check(token, ['https://elsewhere.example'])).toThrow(/must not be used at/)
    }
  })
})
