import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Json, JsonObject } from '../../../lib/base/mod.ts'
import { estimateTokens, middleOut, type ProtocolId, protocolIds, stripReasoning } from '../../../lib/protocol/mod.ts'

const words = (n: number): string => 'word '.repeat(n)
const turn = (role: string, content: Json): JsonObject => ({ role, content })

/** A conversation with tool calls, long in its middle. */
function conversation(protocol: ProtocolId): JsonObject {
  if (protocol === 'anthropic-messages') {
    return {
      system: 'be brief',
      messages: [
        turn('user', 'the task'),
        ...Array.from({ length: 20 }, (_, i) => [
          turn('assistant', [{ type: 'text', text: words(50) }, {
            type: 'tool_use',
            id: `t${i}`,
            name: 'f',
            input: {},
          }]),
          turn('user', [{ type: 'tool_result', tool_use_id: `t${i}`, content: words(50) }]),
        ]).flat(),
        turn('user', 'and now?'),
      ] as Json,
    }
  }
  if (protocol === 'openai-responses') {
    return {
      input: [
        turn('user', 'the task'),
        ...Array.from({ length: 20 }, (_, i) => [
          { type: 'function_call', call_id: `t${i}`, name: 'f', arguments: '{}' },
          { type: 'function_call_output', call_id: `t${i}`, output: words(100) },
        ]).flat(),
        turn('user', 'and now?'),
      ] as Json,
    }
  }
  if (protocol === 'gemini') {
    const says = (role: string, ...parts: JsonObject[]): JsonObject => ({ role, parts })
    return {
      systemInstruction: { parts: [{ text: 'be brief' }] },
      contents: [
        says('user', { text: 'the task' }),
        ...Array.from({ length: 20 }, (_, i) => [
          says('model', { text: words(50) }, { functionCall: { id: `t${i}`, name: 'f', args: {} } }),
          says('user', { functionResponse: { id: `t${i}`, name: 'f', response: { output: words(50) } } }),
        ]).flat(),
        says('user', { text: 'and now?' }),
      ] as Json,
    }
  }
  return {
    messages: [
      turn('system', 'be brief'),
      turn('user', 'the task'),
      ...Array.from({ length: 20 }, (_, i) => [
        { role: 'assistant', content: words(50), tool_calls: [{ id: `t${i}`, type: 'function', function: {} }] },
        { role: 'tool', tool_call_id: `t${i}`, content: words(50) },
      ]).flat(),
      turn('user', 'and now?'),
    ] as Json,
  }
}

for (const protocol of protocolIds) {
  test(`middleOut() of ${protocol} fits, keeps both ends, and parts no call from its result`, () => {
    fc.assert(fc.property(fc.integer({ min: 100, max: 2_500 }), (most) => {
      const body = conversation(protocol)
      const edited = middleOut(protocol, body, most)!
      expect(estimateTokens(edited.body).inputTokens).toBeLessThanOrEqual(most)
      expect(edited.losses.length).toBeGreaterThan(0)
      const text = JSON.stringify(edited.body)
      expect(text).toContain('the task')
      expect(text).toContain('and now?')
      for (let i = 0; i < 20; i++) {
        expect([0, 2]).toContain(text.split(`"t${i}"`).length - 1)
      }
    }))
  })
}

test('middleOut() takes the middle and not the ends, and says which turns', () => {
  const messages = [
    turn('user', 'first'),
    ...Array.from({ length: 9 }, (_, i) => turn(i % 2 ? 'user' : 'assistant', `${i} ${words(100)}`)),
    turn('user', 'last'),
  ]
  const edited = middleOut('openai-chat', { messages: messages as Json }, 800)!
  expect(edited.losses.map(({ path }) => path)).toEqual(['messages[4..6]'])
  expect((edited.body.messages as Json[]).length).toBe(8)
})

test('middleOut() cuts the longest text when the ends alone are too long, and leaves what fits alone', () => {
  const edited = middleOut('openai-chat', { messages: [turn('user', words(5_000))] as Json }, 1_000)!
  const [only] = edited.body.messages as { content: string }[]
  expect(only!.content).toStartWith('word word')
  expect(only!.content).toEndWith('word ')
  expect(only!.content).toContain('left out by middle-out')
  expect(edited.losses.map(({ path }) => path)).toEqual(['messages[0].content'])
  expect(middleOut('openai-chat', { messages: [turn('user', 'short')] as Json }, 1_000)).toBeNull()
})

test('middleOut() leaves what Gemini has signed as it stands', () => {
  const parts = [{ text: words(5_000), thoughtSignature: 'c2ln' }, { text: words(5_000), thought: true }, {
    text: words(5_000),
  }]
  const edited = middleOut('gemini', { contents: [{ role: 'model', parts }] as Json }, 11_000)!
  expect(edited.losses.map(({ path }) => path)).toEqual(['contents[0].parts[2].text'])
  const [first] = edited.body.contents as { parts: unknown[] }[]
  expect(first!.parts.slice(0, 2)).toEqual(parts.slice(0, 2))
})

test('stripReasoning() leaves out what only its issuer can read, and nothing else', () => {
  const body = {
    thinking: { type: 'enabled', budget_tokens: 1024 },
    messages: [
      turn('user', 'go'),
      turn('assistant', [
        { type: 'thinking', thinking: 'hm', signature: 'c2ln' },
        { type: 'tool_use', id: 't', name: 'f', input: {} },
      ]),
      turn('user', [{ type: 'tool_result', tool_use_id: 't', content: 'x' }]),
    ] as Json,
  }
  const edited = stripReasoning('anthropic-messages', body)!
  expect(edited.body).toEqual({
    messages: [
      turn('user', 'go'),
      turn('assistant', [{ type: 'tool_use', id: 't', name: 'f', input: {} }]),
      turn('user', [{ type: 'tool_result', tool_use_id: 't', content: 'x' }]),
    ] as Json,
  })
  expect(edited.losses.map(({ path }) => path)).toEqual(['messages[1].content[0]', 'thinking'])
  const items = [{ type: 'reasoning', encrypted_content: 'x' }, turn('user', 'go')] as Json
  expect(stripReasoning('openai-responses', { input: items })!.body).toEqual({ input: [turn('user', 'go')] as Json })
  expect(stripReasoning('openai-chat', { messages: [turn('user', 'go')] as Json })).toBeNull()
})
