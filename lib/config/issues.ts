import type { z } from 'zod'
import { nearest } from '../base/mod.ts'
import { configSchema } from './schema.ts'

/** One mistake, at one key. */
export interface PlainIssue {
  readonly path: readonly string[]
  readonly reason: string
}

/** What a config schema found wrong, as sentences about single keys. */
export function plainIssues(error: z.ZodError): PlainIssue[] {
  return error.issues.flatMap((issue) => flatten(issue))
}

function flatten(issue: z.core.$ZodIssue): PlainIssue[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path)
    return issue.keys.map((key) => {
      const [meant] = nearest(key, known, 1)
      return { path: [...path, key], reason: `unknown key${meant ? `; did you mean ${meant}?` : ''}` }
    })
  }
  if (issue.code === 'invalid_key') return [{ path, reason: issue.issues[0]?.message ?? issue.message }]
  return [{ path, reason: issue.message.replace(/^Invalid input: /, '').replace(/^Invalid option: /, '') }]
}

/** Names that exist at a place of the schema, for suggestions. */
function knownKeys(path: readonly string[]): string[] {
  let at: unknown = configSchema
  for (const step of path) {
    const shape = shapeOf(at)
    at = shape ? shape[step] : (unwrap(at) as { valueType?: unknown })?.valueType
    if (at === undefined) return []
  }
  return Object.keys(shapeOf(at) ?? {})
}

function unwrap(schema: unknown): unknown {
  let at = schema as { unwrap?: () => unknown; shape?: unknown; valueType?: unknown } | undefined
  for (let i = 0; i < 8 && at?.unwrap && !at.shape; i++) at = at.unwrap() as typeof at
  return at
}

const shapeOf = (schema: unknown): Record<string, unknown> | undefined =>
  (unwrap(schema) as { shape?: Record<string, unknown> } | undefined)?.shape
