import type { JsonObject } from '../../lib/base/mod.ts'
import { type ProtocolId, translator } from '../../lib/protocol/mod.ts'
import { table } from '../rig/stats.ts'

/** One point of a curve: how many things, and the CPU they cost in all, microseconds. */
export interface Point {
  readonly count: number
  readonly micros: number
}

const paragraph = 'The quick brown fox jumps over the lazy dog while the "other" one sleeps in the shade.\n'
const utf8 = new TextEncoder()
const text = new TextDecoder()

/** A messages request of so many turns (each a question, a call and its result) and tools. */
function request(turns: number, tools: number, paragraphs: number): JsonObject {
  const words = paragraph.repeat(paragraphs)
  return {
    model: 'bench',
    max_tokens: 4096,
    stream: true,
    system: [{ type: 'text', text: words, cache_control: { type: 'ephemeral' } }],
    tools: Array.from({ length: tools }, (_, i) => ({
      name: `tool_${i}`,
      description: words,
      input_schema: {
        type: 'object',
        properties: { path: { type: 'string', description: paragraph }, limit: { type: 'integer' } },
        required: ['path'],
      },
    })),
    messages: Array.from({ length: turns }, (_, i) => [
      { role: 'user', content: [{ type: 'text', text: words }] },
      {
        role: 'assistant',
        content: [{ type: 'text', text: words }, {
          type: 'tool_use',
          id: `toolu_${i}`,
          name: 'tool_0',
          input: { path: `/src/${i}.ts`, limit: 200 },
        }],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: `toolu_${i}`, content: words }] },
    ]).flat(),
  }
}

/** The least CPU that `work` took in so many rounds, microseconds: what others on the machine do only adds to it. */
function least(rounds: number, work: () => void): number {
  let best = Infinity
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, user + system)
  }
  return best
}

/** From the bytes of a request to the bytes for the upstream. */
function translateBytes(bytes: Uint8Array, upstream: ProtocolId): number {
  const body = JSON.parse(text.decode(bytes)) as JsonObject
  const translated = translator('anthropic-messages', upstream, { id: 'bench', now: 0 })
  return utf8.encode(JSON.stringify(translated.request(body, { model: 'm' }).body)).length
}

/** CPU of one whole request of about 100,000 tokens, by upstream, microseconds. */
export function largeRequest(): readonly { readonly upstream: ProtocolId; readonly bytes: number; micros: number }[] {
  // Four bytes a token.
  const bytes = utf8.encode(JSON.stringify(request(100, 40, 14)))
  return (['openai-chat', 'openai-responses', 'gemini'] as const).map((upstream) => ({
    upstream,
    bytes: bytes.length,
    micros: least(60, () => void translateBytes(bytes, upstream)),
  }))
}

/** CPU of requests with more and more turns. */
export function byTurns(counts: readonly number[], upstream: ProtocolId): Point[] {
  return counts.map((count) => {
    const bytes = utf8.encode(JSON.stringify(request(count, 1, 1)))
    return { count, micros: least(count > 1000 ? 12 : 60, () => void translateBytes(bytes, upstream)) }
  })
}

/** CPU of requests with more and more tools. */
export function byTools(counts: readonly number[], upstream: ProtocolId): Point[] {
  return counts.map((count) => {
    const bytes = utf8.encode(JSON.stringify(request(1, count, 1)))
    return { count, micros: least(count > 1000 ? 12 : 60, () => void translateBytes(bytes, upstream)) }
  })
}

const chunk = utf8.encode(
  'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"bench",' +
    '"choices":[{"index":0,"delta":{"content":"fox "},"logprobs":null,"finish_reason":null}]}\n\n',
)

/** CPU of streams of more and more deltas, one chunk of bytes each. */
export function byDeltas(counts: readonly number[], client: ProtocolId): Point[] {
  const asked = {
    'anthropic-messages': request(1, 1, 1),
    'openai-responses': { model: 'bench', stream: true, input: 'hi' },
  }[client as 'anthropic-messages' | 'openai-responses']
  return counts.map((count) => ({
    count,
    micros: least(count > 10_000 ? 6 : 40, () => {
      const translated = translator(client, 'openai-chat', { id: 'bench', now: 0 })
      translated.request(asked, { model: 'm' })
      const stream = translated.stream()
      for (let i = 0; i < count; i++) stream.push(chunk)
    }),
  }))
}

/** Curves as one table: the cost of one thing must not grow with their number. */
export function showCurves(curves: Readonly<Record<string, readonly Point[]>>): string {
  const rows = Object.entries(curves).flatMap(([name, points]) =>
    points.map(({ count, micros }) => [name, count, micros / 1000, micros / count])
  )
  return table(['curve', 'number', 'CPU ms', 'µs each'], rows)
}
