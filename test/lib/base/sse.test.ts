import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatSse, type SseEvent, sseParser } from '../../../lib/base/mod.ts'

const encode = (text: string) => new TextEncoder().encode(text)

function parseAll(text: string, cuts: readonly number[] = []): SseEvent[] {
  const bytes = encode(text)
  const parser = sseParser()
  const events: SseEvent[] = []
  let from = 0
  for (const cut of [...new Set(cuts)].map((at) => at % (bytes.length + 1)).sort((a, b) => a - b)) {
    events.push(...parser.push(bytes.slice(from, cut)))
    from = cut
  }
  events.push(...parser.push(bytes.slice(from)))
  parser.end()
  return events
}

describe('sseParser()', () => {
  for (
    const [name, text, expected] of [
      ['one event', 'data: a\n\n', [{ event: 'message', data: 'a' }]],
      ['a named event', 'event: ping\ndata: {}\n\n', [{ event: 'ping', data: '{}' }]],
      ['several data lines', 'data: a\ndata:b\ndata\n\n', [{ event: 'message', data: 'a\nb\n' }]],
      ['comments and unknown fields', ': hi\nretry: 5\nfoo: x\ndata: a\n\n', [{ event: 'message', data: 'a' }]],
      ['CRLF and lone CR', 'data: a\r\n\r\ndata: b\r\r', [{ event: 'message', data: 'a' }]],
      ['a byte order mark', '\ufeffdata: a\n\n', [{ event: 'message', data: 'a' }]],
      ['an id', 'id: 7\ndata: a\n\n', [{ event: 'message', data: 'a', id: '7' }]],
      ['an event without data', 'event: x\n\ndata: a\n\n', [{ event: 'message', data: 'a' }]],
      ['an event that never closes', 'data: a\n\ndata: b', [{ event: 'message', data: 'a' }]],
    ] as const
  ) {
    test(`reads ${name}`, () => expect(parseAll(text).slice(0, expected.length)).toEqual([...expected]))
  }

  test('gives the same events for any split of the bytes', () => {
    const text =
      'event: ä\r\ndata: {"t":"héllo 🌍"}\r\n\r\n: c\r\ndata: 1\ndata: 2\n\nid: 3\rdata: x\r\rdata: [DONE]\n\n'
    const whole = parseAll(text)
    expect(whole.length).toBe(4)
    fc.assert(
      fc.property(fc.array(fc.nat(200), { maxLength: 20 }), (cuts) => {
        expect(parseAll(text, cuts)).toEqual(whole)
      }),
      { numRuns: 2_000 },
    )
  })

  test('reads what formatSse() writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(60)), (data, cuts) => {
        const clean = data.replace(/[\ud800-\udfff]/g, '')
        const [event] = parseAll(formatSse({ event: 'e', data: clean }), cuts)
        expect(event).toEqual({ event: 'e', data: clean.replace(/\r\n|\r/g, '\n') })
      }),
    )
  })

  test('refuses an event larger than its bound, however it arrives', () => {
    const parser = sseParser(100)
    expect(() => {
      for (let i = 0; i < 50; i++) parser.push(encode('data: xxxxxxxx\n'))
    }).toThrow(/larger than 100 bytes/)
    expect(() => sseParser(100).push(encode(`data: ${'x'.repeat(200)}`))).toThrow(/larger than 100 bytes/)
  })

  test('says when the stream was cut inside an event', () => {
    const parser = sseParser()
    parser.push(encode('data: a\n\n'))
    expect(parser.pending).toBe(false)
    parser.push(encode('data: b\n'))
    expect(parser.pending).toBe(true)
  })
})
