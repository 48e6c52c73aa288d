import { type ByteSink, type Clock, GwError } from '../../../lib/base/mod.ts'
import type { ProtocolId } from '../../../lib/protocol/mod.ts'
import type { Sending, Upstream } from '../../../lib/upstream/mod.ts'
import { upstreamFailure } from '../../../lib/protocol/mod.ts'

/** Text that an upstream sends, and how long after the step before it. */
export type Step = readonly [afterMs: number, text: string]

/** What one upstream does with a request, on the clock it is given. */
export interface Script {
  /** When its head comes; `null` never. */
  readonly headMs: number | null
  /** A status that is no success makes its steps the words of a refusal. */
  readonly status?: number
  readonly type?: string
  readonly steps: readonly Step[]
  /** What it sends behind its steps, and goes on sending, so many milliseconds apart. */
  readonly forever?: { readonly everyMs: number; text(i: number): string }
  /** How its body closes, right after the last step: whole, cut, or not at all. */
  readonly close?: 'end' | 'cut' | 'open'
}

/** Upstreams that answer by script, the first call with the first of them. Nothing leaves the process. */
export function scriptedUpstream(scripts: readonly Script[], clock: Clock) {
  const calls: { readonly body: string; readonly path: unknown; cancelled: boolean }[] = []
  const utf8 = new TextEncoder()
  const upstream: Upstream = {
    send(call): Sending {
      const script = scripts[calls.length]
      const seen = { body: new TextDecoder().decode(call.body ?? undefined), path: call.surface, cancelled: false }
      calls.push(seen)
      if (script === undefined) throw new GwError('internal', `nothing is scripted for call ${calls.length}`)
      const gone = new AbortController()
      const cancel = (): void => {
        seen.cancelled = true
        gone.abort()
      }
      return { reply: answer(script, gone.signal, cancel), cancel }
    },
  }

  async function answer(
    script: Script,
    gone: AbortSignal,
    cancel: () => void,
  ): Promise<Awaited<Sending['reply']>> {
    const { headMs, status = 200, type = 'text/event-stream', steps, forever, close = 'end' } = script
    try {
      await clock.sleep(headMs ?? Number.MAX_SAFE_INTEGER, gone)
    } catch {
      return { ok: false, failure: upstreamFailure('cancelled', 'gw gave up'), answer: null }
    }
    if (status >= 400) {
      const kind = status === 529 || status === 503 ? 'overloaded' : status === 400 ? 'invalid_request' : 'server_error'
      return { ok: false, failure: upstreamFailure(kind, steps.map(([, text]) => text).join('')), answer: null }
    }
    const headers = new Headers({ 'content-type': type })
    async function play(sink: ByteSink): Promise<void> {
      try {
        for (const [afterMs, text] of steps) {
          await clock.sleep(afterMs, gone)
          // In two pieces, cut where it hurts least and shows most.
          const bytes = utf8.encode(text)
          const half = bytes.length >> 1
          sink.chunk(bytes.slice(0, half))
          if (gone.aborted) return
          sink.chunk(bytes.slice(half))
        }
        for (let i = 0; forever && !gone.aborted; i++) {
          await clock.sleep(forever.everyMs, gone)
          sink.chunk(utf8.encode(forever.text(i)))
        }
      } catch {
        return
      }
      if (gone.aborted || close === 'open') return
      if (close === 'end') sink.end()
      else sink.fail(new GwError('upstream.unreachable', 'the connection broke off'))
    }
    return {
      ok: true,
      status,
      headers,
      length: null,
      body: { start: (sink) => void play(sink), pause() {}, resume() {}, cancel },
    }
  }
  return { upstream, calls }
}

/** What an upstream of a protocol can say, in its own words. Its ids hold `faraway`, which no caller may see. */
export interface Speech {
  /** Every event before content. */
  readonly handshake: string
  readonly text: string
  readonly tool: string
  readonly end: string
  readonly toolEnd: string
  /** An error inside a stream that began well. */
  readonly overload: string
  /** The answer as one JSON document. */
  readonly whole: string
}

/** 1,203 tokens in, 200 of them cached, 7 out: what every answer of these upstreams costs. */
export const spent = { inputTokens: 1203, cachedInputTokens: 200, outputTokens: 7 } as const

const sse = (data: object): string => `data: ${JSON.stringify(data)}\n\n`
const named = (data: { readonly type: string }): string => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const args = '{"note":"grüße"}'

function chat(n: number): Speech {
  const chunk = (delta: object, finish_reason: string | null = null): string =>
    sse({
      id: `chatcmpl-faraway${n}`,
      object: 'chat.completion.chunk',
      created: n,
      model: 'up-model',
      choices: [{ index: 0, delta, finish_reason }],
    })
  const usage = {
    prompt_tokens: 1203,
    completion_tokens: 7,
    total_tokens: 1210,
    prompt_tokens_details: { cached_tokens: 200 },
  }
  const close = sse({
    id: `chatcmpl-faraway${n}`,
    object: 'chat.completion.chunk',
    created: n,
    model: 'up-model',
    choices: [],
    usage,
  }) + 'data: [DONE]\n\n'
  return {
    handshake: chunk({ role: 'assistant', content: '' }),
    text: chunk({ content: 'grüße ' }) + chunk({ content: '🦊' }),
    tool:
      chunk({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'note', arguments: '' } }] }) +
      chunk({ tool_calls: [{ index: 0, function: { arguments: args } }] }),
    end: chunk({}, 'stop') + close,
    toolEnd: chunk({}, 'tool_calls') + close,
    overload: sse({ error: { message: 'overloaded', type: 'server_error', code: 'server_is_overloaded' } }),
    whole: JSON.stringify({
      id: `chatcmpl-faraway${n}`,
      object: 'chat.completion',
      created: n,
      model: 'up-model',
      choices: [{ index: 0, message: { role: 'assistant', content: 'grüße 🦊' }, finish_reason: 'stop' }],
      usage,
    }),
  }
}

function messages(n: number): Speech {
  const message = {
    id: `msg_faraway${n}`,
    type: 'message',
    role: 'assistant',
    model: 'up-model',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 1003, cache_read_input_tokens: 200, cache_creation_input_tokens: 0, output_tokens: 1 },
  }
  const block = (start: object, ...deltas: object[]): string =>
    named({ type: 'content_block_start', index: 0, content_block: start } as never) +
    deltas.map((delta) => named({ type: 'content_block_delta', index: 0, delta } as never)).join('') +
    named({ type: 'content_block_stop', index: 0 } as never)
  const end = (stop_reason: string): string =>
    named(
      { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 7 } } as never,
    ) +
    named({ type: 'message_stop' })
  return {
    handshake: named({ type: 'message_start', message } as never) + named({ type: 'ping' }),
    text: block(
      { type: 'text', text: '' },
      { type: 'text_delta', text: 'grüße ' },
      { type: 'text_delta', text: '🦊' },
    ),
    tool: block(
      { type: 'tool_use', id: 'call_1', name: 'note', input: {} },
      { type: 'input_json_delta', partial_json: args },
    ),
    end: end('end_turn'),
    toolEnd: end('tool_use'),
    overload: named({ type: 'error', error: { type: 'overloaded_error', message: 'overloaded' } } as never),
    whole: JSON.stringify({
      ...message,
      content: [{ type: 'text', text: 'grüße 🦊' }],
      stop_reason: 'end_turn',
      usage: { ...message.usage, output_tokens: 7 },
    }),
  }
}

function responses(n: number): Speech {
  const running = {
    id: `resp_faraway${n}`,
    object: 'response',
    created_at: n,
    model: 'up-model',
    status: 'in_progress',
  }
  const usage = {
    input_tokens: 1203,
    input_tokens_details: { cached_tokens: 200 },
    output_tokens: 7,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 1210,
  }
  const content = { type: 'output_text', text: 'grüße 🦊', annotations: [] }
  const item = { id: 'msg_item', type: 'message', role: 'assistant', status: 'completed', content: [content] }
  const call = {
    id: 'fc_item',
    type: 'function_call',
    call_id: 'call_1',
    name: 'note',
    arguments: args,
    status: 'completed',
  }
  const events = (first: number, ...list: object[]): string =>
    list.map((event, i) => named({ ...event, sequence_number: first + i } as never)).join('')
  const place = { item_id: 'msg_item', output_index: 0, content_index: 0 }
  const done = (output: object[]) => ({ ...running, status: 'completed', output, usage })
  return {
    handshake: events(
      0,
      { type: 'response.created', response: { ...running, output: [] } },
      { type: 'response.in_progress', response: { ...running, output: [] } },
    ),
    text: events(
      2,
      { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress', content: [] } },
      { type: 'response.content_part.added', ...place, part: { ...content, text: '' } },
      { type: 'response.output_text.delta', ...place, delta: 'grüße ' },
      { type: 'response.output_text.delta', ...place, delta: '🦊' },
      { type: 'response.output_text.done', ...place, text: content.text },
      { type: 'response.content_part.done', ...place, part: content },
      { type: 'response.output_item.done', output_index: 0, item },
    ),
    tool: events(
      2,
      { type: 'response.output_item.added', output_index: 0, item: { ...call, arguments: '', status: 'in_progress' } },
      { type: 'response.function_call_arguments.delta', item_id: 'fc_item', output_index: 0, delta: args },
      { type: 'response.function_call_arguments.done', item_id: 'fc_item', output_index: 0, arguments: args },
      { type: 'response.output_item.done', output_index: 0, item: call },
    ),
    end: events(9, { type: 'response.completed', response: done([item]) }),
    toolEnd: events(6, { type: 'response.completed', response: done([call]) }),
    overload: events(2, {
      type: 'response.failed',
      response: { ...running, status: 'failed', error: { code: 'server_is_overloaded', message: 'overloaded' } },
    }),
    whole: JSON.stringify(done([item])),
  }
}

function content(n: number): Speech {
  const piece = (parts: object[], finishReason?: string): object => ({
    candidates: [{
      content: { parts, role: 'model' },
      ...(finishReason === undefined ? {} : { finishReason }),
      index: 0,
    }],
    usageMetadata: {
      promptTokenCount: 1203,
      cachedContentTokenCount: 200,
      ...(finishReason === undefined ? {} : { candidatesTokenCount: 5, thoughtsTokenCount: 2 }),
      totalTokenCount: finishReason === undefined ? 1203 : 1210,
    },
    modelVersion: 'up-model',
    responseId: `faraway${n}`,
  })
  return {
    handshake: sse(piece([{ text: '' }])),
    text: sse(piece([{ text: 'grüße ' }])) + sse(piece([{ text: '🦊' }])),
    tool: sse(piece([{ functionCall: { name: 'note', args: JSON.parse(args) } }])),
    end: sse(piece([{ text: '' }], 'STOP')),
    toolEnd: sse(piece([{ text: '' }], 'STOP')),
    overload: sse({ error: { code: 503, message: 'overloaded', status: 'UNAVAILABLE' } }),
    whole: JSON.stringify(piece([{ text: 'grüße 🦊' }], 'STOP')),
  }
}

/** The n-th upstream of a protocol. */
export const speech: Readonly<Record<ProtocolId, (n: number) => Speech>> = {
  'openai-chat': chat,
  'openai-responses': responses,
  'anthropic-messages': messages,
  'gemini': content,
}
