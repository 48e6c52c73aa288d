import type { ProtocolId } from '../../../lib/protocol/mod.ts'

/** What an upstream says that cannot be true, or is odd and true all the same. */
export interface Telling {
  readonly title: string
  /** Its events, each whole unless it is garbage. */
  readonly events: readonly string[]
  /** How its connection closes behind them; absent is that it stays open, for the gateway to close. */
  readonly close?: 'end' | 'cut'
}

/** The tellings of one protocol. */
export interface Tellings {
  /** A whole answer: some text and a call of a tool. */
  readonly honest: readonly string[]
  /** Each must end in the caller's error event. */
  readonly lies: readonly Telling[]
  /** What weak upstreams, clouds and other gateways really send. Each must pass. */
  readonly weak: readonly Telling[]
}

type Event = { readonly type: string } & Readonly<Record<string, unknown>>

const sse = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`
const named = (data: Event): string => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`

/** The list with its `n`-th event twice. */
const doubled = (events: readonly string[], n: number): string[] => events.toSpliced(n, 0, events[n]!)
/** The list with two neighbours the other way round. */
const swapped = (events: readonly string[], n: number): string[] => events.toSpliced(n, 2, events[n + 1]!, events[n]!)
/** The list with something put before its `n`-th event. */
const withAt = (events: readonly string[], n: number, ...more: string[]): string[] => events.toSpliced(n, 0, ...more)
const without = (events: readonly string[], ...which: number[]): string[] => events.filter((_, i) => !which.includes(i))

const garbage: readonly (readonly [title: string, event: string])[] = [
  ['garbage', 'data: {{{{\n\n'],
  ['a web page', 'data: <html><body>busy</body></html>\n\n'],
  ['a list', 'data: [1, 2]\n\n'],
]

// ---- chat ---------------------------------------------------------------------------------------------------------

const chunk = (delta: object, finish_reason: string | null = null, more: object = {}): object => ({
  id: 'chatcmpl-faraway',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'up-model',
  choices: [{ index: 0, delta, finish_reason }],
  ...more,
})
const usage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 }
const counted = sse(chunk({}, null, { choices: [], usage }))
const done = 'data: [DONE]\n\n'
const chatCall = { index: 0, id: 'call_1', type: 'function', function: { name: 'note', arguments: '{"note":' } }
const chat = [
  sse(chunk({ role: 'assistant', content: '' })),
  sse(chunk({ content: 'one ' })),
  sse(chunk({ content: 'two' })),
  sse(chunk({ tool_calls: [chatCall] })),
  sse(chunk({ tool_calls: [{ index: 0, function: { arguments: '"x"}' } }] })),
  sse(chunk({}, 'tool_calls')),
  counted,
  done,
]
const plainChat = [chat[0]!, chat[1]!, chat[2]!, sse(chunk({}, 'stop')), counted, done]
/** As Python's encoder writes it. */
const spaced = (event: string): string => event.replaceAll('":', '": ').replaceAll(',"', ', "')

const chatTellings: Tellings = {
  honest: chat,
  lies: [
    ...garbage.map(([title, event]) => ({ title, events: withAt(chat, 2, event) })),
    { title: 'half an event', events: withAt(chat, 2, 'data: {"id":"chatcmpl-faraway","choices":[{"ind\n\n') },
    { title: 'words behind the finish', events: withAt(plainChat, 4, chat[2]!) },
    { title: 'words behind the finish, as Python writes them', events: withAt(plainChat, 4, chat[2]!).map(spaced) },
    { title: 'a call behind the finish', events: withAt(plainChat, 4, chat[3]!) },
    { title: 'a second stream behind the first', events: [...plainChat.slice(0, -1), ...plainChat] },
    { title: 'the finish before the words', events: swapped(plainChat, 2) },
    { title: 'no finish and no end', events: plainChat.slice(0, 3), close: 'end' },
    { title: 'no finish, and the connection breaks', events: plainChat.slice(0, 3), close: 'cut' },
  ],
  weak: [
    { title: 'comments, unknown events and empty data', events: withAt(chat, 2, ': hm\n\n', 'data:\n\n', 'id: 7\n\n') },
    { title: 'JSON as Python writes it', events: chat.map(spaced) },
    { title: 'lines that end in CR LF', events: chat.map((event) => event.replaceAll('\n', '\r\n')) },
    { title: 'no [DONE]', events: plainChat.slice(0, 4), close: 'end' },
    { title: '[DONE] without a finish', events: without(plainChat, 3) },
    {
      title: '[DONE] and no finish_reason anywhere',
      events: without(plainChat, 3).map((event) => event.replaceAll(',"finish_reason":null', '')),
    },
    {
      title: 'a finish in every chunk',
      events: plainChat.map((event) => event.replace('"finish_reason":null', '"finish_reason":"stop"')),
    },
    {
      title: 'an empty finish in every chunk',
      events: plainChat.map((event) => event.replace('"finish_reason":null', '"finish_reason":""')),
    },
    {
      title: 'the last words with the finish',
      events: [chat[0]!, chat[1]!, sse(chunk({ content: 'two' }, 'stop')), done],
    },
    {
      title: 'an empty delta with the usage behind the finish',
      events: [...plainChat.slice(0, 4), sse(chunk({}, null, { usage })), done],
    },
    { title: 'a role and no words behind the finish', events: [...plainChat.slice(0, 4), chat[0]!, done] },
    { title: 'the finish twice', events: doubled(plainChat, 3) },
    {
      title: 'another id in every chunk',
      events: plainChat.map((event, i) => event.replace('faraway', `faraway${i}`)),
    },
  ],
}

// ---- messages -----------------------------------------------------------------------------------------------------

const start = named({
  type: 'message_start',
  message: {
    id: 'msg_faraway',
    type: 'message',
    role: 'assistant',
    model: 'up-model',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 3, output_tokens: 1 },
  },
})
const begin = (index: number, content_block: object): string =>
  named({ type: 'content_block_start', index, content_block })
const more = (index: number, delta: object): string => named({ type: 'content_block_delta', index, delta })
const stop = (index: number): string => named({ type: 'content_block_stop', index })
const ending = (stop_reason: string | null): string =>
  named({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 5 } })
const over = named({ type: 'message_stop' })
const messages = [
  start,
  begin(0, { type: 'text', text: '' }),
  more(0, { type: 'text_delta', text: 'one ' }),
  more(0, { type: 'text_delta', text: 'two' }),
  stop(0),
  begin(1, { type: 'tool_use', id: 'call_1', name: 'note', input: {} }),
  more(1, { type: 'input_json_delta', partial_json: '{"note":' }),
  more(1, { type: 'input_json_delta', partial_json: '"x"}' }),
  stop(1),
  ending('tool_use'),
  over,
]
const messagesTellings: Tellings = {
  honest: messages,
  lies: [
    ...garbage.map(([title, event]) => ({ title, events: withAt(messages, 3, event) })),
    {
      title: 'half an event',
      events: withAt(messages, 3, 'event: content_block_delta\ndata: {"type":"content_bl\n\n'),
    },
    { title: 'a start of garbage', events: ['event: message_start\ndata: {"type":"mess\n\n', ...messages.slice(1)] },
    { title: 'no start', events: messages.slice(1) },
    { title: 'the start twice', events: doubled(messages, 0) },
    { title: 'a second start in the middle', events: withAt(messages, 3, start) },
    { title: 'a second stream behind the first', events: [...messages.slice(0, -1), ...messages] },
    { title: 'a block begun twice', events: doubled(messages, 1) },
    { title: 'a block twice', events: [...messages.slice(0, 5), ...messages.slice(1)] },
    {
      title: 'the blocks the other way round',
      events: [start, ...messages.slice(5, 9), ...messages.slice(1, 5), ...messages.slice(9)],
    },
    { title: 'a block without a beginning', events: without(messages, 1) },
    {
      title: 'a block that is none',
      events: withAt(messages, 5, 'event: content_block_start\ndata: {"type":"content_block_start","index":1}\n\n'),
    },
    { title: 'words behind the stop of their block', events: swapped(messages, 3) },
    { title: 'the stop of a block twice', events: doubled(messages, 4) },
    { title: 'the stop of a block that never began', events: withAt(messages, 5, stop(7)) },
    {
      title: 'a block behind the stop_reason',
      events: [...messages.slice(0, 5), ending('end_turn'), ...messages.slice(5)],
    },
    { title: 'words behind the stop_reason', events: swapped(swapped(without(messages, 5, 6, 7, 8), 4), 3) },
    { title: 'two reasons to stop', events: withAt(messages, 9, ending('max_tokens')) },
    { title: 'no end', events: messages.slice(0, -1), close: 'end' },
    { title: 'no end, and the connection breaks', events: messages.slice(0, 7), close: 'cut' },
  ],
  weak: [
    {
      title: 'comments, pings, unknown events and empty data',
      events: withAt(messages, 3, ': hm\n\n', named({ type: 'ping' }), named({ type: 'news', x: 1 }), 'data:\n\n'),
    },
    { title: 'lines that end in CR LF', events: messages.map((event) => event.replaceAll('\n', '\r\n')) },
    { title: 'events without names', events: messages.map((event) => event.replace(/^event: .*\n/, '')) },
    { title: 'blocks that never stop', events: without(messages, 4, 8) },
    {
      title: 'blocks that overlap',
      events: [
        start,
        messages[1]!,
        messages[5]!,
        messages[2]!,
        messages[6]!,
        messages[3]!,
        messages[7]!,
        stop(0),
        stop(1),
        ...messages.slice(9),
      ],
    },
    { title: 'a number left out', events: messages.map((event) => event.replace('"index":1', '"index":3')) },
    { title: 'no stop_reason', events: without(messages, 9) },
    { title: 'the same stop_reason twice', events: doubled(messages, 9) },
    { title: 'the usage in a message_delta of its own', events: withAt(messages, 9, ending(null)) },
    { title: 'the last stop behind the stop_reason', events: swapped(messages, 8) },
    { title: 'an empty block of text', events: withAt(messages, 9, begin(2, { type: 'text', text: '' }), stop(2)) },
    { title: 'a hosted block', events: withAt(messages, 9, begin(2, { type: 'x_result', content: [] }), stop(2)) },
  ],
}

// ---- responses ----------------------------------------------------------------------------------------------------

const running = {
  id: 'resp_faraway',
  object: 'response',
  created_at: 1,
  model: 'up-model',
  status: 'in_progress',
  output: [],
}
const text = { type: 'output_text', text: 'one two', annotations: [] }
const message = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [text] }
const call = {
  id: 'fc_1',
  type: 'function_call',
  call_id: 'call_1',
  name: 'note',
  arguments: '{"note":"x"}',
  status: 'completed',
}
const place = { item_id: 'msg_1', output_index: 0, content_index: 0 }
const callPlace = { item_id: 'fc_1', output_index: 1 }
const finished = {
  ...running,
  status: 'completed',
  output: [message, call],
  usage: { input_tokens: 3, output_tokens: 5, total_tokens: 8 },
}
const facts: readonly Event[] = [
  { type: 'response.created', response: running },
  { type: 'response.in_progress', response: running },
  { type: 'response.output_item.added', output_index: 0, item: { ...message, status: 'in_progress', content: [] } },
  { type: 'response.content_part.added', ...place, part: { ...text, text: '' } },
  { type: 'response.output_text.delta', ...place, delta: 'one ' },
  { type: 'response.output_text.delta', ...place, delta: 'two' },
  { type: 'response.output_text.done', ...place, text: 'one two' },
  { type: 'response.content_part.done', ...place, part: text },
  { type: 'response.output_item.done', output_index: 0, item: message },
  { type: 'response.output_item.added', output_index: 1, item: { ...call, arguments: '', status: 'in_progress' } },
  { type: 'response.function_call_arguments.delta', ...callPlace, delta: '{"note":' },
  { type: 'response.function_call_arguments.delta', ...callPlace, delta: '"x"}' },
  { type: 'response.function_call_arguments.done', ...callPlace, arguments: '{"note":"x"}' },
  { type: 'response.output_item.done', output_index: 1, item: call },
  { type: 'response.completed', response: finished },
]
const numbered = (list: readonly Event[], number: (i: number) => number | undefined = (i) => i): string[] =>
  list.map(({ type, ...rest }, i) => named({ type, sequence_number: number(i), ...rest }))
const responses = numbered(facts)
/** Without numbers, which would tell on their own. */
const bare = facts.map(named)
const ended = (response: unknown): string => named({ type: 'response.completed', response })

const responsesTellings: Tellings = {
  honest: responses,
  lies: [
    ...garbage.map(([title, event]) => ({ title, events: withAt(responses, 5, event) })),
    {
      title: 'half an event',
      events: withAt(responses, 5, 'event: response.output_text.delta\ndata: {"type":"response.outpu\n\n'),
    },
    { title: 'created twice', events: doubled(bare, 0) },
    { title: 'a second stream behind the first', events: [...responses.slice(0, -1), ...responses] },
    { title: 'a second stream behind the first, without numbers', events: [...bare.slice(0, -1), ...bare] },
    { title: 'a delta twice', events: doubled(responses, 4) },
    { title: 'a delta of a call twice', events: doubled(responses, 10) },
    { title: 'a delta behind its end', events: swapped(responses, 5) },
    { title: 'numbers that go back', events: numbered(facts, (i) => i < 8 ? i + 20 : i) },
    { title: 'an item added twice', events: doubled(bare, 2) },
    { title: 'an item that ends twice', events: doubled(bare, 8) },
    { title: 'words behind the end of their item', events: withAt(bare, 9, bare[5]!) },
    { title: 'arguments behind the end of their call', events: withAt(bare, 14, bare[11]!) },
    { title: 'completed without a response', events: [...bare.slice(0, -1), ended(undefined)] },
    { title: 'completed and failed', events: [...bare.slice(0, -1), ended({ ...finished, status: 'failed' })] },
    { title: 'cancelled', events: [...bare.slice(0, -1), named({ type: 'response.cancelled', response: running })] },
    {
      title: 'an end of garbage',
      events: [...bare.slice(0, -1), 'event: response.completed\ndata: {"type":"resp\n\n'],
    },
    { title: 'no end', events: responses.slice(0, -1), close: 'end' },
    { title: 'no end, and the connection breaks', events: responses.slice(0, 6), close: 'cut' },
  ],
  weak: [
    {
      title: 'comments, unknown events and empty data',
      events: withAt(responses, 5, ': hm\n\n', named({ type: 'news' }), 'data:\n\n'),
    },
    {
      title: 'signs of life under a number that was there',
      events: withAt(responses, 5, named({ type: 'keepalive', sequence_number: 4 })),
    },
    { title: 'lines that end in CR LF', events: responses.map((event) => event.replaceAll('\n', '\r\n')) },
    { title: 'events without names', events: responses.map((event) => event.replace(/^event: .*\n/, '')) },
    { title: 'no numbers', events: bare },
    { title: 'every number 0', events: numbered(facts, () => 0) },
    { title: 'some numbers 0', events: numbered(facts, (i) => i % 4 === 2 ? 0 : i) },
    { title: 'numbers left out', events: numbered(facts, (i) => i * 3) },
    { title: 'an event left out with its number', events: without(responses, 3, 7) },
    { title: 'no announcement', events: bare.slice(2) },
    { title: 'no ends of items', events: without(bare, 6, 7, 8, 12, 13) },
    { title: 'only whole items', events: [bare[0]!, bare[8]!, bare[13]!, bare[14]!] },
    { title: 'no places', events: bare.map((event) => event.replaceAll(/"output_index":\d,/g, '')) },
    {
      title: 'one index for all items',
      events: responses.map((event) => event.replaceAll('"output_index":1', '"output_index":0')),
    },
    { title: 'completed without a status', events: [...bare.slice(0, -1), ended({ ...finished, status: undefined })] },
  ],
}

// ---- gemini -------------------------------------------------------------------------------------------------------

const piece = (parts: object[], finishReason?: string, extra: object = {}): string =>
  sse({
    candidates: [{
      content: { parts, role: 'model' },
      ...(finishReason === undefined ? {} : { finishReason }),
      index: 0,
    }],
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 5, totalTokenCount: 8 },
    modelVersion: 'up-model',
    responseId: 'faraway',
    ...extra,
  })
const noteCall = { functionCall: { name: 'note', args: { note: 'x' } } }
const gemini = [
  piece([{ text: 'one ' }]),
  piece([{ text: 'two' }]),
  piece([noteCall]),
  piece([{ text: '' }], 'STOP'),
]

const geminiTellings: Tellings = {
  honest: gemini,
  lies: [
    ...garbage.map(([title, event]) => ({ title, events: withAt(gemini, 1, event) })),
    { title: 'half an event', events: withAt(gemini, 1, 'data: {"candidates":[{"content":{"par\n\n') },
    { title: 'words behind the finish', events: [...gemini, gemini[1]!], close: 'end' },
    { title: 'a call behind the finish', events: [...gemini, gemini[2]!], close: 'end' },
    { title: 'a second stream behind the first', events: [...gemini, ...gemini], close: 'end' },
    {
      title: 'another answer of one piece behind the first',
      events: [...gemini, piece([{ text: 'other' }], 'STOP', { responseId: 'other' })],
      close: 'end',
    },
    {
      title: 'a finish before the words, and none behind',
      events: [piece([], 'STOP'), ...gemini.slice(0, 2)],
      close: 'end',
    },
    { title: 'no finish', events: gemini.slice(0, 2), close: 'end' },
    { title: 'no finish, and the connection breaks', events: gemini.slice(0, 2), close: 'cut' },
  ],
  weak: [
    { title: 'comments and empty data', events: withAt(gemini, 1, ': hm\n\n', 'data:\n\n'), close: 'end' },
    { title: 'JSON as Python writes it', events: gemini.map(spaced), close: 'end' },
    { title: 'lines that end in CR LF', events: gemini.map((event) => event.replaceAll('\n', '\r\n')), close: 'end' },
    {
      title: 'a finish in every piece',
      events: gemini.map((event) => event.replace(',"index":0', ',"finishReason":"STOP","index":0')).with(
        3,
        gemini[3]!,
      ),
      close: 'end',
    },
    { title: 'an empty piece with a finish first', events: [piece([], 'STOP'), ...gemini], close: 'end' },
    {
      title: 'the last words with the finish, and the finish once more',
      events: [gemini[0]!, piece([{ text: 'two' }], 'STOP'), gemini[3]!],
      close: 'end',
    },
    {
      title: 'a signature behind the finish',
      events: [...gemini, piece([{ text: '', thoughtSignature: 'c2ln' }])],
      close: 'end',
    },
    {
      title: 'the usage behind the finish',
      events: [...gemini, piece([], undefined, { candidates: undefined })],
      close: 'end',
    },
    {
      title: 'no responseId',
      events: gemini.map((event) => event.replace(',"responseId":"faraway"', '')),
      close: 'end',
    },
    { title: '[DONE]', events: [...gemini, done], close: 'end' },
  ],
}

/** By the upstream that tells them. */
export const tellings: Readonly<Record<ProtocolId, Tellings>> = {
  'openai-chat': chatTellings,
  'openai-responses': responsesTellings,
  'anthropic-messages': messagesTellings,
  'gemini': geminiTellings,
}
