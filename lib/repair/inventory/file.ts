import { GwError, parseJsonObject } from '../../base/mod.ts'
import type { Problem } from '../definition/rules.ts'
import { type InventoryConfig, inventorySchema } from './schema.ts'

/** The largest configuration file that is read, bytes. */
const maxConfigBytes = 1024 * 1024

/** What a configuration file says, or everything that is wrong with it. */
export type ParsedInventory =
  | { readonly ok: true; readonly config: InventoryConfig; readonly ignored: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly ignored: readonly string[] }

/**
 * Reads the text of an oauth-mux `config.json`.
 *
 * Members that nobody knows are left out, as that format allows, and named in `ignored` so that a typing mistake can be
 * seen. All problems are found in one go.
 */
export function parseInventory(text: string): ParsedInventory {
  if (text.length > maxConfigBytes) {
    return { ok: false, ignored: [], problems: [{ path: [], message: `is larger than ${maxConfigBytes} bytes` }] }
  }
  let value: Record<string, unknown>
  try {
    value = structuredClone(parseJsonObject(text, 'the configuration')) as Record<string, unknown>
  } catch (error) {
    return { ok: false, ignored: [], problems: [{ path: [], message: (error as Error).message }] }
  }
  const { version, $schema: _, ...rest } = value
  if (version !== undefined && version !== 1) {
    return { ok: false, ignored: [], problems: [{ path: ['version'], message: 'must be 1' }] }
  }
  return parseValue(rest)
}

/** Reads an already decoded `config.json` without its `version`. Members it ignores are removed from `value`. */
function parseValue(value: Record<string, unknown>): ParsedInventory {
  const ignored: string[] = []
  // Each round removes what the last one did not know; a document has finitely many members.
  for (;;) {
    const result = inventorySchema().safeParse(value)
    if (result.success) return { ok: true, config: result.data, ignored }
    const unknown = result.error.issues.filter((issue) => issue.code === 'unrecognized_keys')
    if (unknown.length === 0) {
      const problems = result.error.issues.map((issue) => ({
        path: issue.path.map((part) => typeof part === 'symbol' ? String(part) : part),
        message: issue.message,
      }))
      return { ok: false, problems, ignored }
    }
    for (const issue of unknown) {
      const holder = issue.path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown>)?.[part], value)
      for (const key of issue.keys) {
        delete (holder as Record<string, unknown>)[key]
        ignored.push([...issue.path.map(String), key].join('.'))
      }
    }
  }
}

/** A problem as a line for people: `providers.codex.kind: must not be empty`. */
export function formatProblem({ path, message }: Problem): string {
  return path.length === 0
    ? `config: ${message}`
    : `${path.map((part) => part === '' ? '""' : part).join('.')}: ${message}`
}

/**
 * {@link parseInventory} for callers that cannot go on without it.
 *
 * @throws GwError `config.invalid` with all problems in its message and in `details.problems`
 */
export function requireInventory(text: string, path: string): InventoryConfig {
  const parsed = parseInventory(text)
  if (parsed.ok) return parsed.config
  const problems = parsed.problems.map(formatProblem)
  const [first, ...more] = problems
  throw new GwError(
    'config.invalid',
    more.length === 0 ? `${path}: ${first}` : `${path}:\n  ${problems.join('\n  ')}`,
    {
      hint: 'nothing was changed; mend what is named',
      details: { problems },
    },
  )
}

/** The text of a `config.json` that holds this inventory, without the values that are defaults anyway. */
export function formatInventory(config: unknown): string {
  return `${JSON.stringify({ version: 1, ...(config as object) }, null, 2)}\n`
}
