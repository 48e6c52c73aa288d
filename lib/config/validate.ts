import { type Json, type JsonObject, readShape, type Shape } from '../base/mod.ts'
import { type PlainIssue, plainIssues, unknownKey } from './issues.ts'
import manifest from './manifest.json' with { type: 'json' }
import { type Config, sections } from './sections.ts'
import drawn from './shapes.json' with { type: 'json' }

/** What judging a configuration came to. */
export type Validated =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly issues: readonly PlainIssue[] }

const shapes = drawn as unknown as Readonly<Record<string, Shape>>

/**
 * Judges a configuration and fills in its defaults, as {@link configSchema} would, at a fraction of its cost: what a
 * section's shape accepts needs no schema, and building one takes longer than the rest of a start. A section that nobody
 * wrote is as its defaults are, and those are kept as data too.
 */
export async function validateConfig(tree: JsonObject): Promise<Validated> {
  const config: Record<string, unknown> = {}
  const issues: PlainIssue[] = []
  for (const [name, section] of Object.entries(sections)) {
    if (!Object.hasOwn(tree, name)) {
      config[name] = structuredClone(defaults[name])
      continue
    }
    const quick = await quickly(name, section, tree[name])
    if (quick) {
      config[name] = quick.value
      continue
    }
    // Compiling a parser pays off from the second time on; a start has one time.
    const parsed = (await section.load()).safeParse(tree[name], { jitless: true })
    if (parsed.success) config[name] = parsed.data
    else issues.push(...await plainIssues(parsed.error, [name]))
  }
  const known = Object.keys(sections)
  issues.push(...Object.keys(tree).filter((key) => !known.includes(key)).map((key) => unknownKey([], key, known)))
  return issues.length > 0 ? { ok: false, issues } : { ok: true, config: config as Config }
}

const defaults = manifest.defaults as Readonly<Record<string, unknown>>

/** What the shape and the rules of a section make of it; `null` where only its schema can tell. */
async function quickly(
  name: string,
  { rules }: (typeof sections)[keyof typeof sections],
  written: Json | undefined,
): Promise<{ readonly value: unknown } | null> {
  const read = readShape(shapes[name]!, written)
  if (!read || !rules) return read
  // The shape of a section is that of what its rules are about.
  return (await rules())(read.value as never).length === 0 ? read : null
}
