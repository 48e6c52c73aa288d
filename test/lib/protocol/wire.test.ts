import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { boundaryOf, eventScanner, parseSpan, scanFields, scanForm, splice, wires } from '../../../lib/protocol/mod.ts'
import { endsLikeObject } from '../../../lib/protocol/wire/events.ts'

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)

const fixtures = new URL('../../fixtures', import.meta.url).pathname

describe('scanFields()', () => {
  test('finds what JSON.parse finds, for any object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(undefined, 1, '\t'), (object, space) => {
        const json = JSON.stringify(object, null, space)
        const scan = scanFields(bytes(json))
        if (!scan.ok) throw new Error(scan.reason)
        const parsed = JSON.parse(json) as Record<string, unknown>
        expect([...scan.fields.keys()].sort()).toEqual(Object.keys(parsed).sort())
        for (const [name, span] of scan.fields) expect(parseSpan(bytes(json), span)).toEqual(parsed[name])
      }),
      { numRuns: 300 },
    )
  })

  test('splice() changes one value and nothing else', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (object, model) => {
        const json = bytes(JSON.stringify({ ...object, model: 'old' }))
        const scan = scanFields(json)
        if (!scan.ok) throw new Error(scan.reason)
        const out = splice(json, scan.fields.get('model')!, bytes(JSON.stringify(model)))
        expect(JSON.parse(text(out))).toEqual(JSON.parse(JSON.stringify({ ...object, model })))
      }),
    )
  })

  for (
    const broken of [
      '',
      ' ',
      '[]',
      '"a"',
      '1',
      'null',
      '{',
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":1,',
      '{"a":1,}',
      '{a:1}',
      "{'a':1}",
      '{"a" 1}',
      '{"a":1 "b":2}',
      '{"a":1}x',
      '{"a":1}{}',
      '{"a":[}',
      '{"a":[1,2}',
      '{"a":{]}',
      '{"a":"b}',
      '{"a":"b\\"}',
      '{"a":tru}',
      '{"a":01}',
      '{"a":+1}',
      '{"a":1.}',
      '{"a":NaN}',
      '{"a":undefined}',
      '{"a":}',
      '{,}',
      '{"a":1,"a":2}',
      '{"a":1,"\\u0061":2}',
      `{"a":${'['.repeat(300)}${']'.repeat(300)}}`,
    ]
  ) {
    test(`refuses ${broken.slice(0, 30)}`, () => expect(scanFields(bytes(broken)).ok).toBe(false))
  }

  test('takes time in proportion to the text', () => {
    const time = (size: number): number => {
      const body = bytes(
        JSON.stringify({
          messages: Array.from({ length: size }, () => ({ content: '"\\"[{'.repeat(50) })),
          model: 'm',
        }),
      )
      let best = Infinity
      for (let i = 0; i < 5; i++) {
        // Time on the clock would count what else this machine does.
        const since = process.cpuUsage()
        expect(scanFields(body).ok).toBe(true)
        const { user, system } = process.cpuUsage(since)
        best = Math.min(best, (user + system) / 1_000)
      }
      return best
    }
    time(100)
    expect(time(4000)).toBeLessThan(time(500) * 8 * 5 + 5)
  })
})

describe('eventScanner()', () => {
  const events = fc.array(
    fc.record({
      lines: fc.array(
        fc.oneof(
          fc.tuple(
            fc.constantFrom('data: ', 'data:', 'event: ', ': '),
            fc.string().map((s) => s.replace(/[\r\n]/g, ' ')),
          ).map(([a, b]) => a + b),
          fc.constant('data: héé€𝄞'),
        ),
        { minLength: 1, maxLength: 4 },
      ),
      newline: fc.constantFrom('\n', '\r\n'),
    }),
    { maxLength: 12 },
  )

  test('gives the same events and the same bytes for any split of a stream', () => {
    fc.assert(
      fc.property(events, fc.array(fc.nat(400), { maxLength: 30 }), fc.boolean(), (list, cuts, cut) => {
        const wire = list.map(({ lines, newline }) => lines.join(newline) + newline + newline).join('')
        const whole = bytes(wire + (cut ? 'data: half' : ''))
        const seen: string[] = []
        const out: Uint8Array[] = []
        const scanner = eventScanner(
          { event: (data, start, end) => void seen.push(text(data.subarray(start, end))) },
          1e6,
        )
        const at = [...new Set([0, ...cuts.map((n) => n % (whole.length + 1)), whole.length])].sort((a, b) => a - b)
        for (let i = 1; i < at.length; i++) out.push(...scanner.feed(whole.slice(at[i - 1]!, at[i]!)))
        expect(seen).toEqual(list.map(({ lines, newline }) => lines.join(newline)))
        expect(out.map(text).join('').length === 0 ? '' : text(Buffer.concat(out))).toBe(wire)
        expect(scanner.pending).toBe(cut)
      }),
      { numRuns: 1000 },
    )
  })

  test('refuses an event that outgrows its bound', () => {
    const scanner = eventScanner({ event() {} }, 100)
    expect(() => {
      for (let i = 0; i < 20; i++) scanner.feed(bytes('data: 0123456789'))
    }).toThrow('larger than 100 bytes')
  })
})

describe('the trackers', () => {
  /** What a tracker makes of a stream, event by event. */
  function follow(protocol: keyof typeof wires, stream: readonly string[]) {
    const tracker = wires[protocol]!.tracker()
    const roles = stream.map((event) => {
      const data = bytes(event)
      return tracker.read(data, 0, data.length)
    })
    return { roles, tracker }
  }

  test('openai-chat: a role is an opening, a tool call is content, the usage comes last', () => {
    const { roles, tracker } = follow('openai-chat', [
      'data: {"id":"c","choices":[{"delta":{"role":"assistant","content":""}}]}',
      ': comment',
      'data: {"id":"c","choices":[{"delta":{"tool_calls":[{"index":0}]}}]}',
      'data: {"id":"c","choices":[{"delta":{},"finish_reason":"tool_calls"}]}',
      'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":2}}}',
      'data: [DONE]',
    ])
    expect(roles).toEqual(['opening', 'idle', 'content', 'content', 'content', 'end'])
    expect(tracker.tokens).toMatchObject({ inputTokens: 9, outputTokens: 4, cachedInputTokens: 5, reasoningTokens: 2 })
  })

  test('openai-chat: text that looks like usage is not usage, and an absurd count is none', () => {
    const { tracker } = follow('openai-chat', [
      'data: {"id":"c","choices":[{"delta":{"content":"\\"usage\\":{\\"prompt_tokens\\":1}"}}]}',
      'data: {"id":"c","choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":1e300}}',
    ])
    expect(tracker.tokens).toMatchObject({ inputTokens: null, outputTokens: null })
  })

  /** Events of each protocol that say something besides what the model wrote, among those that do not. */
  const said: Partial<Record<keyof typeof wires, readonly string[]>> = {
    'openai-chat': [
      'data: {"id":"c","choices":[{"delta":{"role":"assistant","content":""}}]}',
      'data: {"id":"c","choices":[{"delta":{"content":"a"},"finish_reason":null}],"usage":null}',
      'data: {"id":"c","choices":[{"delta":{"content":"\\"usage\\":{"}}]}',
      'data: {"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}',
      'data: {"choices":[],"usage": {"completion_tokens":4}}',
      'data: {"error":{"message":"no"}}',
      ': a comment',
      'data: [DONE]',
    ],
    'gemini': [
      'data: {"candidates":[{"content":{"parts":[{"text":""}]}}],"responseId":"r"}',
      'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":1}}',
      'data: {"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"candidatesTokenCount":7}}',
      'data: {"error":{"message":"no"}}',
    ],
  }
  for (const [protocol, events] of Object.entries(said)) {
    test(`${protocol}: events that come in one piece say what they say one by one`, () => {
      fc.assert(fc.property(fc.array(fc.constantFrom(...events), { minLength: 1, maxLength: 12 }), (stream) => {
        const apart = follow(protocol as keyof typeof wires, stream)
        const tracker = wires[protocol as keyof typeof wires]!.tracker()
        const piece = bytes(stream.join('\n\n'))
        let at = 0
        const roles = stream.map((event) => {
          const start = at
          at += event.length + 2
          return tracker.read(piece, start, at - 2)
        })
        expect(roles).toEqual(apart.roles)
        for (const member of ['tokens', 'failure', 'finished', 'id'] as const) {
          expect(tracker[member]).toEqual(apart.tracker[member])
        }
      }))
    })
  }

  test('openai-chat: finished without [DONE] once every choice has its reason', () => {
    const { tracker } = follow('openai-chat', ['data: {"choices":[{"delta":{},"finish_reason":"stop"}]}'])
    expect(tracker.finished).toBe(true)
    expect(follow('openai-chat', ['data: {"choices":[{"delta":{"content":"a"}}]}']).tracker.finished).toBe(false)
  })

  test('anthropic-messages: cached input is added to the fresh one', () => {
    const { roles, tracker } = follow('anthropic-messages', [
      'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":3,"cache_read_input_tokens":10,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_1h_input_tokens":5},"output_tokens":1}}}',
      'event: ping\ndata: {"type":"ping"}',
      'event: content_block_start\ndata: {"type":"content_block_start","content_block":{"type":"text","text":""}}',
      'event: content_block_delta\ndata: {"type":"content_block_delta"}',
      'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":12}}',
      'event: message_stop\ndata: {"type":"message_stop"}',
    ])
    expect(roles).toEqual(['opening', 'idle', 'opening', 'content', 'content', 'end'])
    expect(tracker.tokens).toEqual({
      inputTokens: 20,
      outputTokens: 12,
      cachedInputTokens: 10,
      cacheWriteTokens: 2,
      cacheWrite1hTokens: 5,
      reasoningTokens: null,
    })
  })

  test('openai-responses: announcements are openings; events are told apart without their event line too', () => {
    const { roles, tracker } = follow('openai-responses', [
      'data: {"type":"response.created","response":{"id":"r"}}',
      'event: response.in_progress\ndata: {"type":"response.in_progress"}',
      'event: response.output_item.added\ndata: {"type":"response.output_item.added","item":{"type":"reasoning"}}',
      'event: response.output_item.added\ndata: {"type":"response.output_item.added","item":{"type":"function_call"}}',
      'data: {"sequence_number":4,"type":"response.output_text.delta"}',
      'event: response.completed\ndata: {"type":"response.completed","response":{"usage":{"input_tokens":8,"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1}}}}',
    ])
    expect(roles).toEqual(['opening', 'opening', 'opening', 'content', 'content', 'end'])
    expect([tracker.id, tracker.tokens]).toEqual([
      'r',
      expect.objectContaining({ inputTokens: 8, outputTokens: 3, reasoningTokens: 1 }),
    ])
  })

  for (
    const [protocol, event, message] of [
      ['openai-chat', 'data: {"error":{"message":"no","code":429}}', 'no'],
      ['openai-responses', 'event: error\ndata: {"type":"error","code":"x","message":"no"}', 'no'],
      [
        'openai-responses',
        'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"message":"no"}}}',
        'no',
      ],
      [
        'anthropic-messages',
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}',
        'no',
      ],
    ] as const
  ) {
    test(`${protocol}: ${event.split('\n')[0]!.slice(0, 30)} is a failure`, () => {
      const { roles, tracker } = follow(protocol, [event])
      expect([roles, tracker.failure?.message]).toEqual([['failure'], message])
    })
  }
})

test('no golden stream holds anything that a tracker refuses', async () => {
  const seen = new Set<string>()
  const refused: string[] = []
  for await (const file of new Bun.Glob('*/reply-*/for-*.sse').scan(fixtures)) {
    const protocol = /for-(.+)\.sse$/.exec(file)![1] as keyof typeof wires
    const tracker = wires[protocol]!.tracker()
    let over = false
    const scanner = eventScanner({
      event(data, start, end) {
        const role = over ? 'idle' : tracker.read(data, start, end)
        if (role === 'fault') refused.push(`${file}: ${tracker.fault}`)
        over ||= role === 'end' || role === 'failure'
      },
    }, 1e8)
    scanner.feed(new Uint8Array(await Bun.file(`${fixtures}/${file}`).arrayBuffer()))
    seen.add(protocol)
  }
  expect([refused, seen.size]).toEqual([[], 4])
})

describe('scanForm()', () => {
  const form = (parts: string): Uint8Array<ArrayBuffer> => bytes(`--B\r\n${parts}\r\n--B--\r\n`)
  test('finds the text fields and steps over files', () => {
    const data = form(
      'content-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\nRIFF--B\r\n-B\r\n--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1',
    )
    expect(scanForm(data, 'B')!.map(({ name, value }) => [name, text(data.subarray(value.start, value.end))]))
      .toEqual([['model', 'whisper-1']])
  })
  for (const broken of ['', 'x', '--B', '--B\r\nno end', '--C\r\n\r\n--C--']) {
    test(`refuses ${JSON.stringify(broken)}`, () => expect(scanForm(bytes(broken), 'B')).toBeNull())
  }
  test('boundaryOf() reads both spellings', () => {
    expect(boundaryOf('multipart/form-data; boundary=abc')).toBe('abc')
    expect(boundaryOf('Multipart/Form-Data; charset=utf-8; boundary="a b"')).toBe('a b')
    expect(boundaryOf('application/json')).toBeNull()
  })
})

test.each([
  ['data: {"a":1}', true],
  ['data: {"a":1}\n: still here', true],
  ['data: {"a":1}\r\n:\r\n: {', true],
  ['event: x\ndata: {"a":{}}\n: }', true],
  ['data: {"a":1', false],
  ['data: {"a":1\n: still here', false],
  ['data: {"a":1}\nid: 7', false],
  [': a comment', false],
  ['', false],
])('%j ends like an object, comments aside: %p', (event, expected) => {
  const piece = bytes(`}\n\n${event}\n\n}`)
  expect(endsLikeObject(piece, 3, 3 + event.length)).toBe(expected)
})
