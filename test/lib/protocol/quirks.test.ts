import { describe, expect, test } from 'bun:test'
import type { JsonObject } from '../../../lib/base/mod.ts'
import { providers } from '../../../lib/catalog/providers.ts'
import {
  applyQuirks,
  mayEdit,
  type ProtocolId,
  protocolIds,
  quirkNames,
  translator,
} from '../../../lib/protocol/mod.ts'
import { type Quirk, quirkRows } from '../../../lib/protocol/quirks.ts'

function ask(client: ProtocolId, upstream: ProtocolId, body: JsonObject, quirks: readonly Quirk[], model = 'm') {
  const exchange = translator(client, upstream, { id: 'x1', now: 0, quirks })
  const { body: sent, losses } = exchange.request(body, { model })
  return { sent, losses: losses.map(({ path }) => path) }
}

const hi = [{ role: 'user', content: 'hi' }]
const chat = (more: JsonObject): JsonObject => ({ model: 'm', messages: hi, ...more })
const responses = (more: JsonObject): JsonObject => ({ model: 'm', input: 'hi', ...more })
const messages = (more: JsonObject): JsonObject => ({ model: 'm', max_tokens: 2000, messages: hi, ...more })

interface Row {
  readonly from: ProtocolId
  readonly to: ProtocolId
  readonly body: JsonObject
  /** Fields of the upstream's body with the rule, and without it; `undefined` is absent. */
  readonly with: Readonly<Record<string, unknown>>
  readonly without: Readonly<Record<string, unknown>>
  /** Paths that are lost with the rule and not without it. */
  readonly lost?: readonly string[]
}

const breakpoint = { prompt_cache_breakpoint: { mode: 'explicit' } }
const thought = {
  role: 'assistant',
  content: [{ type: 'thinking', thinking: 'hm', signature: 'c2ln' }, { type: 'text', text: 'x' }],
}
const marked = { role: 'user', content: [{ type: 'text', text: 'hi', cache_control: { type: 'ephemeral' } }] }
const custom = { type: 'custom', name: 'patch', description: 'd' }

const table: Readonly<Record<Exclude<Quirk, 'codex-backend' | 'reasoning-field'>, Row>> = {
  'max-tokens-legacy': {
    from: 'anthropic-messages',
    to: 'openai-chat',
    body: messages({}),
    with: { max_tokens: 2000, max_completion_tokens: undefined },
    without: { max_tokens: undefined, max_completion_tokens: 2000 },
  },
  'no-store': {
    from: 'openai-responses',
    to: 'openai-chat',
    body: responses({ store: true }),
    with: { store: undefined },
    without: { store: true },
    lost: ['store'],
  },
  'no-stream-options': {
    from: 'anthropic-messages',
    to: 'openai-chat',
    body: messages({ stream: true }),
    with: { stream: true, stream_options: undefined },
    without: { stream: true, stream_options: { include_usage: true } },
  },
  'no-parallel-tool-calls': {
    from: 'anthropic-messages',
    to: 'openai-chat',
    body: messages({
      tools: [{ name: 'f', input_schema: { type: 'object' } }],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
    }),
    with: { parallel_tool_calls: undefined },
    without: { parallel_tool_calls: false },
    lost: ['tool_choice.disable_parallel_tool_use'],
  },
  'no-reasoning-effort': {
    from: 'openai-responses',
    to: 'openai-chat',
    body: responses({ reasoning: { effort: 'high' } }),
    with: { reasoning_effort: undefined },
    without: { reasoning_effort: 'high' },
    lost: ['reasoning.effort'],
  },
  'no-user': {
    from: 'anthropic-messages',
    to: 'openai-chat',
    body: messages({ metadata: { user_id: 'u' } }),
    with: { user: undefined },
    without: { user: 'u' },
    lost: ['metadata.user_id'],
  },
  'plain-chat': {
    from: 'openai-responses',
    to: 'openai-chat',
    body: responses({
      prompt_cache_key: 'k',
      service_tier: 'flex',
      text: { verbosity: 'low' },
      input: [{ role: 'user', content: [{ type: 'input_text', text: 'hi', ...breakpoint }] }],
    }),
    with: {
      prompt_cache_key: undefined,
      service_tier: undefined,
      verbosity: undefined,
      'messages.0': { role: 'user', content: 'hi' },
    },
    without: {
      prompt_cache_key: 'k',
      service_tier: 'flex',
      verbosity: 'low',
      'messages.0': { role: 'user', content: [{ type: 'text', text: 'hi', ...breakpoint }] },
    },
    lost: [
      'input[0].content[0].prompt_cache_breakpoint',
      'prompt_cache_key',
      'service_tier',
      'text.verbosity',
    ],
  },
  'reasoning-content': {
    from: 'anthropic-messages',
    to: 'openai-chat',
    body: messages({ messages: [...hi, thought, ...hi] }),
    with: { 'messages.1': { role: 'assistant', content: 'x', reasoning_content: 'hm' } },
    without: { 'messages.1': { role: 'assistant', content: 'x' } },
  },
  'reasoning-none': {
    from: 'openai-responses',
    to: 'openai-chat',
    body: responses({ reasoning: { effort: 'none' } }),
    with: { reasoning_effort: 'none' },
    without: { reasoning_effort: undefined },
  },
  'custom-tools': {
    from: 'openai-responses',
    to: 'openai-chat',
    body: responses({ tools: [custom] }),
    with: { tools: [{ type: 'custom', custom: { name: 'patch', description: 'd' } }] },
    without: {
      tools: [{ type: 'function', function: expect.objectContaining({ name: 'patch', description: 'd' }) }],
    },
  },
  'cache-control': {
    from: 'anthropic-messages',
    to: 'openai-chat',
    body: messages({ messages: [marked] }),
    with: {
      'messages.0': { role: 'user', content: [{ type: 'text', text: 'hi', cache_control: { type: 'ephemeral' } }] },
    },
    without: { 'messages.0': { role: 'user', content: 'hi' } },
  },
  'cache-breakpoints': {
    from: 'anthropic-messages',
    to: 'openai-responses',
    body: messages({ messages: [marked] }),
    with: { 'input.0.content.0.prompt_cache_breakpoint': expect.anything() },
    without: { 'input.0.content.0.prompt_cache_breakpoint': undefined },
  },
  'top-k': {
    from: 'anthropic-messages',
    to: 'openai-chat',
    body: messages({ top_k: 5 }),
    with: { top_k: 5 },
    without: { top_k: undefined },
  },
  'web-search': {
    from: 'openai-responses',
    to: 'anthropic-messages',
    body: responses({ tools: [{ type: 'web_search', filters: { allowed_domains: ['e.com'] } }] }),
    with: { tools: [{ type: 'web_search_20250305', name: 'web_search', allowed_domains: ['e.com'] }] },
    without: { tools: undefined },
  },
  'chat-web-search': {
    from: 'openai-responses',
    to: 'openai-chat',
    body: responses({ tools: [{ type: 'web_search', search_context_size: 'low' }] }),
    with: { tools: undefined, web_search_options: { search_context_size: 'low' } },
    without: { tools: undefined, web_search_options: undefined },
  },
}

const at = (body: JsonObject, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], body)

describe('a dialect', () => {
  for (const [name, row] of Object.entries(table)) {
    test(`${name}: with it and without it`, () => {
      const { from, to, body } = row
      const plain = ask(from, to, body, [])
      const ruled = ask(from, to, body, [name as Quirk])
      for (const [path, value] of Object.entries(row.with)) expect([path, at(ruled.sent, path)]).toEqual([path, value])
      for (const [path, value] of Object.entries(row.without)) {
        expect([path, at(plain.sent, path)]).toEqual([path, value])
      }
      expect(ruled.losses.filter((path) => !plain.losses.includes(path))).toEqual([...row.lost ?? []])
    })
  }

  test('reasoning-field: with reasoning-content, the field has the other name', () => {
    const body = messages({ messages: [...hi, thought, ...hi] })
    const { sent } = ask('anthropic-messages', 'openai-chat', body, ['reasoning-content', 'reasoning-field'])
    expect((sent.messages as JsonObject[])[1]).toEqual({ role: 'assistant', content: 'x', reasoning: 'hm' })
  })

  test('is looked into only where it can change something', () => {
    for (const { name, protocols } of quirkRows) {
      for (const protocol of protocolIds) {
        const body: JsonObject = { model: 'm', messages: [], input: [], x: 1 }
        const edited = applyQuirks(protocol, body, [name], () => {})
        const may = mayEdit(protocol, [name], (field) => field in body)
        if (!protocols.includes(protocol)) expect([name, protocol, may]).toEqual([name, protocol, false])
        if (!may) expect(edited).toEqual(body)
      }
    }
    expect(mayEdit('openai-chat', ['max-tokens-legacy'], (field) => field === 'max_completion_tokens')).toBe(true)
    expect(mayEdit('openai-chat', ['max-tokens-legacy'], () => false)).toBe(false)
    expect(mayEdit('openai-responses', ['codex-backend'], () => false)).toBe(true)
  })

  test('that a provider names is known, and speaks of a protocol that the provider speaks', () => {
    for (const { id, quirks = [], deployments } of providers) {
      for (const quirk of quirks.filter((name) => name !== 'routing-controls')) {
        const row = quirkRows.find(({ name }) => name === quirk)
        expect([id, quirk, row?.protocols.some((protocol) => deployments.some((one) => one.protocol === protocol))])
          .toEqual([id, quirk, true])
      }
    }
    expect(quirkNames.length).toBe(Object.keys(table).length + 2)
  })
})

describe('the search tool of a provider', () => {
  const place = { city: 'Köln', country: 'DE' }
  const searches: Readonly<Record<ProtocolId, JsonObject>> = {
    'anthropic-messages': messages({
      tools: [{
        type: 'web_search_20250305',
        name: 'web_search',
        max_uses: 3,
        user_location: { type: 'approximate', ...place },
      }],
    }),
    'openai-responses': responses({
      tools: [{ type: 'web_search', user_location: { type: 'approximate', ...place } }],
    }),
    'openai-chat': chat({ web_search_options: { user_location: { type: 'approximate', approximate: place } } }),
    'gemini': { model: 'm', contents: [{ role: 'user', parts: [{ text: 'hi' }] }], tools: [{ googleSearch: {} }] },
  }
  const found: Readonly<Record<ProtocolId, (body: JsonObject) => unknown>> = {
    'anthropic-messages': ({ tools }) => tools,
    'openai-responses': ({ tools }) => tools,
    'openai-chat': ({ web_search_options }) => web_search_options,
    'gemini': ({ tools }) => tools,
  }
  const placed = { user_location: { type: 'approximate', ...place } }
  const expected: Readonly<Record<ProtocolId, (from: ProtocolId) => unknown>> = {
    'anthropic-messages': (
      from,
    ) => [{ type: 'web_search_20250305', name: 'web_search', ...(from === 'gemini' ? {} : placed) }],
    'openai-responses': (from) => [{ type: 'web_search', ...(from === 'gemini' ? {} : placed) }],
    'openai-chat': (from) => from === 'gemini' ? {} : { user_location: { type: 'approximate', approximate: place } },
    'gemini': () => [{ googleSearch: {} }],
  }
  const lost: Readonly<Record<ProtocolId, string>> = {
    'anthropic-messages': 'tools[0].user_location',
    'openai-responses': 'tools[0].user_location',
    'openai-chat': 'web_search_options.user_location',
    'gemini': '',
  }
  for (const from of protocolIds) {
    for (const to of protocolIds.filter((id) => id !== from)) {
      test(`of ${from} is that of ${to} where it was agreed, and a loss where not`, () => {
        const { sent, losses } = ask(from, to, searches[from], ['web-search', 'chat-web-search'])
        expect(found[to](sent)).toEqual(expected[to](from))
        const untold = to === 'gemini' ? [lost[from]] : []
        const counted = from === 'anthropic-messages' ? ['tools[0].max_uses'] : []
        expect(losses.toSorted()).toEqual([...counted, ...untold].filter((path) => path !== '').toSorted())
        const plain = ask(from, to, searches[from], [])
        expect(plain.losses.length).toBe(1)
        expect(found[to](plain.sent)).toBeUndefined()
      })
    }
  }

  test('names what it was told for its own provider only, and carries the places to leave out', () => {
    const told = messages({
      tools: [{
        type: 'web_search_20260318',
        name: 'web_search',
        allowed_callers: ['code_execution_20260120'],
        response_inclusion: 'excluded',
        defer_loading: false,
      }],
    })
    const lost = ['tools[0].allowed_callers', 'tools[0].response_inclusion']
    for (const to of ['openai-chat', 'openai-responses', 'gemini'] as const) {
      expect([to, ...ask('anthropic-messages', to, told, ['web-search', 'chat-web-search']).losses]).toEqual([
        to,
        ...lost,
      ])
    }
    const googleSearch = { excludeDomains: ['e.com'], timeRangeFilter: { startTime: '2026-01-01T00:00:00Z' } }
    const excluding = { ...searches.gemini, tools: [{ googleSearch }] }
    const { sent, losses } = ask('gemini', 'anthropic-messages', excluding, ['web-search'])
    expect(sent.tools).toEqual([{ type: 'web_search_20250305', name: 'web_search', blocked_domains: ['e.com'] }])
    expect(losses).toEqual(['tools[0].googleSearch.timeRangeFilter'])
    expect(ask('gemini', 'openai-responses', excluding, ['web-search']).losses.toSorted()).toEqual([
      'tools[0].googleSearch.excludeDomains',
      'tools[0].googleSearch.timeRangeFilter',
    ])
  })

  test('that may look at nothing fresh is not mapped, and one beside functions only where the model takes both', () => {
    const cached = responses({ tools: [{ type: 'web_search', external_web_access: false }] })
    expect(ask('openai-responses', 'gemini', cached, ['web-search']).losses).toEqual(['tools[0]'])
    const both = responses({
      tools: [{ type: 'web_search' }, { type: 'function', name: 'f', parameters: {}, strict: false }],
    })
    expect(ask('openai-responses', 'gemini', both, ['web-search'], 'gemini-2.5-pro').losses).toEqual(['tools[0]'])
    const third = ask('openai-responses', 'gemini', both, ['web-search'], 'gemini-3-pro')
    expect((third.sent.tools as JsonObject[]).map((tool) => Object.keys(tool)[0])).toEqual([
      'functionDeclarations',
      'googleSearch',
    ])
  })
})
