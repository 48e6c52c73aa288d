import type { Json } from '../../../lib/base/mod.ts'
import type { Exchange, Step } from '../../support/fake-upstream.ts'
import type { TestGateway } from '../../support/gateway.ts'

export type Protocol = 'openai-chat' | 'openai-responses' | 'anthropic-messages'

/** What one surface looks like from both sides. */
export interface Surface {
  readonly protocol: Protocol
  readonly path: string
  readonly body: Record<string, unknown>
  readonly whole: unknown
  readonly empty: unknown
  /** Events of a stream, name and data. */
  readonly events: readonly (readonly [name: string | undefined, data: unknown])[]
  /** The opening of a stream, without content, and an error in it. */
  readonly broken: readonly (readonly [name: string | undefined, data: unknown])[]
}

export const said = 'all is well'
const chatChunk = (delta: unknown, finish: string | null = null) => ({
  id: 'c',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
})
const response = (status: string, output: unknown) => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  model: 'm',
  status,
  output,
  usage: { input_tokens: 1, output_tokens: 3, total_tokens: 4 },
})
const message = (content: unknown, output: number) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content,
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: output },
})
const item = { id: 'i', type: 'message', role: 'assistant', status: 'completed' }
const spoken = [{ ...item, content: [{ type: 'output_text', text: said, annotations: [] }] }]

export const surfaces: readonly Surface[] = [
  {
    protocol: 'openai-chat',
    path: '/v1/chat/completions',
    body: { messages: [{ role: 'user', content: 'hi' }] },
    whole: {
      ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
      choices: [{ index: 0, message: { role: 'assistant', content: said }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4 },
    },
    empty: {
      ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
      choices: [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 0, total_tokens: 1 },
    },
    events: [
      [undefined, chatChunk({ role: 'assistant', content: '' })],
      [undefined, chatChunk({ content: said })],
      [undefined, chatChunk({}, 'stop')],
      [undefined, '[DONE]'],
    ],
    broken: [
      [undefined, chatChunk({ role: 'assistant', content: '' })],
      [undefined, { error: { message: 'The server had an error', type: 'server_error', code: null } }],
    ],
  },
  {
    protocol: 'openai-responses',
    path: '/v1/responses',
    body: { input: 'hi' },
    whole: response('completed', spoken),
    empty: { ...response('completed', []), usage: { input_tokens: 1, output_tokens: 0, total_tokens: 1 } },
    events: [
      ['response.created', { type: 'response.created', sequence_number: 0, response: response('in_progress', []) }],
      ...spoken.flatMap(({ content: [part], ...opened }) => {
        const at = { item_id: opened.id, output_index: 0 }
        const empty = { ...part!, text: '' }
        return [
          {
            type: 'response.output_item.added',
            output_index: 0,
            item: { ...opened, status: 'in_progress', content: [] },
          },
          { type: 'response.content_part.added', ...at, content_index: 0, part: empty },
          { type: 'response.output_text.delta', ...at, content_index: 0, delta: said, logprobs: [] },
          { type: 'response.output_text.done', ...at, content_index: 0, text: said, logprobs: [] },
          { type: 'response.content_part.done', ...at, content_index: 0, part },
          { type: 'response.output_item.done', output_index: 0, item: spoken[0] },
          { type: 'response.completed', response: response('completed', spoken) },
        ].map((event, i) => [event.type, { ...event, sequence_number: i + 1 }] as const)
      }),
    ],
    broken: [
      ['response.created', { type: 'response.created', sequence_number: 0, response: response('in_progress', []) }],
      ['response.failed', {
        type: 'response.failed',
        sequence_number: 1,
        response: { ...response('failed', []), error: { code: 'server_error', message: 'The server had an error' } },
      }],
    ],
  },
  {
    protocol: 'anthropic-messages',
    path: '/v1/messages',
    body: { max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] },
    whole: message([{ type: 'text', text: said }], 3),
    empty: message([], 0),
    events: [
      ['message_start', { type: 'message_start', message: { ...message([], 0), stop_reason: null } }],
      ['content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
      ['content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: said } }],
      ['content_block_stop', { type: 'content_block_stop', index: 0 }],
      ['message_delta', { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } }],
      ['message_stop', { type: 'message_stop' }],
    ],
    broken: [
      ['message_start', { type: 'message_start', message: { ...message([], 0), stop_reason: null } }],
      ['error', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }],
    ],
  },
]

export const well = (surface: Surface): Step => async (exchange) => {
  const asked = JSON.parse(new TextDecoder().decode(exchange.request.body)) as { stream?: boolean }
  if (asked.stream !== true) return exchange.json(surface.whole)
  await play(exchange, surface.events)
}

export async function play(exchange: Exchange, events: Surface['events']): Promise<void> {
  await exchange.sse()
  for (const [name, data] of events) await exchange.event(data, name)
  await exchange.end()
}

export const refusal = (status: number, type: string, headers: Record<string, string> = {}): Step => (exchange) =>
  exchange.json({ type: 'error', error: { type, message: `said ${type}`, code: type } }, { status, headers })

/** Three accounts of two providers in a pool; the first is tried first. */
export function pool(urls: readonly [string, string, string], protocol: Protocol): Record<string, Json> {
  const base = (url: string) => protocol === 'anthropic-messages' ? url : `${url}/v1`
  const provider = (url: string): Json => ({
    protocol,
    base_url: base(url),
    auth: protocol === 'anthropic-messages' ? 'anthropic' : 'bearer',
    capabilities: ['chat'],
    models: { m: { context_tokens: 8_000, price: { input: 1, output: 2 } } },
  })
  return {
    'egress.allow_origins': urls.map((url) => new URL(url).origin),
    'limits.head_secs': 1,
    'routing.retry_budget': 1,
    'routing.strategy': 'priority',
    'routing.pools.mix': { members: ['red/m', 'blue/m'] },
    'providers.red': provider(urls[0]),
    'providers.blue': provider(urls[2]),
    'accounts.one': { provider: 'red', base_url: base(urls[0]), token_env: 'ONE', priority: 3 },
    'accounts.two': { provider: 'red', base_url: base(urls[1]), token_env: 'TWO', priority: 2 },
    'accounts.three': { provider: 'blue', base_url: base(urls[2]), token_env: 'THREE', priority: 1 },
  }
}

export const env = { ONE: 'sk-one-0123456789', TWO: 'sk-two-0123456789', THREE: 'sk-three-0123456789' }

export const ask = (
  gw: TestGateway,
  { path, body }: Surface,
  more: Record<string, unknown> = {},
  session = 'one',
): Promise<Response> =>
  fetch(`${gw.url}${path}`, {
    method: 'POST',
    headers: { 'x-api-key': gw.token, 'content-type': 'application/json', 'x-gw-session': session },
    body: JSON.stringify({ model: 'mix', ...body, ...more }),
  })

export interface Why {
  readonly sentence: string
  readonly outcome: string
  readonly attempts: readonly { readonly target: string; readonly failure: string | null }[]
  readonly plan: { readonly dropped: readonly { readonly target: string; readonly because: string }[] } | null
}

export async function why(gw: TestGateway, reply: Response): Promise<Why> {
  const id = reply.headers.get('x-gw-request-id')!
  const found = await fetch(`${gw.url}/api/route/why?request=${id}`, { headers: { 'x-api-key': gw.token } })
  if (found.status !== 200) throw new Error(await found.text())
  return await found.json() as Why
}
