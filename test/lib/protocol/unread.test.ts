import { expect, test } from 'bun:test'
import type { JsonObject } from '../../../lib/base/mod.ts'
import { type ProtocolId, translator } from '../../../lib/protocol/mod.ts'

/** An answer that tells more than gw reads, whole and as the events of its upstream, and where it does so. */
interface Telling {
  readonly whole: JsonObject
  readonly events: readonly JsonObject[]
  readonly paths: readonly string[]
}

const call = { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}', async: true }
const response = {
  id: 'r',
  service_tier: 'flex',
  tool_usage: { web_search: { num_requests: 1 } },
  tools: [{ type: 'x' }],
}
const use = { type: 'tool_use', id: 't1', name: 'f', input: {}, toolset_name: 'desk', caller: { type: 'direct' } }
const candidate = { index: 0, finishReason: 'STOP', safetyRatings: [{ probability: 'LOW' }], avgLogprobs: -0.1 }
const usageMetadata = {
  promptTokenCount: 2,
  promptTokensDetails: [{ modality: 'TEXT', tokenCount: 1 }, { modality: 'AUDIO', tokenCount: 1 }],
  candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: 1 }],
}

const tellings: Readonly<Record<ProtocolId, Telling>> = {
  'openai-chat': {
    whole: {
      system_fingerprint: 'fp',
      service_tier: 'flex',
      choices: [{ index: 0, message: { content: 'x', audio: { id: 'a' } }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, prompt_tokens_details: { cached_tokens: 1, audio_tokens: 1, image_tokens: 0 } },
    },
    events: [
      { service_tier: 'flex', system_fingerprint: 'fp', choices: [{ index: 0, delta: { content: 'x' } }] },
      { service_tier: 'flex', choices: [{ index: 0, delta: { audio: { id: 'a' } } }] },
      { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      { choices: [], usage: { prompt_tokens: 1, prompt_tokens_details: { audio_tokens: 1, image_tokens: 0 } } },
    ],
    paths: ['choices[0].message.audio', 'service_tier', 'usage.prompt_tokens_details.audio_tokens'],
  },
  'openai-responses': {
    whole: { ...response, output: [call] },
    events: [
      { type: 'response.created', response: { id: 'r' } },
      { type: 'response.output_item.added', output_index: 0, item: { ...call, arguments: '' } },
      { type: 'response.output_item.done', output_index: 0, item: call },
      { type: 'response.completed', response: { ...response, output: [] } },
    ],
    paths: ['output[0].async', 'service_tier', 'tool_usage'],
  },
  'anthropic-messages': {
    whole: {
      content: [use],
      container: { id: 'c' },
      stop_details: { type: 'refusal', category: 'x' },
      usage: { input_tokens: 1, service_tier: 'priority', inference_geo: 'not_available' },
    },
    events: [
      {
        type: 'message_start',
        message: { id: 'm', content: [], usage: { input_tokens: 1, service_tier: 'priority' } },
      },
      { type: 'content_block_start', index: 0, content_block: use },
      { type: 'content_block_stop', index: 0 },
      {
        type: 'message_delta',
        delta: { stop_reason: 'tool_use', container: { id: 'c' }, stop_details: { type: 'refusal', category: 'x' } },
        usage: { output_tokens: 1 },
      },
      { type: 'message_stop' },
    ],
    paths: ['container', 'content[0].toolset_name', 'stop_details', 'usage.service_tier'],
  },
  gemini: {
    whole: { candidates: [{ ...candidate, content: { parts: [{ text: 'x' }] } }], usageMetadata },
    events: [
      { candidates: [{ index: 0, content: { parts: [{ text: 'x' }] }, safetyRatings: [] }] },
      { candidates: [candidate], usageMetadata },
    ],
    paths: ['candidates[0].safetyRatings', 'usageMetadata.promptTokensDetails'],
  },
}

const asking: JsonObject = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }

for (const [upstream, { whole, events, paths }] of Object.entries(tellings)) {
  test(`what ${upstream} tells beside the answer is named, whole and streamed alike`, () => {
    const client = upstream === 'anthropic-messages' ? 'openai-chat' : 'anthropic-messages'
    const exchange = translator(client, upstream as ProtocolId, { id: 'x1', now: 0 })
    exchange.request(asking, { model: 'm' })
    const stream = exchange.stream()
    for (const event of events) stream.push(new TextEncoder().encode(`data: ${JSON.stringify(event)}\n\n`))
    stream.end()
    const sorted = (losses: readonly { readonly path: string }[]): string[] => losses.map(({ path }) => path).toSorted()
    expect(sorted(exchange.response(whole).losses)).toEqual([...paths])
    expect([stream.state, ...sorted(stream.losses)]).toEqual(['done', ...paths])
  })
}
