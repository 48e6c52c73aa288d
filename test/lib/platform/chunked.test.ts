import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { concat } from '../../../lib/base/mod.ts'
import { ChunkedDecoder } from '../../../lib/platform/http1/chunked.ts'

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
const text = (pieces: readonly Uint8Array[]): string => new TextDecoder().decode(concat(pieces))

/** Feeds a text cut at some places; gives the pieces of the body and how much was not taken. */
function decode(wire: string, cuts: readonly number[]) {
  const decoder = new ChunkedDecoder()
  const whole = bytes(wire)
  const at = [...new Set([0, ...cuts.map((n) => n % (whole.length + 1)), whole.length])].sort((a, b) => a - b)
  const out: Uint8Array[] = []
  let rest = 0
  for (let i = 1; i < at.length; i++) {
    const { body, taken } = decoder.feed(whole.slice(at[i - 1], at[i]))
    if (body.length > 0) out.push(body)
    rest += at[i]! - at[i - 1]! - taken
    if (decoder.failure) break
  }
  return { decoder, out, rest }
}

const frame = (chunk: string, extension: string): string =>
  `${bytes(chunk).length.toString(16)}${extension}\r\n${chunk}\r\n`

test('a ChunkedDecoder gives the same body for any split, one piece per piece, and takes nothing behind the end', () => {
  const chunks = fc.array(
    fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.constantFrom('', ';a=b', ' ', ';x="y"')),
    { maxLength: 20 },
  )
  fc.assert(
    fc.property(
      chunks,
      fc.array(fc.nat(600), { maxLength: 20 }),
      fc.constantFrom('', 'x: y\r\n'),
      (list, cuts, trailer) => {
        const wire = list.map(([chunk, extension]) => frame(chunk, extension)).join('') + `0\r\n${trailer}\r\n`
        const { decoder, out, rest } = decode(`${wire}HTTP/1.1`, cuts)
        expect(text(out)).toBe(list.map(([chunk]) => chunk).join(''))
        expect(out.length).toBeLessThanOrEqual(cuts.length + 1)
        expect(decoder.done).toBe(true)
        expect(decoder.failure).toBe(null)
        expect(rest).toBe('HTTP/1.1'.length)
      },
    ),
    { numRuns: 500 },
  )
})

for (
  const [what, wire, body] of [
    ['a size that is no number', '5\r\nhello\r\nzz\r\n', 'hello'],
    ['no size', '\r\nhello', ''],
    ['a size that is too large', '12345678901234\r\n', ''],
    ['a line that ends in a line feed alone', '5\nhello', ''],
    ['a chunk longer than its size', '5\r\nhello\r\n3\r\nabcd\r\n', 'helloabc'],
    ['an endless extension', `5;${'a'.repeat(2000)}`, ''],
    ['an endless trailer', `0\r\n${'a: b\r\n'.repeat(5000)}`, ''],
  ] as const
) {
  for (const cuts of [[], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]]) {
    test(`a ChunkedDecoder refuses ${what}${cuts.length > 0 ? ', byte by byte' : ''}, and gives what came before`, () => {
      const { decoder, out } = decode(wire, cuts)
      expect(decoder.failure?.code).toBe('upstream.invalid')
      expect(decoder.done).toBe(false)
      expect(text(out)).toBe(body)
    })
  }
}
