import { describe, expect, test } from 'bun:test'
import { type JsonObject, sseParser } from '../../../lib/base/mod.ts'
import { type ProtocolId, translator } from '../../../lib/protocol/mod.ts'

// How likely each token was, in the three protocols that can say it.

type Teller = 'openai-chat' | 'openai-responses' | 'gemini'

const asks: Readonly<Record<Teller, JsonObject>> = {
  'openai-chat': { model: 'm', messages: [{ role: 'user', content: 'hi' }], logprobs: true, top_logprobs: 2 },
  'openai-responses': { model: 'm', input: 'hi', include: ['message.output_text.logprobs'], top_logprobs: 2 },
  'gemini': {
    model: 'm',
    contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
    generationConfig: { responseLogprobs: true, logprobs: 2 },
  },
}

const chance = (token: string, logprob: number) => ({ token, logprob, bytes: [...new TextEncoder().encode(token)] })
const openai = [
  { ...chance('He', -0.1), top_logprobs: [chance('He', -0.1), chance('Ha', -2.5)] },
  { ...chance('y ü', -0.2), top_logprobs: [chance('y ü', -0.2)] },
]
const gemini = {
  chosenCandidates: [{ token: 'He', logProbability: -0.1 }, { token: 'y ü', logProbability: -0.2 }],
  topCandidates: [
    { candidates: [{ token: 'He', logProbability: -0.1 }, { token: 'Ha', logProbability: -2.5 }] },
    { candidates: [{ token: 'y ü', logProbability: -0.2 }] },
  ],
}
/** The first or the second token alone, as a stream tells them. */
const part = (i: number) => ({
  chosenCandidates: [gemini.chosenCandidates[i]!],
  topCandidates: [gemini.topCandidates[i]!],
})

const wholes: Readonly<Record<Teller, JsonObject>> = {
  'openai-chat': {
    id: 'c',
    choices: [{
      index: 0,
      message: { role: 'assistant', content: 'Hey ü' },
      logprobs: { content: openai, refusal: null },
      finish_reason: 'stop',
    }],
  },
  'openai-responses': {
    id: 'r',
    status: 'completed',
    output: [{
      type: 'message',
      id: 'msg',
      role: 'assistant',
      content: [{ type: 'output_text', text: 'Hey ü', annotations: [], logprobs: openai }],
    }],
  },
  'gemini': {
    candidates: [{
      content: { role: 'model', parts: [{ text: 'Hey ü' }] },
      finishReason: 'STOP',
      logprobsResult: gemini,
    }],
  },
}

const sse = (events: readonly JsonObject[]): string =>
  events.map((data) => `${data.type ? `event: ${data.type}\n` : ''}data: ${JSON.stringify(data)}\n\n`).join('')
const words = ['He', 'y ü']
const streams: Readonly<Record<Teller, string>> = {
  'openai-chat': sse([
    ...words.map((content, i) => ({
      choices: [{
        index: 0,
        delta: { content },
        logprobs: { content: [openai[i]!], refusal: null },
        finish_reason: null,
      }],
    })),
    { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
  ]) + 'data: [DONE]\n\n',
  'openai-responses': sse([
    { type: 'response.created', response: { id: 'r' } },
    { type: 'response.output_item.added', output_index: 0, item: { type: 'message', id: 'msg', content: [] } },
    ...words.map((delta, i) => ({
      type: 'response.output_text.delta',
      item_id: 'msg',
      output_index: 0,
      content_index: 0,
      delta,
      logprobs: [openai[i]!],
    })),
    {
      type: 'response.output_item.done',
      output_index: 0,
      item: (wholes['openai-responses'].output as JsonObject[])[0]!,
    },
    { type: 'response.completed', response: { id: 'r', status: 'completed', output: [] } },
  ]),
  'gemini': sse([
    ...words.map((text, i) => ({
      candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, logprobsResult: part(i) }],
    })),
    { candidates: [{ content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP', index: 0 }] },
  ]),
}

interface Told {
  readonly choices?: readonly { readonly logprobs: { readonly content: unknown[] } | null }[]
  readonly output?: readonly { readonly content: readonly { readonly logprobs: unknown[] }[] }[]
  readonly candidates?: readonly { readonly logprobsResult?: { readonly chosenCandidates: unknown[] } }[]
  readonly type?: string
  readonly logprobs?: unknown[]
}

function exchange(near: ProtocolId, far: ProtocolId) {
  const made = translator(near, far, { id: '0abc', now: 0 })
  return { made, sent: made.request(asks[near as Teller], { model: 'm' }) }
}

const tellers = Object.keys(asks) as Teller[]
for (const near of tellers) {
  for (const far of tellers) {
    describe(`${near} ← ${far}`, () => {
      test('the wish is carried', () => {
        const { sent } = exchange(near, far)
        expect(sent.losses).toEqual([])
        const { logprobs, top_logprobs, include, generationConfig } = sent.body
        expect({ logprobs, top_logprobs, include, generationConfig } as JsonObject).toEqual({
          logprobs: undefined,
          top_logprobs: undefined,
          include: undefined,
          generationConfig: undefined,
          ...(far === 'openai-chat'
            ? { logprobs: true, top_logprobs: 2 }
            : far === 'gemini'
            ? { generationConfig: { responseLogprobs: true, logprobs: 2 } }
            : { include: ['message.output_text.logprobs'], top_logprobs: 2 }),
        })
      })

      test('a whole answer tells them', () => {
        const body = exchange(near, far).made.response(wholes[far]).body as unknown as Told
        if (near === 'openai-chat') expect(body.choices![0]!.logprobs!.content).toEqual(openai)
        else if (near === 'gemini') expect(body.candidates![0]!.logprobsResult as unknown).toEqual(gemini)
        else expect(body.output![0]!.content[0]!.logprobs).toEqual(openai)
      })

      test('a stream tells them token by token', () => {
        const stream = exchange(near, far).made.stream()
        const bytes = [...stream.push(new TextEncoder().encode(streams[far])), ...stream.end()]
        expect(stream.failure).toBeNull()
        const events = bytes.flatMap((piece) => sseParser().push(piece)).filter(({ data }) => data !== '[DONE]')
          .map(({ data }) => JSON.parse(data) as Told)
        const told = near === 'openai-chat'
          ? events.flatMap((event) => event.choices?.[0]?.logprobs?.content ?? [])
          : near === 'gemini'
          ? events.flatMap((event) => event.candidates?.[0]?.logprobsResult ?? [])
          : events.filter(({ type }) => type === 'response.output_text.delta').flatMap((event) => event.logprobs)
        expect(told).toEqual(near === 'gemini' ? [part(0), part(1)] : openai)
        if (near === 'openai-responses') {
          expect(events.find(({ type }) => type === 'response.output_text.done')!.logprobs).toEqual(openai)
        }
      })
    })
  }
}

test('messages know no probabilities: the wish is a loss, by the paths of its caller', () => {
  const lost = (near: Teller): string[] => exchange(near, 'anthropic-messages').sent.losses.map(({ path }) => path)
  expect(lost('openai-chat')).toEqual(['logprobs', 'top_logprobs'])
  expect(lost('openai-responses')).toEqual(['include', 'top_logprobs'])
  expect(lost('gemini')).toEqual(['generationConfig.responseLogprobs', 'generationConfig.logprobs'])
})

test('the bytes of a token that is part of a character are those of its upstream', () => {
  const fox = [0xf0, 0x9f, 0xa6, 0x8a]
  const content = [fox.slice(0, 2), fox.slice(2)].map((bytes) => ({
    token: `bytes:${bytes.map((byte) => `\\x${byte.toString(16)}`).join('')}`,
    logprob: -0.1,
    bytes,
    top_logprobs: [],
  }))
  const { made } = exchange('openai-responses', 'openai-chat')
  const choice = { index: 0, message: { content: '🦊' }, logprobs: { content, refusal: null }, finish_reason: 'stop' }
  const body = made.response({ choices: [choice] }).body as Told
  expect(body.output![0]!.content[0]!.logprobs).toEqual(content)
})
