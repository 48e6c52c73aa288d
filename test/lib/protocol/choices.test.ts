import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { JsonObject } from '../../../lib/base/mod.ts'
import { type ProtocolId, translator } from '../../../lib/protocol/mod.ts'
import { hear } from '../../../lib/conform/grammar.ts'

const utf8 = new TextEncoder()
const user = { role: 'user', content: 'hi' }
const chat = (more: JsonObject): JsonObject => ({ model: 'm', messages: [user], ...more })
const gemini = (generationConfig: JsonObject): JsonObject => ({
  model: 'm',
  contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
  generationConfig,
})

function exchange(client: ProtocolId, upstream: ProtocolId, body: JsonObject) {
  const made = translator(client, upstream, { id: '0x', now: 0 })
  const { body: sent, losses } = made.request(body, { model: 'um' })
  return { made, sent, losses: losses.map(({ path }) => path) }
}

for (
  const [client, upstream, body, asked, losses] of [
    ['openai-chat', 'gemini', chat({ n: 3 }), 3, []],
    ['openai-chat', 'gemini', chat({ n: 1 }), undefined, []],
    ['openai-chat', 'gemini', chat({ n: 20 }), 8, ['n']],
    ['openai-chat', 'gemini', chat({ n: 0 }), undefined, ['n']],
    ['openai-chat', 'openai-responses', chat({ n: 2 }), undefined, ['n']],
    ['openai-chat', 'anthropic-messages', chat({ n: 2 }), undefined, ['n']],
    ['openai-chat', 'openai-chat', chat({ n: 1 }), 1, []],
    ['gemini', 'openai-chat', gemini({ candidateCount: 2 }), 2, []],
    ['gemini', 'openai-chat', gemini({ candidateCount: 1 }), undefined, []],
    ['gemini', 'openai-responses', gemini({ candidateCount: 2 }), undefined, ['generationConfig.candidateCount']],
    ['gemini', 'anthropic-messages', gemini({ candidateCount: 2 }), undefined, ['generationConfig.candidateCount']],
    ['gemini', 'gemini', gemini({ candidateCount: 1 }), 1, []],
  ] as const
) {
  test(`${JSON.stringify(body.n ?? body.generationConfig)} of ${client} asks ${upstream} for ${asked}`, () => {
    const { sent, losses: listed } = exchange(client, upstream, body)
    const { candidateCount } = (sent.generationConfig ?? {}) as { candidateCount?: number }
    expect([sent.n ?? candidateCount, listed]).toEqual([asked, [...losses]])
  })
}

const chatEvent = (index: number, delta: JsonObject, finish_reason: string | null = null): JsonObject => ({
  id: 'c',
  object: 'chat.completion.chunk',
  choices: [{ index, delta, finish_reason }],
})
const call = (text: string, name?: string): JsonObject => ({
  tool_calls: [{
    index: 0,
    ...(name === undefined ? {} : { id: 'call_1', type: 'function' }),
    function: { name, arguments: text },
  }],
})
const chatWire = [
  chatEvent(0, { role: 'assistant', content: 'One' }),
  chatEvent(1, { role: 'assistant', content: 'Two' }),
  chatEvent(0, { content: ' fish' }),
  chatEvent(2, call('{"a"', 'look')),
  chatEvent(1, { content: ' "cats"' }),
  chatEvent(1, {}, 'length'),
  chatEvent(2, call(':1}')),
  chatEvent(0, {}, 'stop'),
  chatEvent(2, {}, 'tool_calls'),
  { id: 'c', object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 5, completion_tokens: 9 } },
].map((event) => `data: ${JSON.stringify(event)}\n\n`).join('') + 'data: [DONE]\n\n'

const candidate = (index: number, parts: JsonObject[], finishReason?: string): JsonObject => ({
  candidates: [{ content: { role: 'model', parts }, index, ...(finishReason === undefined ? {} : { finishReason }) }],
  usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 9 },
})
const geminiWire = [
  candidate(0, [{ text: 'One' }]),
  candidate(1, [{ text: 'Two' }]),
  candidate(0, [{ text: ' fish' }], 'STOP'),
  candidate(1, [{ text: ' "cats"' }], 'MAX_TOKENS'),
  candidate(2, [{ functionCall: { id: 'call_1', name: 'look', args: { a: 1 } } }], 'STOP'),
].map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')

const wires = { 'openai-chat': chatWire, gemini: geminiWire } as const
const asked = {
  'openai-chat': chat({ n: 3, stream: true, stream_options: { include_usage: true } }),
  gemini: { ...gemini({ candidateCount: 3 }), stream: true },
} as const
type Near = keyof typeof wires

describe('several answers to choose from', () => {
  for (const upstream of ['openai-chat', 'gemini'] as const) {
    for (const client of ['openai-chat', 'gemini'] as const) {
      test(`stream from ${upstream} to ${client}, however the bytes are split`, () => {
        const bytes = utf8.encode(wires[upstream])
        fc.assert(
          fc.property(fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 12 }), (cuts) => {
            const stream = exchange(client, upstream, asked[client]).made.stream()
            const ends = [...new Set(cuts)].toSorted((a, b) => a - b).concat(bytes.length)
            const pieces = ends.flatMap((end, i) => [...stream.push(bytes.subarray(ends[i - 1] ?? 0, end))])
            expectThree(client, Buffer.concat([...pieces, ...stream.end()]).toString())
            expect([stream.usage.outputTokens, stream.losses]).toEqual([9, []])
          }),
          { numRuns: 60 },
        )
      })

      test(`whole from ${upstream} to ${client}, and as the stream that was asked for`, () => {
        const { made } = exchange(client, upstream, asked[client])
        const source = exchange(upstream, upstream, asked[upstream]).made.aggregate()
        source.push(utf8.encode(wires[upstream]))
        const reply = source.end().body
        const { body, losses } = made.response(reply)
        expect(losses).toEqual([])
        expect(said(client, body)).toEqual([
          ['One fish', client === 'gemini' ? 'STOP' : 'stop'],
          ['Two "cats"', client === 'gemini' ? 'MAX_TOKENS' : 'length'],
          ['{"a":1}', client === 'gemini' ? 'STOP' : 'tool_calls'],
        ])
        expectThree(client, Buffer.concat([...made.streamOf(reply).end()]).toString())
      })
    }

    for (const client of ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini'] as const) {
      test(`from ${upstream} are the first alone for a ${client} caller who wanted one`, () => {
        const wanted = {
          'openai-chat': chat({ stream: true }),
          'openai-responses': { model: 'm', stream: true, input: 'hi' },
          'anthropic-messages': chat({ stream: true, max_tokens: 9 }),
          gemini: { ...gemini({}), stream: true },
        }[client]
        const stream = exchange(client, upstream, wanted).made.stream()
        const wire = Buffer.concat([...stream.push(utf8.encode(wires[upstream])), ...stream.end()]).toString()
        const heard = hear(client, wire)
        expect([heard.text, heard.calls, heard.others, heard.error]).toEqual(['One fish', [], [], null])
      })
    }

    test(`from ${upstream} never end normally when one of them was cut`, () => {
      const cut = wires[upstream].split('\n\n').filter((event) => !/"index":1.*(length|MAX_TOKENS)|DONE/.test(event))
      for (const client of ['openai-chat', 'gemini'] as const) {
        const stream = exchange(client, upstream, asked[client]).made.stream()
        const wire = Buffer.concat([...stream.push(utf8.encode(`${cut.join('\n\n')}\n\n`)), ...stream.end()]).toString()
        expect([stream.failure?.kind, hear(client, wire).stop]).toEqual(['truncated', null])
      }
    })
  }
})

function expectThree(client: Near, wire: string): void {
  const heard = hear(client, wire)
  expect([heard, ...heard.others].map(({ text, calls, stop }) => [text, calls.map(({ input }) => input), stop]))
    .toEqual(
      client === 'gemini'
        ? [['One fish', [], 'STOP'], ['Two "cats"', [], 'MAX_TOKENS'], ['', ['{"a":1}'], 'STOP']]
        : [['One fish', [], 'stop'], ['Two "cats"', [], 'length'], ['', ['{"a":1}'], 'tool_calls']],
    )
}

/** What each answer of a whole reply says, and how it ends. */
function said(client: Near, body: JsonObject): [string, string][] {
  if (client === 'openai-chat') {
    const choices = body.choices as {
      message: { content: string | null; tool_calls?: { function: { arguments: string } }[] }
      finish_reason: string
    }[]
    return choices.map(({ message, finish_reason }) => [
      message.content ?? message.tool_calls![0]!.function.arguments,
      finish_reason,
    ])
  }
  const candidates = body.candidates as {
    content: { parts: { text?: string; functionCall?: { args: JsonObject } }[] }
    finishReason: string
  }[]
  return candidates.map(({ content: { parts }, finishReason }) => [
    parts.map(({ text, functionCall }) => text ?? JSON.stringify(functionCall!.args)).join(''),
    finishReason,
  ])
}
