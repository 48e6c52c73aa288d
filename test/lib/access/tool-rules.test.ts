import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { operator } from '../../../lib/access/mod.ts'
import {
  closedServer,
  decideTool as decide,
  isToolRule,
  type RuleLayer,
  ruleLayers,
  type ToolRules,
  unheldRule,
} from '../../../lib/access/tool-rules.ts'
import { bearer, inHome } from './home.ts'

const decideTool = (rules: ToolRules, server: string, tool: string) => decide(ruleLayers(rules, []), server, tool)

describe('decideTool()', () => {
  const rules = {
    allow: ['mcp__db__*', 'mcp__db__query', 'mcp__git'],
    ask: ['mcp__db__write*', 'mcp__git__push'],
    deny: ['mcp__db__drop', 'mcp__evil'],
  }
  for (
    const [server, tool, action, rule] of [
      ['db', 'query', 'allow', 'mcp__db__query'],
      ['db', 'read', 'allow', 'mcp__db__*'],
      ['db', 'write_row', 'ask', 'mcp__db__write*'],
      ['db', 'drop', 'deny', 'mcp__db__drop'],
      ['git', 'log', 'allow', 'mcp__git'],
      ['git', 'push', 'ask', 'mcp__git__push'],
      ['evil', 'anything', 'deny', 'mcp__evil'],
      ['other', 'tool', 'allow', 'default'],
      ['gitea', 'push', 'allow', 'default'],
      ['db2', 'drop', 'allow', 'default'],
    ] as const
  ) {
    test(`${server}/${tool} → ${action} by ${rule}`, () => {
      expect(decideTool(rules, server, tool)).toEqual({ action, rule })
    })
  }
  test('an allow list that names a server closes the rest of it', () => {
    const only = { allow: ['mcp__db__query'], ask: [], deny: [] }
    expect(decideTool(only, 'db', 'drop')).toEqual({ action: 'deny', rule: 'default' })
    expect(decideTool({ allow: ['*'], ask: [], deny: ['mcp__db__drop'] }, 'db', 'drop').action).toBe('deny')
  })
  test('deny wins whatever else is written', () => {
    const name = fc.constantFrom('*', 'mcp__db', 'mcp__db__*', 'mcp__db__drop', 'mcp__db__d*')
    fc.assert(fc.property(fc.array(name), fc.array(name), fc.array(name, { minLength: 1 }), (allow, ask, deny) => {
      expect(decideTool({ allow, ask, deny }, 'db', 'drop').action).toBe('deny')
    }))
  })
  for (
    const [rule, ok] of [
      ['mcp__a', true],
      ['mcp__a__*', true],
      ['mcp__a__b_c', true],
      ['*', true],
      ['a__b', false],
      ['mcp__', false],
      ['mcp__a__', false],
      ['mcp__a b', false],
    ] as const
  ) {
    test(`${rule} is ${ok ? 'a' : 'no'} rule`, () => expect(isToolRule(rule)).toBe(ok))
  }
})

const servers = ['db', 'git', 'db2']
const tools = ['query', 'drop', 'read_rows', 'read']
const rule = fc.constantFrom(
  '*',
  'mcp__*',
  ...servers.flatMap((server) => [`mcp__${server}`, `mcp__${server}__*`, `mcp__${server}__read*`]),
  ...servers.flatMap((server) => tools.map((tool) => `mcp__${server}__${tool}`)),
)
const list = fc.array(rule, { maxLength: 4 })
const rulesOf = fc.record({ allow: list, ask: list, deny: list })
const layer: fc.Arbitrary<RuleLayer> = fc.record({ rules: rulesOf, closed: fc.boolean() })
const call = fc.tuple(fc.constantFrom(...servers), fc.constantFrom(...tools))
const strictness = { allow: 0, ask: 1, deny: 2 }

describe('layers of rules', () => {
  test('never allow more for being more, in whatever order they stand', () => {
    fc.assert(fc.property(fc.array(layer, { maxLength: 4 }), layer, call, (layers, one, [server, tool]) => {
      const before = decide(layers, server, tool).action
      const after = decide([...layers, one], server, tool)
      expect(strictness[after.action]).toBeGreaterThanOrEqual(strictness[before])
      expect(after.action).toBe(decide([one, ...layers], server, tool).action)
    }))
  })

  test('say what the strictest of them says, by a rule that stands in one of them', () => {
    fc.assert(fc.property(fc.array(layer, { minLength: 1, maxLength: 4 }), call, (layers, [server, tool]) => {
      const each = layers.map((one) => decide([one], server, tool))
      const { action, rule } = decide(layers, server, tool)
      expect(strictness[action]).toBe(Math.max(...each.map((one) => strictness[one.action])))
      expect(each.filter((one) => one.action === action).map((one) => one.rule)).toContain(rule)
    }))
  })

  test('name the most specific rule of the action that wins', () => {
    const gateway = { allow: ['mcp__db__*'], ask: ['mcp__db'], deny: [] }
    const token = { allow: ['*'], ask: ['mcp__db__query'], deny: [] }
    expect(decide(ruleLayers(gateway, [token]), 'db', 'query')).toEqual({ action: 'ask', rule: 'mcp__db__query' })
    expect(decide(ruleLayers(token, [gateway]), 'db', 'query')).toEqual({ action: 'ask', rule: 'mcp__db__query' })
  })

  test("a token's allow list is the whole list", () => {
    const token = { allow: ['mcp__db__read*'], ask: ['mcp__git__push'], deny: [] }
    const layers = ruleLayers({ allow: [], ask: [], deny: [] }, [token])
    const seen = [['db', 'read_rows'], ['db', 'drop'], ['git', 'push'], ['git', 'log'], ['web', 'get']] as const
    expect(seen.map(([server, tool]) => decide(layers, server, tool).action))
      .toEqual(['allow', 'deny', 'ask', 'deny', 'deny'])
    expect(['db', 'git', 'web'].map((server) => closedServer(layers, server) !== null)).toEqual([false, false, true])
  })

  test('a closed server is one whose every tool is denied', () => {
    fc.assert(fc.property(fc.array(layer, { maxLength: 3 }), call, (layers, [server, tool]) => {
      if (closedServer(layers, server)) expect(decide(layers, server, tool).action).toBe('deny')
    }))
  })

  test('a rule that the maker does not hold is found out, and is denied in any case', () => {
    fc.assert(fc.property(fc.array(rulesOf, { maxLength: 3 }), rulesOf, call, (held, asked, [server, tool]) => {
      const name = unheldRule(held, asked)
      if (name !== `mcp__${server}__${tool}`) return
      const closed = held.map((rules) => ({ rules, closed: true }))
      expect(decide(closed, server, tool).action).toBe('deny')
    }))
    expect(unheldRule([{ allow: ['mcp__db'], ask: [], deny: [] }], { allow: ['mcp__git'], ask: [], deny: [] }))
      .toBe('mcp__git')
    expect(unheldRule([{ allow: [], ask: [], deny: ['mcp__db'] }], { allow: ['mcp__db__query'], ask: [], deny: [] }))
      .toBe('mcp__db__query')
    expect(unheldRule([{ allow: ['mcp__db'], ask: [], deny: [] }], { allow: ['mcp__db__re*'], ask: [], deny: [] }))
      .toBeNull()
  })
})

test("a child's tools are never wider than its maker's, generation after generation, and survive a restart", () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const first = { allow: ['mcp__db', 'mcp__git'], ask: ['mcp__git__push'], deny: ['mcp__db__drop'] }
    const one = await access.issue({ scopes: ['read', 'tokens', 'mcp'], tools: first, depth: 2 }, operator)
    const by = await access.authenticate(bearer(one.token.reveal()))
    expect(by.tools).toEqual([first])
    for (const allow of [['mcp__web'], ['mcp__db__drop'], ['mcp__git', 'mcp__db__drop']]) {
      await expect(access.issue({ scopes: ['mcp'], tools: { allow, ask: [], deny: [] } }, by))
        .rejects.toMatchObject({ code: 'access.denied', param: 'tools' })
    }
    await expect(access.issue({ tools: { allow: ['db'], ask: [], deny: [] } }, by)).rejects.toMatchObject({
      code: 'request.invalid',
      param: 'tools',
    })
    const second = { allow: ['*'], ask: [], deny: ['mcp__db__query'] }
    const two = await access.issue({ scopes: ['mcp'], tools: second }, by)
    const plain = await access.issue({ scopes: ['mcp'] }, by)
    expect((await access.authenticate(bearer(plain.token.reveal()))).tools).toEqual([first])
    const again = await (await open()).access.authenticate(bearer(two.token.reveal()))
    expect(again.tools).toEqual([first, second])
    const layers = ruleLayers({ allow: [], ask: [], deny: [] }, again.tools)
    const seen = [['db', 'query'], ['db', 'drop'], ['db', 'read'], ['git', 'push'], ['web', 'get']] as const
    expect(seen.map(([server, tool]) => decide(layers, server, tool).action))
      .toEqual(['deny', 'deny', 'allow', 'ask', 'deny'])
  }))
