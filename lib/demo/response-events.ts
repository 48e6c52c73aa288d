import type { Frame } from './pace.ts'
import type { Body } from './read.ts'
import { pieces } from './tokens.ts'
import type { Ask, Turn } from './turn.ts'

/** What is the same in every object of one answer. */
export interface ResponseIdentity {
  readonly id: string
  /** Epoch seconds. */
  readonly created: number
  readonly model: string
  readonly newId: (prefix: string) => string
  /** The request's body: a response repeats its settings. */
  readonly body: Body
}

type Item = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string }

function itemsOf(turn: Turn, who: ResponseIdentity): Item[] {
  const text = turn.text.join('')
  const wantsEncrypted = Array.isArray(who.body['include']) &&
    who.body['include'].includes('reasoning.encrypted_content')
  return [
    ...(turn.reasoning === null ? [] : [{
      id: who.newId('rs_'),
      type: 'reasoning',
      summary: [{ type: 'summary_text', text: turn.reasoning }],
      ...(wantsEncrypted ? { encrypted_content: btoa(`demo:${turn.reasoning.length}`) } : {}),
    }]),
    ...(text === '' ? [] : [{
      id: who.newId('msg_'),
      type: 'message',
      status: turn.end === 'length' ? 'incomplete' : 'completed',
      role: 'assistant',
      content: [
        turn.refused
          ? { type: 'refusal', refusal: text }
          : { type: 'output_text', annotations: [], logprobs: [], text },
      ],
    }]),
    ...turn.calls.map(({ tool, input }) => ({
      id: who.newId(tool.kind === 'custom' ? 'ctc_' : 'fc_'),
      type: tool.kind === 'custom' ? 'custom_tool_call' : 'function_call',
      status: 'completed',
      call_id: who.newId('call_'),
      name: tool.name,
      ...(tool.namespace === undefined ? {} : { namespace: tool.namespace }),
      ...(tool.kind === 'custom' ? { input } : { arguments: input }),
    })),
  ]
}

function responseOf(ask: Ask, turn: Turn, who: ResponseIdentity, status: string, output: readonly Item[]): Item {
  const { body } = who
  const ended = status === 'completed' || status === 'incomplete'
  return {
    id: who.id,
    type: 'response',
    object: 'response',
    created_at: who.created,
    status,
    background: false,
    error: status === 'failed'
      ? { code: 'server_error', message: 'the demo upstream broke, as demo-break does' }
      : null,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: body['instructions'] ?? null,
    max_output_tokens: ask.maxTokens,
    metadata: body['metadata'] ?? {},
    model: who.model,
    output,
    parallel_tool_calls: ask.parallel,
    previous_response_id: null,
    reasoning: body['reasoning'] ?? { effort: null, summary: null },
    service_tier: 'default',
    store: body['store'] ?? true,
    temperature: body['temperature'] ?? 1,
    text: body['text'] ?? { format: { type: 'text' } },
    tool_choice: body['tool_choice'] ?? 'auto',
    tools: body['tools'] ?? [],
    top_p: body['top_p'] ?? 1,
    truncation: body['truncation'] ?? 'disabled',
    usage: ended
      ? {
        input_tokens: ask.inputTokens,
        input_tokens_details: { cached_tokens: ask.cachedTokens },
        output_tokens: turn.outputTokens,
        output_tokens_details: { reasoning_tokens: turn.reasoningTokens },
        total_tokens: ask.inputTokens + turn.outputTokens,
      }
      : null,
    user: null,
  }
}

const statusOf = (turn: Turn): string => turn.end === 'length' ? 'incomplete' : 'completed'

/** The whole answer as one `response`. */
export function response(ask: Ask, turn: Turn, who: ResponseIdentity): Record<string, unknown> {
  const { type: _, ...rest } = responseOf(ask, turn, who, statusOf(turn), itemsOf(turn, who))
  return rest
}

/** The event that breaks off a stream. */
export function responseFailed(ask: Ask, turn: Turn, who: ResponseIdentity, sequence: number): Frame {
  const { type: _, ...failed } = responseOf(ask, turn, who, 'failed', [])
  return {
    event: 'response.failed',
    data: { type: 'response.failed', sequence_number: sequence, response: failed },
  }
}

/** The answer as Responses events, numbered from 0. */
export function* responseEvents(ask: Ask, turn: Turn, who: ResponseIdentity): Iterable<Frame> {
  let sequence = 0
  const frame = (type: string, rest: Record<string, unknown>, generated = false): Frame => ({
    event: type,
    data: { type, sequence_number: sequence++, ...rest },
    generated,
  })
  const state = (type: string, status: string, output: readonly Item[] = []): Frame => {
    const { type: _, ...whole } = responseOf(ask, turn, who, status, output)
    return frame(type, { response: whole })
  }

  yield state('response.created', 'in_progress')
  yield state('response.in_progress', 'in_progress')
  const items = itemsOf(turn, who)
  for (const [output_index, item] of items.entries()) {
    const at = { item_id: item.id, output_index }
    yield frame('response.output_item.added', { output_index, item: opened(item) })
    if (item.type === 'reasoning') {
      const here = { ...at, summary_index: 0 }
      const text = turn.reasoning!
      yield frame('response.reasoning_summary_part.added', { ...here, part: { type: 'summary_text', text: '' } })
      for (const delta of pieces(text)) yield frame('response.reasoning_summary_text.delta', { ...here, delta }, true)
      yield frame('response.reasoning_summary_text.done', { ...here, text })
      yield frame('response.reasoning_summary_part.done', { ...here, part: { type: 'summary_text', text } })
    } else if (item.type === 'message') {
      const here = { ...at, content_index: 0 }
      const part = (item['content'] as readonly Readonly<Record<string, unknown>>[])[0]!
      const [name, key] = turn.refused ? ['response.refusal', 'refusal'] : ['response.output_text', 'text']
      const extra = turn.refused ? {} : { logprobs: [] }
      yield frame('response.content_part.added', { ...here, part: { ...part, [key]: '' } })
      for (const delta of turn.text) yield frame(`${name}.delta`, { ...here, delta, ...extra }, true)
      yield frame(`${name}.done`, { ...here, [key]: part[key], ...extra })
      yield frame('response.content_part.done', { ...here, part })
    } else {
      const custom = item.type === 'custom_tool_call'
      const key = custom ? 'input' : 'arguments'
      const name = custom ? 'response.custom_tool_call_input' : 'response.function_call_arguments'
      const input = item[key] as string
      for (const delta of pieces(input)) yield frame(`${name}.delta`, { ...at, delta }, true)
      yield frame(`${name}.done`, { ...at, [key]: input, ...(custom ? {} : { name: item['name'] }) })
    }
    yield frame('response.output_item.done', { output_index, item })
  }
  yield state(`response.${statusOf(turn)}`, statusOf(turn), items)
}

/** An item as it looks when it is announced: nothing in it yet. */
function opened(item: Item): Item {
  if (item.type === 'reasoning') return { ...item, summary: [] }
  if (item.type === 'message') return { ...item, status: 'in_progress', content: [] }
  return { ...item, status: 'in_progress', ...('input' in item ? { input: '' } : { arguments: '' }) }
}
