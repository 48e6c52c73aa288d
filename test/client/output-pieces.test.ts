import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { printJson } from '../../client/cli/output.ts'
import { silentIo } from '../docs/silent-io.ts'

function printed(value: unknown): string[] {
  const pieces: string[] = []
  printJson({ ...silentIo, out: (text) => void pieces.push(text) }, value)
  return pieces
}

const row = fc.jsonValue({ maxDepth: 2 })
const list = fc.array(row, { maxLength: 200, size: 'max' })

test('an object printed in pieces is, byte for byte, what JSON.stringify prints', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.oneof(row, list, fc.constant(undefined))), (value) => {
      expect(printed(value).join('')).toBe(`${JSON.stringify(value, null, 2)}\n`)
    }),
    { numRuns: 200 },
  )
})

test('a long list is never one text', () => {
  const routes = Array.from({ length: 1_000 }, (_, i) => ({ i, text: 'x'.repeat(1_000) }))
  const pieces = printed({ ok: true, routes, after: [1] })
  expect(pieces.join('')).toBe(`${JSON.stringify({ ok: true, routes, after: [1] }, null, 2)}\n`)
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(80_000)
})
