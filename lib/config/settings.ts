import { type FieldType, fieldType, type Json, type JsonObject, type TypedSchema } from '../base/mod.ts'
import manifest from './manifest.json' with { type: 'json' }
import { readToml } from './toml.ts'

/** One thing that can be set: by key in the file, by variable, by flag. */
export interface Setting {
  /** Key in the file: `server.port`. */
  readonly path: string
  /** `GW_SERVER_PORT` */
  readonly variable: string
  /** `--server-port` */
  readonly flag: string
  readonly type: FieldType
  readonly choices: readonly string[] | null
  readonly default: Json | undefined
  readonly description: string
}

interface SchemaNode extends TypedSchema {
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly enum?: readonly string[]
  readonly default?: Json
  readonly description?: string
}

/** Every setting with a fixed name, in the order of the schema. Entries of open tables are set as a whole, or by path. */
export function settings(): readonly Setting[] {
  return manifest.settings as unknown as readonly Setting[]
}

/** {@link settings}, drawn up from the schema: what `bun run manifest` keeps as data. */
export async function drawSettings(): Promise<readonly Setting[]> {
  return walk(await configJsonSchema() as SchemaNode, [])
}

/** The schema of the config file as JSON Schema (draft 2020-12): for editors, and for all that is derived from it. */
export async function configJsonSchema(): Promise<JsonObject> {
  const [{ z }, { configSchema }] = await Promise.all([import('zod'), import('./schema.ts')])
  return z.toJSONSchema(await configSchema(), { io: 'input' }) as unknown as JsonObject
}

function walk(node: SchemaNode, path: readonly string[]): Setting[] {
  const members = Object.entries(node.properties ?? {})
  if (members.length > 0) return members.flatMap(([key, member]) => walk(member, [...path, key]))
  if (path.length === 0) return []
  return [{
    path: path.join('.'),
    variable: variableOf(path),
    flag: `--${path.join('-').replaceAll('_', '-')}`,
    type: fieldType(node),
    choices: node.enum ?? null,
    default: node.default,
    description: node.description ?? '',
  }]
}

/** The variable of a setting: `GW_` and its path in capitals. */
function variableOf(path: readonly string[]): string {
  return `GW_${path.join('_').replace(/[^A-Za-z0-9]/g, '_').toUpperCase()}`
}

/**
 * The value a flag or variable means for a setting. A text that fits no number or boolean is given back as it is: the
 * schema then says what is wrong with it, and where it came from.
 *
 * @example fromText(portSetting, '8080') // 8080
 */
export function fromText(type: Setting['type'], text: string): Json {
  const trimmed = text.trim()
  if (type === 'number') return trimmed !== '' && Number.isFinite(Number(trimmed)) ? Number(trimmed) : text
  if (type === 'boolean') {
    if (/^(true|1|on|yes)$/i.test(trimmed)) return true
    return /^(false|0|off|no)$/i.test(trimmed) ? false : text
  }
  if (type === 'list') {
    if (trimmed.startsWith('[')) return literal(trimmed) ?? text
    return trimmed === '' ? [] : trimmed.split(',').map((item) => item.trim()).filter((item) => item !== '')
  }
  if (type === 'table') return literal(trimmed) ?? text
  return text
}

/** A JSON or TOML value written in one line, or `undefined`. */
export function literal(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    const reading = readToml(`value = ${text}`)
    return reading.ok ? reading.value.value : undefined
  }
}
