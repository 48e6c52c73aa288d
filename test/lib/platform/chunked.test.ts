import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { concat } from '../../../lib/base/mod.ts'
import { chunkedDecoder } from '../../../lib/platform/http1/chunked.ts'

const latin = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text, (c) => c.charCodeAt(0))

/** A body in chunks of these contents. */
const coded = (chunks: readonly string[], extension = ''): Uint8Array<ArrayBuffer> =>
  latin(chunks.map((chunk) => `${chunk.length.toString(16)}${extension}\r\n${chunk}\r\n`).join('') + '0\r\n\r\n')

/** What comes out of pieces, and in how many pieces. */
function decoded(pieces: readonly Uint8Array<ArrayBuffer>[]): { text: string; calls: number; done: boolean } {
  const decoder = chunkedDecoder()
  const out: Uint8Array[] = []
  for (const piece of pieces) expect(decoder.feed(piece, (bytes) => void out.push(bytes))).toBe(piece.length)
  return { text: new TextDecoder('latin1').decode(concat(out)), calls: out.length, done: decoder.done }
}

test('chunks that came together go on together', () => {
  expect(decoded([coded(['one', 'and', 'two'])])).toEqual({ text: 'oneandtwo', calls: 1, done: true })
  expect(decoded([coded(['one', 'and', 'two'], ';with="more"')])).toEqual({ text: 'oneandtwo', calls: 1, done: true })
})

test('the end of a body leaves what is behind it', () => {
  const body = coded(['all'])
  expect(chunkedDecoder().feed(concat([body, latin('HTTP/1.1 200')]), () => {})).toBe(body.length)
})

test('any chunks in any pieces are the same body', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', 'f', ';', '\xff'), minLength: 1, maxLength: 40 }),
      ),
      fc.constantFrom('', ' ', ';x=1'),
      fc.array(fc.nat(), { maxLength: 12 }),
      (chunks, extension, cuts) => {
        const bytes = coded(chunks, extension)
        const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
        // A copy each: pieces are moved together in place.
        const pieces = at.slice(1).map((end, i) => bytes.slice(at[i]!, end))
        const { text, done } = decoded(pieces)
        expect([text, done]).toEqual([chunks.join(''), true])
      },
    ),
    { numRuns: 500 },
  )
})
