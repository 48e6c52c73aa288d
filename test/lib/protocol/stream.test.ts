import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { JsonObject } from '../../../lib/base/mod.ts'
import {
  type ProtocolId,
  protocolIds,
  type TranslatedStream,
  translator,
  upstreamFailure,
} from '../../../lib/protocol/mod.ts'
import type { InferenceEvent } from '../../../lib/protocol/event.ts'
import { protocolOf, protocols } from '../../../lib/protocol/protocols.ts'
import { hear } from '../../../lib/conform/grammar.ts'

const ids = protocolIds.filter((id) => protocols[id] !== undefined)
const pairs = ids.flatMap((upstream) => ids.map((client) => [client, upstream] as const))
const utf8 = new TextEncoder()

const bodies: Readonly<Record<ProtocolId, JsonObject>> = {
  'openai-chat': {
    model: 'm',
    stream: true,
    stream_options: { include_usage: true },
    messages: [{ role: 'user', content: 'hi' }],
  },
  'openai-responses': { model: 'm', stream: true, input: 'hi' },
  'anthropic-messages': { model: 'm', stream: true, max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] },
  'gemini': {
    model: 'm',
    stream: true,
    contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
    generationConfig: { thinkingConfig: { includeThoughts: true } },
  },
}

const words = 'Hé 🦊 "q"\r\n\\'
const answer: readonly InferenceEvent[] = [
  { type: 'start', id: 'u1', model: 'um' },
  { type: 'open', part: 0, head: { type: 'reasoning', id: 'rs_1' } },
  { type: 'delta', part: 0, text: 'let me ' },
  { type: 'delta', part: 0, text: 'think' },
  { type: 'close', part: 0, proof: null },
  { type: 'open', part: 1, head: { type: 'text' } },
  { type: 'delta', part: 1, text: words },
  { type: 'delta', part: 1, text: words },
  { type: 'close', part: 1 },
  { type: 'open', part: 2, head: { type: 'tool-call', id: 'c1', name: 'a', namespace: null, kind: 'function' } },
  { type: 'delta', part: 2, text: '{"x":"é' },
  { type: 'open', part: 3, head: { type: 'tool-call', id: 'c2', name: 'b', namespace: null, kind: 'function' } },
  { type: 'delta', part: 2, text: '\\n"}' },
  { type: 'close', part: 2 },
  { type: 'close', part: 3 },
  {
    type: 'usage',
    tokens: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 3, cacheWriteTokens: 2, reasoningTokens: 2 },
  },
  { type: 'finish', reason: 'tool-calls', stopSequence: null },
]

/** The wire text of an answer as an upstream of a protocol would send it. */
function wireOf(upstream: ProtocolId, events: readonly InferenceEvent[]): string {
  const protocol = protocolOf(upstream)
  const body = bodies[upstream]
  const call = { id: 'up', createdAt: 1, model: 'um', upstream, request: protocol.decodeRequest(body), body }
  const encoder = protocol.streamEncoder(call, () => {})
  return events.map((event) => encoder.write(event)).join('')
}

function open(client: ProtocolId, upstream: ProtocolId): TranslatedStream {
  const exchange = translator(client, upstream, { id: 'x1', now: 0 })
  exchange.request(bodies[client], { model: 'um' })
  return exchange.stream()
}

function run(stream: TranslatedStream, chunks: Iterable<Uint8Array>): string {
  const out: Uint8Array[] = []
  for (const chunk of chunks) out.push(...stream.push(chunk))
  out.push(...stream.end())
  return new TextDecoder().decode(Buffer.concat(out))
}

/** How many ways to split a stream are tried, over all pairs. `GW_SPLITS=100000` takes minutes. */
const splits = Number(process.env['GW_SPLITS'] ?? 1600)

for (const [client, upstream] of pairs) {
  describe(`a stream from ${upstream} to ${client}`, () => {
    const bytes = utf8.encode(wireOf(upstream, answer))

    test('says the same, in its own grammar, whole', () => {
      const stream = open(client, upstream)
      const heard = hear(client, run(stream, [bytes]))
      expect(heard.text).toBe(words + words)
      expect(heard.reasoning).toBe('let me think')
      expect(heard.calls.map(({ name, input }) => [name, JSON.parse(input)])).toEqual([['a', { x: 'é\n' }], ['b', {}]])
      expect(stream.state).toBe('done')
      expect(stream.usage.inputTokens).toBe(10)
      expect(stream.usage.outputTokens).toBe(5)
      expect(stream.usage.cachedInputTokens).toBe(3)
      expect(stream.usage.reasoningTokens).toBe(2)
      expect(stream.finish).toBe('tool-calls')
    })

    test('says the same however its bytes are split', () => {
      const whole = run(open(client, upstream), [bytes])
      fc.assert(
        fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
          const at = [0, ...cuts.sort((a, b) => a - b), bytes.length]
          const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end))
          expect(run(open(client, upstream), chunks)).toBe(whole)
        }),
        { numRuns: Math.ceil(splits / pairs.length) },
      )
      const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))
      expect(run(open(client, upstream), single)).toBe(whole)
    }, 120_000)

    test('is cut anywhere: ends in an error event or whole, and never pretends to be done', () => {
      const whole = run(open(client, upstream), [bytes])
      for (let cut = 0; cut < bytes.length; cut += 13) {
        const stream = open(client, upstream)
        const wire = run(stream, [bytes.subarray(0, cut)])
        const heard = hear(client, wire)
        if (heard.error === null) expect(heard.stop).toBe(hear(client, whole).stop)
        else expect(['truncated', 'empty', 'malformed']).toContain(stream.failure!.kind)
      }
    })

    test('turns garbage into an error event', () => {
      for (
        const garbage of [
          'data: {"a":\n\n',
          'data: <html>\n\n',
          'data: [1]\n\n',
          'event: x\ndata: {"error":{"message":"no"}}\n\n',
        ]
      ) {
        const stream = open(client, upstream)
        const heard = hear(client, run(stream, [bytes.subarray(0, bytes.length >> 1), utf8.encode('\n\n' + garbage)]))
        expect(heard.error).not.toBeNull()
        expect(stream.state).toBe('failed')
      }
    })

    test('fails, keeps alive and stays silent after its end', () => {
      const stream = open(client, upstream)
      const early = new TextDecoder().decode(stream.keepAlive())
      expect(stream.state).toBe('open')
      const out = stream.fail(upstreamFailure('overloaded', 'too much to do'))
      expect(stream.state).toBe('failed')
      expect(stream.push(bytes)).toEqual([])
      expect(stream.end()).toEqual([])
      const heard = hear(client, early + new TextDecoder().decode(Buffer.concat(out)))
      expect(heard.error).toBe('too much to do')
    })

    test('goes into one whole answer for a caller who wanted one', () => {
      const exchange = translator(client, upstream, { id: 'x1', now: 0 })
      const { stream: _, stream_options: __, ...body } = bodies[client]
      exchange.request(body, { model: 'um', stream: true })
      const aggregator = exchange.aggregate()
      for (let i = 0; i < bytes.length; i += 11) aggregator.push(bytes.subarray(i, i + 11))
      const { body: answered, failure, usage } = aggregator.end()
      expect(failure).toBeNull()
      expect(usage.inputTokens).toBe(10)
      const again = protocolOf(client).decodeResponse(answered, 's')
      if (!again.ok) throw new Error('the answer does not read')
      const text = again.response.parts.flatMap((part) => part.type === 'text' ? part.text : []).join('')
      expect(text).toBe(words + words)
      expect(again.response.finish).toBe('tool-calls')
    })
  })
}

test('events of a response are numbered in the order they stand in, thoughts with a summary included', () => {
  const thought: readonly InferenceEvent[] = [
    { type: 'start', id: 'u1', model: 'um' },
    { type: 'open', part: 0, head: { type: 'reasoning', id: 'rs_1' } },
    { type: 'delta', part: 0, text: 'in short', summary: true, section: 0 },
    { type: 'delta', part: 0, text: 'at length', section: 0 },
    { type: 'close', part: 0, proof: null },
    { type: 'finish', reason: 'stop', stopSequence: null },
  ]
  const wire = wireOf('openai-responses', thought)
  const numbers = [...wire.matchAll(/"sequence_number":(\d+)/g)].map((match) => Number(match[1]))
  expect(numbers).toEqual(numbers.map((_, i) => i))
})

test('the summary of a compacted conversation comes through a stream', () => {
  const exchange = translator('anthropic-messages', 'anthropic-messages', { id: 'x1', now: 0 })
  exchange.request({ ...bodies['anthropic-messages'], stream: false }, { model: 'um', stream: true })
  const aggregator = exchange.aggregate()
  const block = { type: 'compaction', content: null }
  const events: JsonObject[] = [
    { type: 'message_start', message: { id: 'm1', model: 'um', content: [], usage: { input_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: block },
    { type: 'content_block_delta', index: 0, delta: { type: 'compaction_delta', content: 'what was said' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'compaction' }, usage: { output_tokens: 1 } },
    { type: 'message_stop' },
  ]
  for (const event of events) aggregator.push(utf8.encode(`data: ${JSON.stringify(event)}\n\n`))
  const { body } = aggregator.end()
  expect(body.content).toEqual([{ ...block, content: 'what was said' }])
  expect(body.stop_reason).toBe('compaction')
})

test('tokens that no upstream counted are not told as none', () => {
  const counted = run(open('openai-chat', 'openai-responses'), [utf8.encode(wireOf('openai-responses', answer))])
  expect(counted).toContain('"prompt_tokens":10')
  const silent = answer.filter(({ type }) => type !== 'usage')
  const chunks =
    'data: {"id":"c","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
  expect(run(open('openai-chat', 'openai-chat'), [utf8.encode(chunks)])).not.toContain('"usage"')
  expect(run(open('openai-chat', 'gemini'), [utf8.encode(wireOf('gemini', silent))])).not.toContain('"usage"')
})
