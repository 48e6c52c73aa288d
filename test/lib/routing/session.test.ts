import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { carriesCiphertext, sessionOf } from '../../../lib/routing/session.ts'
import { routeBody } from '../../../lib/routing/body.ts'

const of = (headers: Record<string, string>, body: unknown = null, principal = 'p') =>
  sessionOf({ headers: new Headers(headers), body: body === null ? null : routeBody(JSON.stringify(body)), principal })

const turn = (content: string, role = 'user') => ({ role, content })
const chat = (...messages: unknown[]) => ({ model: 'm', messages })

test('the strongest sign of a session wins: harness, cache key, conversation, prefix', () => {
  const body = { ...chat(turn('hi')), prompt_cache_key: 'k', previous_response_id: 'r', conversation: { id: 'c' } }
  expect(of({ 'x-claude-code-session-id': 's' }, body)!.from).toBe('harness')
  expect(of({}, body)!.from).toBe('cache_key')
  expect(of({}, { ...body, prompt_cache_key: undefined })!.from).toBe('conversation')
  expect(of({}, { ...chat(turn('hi')), conversation: 'c' })!.from).toBe('conversation')
  expect(of({}, chat(turn('hi')))!.from).toBe('prefix')
  expect(of({}, { model: 'm' })).toBeNull()
  expect(of({})).toBeNull()
})

test('a subagent has a key of its own, and so has another caller', () => {
  const main = of({ 'x-claude-code-session-id': 's' })!.key
  expect(of({ 'x-claude-code-session-id': 's', 'x-claude-code-agent-id': 'a' })!.key).not.toBe(main)
  expect(of({ 'x-claude-code-session-id': 's' }, null, 'other')!.key).not.toBe(main)
  expect(main).not.toContain('s1')
})

test('a session keeps its key while its conversation grows, and another first turn is another session', () => {
  const word = fc.string({ maxLength: 200 })
  fc.assert(fc.property(word, word, fc.array(word, { maxLength: 6 }), word, (system, first, rest, other) => {
    const opening = [turn(system, 'system'), turn(first)]
    const grown = [...opening, ...rest.map((text, i) => turn(text, i % 2 === 0 ? 'assistant' : 'user'))]
    expect(of({}, chat(...grown))!.key).toBe(of({}, chat(...opening))!.key)
    if (other !== first) expect(of({}, chat(opening[0], turn(other)))!.key).not.toBe(of({}, chat(...opening))!.key)
  }))
})

for (
  const [name, body, expected] of [
    ['plain text', chat(turn('the "signature" of a poem')), false],
    [
      'a signed thought',
      chat({ role: 'assistant', content: [{ type: 'thinking', thinking: '', signature: 'c2ln' }] }),
      true,
    ],
    ['a redacted thought', chat({ role: 'assistant', content: [{ type: 'redacted_thinking', data: 'x' }] }), true],
    ['encrypted reasoning', { input: [{ type: 'reasoning', encrypted_content: 'x' }] }, true],
    ['a response id', { input: 'go', previous_response_id: 'resp_1' }, true],
    ['an empty response id', { input: 'go', previous_response_id: null }, false],
    ['the word elsewhere', { ...chat(turn('hi')), metadata: { signature: 'x' } }, false],
  ] as const
) {
  test(`carriesCiphertext() with ${name} is ${expected}`, () => {
    expect(carriesCiphertext(routeBody(JSON.stringify(body)))).toBe(expected)
  })
}
