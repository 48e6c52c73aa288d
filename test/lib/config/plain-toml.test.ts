import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parse } from 'smol-toml'
import { readPlainToml } from '../../../lib/config/plain-toml.ts'

/** What the whole parser makes of a text, as JSON; `null` where it refuses it. */
function whole(text: string): unknown {
  try {
    return JSON.parse(JSON.stringify(parse(text)))
  } catch {
    return null
  }
}

const key = fc.constantFrom('a', 'b', 'c', '1', 'a-b', '__proto__', '"a"', 'a.b', '')
const scalar = fc.constantFrom(
  ...[
    '"x"',
    "'y'",
    '""',
    "''",
    'true',
    'false',
    '0',
    '-0',
    '12',
    '1.5',
    '-3',
    '1e3',
    '0x1f',
    '1_000',
    '01',
    '+1',
    'inf',
  ],
  ...[
    '"a\\n"',
    '"""x"""',
    "'''x'''",
    '1979-05-27',
    '1979-05-27T07:32:00Z',
    '07:32',
    'x',
    'truex',
    '12a',
    '"a',
    '',
    '.5',
  ],
  ...['123456789012345678', '"é"', '"\t"', '"#"'],
)
const space = fc.constantFrom('', ' ', '\t')
const { value } = fc.letrec<{ value: string; list: string; table: string }>((tie) => ({
  value: fc.oneof({ weight: 6, arbitrary: scalar }, { weight: 1, arbitrary: tie('list') }, {
    weight: 1,
    arbitrary: tie('table'),
  }),
  list: fc.tuple(
    fc.array(tie('value'), { maxLength: 3 }),
    fc.constantFrom(',', ', ', ' ,'),
    fc.constantFrom('', ',', ' '),
  )
    .map(([items, comma, tail]) => `[${items.join(comma)}${tail}]`),
  table: fc.tuple(fc.array(fc.tuple(key, tie('value')), { maxLength: 3 }), fc.constantFrom('', ',', ' '))
    .map(([items, tail]) => `{ ${items.map(([name, one]) => `${name} = ${one}`).join(', ')}${tail}}`),
}))
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(space, key, space, value, space).map(([s, k, t, v, u]) => `${s}${k}${t}=${t}${v}${u}`),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(space, fc.array(key, { minLength: 1, maxLength: 3 })).map(([s, path]) =>
      `${s}[${path.join('.')}]`
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '# what', '  # and so', '[[a]]', 'a = 1 # why', 'a = "x" b', '[a] b = 1', '\r'),
  },
)
const text = fc.tuple(fc.array(line, { maxLength: 6 }), fc.constantFrom('', '\n', '\n# end')).map(([lines, tail]) =>
  lines.join('\n') + tail
)

describe('readPlainToml()', () => {
  test('says what the whole parser says, or nothing', () => {
    let plain = 0
    fc.assert(
      fc.property(text, (given) => {
        const read = readPlainToml(given)
        if (read === null) return
        plain++
        expect(read as unknown).toEqual(whole(given))
        expect(JSON.stringify(read)).toBe(JSON.stringify(whole(given)))
      }),
      { numRuns: 20_000 },
    )
    expect(plain).toBeGreaterThan(2_000)
  })

  test.each([
    'a = 1\na = 2',
    '[a]\n[a]',
    'a = { b = 1 }\n[a]',
    'a = { b = 1 }\n[a.c]',
    'a = [1]\n[a]',
    '[a.b]\n[a]\nb = 1',
    'a = 1 b = 2',
    'a = [1\n]',
  ])('leaves %j to the whole parser', (given) => expect(readPlainToml(given)).toBeNull())

  test.each(
    [
      ['', {}],
      ['[a.b]\nc = 1\n[a]\nd = 2', { a: { b: { c: 1 }, d: 2 } }],
      ['a = [1, "x", [true],]\nb = { c = -1.5, d = {} } # so\n', { a: [1, 'x', [true]], b: { c: -1.5, d: {} } }],
    ] as const,
  )('reads %j', (given, expected) => expect(readPlainToml(given) as unknown).toEqual(expected))
})
