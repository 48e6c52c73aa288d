import type { Bound, Pattern, Shape } from '../base/mod.ts'
import { sections } from './sections.ts'

/** What is looked at of a schema and of its checks; the rest of zod's definitions means nothing here. */
interface Def {
  readonly type?: string
  readonly check?: string
  readonly format?: string
  readonly pattern?: RegExp
  readonly minimum?: number
  readonly maximum?: number
  readonly value?: number
  readonly inclusive?: boolean
  readonly checks?: readonly Node[]
  readonly shape?: Readonly<Record<string, Node>>
  readonly catchall?: Node
  readonly element?: Node
  readonly items?: readonly Node[]
  readonly rest?: Node | null
  readonly keyType?: Node
  readonly valueType?: Node
  readonly options?: readonly Node[]
  readonly innerType?: Node
  readonly in?: Node
  readonly out?: Node
  readonly entries?: Readonly<Record<string, string | number>>
  readonly values?: readonly (string | number | boolean | null)[]
  readonly defaultValue?: unknown
}

interface Node {
  readonly _zod: { readonly def: Def }
}

const nothing: Shape = { is: 'beyond' }

/**
 * The shape of each section, drawn from its schema: what `bun run manifest` keeps as data. What only code can judge is
 * `beyond`, but for the rules that a section has as a function of its own.
 */
export async function drawShapes(): Promise<Readonly<Record<string, Shape>>> {
  const drawn = await Promise.all(
    Object.entries(sections).map(async ([name, { load, rules }]) =>
      [name, draw(await load() as unknown as Node, rules !== undefined)] as const
    ),
  )
  return Object.fromEntries(drawn)
}

/** @param ruled whether functions that judge a value are run beside the shape */
function draw({ _zod: { def } }: Node, ruled: boolean): Shape {
  const inner = (node: Node) => draw(node, ruled)
  const checks = (def.checks ?? []).map((node) => node._zod.def).concat(def.check === undefined ? [] : [def])
    .filter(({ check }) => !(ruled && check === 'custom'))
  switch (def.type) {
    case 'string':
      return drawText(checks)
    case 'number':
      return drawNumber(checks)
    case 'array':
      return drawList(inner(def.element!), checks)
  }
  if (checks.length > 0) return nothing
  switch (def.type) {
    case 'boolean':
      return { is: 'flag' }
    case 'unknown':
      return { is: 'any' }
    case 'enum':
      return { is: 'one', of: Object.values(def.entries!) }
    case 'literal':
      return { is: 'one', of: def.values! }
    case 'tuple':
      return def.rest ? nothing : { is: 'row', of: def.items!.map(inner) }
    case 'record':
      return def.keyType!._zod.def.type === 'string'
        ? { is: 'table', key: inner(def.keyType!), of: inner(def.valueType!) }
        : nothing
    case 'object':
      return def.catchall?._zod.def.type === 'never'
        ? {
          is: 'object',
          of: Object.fromEntries(Object.entries(def.shape!).map(([name, node]) => [name, inner(node)])),
        }
        : nothing
    case 'union':
      return { is: 'either', of: def.options!.map(inner) }
    case 'pipe':
      return { is: 'each', of: [inner(def.in!), inner(def.out!)] }
    case 'optional':
      return { is: 'maybe', of: inner(def.innerType!) }
    case 'nullable':
      return { is: 'nullable', of: inner(def.innerType!) }
    case 'default':
    case 'prefault':
      return { is: def.type, of: inner(def.innerType!), value: def.defaultValue }
    default:
      return nothing
  }
}

function drawText(checks: readonly Def[]): Shape {
  const like: Pattern[] = []
  const bounds: { least?: number; most?: number } = {}
  for (const { check, format, pattern, minimum, maximum } of checks) {
    if (check === 'min_length') bounds.least = Math.max(bounds.least ?? 0, minimum!)
    else if (check === 'max_length') bounds.most = Math.min(bounds.most ?? Infinity, maximum!)
    else if (check === 'string_format' && (format === 'regex' || format === 'starts_with')) {
      like.push([pattern!.source, pattern!.flags])
    } else return nothing
  }
  return { is: 'text', ...bounds, ...(like.length > 0 ? { like } : {}) }
}

function drawNumber(checks: readonly Def[]): Shape {
  const bounds: Bound[] = []
  let whole = false
  for (const { check, format, value, inclusive } of checks) {
    if (check === 'number_format' && format === 'safeint') whole = true
    else if (check === 'greater_than') bounds.push([inclusive ? 'least' : 'above', value!])
    else if (check === 'less_than') bounds.push([inclusive ? 'most' : 'below', value!])
    else return nothing
  }
  return { is: 'number', ...(whole ? { whole } : {}), ...(bounds.length > 0 ? { bounds } : {}) }
}

function drawList(of: Shape, checks: readonly Def[]): Shape {
  const bounds: { least?: number; most?: number } = {}
  for (const { check, minimum, maximum } of checks) {
    if (check === 'min_length') bounds.least = minimum!
    else if (check === 'max_length') bounds.most = maximum!
    else return nothing
  }
  return { is: 'list', of, ...bounds }
}
