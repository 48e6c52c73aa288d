import { describe, expect, test } from 'bun:test'
import { tellings } from './lies.ts'
import { play, type Speaker, speakers } from './play.ts'

// Upstreams that never come to an end: fast ones run into a bound of bytes, slow ones into a bound of time.

const limits = {
  eventBytes: 32 * 1024,
  replyBytes: 64 * 1024,
  streamBytes: 256 * 1024,
  idleMs: 20_000,
  keepAliveMs: 5000,
}

const sse = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`
const named = (data: { readonly type: string } & Record<string, unknown>): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const long = 'x'.repeat(8000)
const done = 'data: [DONE]\n\n'

interface Endless {
  /** Events before it begins. */
  readonly begin: readonly string[]
  readonly text: (i: number) => string
  /** Whether it shows only that it is alive, so that time alone ends it. */
  readonly wordless: boolean
  /** Not told from words where it is passed on as it is. */
  readonly unread?: true
}

const chat = (delta: object): string =>
  sse({
    id: 'chatcmpl-faraway',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: null }],
  })
const place = { item_id: 'msg_1', output_index: 0, content_index: 0 }
const argsOf = (i: number, text: string): string =>
  named({
    type: 'response.function_call_arguments.delta',
    sequence_number: 12 + i,
    item_id: 'fc_1',
    output_index: 1,
    delta: text,
  })
const pieces = (parts: object[]): string =>
  sse({ candidates: [{ content: { parts, role: 'model' }, index: 0 }], responseId: 'faraway' })

/** How many events of the honest telling come before its first words, its second ones, and the arguments of its call. */
const marks: Readonly<Record<Speaker, { readonly words: number; readonly args: number }>> = {
  'openai-chat': { words: 2, args: 4 },
  'openai-responses': { words: 5, args: 11 },
  'anthropic-messages': { words: 3, args: 7 },
  'gemini': { words: 1, args: 1 },
}

const deltas: Readonly<Record<Speaker, (i: number, text: string) => string>> = {
  'openai-chat': (_, content) => chat({ content }),
  'openai-responses': (i, delta) =>
    named({ type: 'response.output_text.delta', sequence_number: 5 + i, ...place, delta }),
  'anthropic-messages': (_, text) =>
    named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
  'gemini': (_, text) => pieces([{ text }]),
}
const args: Readonly<Record<Speaker, (i: number) => string>> = {
  'openai-chat': () => chat({ tool_calls: [{ index: 0, function: { arguments: long } }] }),
  'openai-responses': (i) => argsOf(i, long),
  'anthropic-messages': () =>
    named({ type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: long } }),
  'gemini': () => pieces([{ functionCall: { name: 'note', args: { note: long } } }]),
}
const calls: Readonly<Record<Speaker, (i: number) => string>> = {
  'openai-chat': (i) =>
    chat({
      tool_calls: [{ index: i + 1, id: `c${i}`, type: 'function', function: { name: 'note', arguments: '{}' } }],
    }),
  'openai-responses': (i) =>
    named({
      type: 'response.output_item.added',
      sequence_number: 5 + i,
      output_index: i + 1,
      item: { id: `fc${i}`, type: 'function_call', call_id: `c${i}`, name: 'note', arguments: '' },
    }),
  'anthropic-messages': (i) =>
    named({
      type: 'content_block_start',
      index: i + 1,
      content_block: { type: 'tool_use', id: `c${i}`, name: 'note', input: {} },
    }),
  'gemini': () => pieces([{ functionCall: { name: 'note', args: {} } }]),
}

function endless(upstream: Speaker): Readonly<Record<string, Endless>> {
  const { honest } = tellings[upstream]
  const { words, args: called } = marks[upstream]
  const said = honest.slice(0, words)
  const delta = deltas[upstream]
  const event = upstream === 'anthropic-messages' ? 'event: content_block_delta\n' : ''
  return {
    'comments before the answer': { begin: [], text: () => ': still here\n\n', wordless: true },
    'comments in the answer': { begin: said, text: () => ': still here\n\n', wordless: true },
    'blank lines before the answer': { begin: [], text: () => '\n\n', wordless: true },
    'blank lines in the answer': { begin: said, text: () => '\n\n', wordless: true },
    'spaces in the answer': { begin: said, text: () => '    ', wordless: true },
    'events that nobody knows': { begin: said, text: () => ': x\n\nid: 1\n\n', wordless: true },
    'empty deltas': { begin: said, text: (i) => delta(i, ''), wordless: true, unread: true },
    'an event without an end': {
      begin: said,
      text: (i) => (i === 0 ? `${event}data: {"x":"` : '') + long,
      wordless: false,
    },
    'lines without an event': { begin: said, text: () => ': a line\n', wordless: true },
    'words': { begin: said, text: (i) => delta(i, long), wordless: false },
    'arguments': { begin: honest.slice(0, called), text: args[upstream], wordless: false },
    'calls': { begin: said, text: (i) => calls[upstream](i), wordless: false },
  }
}

const proxyOf = (upstream: Speaker): Speaker => upstream === 'openai-chat' ? 'anthropic-messages' : 'openai-chat'

for (const upstream of speakers) {
  for (const caller of speakers) {
    describe(`${caller} over ${upstream}`, () => {
      for (const [title, { begin, text, wordless, unread }] of Object.entries(endless(upstream))) {
        for (const headMs of [0, 6000]) {
          for (const fast of [true, false]) {
            // What is said forever and slowly is a long answer.
            if (!fast && (!wordless || (unread && caller === upstream))) continue
            // The clock is the same for all: one translated caller stands for the others.
            if (caller !== upstream && caller !== proxyOf(upstream) && (!fast || headMs > 0)) continue
            const opened = headMs > 0 ? ' in a stream that gw began' : ''
            test(`endless ${title}, ${fast ? 'fast' : 'slow'},${opened} end in an error`, async () => {
              const many = wordless ? 400 : title === 'calls' ? 20 : 1
              const played = await play(caller, upstream, [{
                headMs,
                steps: begin.map((event) => [1, event] as const),
                forever: fast
                  ? { everyMs: 10, text: (i) => Array.from({ length: many }, (_, k) => text(i * many + k)).join('') }
                  : { everyMs: 1000, text },
              }], limits)
              expect(played.cancelled, 'the upstream is let go').toBe(true)
              expect(['truncated', 'failed']).toContain(played.record.outcome)
              // A chat that gw began ends in [DONE] all the same.
              const heard = played.text.endsWith(done) ? played.text.slice(0, -done.length) : played.text
              const last = heard.slice(heard.lastIndexOf('\n\n', heard.length - 3) + 1).trimStart()
              expect(last).toMatch(/^(event: (error|response\.failed)\n)?data: .*"(?:type":")?error"|^\{.*"error":/)
              expect(last).not.toMatch(/message_stop|response\.completed|"finishReason":"STOP"/)
              // Nothing is passed on for ever either.
              expect(played.text.length).toBeLessThan(8 * 1024 * 1024)
            }, 20_000)
          }
        }
      }
    })
  }
}
