import type { JsonObject } from '../base/mod.ts'
import { type PlainIssue, plainIssues, unknownKey } from './issues.ts'
import manifest from './manifest.json' with { type: 'json' }
import { type Config, sections } from './sections.ts'

/** What judging a configuration came to. */
export type Validated =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly issues: readonly PlainIssue[] }

/**
 * Judges a configuration and fills in its defaults, as {@link configSchema} would, but loads only the schemas of the
 * sections that it has. A section that nobody wrote is as its defaults are, and those are kept as data: building all
 * schemas costs more time than the rest of a start.
 */
export async function validateConfig(tree: JsonObject): Promise<Validated> {
  const defaults = structuredClone(manifest.defaults) as Record<string, unknown>
  const config: Record<string, unknown> = {}
  const issues: PlainIssue[] = []
  for (const [name, { load }] of Object.entries(sections)) {
    if (!Object.hasOwn(tree, name)) {
      config[name] = defaults[name]
      continue
    }
    // Compiling a parser pays off from the second time on; a start has one time.
    const parsed = (await load()).safeParse(tree[name], { jitless: true })
    if (parsed.success) config[name] = parsed.data
    else issues.push(...await plainIssues(parsed.error, [name]))
  }
  const known = Object.keys(sections)
  issues.push(...Object.keys(tree).filter((key) => !known.includes(key)).map((key) => unknownKey([], key, known)))
  return issues.length > 0 ? { ok: false, issues } : { ok: true, config: config as Config }
}
