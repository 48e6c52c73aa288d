import { expect, test } from 'bun:test'
import { nearest } from '../../../lib/base/mod.ts'

for (
  const [word, expected] of [
    ['tokns', ['tokens']],
    ['modles', ['models']],
    ['serv', ['serve']],
    ['TOKENS', ['tokens']],
    ['zzz', []],
    ['', []],
  ] as const
) {
  test(`nearest(${word}) is ${expected.join(', ') || 'nothing'}`, () => {
    expect(nearest(word, ['tokens', 'models', 'serve', 'usage'])).toEqual([...expected])
  })
}
