import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { JsonObject } from '../../../lib/base/mod.ts'
import { type ProtocolId, protocolIds, translator } from '../../../lib/protocol/mod.ts'
import { Reframe } from '../../../lib/protocol/reframe.ts'

const utf8 = new TextEncoder()
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

describe('words in a frame', () => {
  const reframe = (): Reframe =>
    new Reframe(
      'data: ',
      { gaps: [{ kind: 'text', before: '{"x":"' }], after: '","y":1}' },
      { gaps: [{ kind: 'text', before: '<' }], after: '>' },
    )
  const event = (words: string, behind = ''): string => `data: {"x":"${words}","y":1}\n${behind}\n`

  test.each([
    ['plain words', event('fox '), '<fox >', 4],
    ['several events', event('a') + event('b') + event('c'), '<a><b><c>', 3],
    ['escapes that everybody writes alike', event('\\n\\"\\\\\\t\\r\\b\\f'), '<\\n\\"\\\\\\t\\r\\b\\f>', 7],
    ['words beyond ASCII', event('Hé 中 🦊'), '<Hé 中 🦊>', 7],
    ['comments behind the words', event('a', ': still here\n:\n') + event('b'), '<a><b>', 2],
  ])('%s are carried over', (_, piece, expected, characters) => {
    const frame = reframe()
    const bytes = utf8.encode(piece)
    expect(text(frame.take(bytes, 0))).toBe(expected)
    expect(frame.taken).toBe(bytes.length)
    expect(frame.tell()).toEqual({ events: expected.split('<').length - 1, characters, text: '', number: -1 })
    expect(frame.told).toBe(true)
  })

  test.each([
    ['no words', event('')],
    ['an escape that is written in several ways', event('\\u00e9')],
    ['another one', event('a\\/b')],
    ['a control', event('a\tb')],
    ['something else in the event', 'data: {"x":"a","y":2}\n\n'],
    ['more data', event('a', 'data: b\n')],
    ['another field', event('a', 'id: 1\n')],
    ['a comment with a line of data in it', event('a', ': b\rdata: c\n')],
    ['lines that end in CRLF', event('a').replaceAll('\n', '\r\n')],
    ['half an event', event('a').slice(0, -1)],
    ['a string without an end', 'data: {"x":"abc'],
    ['an escape without an end', 'data: {"x":"abc\\'],
  ])('%s: left to who reads it, and what stands before it is carried', (_, piece) => {
    const frame = reframe()
    expect(text(frame.take(utf8.encode(piece), 0))).toBe('')
    expect(frame.taken).toBe(0)
    expect(text(frame.take(utf8.encode(event('ok') + piece), 0))).toBe('<ok>')
    expect(frame.taken).toBe(event('ok').length)
    expect(frame.tell()).toMatchObject({ characters: 2, events: 1 })
  })

  test('bytes that are no text are left to who decodes them', () => {
    const frame = reframe()
    const bytes = utf8.encode(event('abc'))
    bytes[bytes.indexOf(97)] = 0xff
    bytes.fill(0xff, 12, 13)
    expect(frame.take(bytes, 0)).toHaveLength(0)
    expect(frame).toMatchObject({ taken: 0, told: true })
  })

  describe('with a number', () => {
    const numbered = (): Reframe => {
      const frame = new Reframe(
        'event: x\ndata: ',
        {
          gaps: [
            { kind: 'number', before: '{"n":' },
            { kind: 'text', before: ',"x":"' },
            { kind: 'noise', before: '","z":"' },
          ],
          after: '"}',
          keeps: true,
        },
        { gaps: [{ kind: 'number', before: '(' }, { kind: 'text', before: ' ' }], after: ')' },
      )
      frame.follow(8, 98)
      return frame
    }
    const event = (number: number | string, words: string): string =>
      `event: x\ndata: {"n":${number},"x":"${words}","z":"${'noise \\u0041'.repeat(words.length)}"}\n\n`

    test('words are numbered anew, and kept where they are needed again', () => {
      const frame = numbered()
      const bytes = utf8.encode(event(9, 'a') + event(10, '\\n"'.slice(0, 2)) + event(1000, 'é🦊'))
      expect(text(frame.take(bytes, 0))).toBe('(98 a)(99 \\n)(100 é🦊)')
      expect(frame.tell()).toEqual({ events: 3, characters: 5, text: 'a\né🦊', number: 1000 })
      expect(text(frame.take(utf8.encode(event(1001, 'b')), 0))).toBe('(101 b)')
      expect(frame.tell()).toEqual({ events: 1, characters: 1, text: 'b', number: 1001 })
    })

    test.each(['8', '0', '09', '9.5', '9e1', '-9', '', '"9"', '9999999999999999'])('%s does not follow 8', (number) => {
      const frame = numbered()
      expect(frame.take(utf8.encode(event(number, 'a')), 0)).toHaveLength(0)
      expect(frame).toMatchObject({ taken: 0, told: true })
    })
  })
})

const bodies: Readonly<Record<string, JsonObject>> = {
  'openai-chat': { model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] },
  'anthropic-messages': { model: 'm', stream: true, max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] },
  'openai-responses': { model: 'm', stream: true, input: 'hi' },
  gemini: { model: 'm', stream: true, contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
}

/** One event with words, as a JSON string, of each kind of part. */
const says: Readonly<Record<string, (part: 'text' | 'call' | 'thought', words: string) => string>> = {
  'openai-chat'(part, words) {
    const delta = part === 'text'
      ? `{"content":${words}}`
      : part === 'thought'
      ? `{"reasoning_content":${words}}`
      : `{"tool_calls":[{"index":0,"function":{"arguments":${words}}}]}`
    return `data: {"id":"c","choices":[{"index":0,"delta":${delta},"finish_reason":null}]}\n`
  },
  'anthropic-messages'(part, words) {
    const [index, delta] = part === 'text'
      ? [1, `{"type":"text_delta","text":${words}}`]
      : part === 'thought'
      ? [0, `{"type":"thinking_delta","thinking":${words}}`]
      : [2, `{"type":"input_json_delta","partial_json":${words}}`]
    return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":${delta}}\n`
  },
  'openai-responses'(part, words) {
    const [type, place] = part === 'text'
      ? ['response.output_text', '"item_id":"m","output_index":1,"content_index":0']
      : part === 'thought'
      ? ['response.reasoning_summary_text', '"item_id":"r","output_index":0,"summary_index":0']
      : ['response.function_call_arguments', '"item_id":"f","output_index":2']
    const noise = part === 'text' ? `,"logprobs":[],"obfuscation":"${'x'.repeat(words.length % 7)}"` : ''
    return `event: ${type}.delta\ndata: {"type":"${type}.delta","sequence_number":#,${place},"delta":${words}${noise}}\n`
  },
}

const responsesEvent = (type: string, rest: string): string =>
  `event: ${type}\ndata: {"type":"${type}","sequence_number":#,${rest}}\n\n`

/** What comes before, between and behind the words. */
const around: Readonly<Record<string, readonly [string, string, string, string]>> = {
  'openai-chat': [
    'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n',
    '',
    'data: {"id":"c","choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":' +
    '{"url":"https://a.example","title":"A","start_index":0,"end_index":2}}]},"finish_reason":null}]}\n\n' +
    'data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","function":{"name":"f","arguments":""}}]}}]}\n\n',
    'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n',
  ],
  'anthropic-messages': [
    'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":3}}}\n\n' +
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}\n\n',
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n' +
    'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}\n\n',
    // Where it ends is told by how much of the text has gone by.
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":' +
    '{"type":"web_search_result_location","url":"https://a.example","title":"A","cited_text":"a","encrypted_index":"b"}}}\n\n' +
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n' +
    'event: content_block_start\ndata: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}\n\n',
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":2}\n\n' +
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}\n\n' +
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
  ],
  'openai-responses': [
    responsesEvent('response.created', '"response":{"id":"r","model":"m"}') +
    responsesEvent('response.output_item.added', '"output_index":0,"item":{"id":"r","type":"reasoning","summary":[]}'),
    responsesEvent(
      'response.output_item.added',
      '"output_index":1,"item":{"id":"m","type":"message","role":"assistant","content":[]}',
    ),
    responsesEvent(
      'response.output_text.annotation.added',
      '"item_id":"m","output_index":1,"content_index":0,"annotation_index":0,"annotation":' +
        '{"type":"url_citation","url":"https://a.example","title":"A","start_index":0,"end_index":2}',
    ) +
    responsesEvent(
      'response.output_item.added',
      '"output_index":2,"item":{"id":"f","type":"function_call","call_id":"t1","name":"f","arguments":""}',
    ),
    responsesEvent('response.completed', '"response":{"id":"r","model":"m","status":"completed","output":[]}'),
  ],
}

function heard(client: ProtocolId, upstream: ProtocolId, chunks: Iterable<Uint8Array>): string {
  const exchange = translator(client, upstream, { id: 'x', now: 0 })
  exchange.request(bodies[client]!, { model: 'm' })
  const stream = exchange.stream()
  const out = [...chunks].flatMap((chunk) => [...stream.push(chunk)])
  return text(Buffer.concat([...out, ...stream.end()]))
}

/** Words as some upstream writes them: as they are, or with more escapes than it needs. */
const wordsOf = fc.tuple(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('', ' ', '\n', '"', '\\', '/'),
  fc.boolean(),
)
  .map(([start, end, escaped]) => {
    const words = JSON.stringify(start + end)
    return !escaped ? words : words.replaceAll('/', '\\/').replace(
      /[^ -~]/gu,
      (sign) =>
        [...Array(sign.length).keys()].map((i) => `\\u${sign.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
    )
  })
const eventsOf = fc.array(
  fc.tuple(
    fc.constantFrom('text' as const, 'call' as const, 'thought' as const),
    wordsOf,
    fc.constantFrom('', '', '', ': hm\n'),
  ),
  { minLength: 4, maxLength: 60 },
)
const order = { thought: 0, text: 1, call: 2 }

for (const upstream of ['openai-chat', 'anthropic-messages', 'openai-responses'] as const) {
  for (const client of protocolIds) {
    test(`from ${upstream} to ${client}: what is carried over is what would have been written`, () => {
      fc.assert(
        fc.property(
          eventsOf,
          fc.array(fc.nat(9000), { maxLength: 12 }),
          fc.option(fc.integer({ min: 2, max: 60 })),
          (said, cuts, twice) => {
            const parts = [...said, ['text', '"ok"', ''] as const].toSorted(([a], [b]) => order[a] - order[b])
            /** The stream; with a line in each event that no frame has, each event is read. */
            const wire = (line: string): Uint8Array => {
              const events = (of: string): string =>
                parts.filter(([part]) => part === of)
                  .map(([part, words, comment]) => `${line}${says[upstream]!(part, words)}${comment}\n`).join('')
              const [before, text, call, after] = around[upstream]!
              let number = 0
              const all = `${before}${events('thought')}${text}${events('text')}${call}${events('call')}${after}`
              const next = (): string => String(++number === twice ? number - 1 : number)
              return utf8.encode(all.replace(/(?<="sequence_number":)#/g, next))
            }
            const bytes = wire('')
            const at = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length]
            const expected = heard(client, upstream, [wire('retry: 1\n')])
            // A number that comes twice is no order.
            if (twice === null) expect(expected).toContain('https://a.example')
            expect(heard(client, upstream, at.slice(1).map((end, i) => bytes.subarray(at[i], end)))).toBe(expected)
            expect(heard(client, upstream, [bytes])).toBe(expected)
            const blocks = text(bytes).split(/(?<=\n\n)/).map((event) => utf8.encode(event))
            expect(heard(client, upstream, blocks)).toBe(expected)
          },
        ),
        { numRuns: 150 },
      )
    })
  }
}

test.each(
  [
    ['openai-responses', 'openai-chat', 'failed'],
    ['gemini', 'anthropic-messages', 'failed'],
    ['anthropic-messages', 'openai-responses', 'failed'],
    ['anthropic-messages', 'openai-chat', 'content'],
  ] as const,
)('words for %s from %s without an end: %s, by what has to be kept', (client, upstream, state) => {
  const exchange = translator(client, upstream, { id: 'x', now: 0, maxKept: 5000 })
  exchange.request(bodies[client]!, { model: 'm' })
  const stream = exchange.stream()
  const [before, between] = around[upstream]!
  let number = 0
  const push = (events: string): readonly Uint8Array[] =>
    stream.push(utf8.encode(events.replace(/(?<="sequence_number":)#/g, () => String(number++))))
  let sent = push(before + between).length
  for (let i = 0; i < 1000; i++) sent += push(`${says[upstream]!('text', '"ten signs."')}\n`).length
  expect(stream.state).toBe(state)
  if (state === 'content') return
  expect(stream.failure).toMatchObject({ kind: 'malformed', message: expect.stringContaining('have to be kept') })
  expect(sent).toBeLessThan(520)
  expect(stream.guessedTokens).toBeGreaterThan(400)
})
