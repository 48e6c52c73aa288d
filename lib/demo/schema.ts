import { isObject, type Json } from '../base/mod.ts'

/** How deep a schema is followed: recursive ones have no end. */
const deepest = 8

/**
 * An object that fits a tool's JSON Schema: its required properties, filled from what the user said where that is
 * possible (a command in back-ticks, a quoted string, a number).
 */
export function argumentsFor(schema: Json | undefined, said: string): Json {
  const value = isObject(schema) ? valueFor(schema as Json, '', said) : {}
  return isObject(value) ? (value as Json) : {}
}

/** A value that fits `schema`; `name` is the property it is for and helps to choose. */
export function valueFor(schema: Json, name: string, said: string, root: Json = schema, depth = 0): Json {
  if (!isObject(schema) || depth > deepest) return null
  if (typeof schema['$ref'] === 'string') return valueFor(resolve(root, schema['$ref']), name, said, root, depth + 1)
  if ('const' in schema) return schema['const'] as Json
  if (Array.isArray(schema['enum'])) return schema['enum'][0] as Json
  for (const key of ['anyOf', 'oneOf', 'allOf']) {
    const first = Array.isArray(schema[key]) ? schema[key][0] : undefined
    if (first !== undefined) return valueFor(first as Json, name, said, root, depth + 1)
  }
  const type = Array.isArray(schema['type']) ? schema['type'][0] : schema['type']
  const command = /^(cmd|command|script|code)$/i.test(name)
  switch (type ?? (isObject(schema['properties']) ? 'object' : 'string')) {
    case 'object': {
      const properties = isObject(schema['properties']) ? schema['properties'] : {}
      const required = Array.isArray(schema['required']) ? schema['required'] : Object.keys(properties)
      return Object.fromEntries(
        required.filter((key): key is string => typeof key === 'string').map((key) => [
          key,
          valueFor((properties[key] ?? {}) as Json, key, said, root, depth + 1),
        ]),
      )
    }
    case 'array':
      if (command) return ['bash', '-lc', textFor(name, said)]
      return isObject(schema['items']) ? [valueFor(schema['items'] as Json, name, said, root, depth + 1)] : []
    case 'number':
    case 'integer': {
      const least = typeof schema['minimum'] === 'number' ? schema['minimum'] : 1
      return Math.max(least, Number(/-?\d{1,9}/.exec(said)?.[0] ?? least))
    }
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return textFor(name, said)
  }
}

function textFor(name: string, said: string): string {
  const ticked = /`([^`]+)`/.exec(said)?.[1]
  if (/^(cmd|command|script|code)$/i.test(name)) return ticked ?? 'echo hello from the demo upstream'
  const quoted = /["“]([^"”]+)["”]/.exec(said)?.[1]
  // “the weather in Paris” is the commonest thing anybody asks a tool.
  const place = /\bin ([A-Z][\p{L}-]+(?: [A-Z][\p{L}-]+)*)/u.exec(said)?.[1]
  return quoted ?? ticked ?? place ?? said.slice(0, 100)
}

function resolve(root: Json, ref: string): Json {
  let at: unknown = root
  for (const part of ref.replace(/^#\/?/, '').split('/').filter(Boolean)) {
    at = isObject(at) ? at[part.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined
  }
  return (at ?? {}) as Json
}
