import { GwError, isObject, type JsonObject } from '../base/mod.ts'
import { joinPath } from './ledger.ts'

/**
 * What a part of a caller's body must look like. Fields that a shape does not name pass: they are data for the upstream.
 *
 * Made for the path of every request: whether a body fits is one walk over it that makes no object. Only one that does
 * not fit is walked again, to say where.
 */
export interface Shape {
  fits(value: unknown): boolean
  /** Adds what is wrong with a value that does not fit. */
  explain(value: unknown, path: Path, faults: Fault[]): void
}

type Path = readonly (string | number)[]

interface Fault {
  readonly path: Path
  readonly message: string
}

/** A value of one kind, described in words. */
function plain(expected: string, fits: (value: unknown) => boolean): Shape {
  return {
    fits,
    explain: (value, path, faults) => void faults.push({ path, message: `expected ${expected}, got ${kindOf(value)}` }),
  }
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : typeof value === 'string' ? 'a string' : String(value)
}

/** Any text. */
export const string: Shape = plain('a string', (value) => typeof value === 'string')
/** A name: text that is not empty. */
export const name: Shape = plain('a name', (value) => typeof value === 'string' && value !== '')
/** A whole number. */
export const integer: Shape = plain('a whole number', Number.isSafeInteger)
/** A whole number above zero. */
export const positive: Shape = plain(
  'a whole number above 0',
  (value) => Number.isSafeInteger(value) && (value as number) > 0,
)
/** An object of any fields. */
export const anyObject: Shape = plain('an object', isObject)

/** One of a few words. */
export function oneOf(...words: readonly string[]): Shape {
  return plain(words.map((word) => `"${word}"`).join(' or '), (value) => words.includes(value as string))
}

/** A shape that may be absent. Null is how many clients write "not said". */
export function optional(shape: Shape): Shape {
  return {
    fits: (value) => value === undefined || value === null || shape.fits(value),
    explain: shape.explain,
  }
}

/** A shape that may be absent, where here it may not. */
export function required(shape: Shape): Shape {
  return {
    fits: (value) => value !== undefined && value !== null && shape.fits(value),
    explain: shape.explain,
  }
}

/** Optional text. */
export const text: Shape = optional(string)
/** An optional number. */
export const number: Shape = optional(plain('a number', Number.isFinite))
/** An optional count. */
export const count: Shape = optional(
  plain('a whole number of at least 0', (value) => Number.isSafeInteger(value) && (value as number) >= 0),
)
/** An optional switch. */
export const flag: Shape = optional(plain('true or false', (value) => typeof value === 'boolean'))
/** An optional object of any fields. */
export const object: Shape = optional(anyObject)

/** An object with these fields, and any others. */
export function record(fields: Readonly<Record<string, Shape>>): Shape {
  const names = Object.keys(fields)
  const shapes = Object.values(fields)
  return {
    fits(value) {
      if (!isObject(value)) return false
      for (let i = 0; i < names.length; i++) if (!shapes[i]!.fits(value[names[i]!])) return false
      return true
    },
    explain(value, path, faults) {
      if (!isObject(value)) return anyObject.explain(value, path, faults)
      for (const [key, shape] of Object.entries(fields)) {
        if (!shape.fits(value[key])) shape.explain(value[key], [...path, key], faults)
      }
    },
  }
}

/** A list of such things. */
export function list(shape: Shape, atLeast = 0): Shape {
  return {
    fits(value) {
      if (!Array.isArray(value) || value.length < atLeast) return false
      for (const item of value) if (!shape.fits(item)) return false
      return true
    },
    explain(value, path, faults) {
      if (!Array.isArray(value)) faults.push({ path, message: `expected a list, got ${kindOf(value)}` })
      else if (value.length < atLeast) faults.push({ path, message: `expected a list of at least ${atLeast}` })
      else {
        const at = value.findIndex((item) => !shape.fits(item))
        shape.explain(value[at], [...path, at], faults)
      }
    },
  }
}

/** Any of a few shapes. */
export function either(...shapes: readonly Shape[]): Shape {
  return {
    fits: (value) => shapes.some((shape) => shape.fits(value)),
    explain(value, path, faults) {
      for (const shape of shapes) shape.explain(value, path, faults)
    },
  }
}

/** All of a few shapes at once. */
export function both(...shapes: readonly Shape[]): Shape {
  return {
    fits: (value) => shapes.every((shape) => shape.fits(value)),
    explain(value, path, faults) {
      for (const shape of shapes) if (!shape.fits(value)) shape.explain(value, path, faults)
    },
  }
}

/**
 * An object whose `tag` says which shape it must have. A tag nobody knows is let through: it is data for the upstream.
 *
 * @param fallback the tag of an object that has none
 */
export function byTag(tag: string, shapes: Readonly<Record<string, Shape>>, fallback?: string): Shape {
  const table = new Map(Object.entries(shapes))
  const word = fallback === undefined ? string : text
  return {
    fits(value) {
      if (!isObject(value)) return false
      const said = value[tag]
      if (!word.fits(said)) return false
      return table.get((said ?? fallback) as string)?.fits(value) ?? true
    },
    explain(value, path, faults) {
      if (!isObject(value)) return anyObject.explain(value, path, faults)
      const said = value[tag]
      if (!word.fits(said)) return word.explain(said, [...path, tag], faults)
      table.get((said ?? fallback) as string)?.explain(value, path, faults)
    },
  }
}

/** A string or a list of parts; optional. */
export function textOr(part: Shape): Shape {
  const parts = list(part)
  return {
    fits: (value) => value === undefined || value === null || typeof value === 'string' || parts.fits(value),
    explain(value, path, faults) {
      if (Array.isArray(value)) parts.explain(value, path, faults)
      else faults.push({ path, message: 'expected a string or a list' })
    },
  }
}

/**
 * Checks a caller's body against a shape.
 *
 * @throws GwError `request.invalid` with the JSON path of the fault as `param`; of several, of the one deepest inside
 */
export function validate(shape: Shape, body: JsonObject): void {
  if (shape.fits(body)) return
  const faults: Fault[] = []
  shape.explain(body, [], faults)
  let worst: Fault = { path: [], message: 'not valid' }
  for (const fault of faults) {
    if (fault.path.length > worst.path.length || worst.message === 'not valid') worst = fault
  }
  const path = formatPath(worst.path)
  throw new GwError(
    'request.invalid',
    path === '' ? worst.message : `${path}: ${worst.message}`,
    path === '' ? {} : { param: path },
  )
}

/** `['messages', 2, 'role']` as `messages[2].role`. */
function formatPath(path: Path): string {
  let out = ''
  for (const key of path) out = typeof key === 'number' ? `${out}[${key}]` : joinPath(out, key)
  return out
}
