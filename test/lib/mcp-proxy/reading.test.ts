import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseStrictJson } from '../../../lib/mcp-proxy/strict-json.ts'
import { readMessage, writeMessage } from '../../../lib/mcp-proxy/message.ts'
import { mergedName } from '../../../lib/mcp-proxy/names.ts'
import { rawEventSplitter } from '../../../lib/mcp-proxy/raw-events.ts'
import { searchTools } from '../../../lib/mcp-proxy/search.ts'
import { discoveryPath } from '../../../lib/mcp-proxy/discovery.ts'
import refused from '../../fixtures/hostile/mcp/messages.json' with { type: 'json' }

const limits = { maxChars: 1_000_000, maxDepth: 64 }

describe('parseStrictJson()', () => {
  test('reads what JSON.parse reads, when no key stands twice', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 6, noUnicodeString: false }), (text) => {
      let expected: unknown
      let ours: unknown
      try {
        expected = JSON.parse(text)
      } catch {
        return
      }
      try {
        ours = parseStrictJson(text, limits)
      } catch {
        // Only what two parsers could read differently may be refused.
        expect(text).toMatch(/__proto__|\\u|[\ud800-\udfff]/)
        return
      }
      expect(ours).toEqual(expected as never)
    }))
  })
  test('reads nothing that JSON.parse does not read', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\0123.eE+- tfn\nulalse') }), (text) => {
        try {
          parseStrictJson(text, limits)
        } catch {
          return
        }
        expect(() => JSON.parse(text)).not.toThrow()
      }),
      { numRuns: 3_000 },
    )
  })
})

describe('readMessage() refuses', () => {
  test('a corpus worth the name', () => expect(refused.length).toBeGreaterThanOrEqual(60))
  for (const { name, text } of refused) {
    test(name, () => expect(() => readMessage(text)).toThrow(expect.objectContaining({ name: 'GwError' })))
  }
})

describe('readMessage()', () => {
  test('gives what is forwarded, and nothing else', () => {
    const text =
      '{ "method":"tools/call", "jsonrpc":"2.0","id":7,"params":{"name":"a","arguments":{"x":[1,{"y":null}]}} }'
    const message = readMessage(text)
    expect(JSON.parse(writeMessage(message))).toEqual(JSON.parse(text))
    expect(writeMessage(readMessage(writeMessage(message)))).toBe(writeMessage(message))
  })
  test('lets a method pass that the owner named', () => {
    expect(() => readMessage('{"jsonrpc":"2.0","id":1,"method":"x/y"}')).toThrow(/not forwarded/)
    expect(readMessage('{"jsonrpc":"2.0","id":1,"method":"x/y"}', ['x/y'])).toMatchObject({ method: 'x/y' })
  })
})

test('mergedName() keeps within 64 characters and tells long names apart', () => {
  expect(mergedName('db', 'query')).toBe('db__query')
  const [a, b] = [mergedName('db', `${'x'.repeat(90)}a`), mergedName('db', `${'x'.repeat(90)}b`)]
  expect(a.length).toBe(64)
  expect(a).not.toBe(b)
  expect(a).toMatch(/^[A-Za-z0-9_-]+$/)
})

test('rawEventSplitter() gives back every byte of whole events, for any split', () => {
  const text = ': hi\n\nevent: message\r\ndata: {"a":"ä🌍"}\r\n\r\nid: 1\nretry: 5\ndata: \n\ndata: a\ndata: b\n\n'
  const bytes = new TextEncoder().encode(text)
  fc.assert(fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
    const splitter = rawEventSplitter(1_000)
    const events = [0, ...cuts.sort((a, b) => a - b)].flatMap((from, i, all) =>
      splitter.push(bytes.slice(from, all[i + 1] ?? bytes.length))
    )
    expect(events.map((event) => event.raw).join('')).toBe(text)
    expect(events.map((event) => event.data)).toEqual(['', '{"a":"ä🌍"}', '', 'a\nb'])
    expect(splitter.rest).toBe('')
  }))
})

describe('searchTools()', () => {
  const tools = [
    { name: 'linear__create_issue', description: 'Create an issue in a project' },
    { name: 'linear__list_issues', description: 'List issues' },
    { name: 'github__createPullRequest', description: 'Open a pull request' },
    { name: 'db__query', description: 'Run a query against the issue database' },
  ]
  for (
    const [query, first] of [
      ['create issue', 'linear__create_issue'],
      ['pull request', 'github__createPullRequest'],
      ['database query', 'db__query'],
    ] as const
  ) {
    test(`finds ${first} for "${query}"`, () => expect(searchTools(tools, query, 3)[0]?.name).toBe(first))
  }
  test('finds nothing for what nobody offers', () => expect(searchTools(tools, 'weather', 3)).toEqual([]))
})

describe('discoveryPath()', () => {
  for (
    const [path, expected] of [
      ['/.well-known/oauth-authorization-server/v1/mcp/x', ['oauth-authorization-server', 'x', '/v1/mcp']],
      ['/v1/mcp/x/.well-known/oauth-authorization-server', ['oauth-authorization-server', 'x', '/v1/mcp']],
      ['/.well-known/oauth-protected-resource/api/v1/mcp/x', ['oauth-protected-resource', 'x', '/api/v1/mcp']],
      ['/api/v1/mcp/x/.well-known/openid-configuration', ['openid-configuration', 'x', '/api/v1/mcp']],
      ['/.well-known/oauth-authorization-server', null],
      ['/v1/mcp/x', null],
      ['/.well-known/other/v1/mcp/x', null],
    ] as const
  ) {
    test(path, () => {
      const found = discoveryPath(path)
      expect(found && [found.kind, found.server, found.prefix]).toEqual(expected as never)
    })
  }
})
