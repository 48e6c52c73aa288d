import { expect } from 'bun:test'
import { createTicker, type JsonObject } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { openLine } from './harness.ts'
import { type Script, scriptedUpstream, speech } from './scripted.ts'

/** Who may call, and who may answer. */
export type Speaker = keyof typeof speech

/** How a caller of each protocol asks. */
export const callers: Readonly<
  Record<Speaker, { readonly path: string; readonly body: JsonObject; readonly id: RegExp }>
> = {
  'openai-chat': {
    path: '/v1/chat/completions',
    body: {
      model: 'asked-for',
      stream: true,
      stream_options: { include_usage: true },
      messages: [{ role: 'user', content: 'hi' }],
      tools: [{ type: 'function', function: { name: 'note', parameters: { type: 'object' } } }],
    },
    id: /^chatcmpl-[0-9a-z]+$/,
  },
  'openai-responses': {
    path: '/v1/responses',
    body: {
      model: 'asked-for',
      stream: true,
      input: 'hi',
      tools: [{ type: 'function', name: 'note', parameters: { type: 'object' }, strict: false }],
    },
    id: /^resp_[0-9a-z]+$/,
  },
  'anthropic-messages': {
    path: '/v1/messages',
    body: {
      model: 'asked-for',
      stream: true,
      max_tokens: 99,
      messages: [{ role: 'user', content: 'hi' }],
      tools: [{ name: 'note', input_schema: { type: 'object' } }],
    },
    id: /^msg_[0-9a-z]+$/,
  },
  'gemini': {
    path: '/v1beta/models/asked-for:streamGenerateContent?alt=sse',
    body: {
      contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
      tools: [{ functionDeclarations: [{ name: 'note', parametersJsonSchema: { type: 'object' } }] }],
    },
    id: /^[0-9a-z]+$/,
  },
}
/** All of them. */
export const speakers = Object.keys(callers) as Speaker[]

/** What came of it. */
export interface Played {
  readonly status: number
  readonly text: string
  readonly headers: Headers
  /** When each piece of the answer came, and the piece. */
  readonly pieces: readonly { readonly at: number; readonly text: string }[]
  readonly record: ReturnType<typeof recordOf>
  readonly calls: number
  /** Whether the call of the first upstream was given up. */
  readonly cancelled: boolean
  /** What the line told its observers. */
  readonly observed: readonly string[]
  /** When the whole of it was over. */
  readonly took: number
}

const recordOf = (line: Awaited<ReturnType<typeof openLine>>) => line.records[0]!

/** One request of a caller, over upstreams that follow their scripts. */
export async function play(
  caller: Speaker,
  upstream: Speaker,
  scripts: readonly Script[],
  limits = {},
): Promise<Played> {
  const clock = manualClock(1_800_000_000_000)
  const ticker = createTicker(clock, 250)
  const far = scriptedUpstream(scripts, clock)
  const line = await openLine({
    urls: scripts.map((_, i) => `http://up${i}.test`),
    protocol: upstream,
    limits,
    rooms: { clock, ticker, upstream: far.upstream },
  })
  const pieces: { at: number; text: string }[] = []
  let over = false
  const { path, body } = callers[caller]
  const replied = line.post(path, body).then(async (reply) => {
    const utf8 = new TextDecoder()
    for await (const piece of reply.body!) {
      pieces.push({ at: clock.monotonic(), text: utf8.decode(piece as Uint8Array, { stream: true }) })
    }
    over = true
    return reply
  })
  for (let i = 0; !over && i < 8000; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(50)
  }
  expect(over, 'the answer ends').toBe(true)
  const reply = await replied
  ticker.close()
  line.close()
  return {
    status: reply.status,
    headers: reply.headers,
    text: pieces.map(({ text }) => text).join(''),
    pieces,
    record: recordOf(line),
    calls: far.calls.length,
    cancelled: far.calls[0]?.cancelled === true,
    observed: line.observed,
    took: clock.monotonic(),
  }
}
