import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { jsonPieces } from '../../client/cli/output.ts'

const row = fc.jsonValue({ maxDepth: 2 })
const list = fc.array(row, { maxLength: 200, size: 'max' })

test('an object printed in pieces is, byte for byte, what JSON.stringify prints', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.oneof(row, list, fc.constant(undefined))), (value) => {
      expect([...jsonPieces(value)].join('')).toBe(JSON.stringify(value, null, 2))
    }),
    { numRuns: 200 },
  )
})

test('a long list is never one text', () => {
  const routes = Array.from({ length: 1_000 }, (_, i) => ({ i, text: 'x'.repeat(1_000) }))
  const pieces = [...jsonPieces({ ok: true, routes, after: [1] })]
  expect(pieces.join('')).toBe(JSON.stringify({ ok: true, routes, after: [1] }, null, 2))
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(80_000)
})
