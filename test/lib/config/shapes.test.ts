import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Json, readShape, type Shape } from '../../../lib/base/mod.ts'
import { sections } from '../../../lib/config/sections.ts'
import drawn from '../../../lib/config/shapes.json' with { type: 'json' }

const shapes = drawn as unknown as Readonly<Record<string, Shape>>

const junk = fc.constantFrom<Json>('', ' ', 'x', 0, -1, 1.5, 2 ** 53, true, null, [], {}, ['x'], { x: 1 })

/** Values that a shape is about: most fit, some just not. */
function values(shape: Shape): fc.Arbitrary<Json | undefined> {
  return fc.oneof({ weight: 30, arbitrary: near(shape) }, { weight: 1, arbitrary: junk })
}

function near(shape: Shape): fc.Arbitrary<Json | undefined> {
  switch (shape.is) {
    case 'text':
      return shape.like
        ? fc.stringMatching(new RegExp(shape.like[0]![0]))
        : fc.oneof(fc.constantFrom('a', 'b', 'codex', 'a:b', 'a:b#c', 'b:a'), fc.string({ maxLength: 6 }))
    case 'number':
      return fc.oneof({ weight: 8, arbitrary: within(shape) }, { weight: 1, arbitrary: fc.double() })
    case 'flag':
      return fc.boolean()
    case 'one':
      return fc.constantFrom(...shape.of)
    case 'any':
    case 'beyond':
      return fc.oneof(fc.webUrl(), junk)
    case 'list':
      return fc.array(values(shape.of), { maxLength: 3 }) as fc.Arbitrary<Json>
    case 'row':
      return fc.tuple(...shape.of.map(values)) as fc.Arbitrary<Json>
    case 'table':
      return fc.dictionary(near(shape.key) as fc.Arbitrary<string>, values(shape.of), { maxKeys: 3 }) as fc.Arbitrary<
        Json
      >
    case 'object': {
      const members = Object.fromEntries(
        Object.entries(shape.of).map(([name, one]) => [
          name,
          ['maybe', 'default', 'prefault'].includes(one.is)
            ? fc.option(values(one), { nil: undefined, freq: 1 })
            : values(one),
        ]),
      )
      return fc.tuple(
        fc.record(members),
        fc.oneof({ weight: 30, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.constant({ unknown: 1 }) }),
      ).map(([known, more]) => plain({ ...known, ...more }))
    }
    case 'either':
      return fc.oneof(...shape.of.map(values))
    case 'each':
      return values(shape.of.at(-1)!)
    case 'nullable':
      return fc.option(values(shape.of), { nil: null })
    case 'maybe':
    case 'default':
    case 'prefault':
      return values(shape.of)
  }
}

/** Numbers about the bounds of a shape. */
function within({ bounds = [] }: Extract<Shape, { is: 'number' }>): fc.Arbitrary<number> {
  const of = (side: string) => bounds.filter((bound) => bound[0] === side).map((bound) => bound[1])
  const [least, most] = [
    Math.max(-5, ...of('least'), ...of('above')),
    Math.min(1_000_000, ...of('most'), ...of('below')),
  ]
  return least % 1 === 0 && most % 1 === 0 && most > least
    ? fc.integer({ min: least, max: most })
    : fc.constantFrom(least, most, (least + most) / 2)
}

/** As TOML and JSON have it: nothing is `undefined`. */
const plain = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json

const holds = (shape: unknown): boolean => JSON.stringify(shape).includes('"beyond"')

describe('what a shape accepts, the schema accepts, and makes the same of it', () => {
  test.each(Object.keys(sections) as (keyof typeof sections)[])('%s', async (name) => {
    const { load, rules } = sections[name]
    const [schema, judge, shape] = [await load(), await rules?.(), shapes[name]!]
    let accepted = 0
    fc.assert(
      fc.property(values(shape), (given) => {
        fc.pre(given !== undefined)
        const quick = readShape(shape, given)
        const parsed = schema.safeParse(given)
        const fits = quick !== null && (judge === undefined || judge(quick.value as never).length === 0)
        if (!fits) {
          // Nothing that data could have told is left to the schema.
          if (!holds(shape)) expect(parsed.success).toBe(false)
          return
        }
        accepted++
        expect(parsed.success).toBe(true)
        expect(quick.value as object).toEqual(parsed.data as object)
      }),
      { numRuns: name === 'stay_afloat' ? 3_000 : 400 },
    )
    expect(accepted).toBeGreaterThan(30)
  })
})

test('a shape fills in what is not written, and gives away nothing of its own', () => {
  const first = readShape(shapes.routing!, {})!.value as { pools: Record<string, unknown> }
  first.pools.changed = []
  expect((readShape(shapes.routing!, {})!.value as typeof first).pools).toEqual({})
})

test.each([
  [{ is: 'object', of: { a: { is: 'any' } } }, JSON.parse('{"__proto__":{"a":1}}')],
  [{ is: 'table', key: { is: 'text' }, of: { is: 'any' } }, JSON.parse('{"__proto__":{"a":1}}')],
  [{ is: 'either', of: [{ is: 'beyond' }, { is: 'flag' }] }, true],
  [{ is: 'number' }, Number.NaN],
  [{ is: 'list', of: { is: 'flag' } }, [undefined]],
] as [Shape, unknown][])('%j leaves %p to the schema', (shape, value) => {
  expect(readShape(shape, value)).toBeNull()
})
