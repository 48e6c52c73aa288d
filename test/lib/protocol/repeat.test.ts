import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { JsonObject } from '../../../lib/base/mod.ts'
import type { InferenceEvent } from '../../../lib/protocol/event.ts'
import type { ProtocolId } from '../../../lib/protocol/mod.ts'
import { protocolOf } from '../../../lib/protocol/protocols.ts'

/** Words of all kinds: plain, quoted, escaped, of several units, and none. */
const words = fc.oneof(
  fc.constantFrom('fox ', '"', '\\', '\n', '\\"', '🦊', '\ud83e', '\u0000', '{"a":', '"content":"x"', '', ' '),
  fc.string({ unit: 'binary', maxLength: 6 }),
)

const chat = (index: number, delta: JsonObject, more: JsonObject = {}): JsonObject => ({
  id: 'c',
  object: 'chat.completion.chunk',
  choices: [{ index, delta, finish_reason: null }],
  ...more,
})
const chatEvent = fc.oneof(
  { weight: 6, arbitrary: words.map((content) => chat(0, { content })) },
  { weight: 2, arbitrary: words.map((content) => chat(0, { content }, { obfuscation: content.length })) },
  {
    weight: 2,
    arbitrary: fc.tuple(words, words).map(([content, obfuscation]) => chat(0, { content }, { obfuscation })),
  },
  { weight: 1, arbitrary: words.map((content) => chat(1, { content })) },
  { weight: 2, arbitrary: words.map((reasoning_content) => chat(0, { reasoning_content })) },
  {
    weight: 3,
    arbitrary: words.map((text) => chat(0, { tool_calls: [{ index: 0, function: { name: 'f', arguments: text } }] })),
  },
  { weight: 1, arbitrary: fc.constant(chat(0, { content: 'x', refusal: 'no' })) },
  { weight: 1, arbitrary: fc.constant({ ...chat(0, {}), usage: { prompt_tokens: 1, completion_tokens: 2 } }) },
  { weight: 1, arbitrary: fc.constant({ ...chat(0, {}), choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }) },
)

const part = { item_id: 'msg_1', output_index: 0, content_index: 0 }
const responsesEvent = fc.oneof(
  {
    weight: 8,
    arbitrary: words.map((delta) => ({ type: 'response.output_text.delta', ...part, delta, logprobs: [] })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(words, words).map(([delta, obfuscation]) => ({
      type: 'response.output_text.delta',
      ...part,
      delta,
      obfuscation,
    })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(words, fc.nat(1)).map(([delta, summary_index]) => ({
      type: 'response.reasoning_summary_text.delta',
      item_id: 'rs_1',
      output_index: 1,
      summary_index,
      delta,
    })),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'response.in_progress', response: {} }) },
).chain((event: JsonObject) =>
  fc.nat(9).map((skip) => skip === 9 ? event : { ...event, sequence_number: skip === 8 ? 3 : -1 })
)

const block = (index: number, delta: JsonObject): JsonObject => ({ type: 'content_block_delta', index, delta })
const messagesEvent = fc.oneof(
  { weight: 8, arbitrary: words.map((text) => block(0, { type: 'text_delta', text })) },
  { weight: 3, arbitrary: words.map((partial_json) => block(1, { type: 'input_json_delta', partial_json })) },
  { weight: 3, arbitrary: words.map((thinking) => block(2, { type: 'thinking_delta', thinking })) },
  { weight: 1, arbitrary: fc.constant({ type: 'content_block_stop', index: 0 }) },
  { weight: 1, arbitrary: fc.constant({ type: 'ping' }) },
)
const begun: JsonObject[] = [
  { type: 'message_start', message: { id: 'm', content: [] } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 't', name: 'f', input: {} } },
  { type: 'content_block_start', index: 2, content_block: { type: 'thinking', thinking: '', signature: '' } },
]

/** What a decoder says to each event; with a mark in front of each, none is like the one before. */
function decode(protocol: ProtocolId, events: readonly JsonObject[], space: string, marked: boolean): InferenceEvent[] {
  const decoder = protocolOf(protocol).streamDecoder('s')
  const out: InferenceEvent[] = []
  events.forEach((event, i) => {
    const data = JSON.stringify(marked ? { obfuscation: `${i}.`, ...event } : event, null, space)
    decoder.push({ event: 'message', data: space === '' ? data : data.replaceAll('\n', '') }, out)
  })
  decoder.end(out)
  return out
}

for (
  const [protocol, arbitrary, before] of [
    ['openai-chat', chatEvent, []],
    ['openai-responses', responsesEvent, []],
    ['anthropic-messages', messagesEvent, begun],
  ] as const
) {
  for (const space of ['', ' ']) {
    test(`an event of ${protocol} that repeats the last one with other words is what it is when parsed${space && ', spaces or not'}`, () => {
      fc.assert(
        fc.property(fc.array(arbitrary as fc.Arbitrary<JsonObject>, { maxLength: 40 }), (chosen) => {
          let number = 0
          const events = [...before, ...chosen].map((event) =>
            event.sequence_number === -1 ? { ...event, sequence_number: ++number } : event
          )
          expect(decode(protocol, events, space, false)).toEqual(decode(protocol, events, space, true))
        }),
        { numRuns: 400 },
      )
    })
  }
}
