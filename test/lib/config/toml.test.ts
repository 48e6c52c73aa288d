import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parse } from 'smol-toml'
import { setToml, unsetToml } from '../../../lib/config/edit.ts'

const key = fc.stringMatching(/^[a-z][a-z0-9 .-]{0,5}$/)
const scalar = fc.oneof(fc.string({ maxLength: 12 }), fc.integer(), fc.boolean())
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(key, scalar, { maxKeys: 3, noNullPrototype: true }),
)

test('setToml() writes what TOML reads back as the same value', () => {
  fc.assert(fc.property(value, (item) => expect(parse(setToml('', ['v'], item)).v).toEqual(item)))
})

test('setToml() changes the one key and no other, unsetToml() takes it away again', () => {
  const edits = fc.array(fc.tuple(fc.array(key, { minLength: 1, maxLength: 3 }), scalar), {
    minLength: 1,
    maxLength: 6,
  })
  fc.assert(fc.property(edits, (list) => {
    let text = '# top\nfirst = 1 # one\n\n[some.table]\nlong = """\n[not a table]\n"""\nlist = [\n  1, # a\n  2,\n]\n'
    let model = parse(text) as Record<string, unknown>
    for (const [path, item] of list) {
      const next = structuredClone(model)
      let at = next
      let fits = true
      for (const step of path.slice(0, -1)) {
        if (at[step] === undefined) at[step] = {}
        if (typeof at[step] !== 'object' || Array.isArray(at[step])) {
          fits = false
          break
        }
        at = at[step] as Record<string, unknown>
      }
      if (!fits) {
        expect(() => setToml(text, path, item)).toThrow('is not a table')
        continue
      }
      at[path.at(-1)!] = item
      text = setToml(text, path, item)
      model = next
      expect<unknown>(parse(text)).toEqual(model)
    }
    expect(text).toContain('# top')
  }))
})

for (
  const [text, path, after] of [
    ['a = 1\nb = 2\n', ['a'], 'b = 2\n'],
    ['a = { b = 1, c = 2 }\n', ['a', 'b'], 'a = { c = 2 }\n'],
    ['[a]\nx = 1\n[a.b]\ny = 2\n[c]\nz = 3\n', ['a'], '[c]\nz = 3\n'],
    ['a.b = 1\na.c = 2\n', ['a', 'c'], 'a.b = 1\n'],
    ['a = 1\n', ['b'], 'a = 1\n'],
  ] as const
) {
  test(`unsetToml() of ${path.join('.')} in ${JSON.stringify(text)}`, () => expect(unsetToml(text, path)).toBe(after))
}
