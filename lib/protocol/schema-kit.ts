import { z } from 'zod'
import { GwError, type JsonObject } from '../base/mod.ts'
import { joinPath } from './ledger.ts'

/** Null is how many clients write "not said". */
export const text: z.ZodType = z.string().nullish()
/** An optional number. */
export const number: z.ZodType = z.number().nullish()
/** An optional count. */
export const count: z.ZodType = z.number().int().nonnegative().nullish()
/** An optional switch. */
export const flag: z.ZodType = z.boolean().nullish()
/** An optional object of any shape. */
export const object: z.ZodType = z.looseObject({}).nullish()

/**
 * An object whose `tag` says which schema it must meet. A tag nobody knows is let through: it is data for the upstream.
 *
 * @param fallback the tag of an object that has none
 */
export function byTag(tag: string, table: Readonly<Record<string, z.ZodType>>, fallback?: string): z.ZodType {
  return z.looseObject({ [tag]: fallback === undefined ? z.string() : z.string().nullish() }).superRefine(
    (value, ctx) => {
      const name = (value as Record<string, unknown>)[tag] ?? fallback
      const schema = Object.hasOwn(table, name as string) ? table[name as string] : undefined
      const result = schema?.safeParse(value)
      if (result === undefined || result.success) return
      const { path, message } = deepest(result.error.issues)
      ctx.addIssue({ code: 'custom', message, path: [...path] })
    },
  )
}

/** A string or a list of tagged parts. */
export function textOr(parts: z.ZodType): z.ZodType {
  return z.unknown().superRefine((value, ctx) => {
    if (value === null || value === undefined || typeof value === 'string') return
    if (!Array.isArray(value)) {
      ctx.addIssue({ code: 'custom', message: 'expected a string or a list', path: [] })
      return
    }
    for (let i = 0; i < value.length; i++) {
      const result = parts.safeParse(value[i])
      if (result.success) continue
      const { path, message } = deepest(result.error.issues)
      ctx.addIssue({ code: 'custom', message, path: [i, ...path] })
      return
    }
  }).optional()
}

interface Where {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** Of several complaints, the one that got furthest into the document. */
function deepest(issues: readonly z.core.$ZodIssue[]): Where {
  let best: Where = { path: [], message: 'not valid' }
  let depth = -1
  for (const issue of issues) {
    const inner = issue.code === 'invalid_union' && issue.errors.length > 0
      ? deepest(issue.errors.flat())
      : { path: [], message: issue.message }
    const path = [...issue.path, ...inner.path]
    if (path.length > depth) [best, depth] = [{ path, message: inner.message }, path.length]
  }
  return best
}

/**
 * Checks a caller's body against a schema.
 *
 * @throws GwError `request.invalid` with the JSON path of the first fault as `param`
 */
export function validate(schema: z.ZodType, body: JsonObject): void {
  const result = schema.safeParse(body)
  if (result.success) return
  const { path, message } = deepest(result.error.issues)
  throw invalid(formatPath(path), message)
}

/** The error for a fault in a caller's body. */
function invalid(path: string, message: string): GwError {
  return new GwError(
    'request.invalid',
    path === '' ? message : `${path}: ${message}`,
    path === '' ? {} : { param: path },
  )
}

/** `['messages', 2, 'role']` as `messages[2].role`. */
function formatPath(path: readonly PropertyKey[]): string {
  let out = ''
  for (const key of path) out = typeof key === 'number' ? `${out}[${key}]` : joinPath(out, String(key))
  return out
}
