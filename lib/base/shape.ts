import { isObject } from './json.ts'

/**
 * What a value must be, as data: the part of a schema that needs no code. Drawn from schemas once and kept, so that what
 * reads a value at every start need not build a schema for it.
 */
export type Shape =
  | { readonly is: 'text'; readonly least?: number; readonly most?: number; readonly like?: readonly Pattern[] }
  | { readonly is: 'number'; readonly whole?: true; readonly bounds?: readonly Bound[] }
  | { readonly is: 'flag' | 'any' | 'beyond' }
  | { readonly is: 'one'; readonly of: readonly (string | number | boolean | null)[] }
  | { readonly is: 'list'; readonly of: Shape; readonly least?: number; readonly most?: number }
  | { readonly is: 'row'; readonly of: readonly Shape[] }
  | { readonly is: 'table'; readonly key: Shape; readonly of: Shape }
  /** An object with these members and no others. */
  | { readonly is: 'object'; readonly of: Readonly<Record<string, Shape>> }
  /** The first that fits. */
  | { readonly is: 'either'; readonly of: readonly Shape[] }
  /** Each in turn, what one gives being what the next one is given. */
  | { readonly is: 'each'; readonly of: readonly Shape[] }
  | { readonly is: 'maybe' | 'nullable'; readonly of: Shape }
  /** Where nothing is written: this, as it is. */
  | { readonly is: 'default'; readonly of: Shape; readonly value: unknown }
  /** Where nothing is written: as if this were. */
  | { readonly is: 'prefault'; readonly of: Shape; readonly value: unknown }

/** A regular expression: its source and its flags. */
export type Pattern = readonly [source: string, flags: string]
/** A bound of a number, itself included or not. */
export type Bound = readonly [side: 'least' | 'most' | 'above' | 'below', value: number]

const wrong = Symbol('wrong')
const beyond = Symbol('beyond')

/**
 * The value that a shape makes of plain JSON, every default filled in; `null` where it does not fit or where data alone
 * cannot tell. A `null` decides nothing: the schema itself has to be asked, and says what is wrong.
 *
 * @example readShape({ is: 'list', of: { is: 'text' } }, ['a']) // { value: ['a'] }
 */
export function readShape(shape: Shape, value: unknown): { readonly value: unknown } | null {
  const read = fit(shape, value)
  return read === wrong || read === beyond ? null : { value: read }
}

/** What comes of a value, {@link wrong} where it does not fit, {@link beyond} where a shape cannot say; `undefined`: not there. */
function fit(shape: Shape, value: unknown): unknown {
  switch (shape.is) {
    case 'text':
      return typeof value === 'string' && isText(shape, value) ? value : wrong
    case 'number':
      return typeof value === 'number' && isNumber(shape, value) ? value : wrong
    case 'flag':
      return typeof value === 'boolean' ? value : wrong
    case 'one':
      return shape.of.includes(value as string) ? value : wrong
    case 'any':
      return value === undefined ? beyond : value
    case 'beyond':
      return beyond
    case 'maybe':
      return value === undefined ? undefined : fit(shape.of, value)
    case 'nullable':
      return value === null ? null : fit(shape.of, value)
    case 'default':
      return value === undefined ? copy(shape.value) : fit(shape.of, value)
    case 'prefault':
      return fit(shape.of, value === undefined ? copy(shape.value) : value)
    case 'list':
      return Array.isArray(value) ? fitList(shape, value) : wrong
    case 'row':
      return Array.isArray(value) && value.length === shape.of.length ? fitItems((i) => shape.of[i]!, value) : wrong
    case 'table':
      return isObject(value) ? fitTable(shape, value) : wrong
    case 'object':
      return isObject(value) ? fitObject(shape, value) : wrong
    case 'either':
      for (const one of shape.of) {
        const read = fit(one, value)
        if (read !== wrong) return read
      }
      return wrong
    case 'each':
      return shape.of.reduce(
        (given: unknown, one) => given === wrong || given === beyond ? given : fit(one, given),
        value,
      )
  }
}

function isText({ least = 0, most = Infinity, like }: Extract<Shape, { is: 'text' }>, text: string): boolean {
  return text.length >= least && text.length <= most &&
    (like === undefined || like.every(([source, flags]) => new RegExp(source, flags).test(text)))
}

function isNumber({ whole, bounds }: Extract<Shape, { is: 'number' }>, number: number): boolean {
  if (!(whole ? Number.isSafeInteger(number) : Number.isFinite(number))) return false
  return bounds === undefined || bounds.every(([side, bound]) => {
    switch (side) {
      case 'least':
        return number >= bound
      case 'most':
        return number <= bound
      case 'above':
        return number > bound
      case 'below':
        return number < bound
    }
  })
}

function fitList({ of, least = 0, most = Infinity }: Extract<Shape, { is: 'list' }>, value: unknown[]): unknown {
  return value.length >= least && value.length <= most ? fitItems(() => of, value) : wrong
}

function fitItems(shapeAt: (i: number) => Shape, value: readonly unknown[]): unknown {
  const out: unknown[] = []
  for (let i = 0; i < value.length; i++) {
    const read = value[i] === undefined ? beyond : fit(shapeAt(i), value[i])
    if (read === wrong || read === beyond) return read
    out.push(read)
  }
  return out
}

function fitTable({ key, of }: Extract<Shape, { is: 'table' }>, value: Record<string, unknown>): unknown {
  const out: Record<string, unknown> = {}
  for (const name of Object.keys(value)) {
    // A name that means something to JavaScript is for the schema to judge.
    if (name === '__proto__' || value[name] === undefined) return beyond
    const called = fit(key, name)
    if (called !== name) return called === beyond ? beyond : wrong
    const read = fit(of, value[name])
    if (read === wrong || read === beyond) return read
    out[name] = read
  }
  return out
}

function fitObject({ of: members }: Extract<Shape, { is: 'object' }>, value: Record<string, unknown>): unknown {
  const out: Record<string, unknown> = {}
  let known = 0
  for (const name in members) {
    const shape = members[name]!
    const there = Object.hasOwn(value, name)
    if (there) known++
    else if (shape.is === 'maybe') continue
    const read = fit(shape, there ? value[name] : undefined)
    if (read === wrong || read === beyond) return read
    if (read !== undefined) out[name] = read
  }
  const names = Object.keys(value)
  if (names.length > known) return wrong
  return names.some((name) => value[name] === undefined) ? beyond : out
}

const copy = (value: unknown): unknown => typeof value === 'object' ? structuredClone(value) : value
