import type { z } from 'zod'
import { issueText, nearest } from '../base/mod.ts'

/** One mistake, at one key. */
export interface PlainIssue {
  readonly path: readonly string[]
  readonly reason: string
}

/**
 * What the schema of a section found wrong, as sentences about single keys.
 *
 * @param at the path of what was judged
 */
export async function plainIssues(error: z.ZodError, at: readonly string[]): Promise<PlainIssue[]> {
  const lists = await Promise.all(error.issues.map((issue) => flatten(issue, at)))
  return lists.flat()
}

/** A key that nothing reads, and the one that may have been meant. */
export function unknownKey(path: readonly string[], key: string, known: readonly string[]): PlainIssue {
  const [meant] = nearest(key, known, 1)
  return { path: [...path, key], reason: `unknown key${meant ? `; did you mean ${meant}?` : ''}` }
}

async function flatten(issue: z.core.$ZodIssue, at: readonly string[]): Promise<PlainIssue[]> {
  const path = [...at, ...issue.path.map(String)]
  if (issue.code === 'unrecognized_keys') {
    const known = await knownKeys(path)
    return issue.keys.map((key) => unknownKey(path, key, known))
  }
  if (issue.code === 'invalid_key') return [{ path, reason: issue.issues[0]?.message ?? issue.message }]
  return [{ path, reason: issueText(issue.message) }]
}

/** Names that exist at a place of the configuration, for suggestions. */
async function knownKeys(path: readonly string[]): Promise<string[]> {
  // Loaded here: only a mistake needs the whole of it.
  const { configSchema } = await import('./schema.ts')
  let at: unknown = await configSchema()
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
