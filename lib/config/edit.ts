import { GwError, type Json } from '../base/mod.ts'
import { type PathStep, readToml, startsWith, type TomlMap } from './toml.ts'

/**
 * The text with one key set, everything else as its owner wrote it: comments, order and spacing stay.
 *
 * @throws GwError `config.invalid` when the text does not parse, or the key stands inside something that is no table
 */
export function setToml(text: string, path: readonly string[], value: Json): string {
  const map = mapOf(text)
  const exact = map.entries.find((entry) => entry.path.length === path.length && startsWith(entry.path, path))
  if (exact) return splice(text, exact.valueStart, exact.valueEnd, toToml(value))
  const holder = map.entries.find((entry) => startsWith(path, entry.path))
  if (holder) {
    const inner = path.slice(holder.path.length)
    const old = valueAt(text, holder.path)
    if (typeof old !== 'object' || old === null || Array.isArray(old)) {
      throw new GwError('config.invalid', `${path.join('.')} cannot be set: ${holder.path.join('.')} is not a table`)
    }
    return splice(text, holder.valueStart, holder.valueEnd, toToml(withKey(old, inner, value)))
  }
  if (map.tables.some((table) => startsWith(table.path, path)) || map.entries.some((e) => startsWith(e.path, path))) {
    return setToml(unsetToml(text, path), path, value)
  }
  const parent = path.slice(0, -1)
  const line = `${tomlKey(path[path.length - 1]!)} = ${toToml(value)}`
  const home = map.tables.find((table) => table.path.length === parent.length && startsWith(table.path, parent))
  if (home) return splice(text, home.end, home.end, `\n${line}`)
  if (parent.length > 0) {
    const gap = text === '' ? '' : text.endsWith('\n\n') ? '' : text.endsWith('\n') ? '\n' : '\n\n'
    return `${text}${gap}[${parent.map(tomlKey).join('.')}]\n${line}\n`
  }
  const first = map.tables[0]?.start ?? text.length
  const before = text.slice(0, first)
  const gap = before === '' || before.endsWith('\n') ? '' : '\n'
  return `${before}${gap}${line}\n${first < text.length ? '\n' : ''}${text.slice(first)}`
}

/** The text without a key, or without a table and all below it. Absent is fine. */
export function unsetToml(text: string, path: readonly string[]): string {
  const map = mapOf(text)
  const cuts = [
    ...map.entries.filter((entry) => startsWith(entry.path, path)).map((entry) => ({
      start: entry.start,
      end: lineEnd(text, entry.valueEnd),
    })),
    ...map.tables.filter((table) => startsWith(table.path, path)).map((table) => ({
      start: table.start,
      end: lineEnd(text, table.end),
    })),
  ].sort((a, b) => b.start - a.start)
  let out = text
  let from = Infinity
  for (const cut of cuts) {
    out = out.slice(0, cut.start) + out.slice(Math.min(cut.end, from))
    from = cut.start
  }
  const holder = cuts.length === 0 ? map.entries.find((entry) => startsWith(path, entry.path)) : undefined
  if (!holder) return out
  const old = valueAt(text, holder.path)
  if (typeof old !== 'object' || old === null || Array.isArray(old)) return text
  return splice(
    text,
    holder.valueStart,
    holder.valueEnd,
    toToml(withKey(old, path.slice(holder.path.length), undefined)),
  )
}

/** A JSON value as one line of TOML. `null` and `undefined` members are left out: TOML has no nothing. */
function toToml(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(value).replaceAll('\x7f', '\\u007f')
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value === null) throw new GwError('config.invalid', 'null cannot be written to TOML; unset the key')
  if (Array.isArray(value)) return `[${value.map((item) => toToml(item as Json)).join(', ')}]`
  const members = Object.entries(value as Record<string, Json>).filter(([, item]) =>
    item !== null && item !== undefined
  )
  return members.length === 0 ? '{}' : `{ ${members.map(([key, v]) => `${tomlKey(key)} = ${toToml(v)}`).join(', ')} }`
}

const tomlKey = (key: string): string => /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key)

const splice = (text: string, start: number, end: number, put: string) => text.slice(0, start) + put + text.slice(end)

function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\n', from)
  return at < 0 ? text.length : at + 1
}

function mapOf(text: string): TomlMap {
  const reading = readToml(text)
  if (reading.ok) return reading.map()
  throw new GwError('config.invalid', `line ${reading.line}, column ${reading.column}: ${reading.reason}`)
}

function valueAt(text: string, path: readonly PathStep[]): Json | undefined {
  const reading = readToml(text)
  let at: unknown = reading.ok ? reading.value : undefined
  for (const step of path) at = (at as Record<PathStep, unknown> | undefined)?.[step]
  return at as Json | undefined
}

function withKey(old: Json, path: readonly string[], value: Json | undefined): Json {
  const [key, ...rest] = path
  if (key === undefined) return value as Json
  const table = typeof old === 'object' && old !== null && !Array.isArray(old) ? old as Record<string, Json> : {}
  return { ...table, [key]: rest.length === 0 ? value : withKey(table[key] ?? {}, rest, value) }
}
