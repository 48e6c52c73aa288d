import { parse, TomlError } from 'smol-toml'
import { type JsonObject, once } from '../base/mod.ts'
import { readPlainToml } from './plain-toml.ts'

/** One step of a path: a key, or the index of a table in an array of tables. */
export type PathStep = string | number

/** Where a key of a TOML text stands. Offsets are UTF-16 units, lines count from 1. */
export interface TomlEntry {
  readonly path: readonly PathStep[]
  readonly line: number
  /** Start of the line the key begins on. */
  readonly start: number
  readonly valueStart: number
  readonly valueEnd: number
}

/** Where a `[table]` of a TOML text stands. */
export interface TomlTable {
  readonly path: readonly PathStep[]
  readonly line: number
  readonly start: number
  /** End of its last entry, or of its header when it has none. */
  end: number
}

/** The places of all keys of a text that parses. */
export interface TomlMap {
  readonly entries: readonly TomlEntry[]
  readonly tables: readonly TomlTable[]
}

/** What a TOML text says, or where and why it is none. */
export type TomlReading =
  | { readonly ok: true; readonly value: JsonObject; readonly map: () => TomlMap }
  | { readonly ok: false; readonly line: number; readonly column: number; readonly reason: string }

/** Reads a TOML text; the place of every key is found out where somebody asks. Dates become ISO strings: config values are plain JSON. */
export function readToml(text: string): TomlReading {
  const body = text.startsWith('\ufeff') ? ` ${text.slice(1)}` : text
  try {
    const value = readPlainToml(body) ?? plain(parse(body)) as JsonObject
    return { ok: true, value, map: once(() => scan(body)) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const reason = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')
    return { ok: false, line: error.line, column: error.column, reason }
  }
}

function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

/** Whether `prefix` begins `path`. */
export function startsWith(path: readonly PathStep[], prefix: readonly PathStep[]): boolean {
  return prefix.length <= path.length && prefix.every((step, i) => String(step) === String(path[i]))
}

/** Finds the line on which the nearest thing to a path is written: the key, the table it stands in, or `null`. */
export function lineFinder(map: TomlMap): (path: readonly PathStep[]) => number | null {
  const keyOf = (path: readonly PathStep[]) => path.map(String).join('\0')
  const first = (lines: Map<string, number>, key: string, line: number) => lines.has(key) || lines.set(key, line)
  const [entries, tables, beginnings] = [
    new Map<string, number>(),
    new Map<string, number>(),
    new Map<string, number>(),
  ]
  for (const { path, line } of map.entries) {
    first(entries, keyOf(path), line)
    for (let length = 1; length < path.length; length++) first(beginnings, keyOf(path.slice(0, length)), line)
  }
  for (const { path, line } of map.tables) first(tables, keyOf(path), line)
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const key = keyOf(path.slice(0, length))
      const line = entries.get(key) ?? tables.get(key) ?? (length === path.length ? beginnings.get(key) : undefined)
      if (line !== undefined) return line
    }
    return null
  }
}

/** {@link lineFinder} for one path. */
export const lineOf = (map: TomlMap, path: readonly PathStep[]): number | null => lineFinder(map)(path)

/**
 * Walks a text that is known to parse. It skips values without reading them, so it needs only to know where strings,
 * brackets and comments end.
 */
function scan(text: string): TomlMap {
  const entries: TomlEntry[] = []
  const tables: TomlTable[] = []
  const counts = new Map<string, number>()
  let table: readonly PathStep[] = []
  let current: TomlTable | null = null
  let line = 1
  let at = 0

  const blanks = () => {
    while (text[at] === ' ' || text[at] === '\t' || text[at] === '\r') at++
  }
  const toLineEnd = () => {
    while (at < text.length && text[at] !== '\n') at++
  }
  const key = (): string[] => {
    const parts: string[] = []
    for (;;) {
      blanks()
      const quote = text[at]
      const from = at
      if (quote === '"' || quote === "'") {
        skipString()
        parts.push(quote === '"' ? JSON.parse(text.slice(from, at)) as string : text.slice(from + 1, at - 1))
      } else {
        while (at < text.length && /[A-Za-z0-9_-]/.test(text[at]!)) at++
        parts.push(text.slice(from, at))
      }
      blanks()
      if (text[at] !== '.') return parts
      at++
    }
  }
  const skipString = () => {
    const quote = text[at]!
    const long = text.startsWith(quote.repeat(3), at)
    at += long ? 3 : 1
    for (; at < text.length; at++) {
      if (text[at] === '\n') line++
      if (quote === '"' && text[at] === '\\') {
        at++
        if (text[at] === '\n') line++
      } else if (long ? text.startsWith(quote.repeat(3), at) : text[at] === quote) {
        at += long ? 3 : 1
        // A long string may end in up to two quotes of its own.
        while (long && text[at] === quote) at++
        return
      }
    }
  }
  const skipValue = () => {
    let depth = 0
    for (; at < text.length;) {
      const c = text[at]!
      if (c === '"' || c === "'") skipString()
      else if (c === '#') {
        if (depth === 0) return
        toLineEnd()
      } else if (c === '\n') {
        if (depth === 0) return
        line++
        at++
      } else {
        if (c === '[' || c === '{') depth++
        if (c === ']' || c === '}') depth--
        at++
      }
    }
  }

  while (at < text.length) {
    const start = at
    blanks()
    if (text[at] === '\n') {
      line++
      at++
    } else if (text[at] === '#') toLineEnd()
    else if (text[at] === '[') {
      const array = text[at + 1] === '['
      at += array ? 2 : 1
      const parts: PathStep[] = resolve(key(), counts)
      if (array) {
        const name = JSON.stringify(parts)
        const index = counts.get(name) ?? 0
        counts.set(name, index + 1)
        parts.push(index)
      }
      toLineEnd()
      table = parts
      current = { path: parts, line, start, end: at }
      tables.push(current)
    } else if (at < text.length) {
      const keyLine = line
      const parts = key()
      at++
      blanks()
      const valueStart = at
      skipValue()
      let valueEnd = at
      while (valueEnd > valueStart && /\s/.test(text[valueEnd - 1]!)) valueEnd--
      entries.push({ path: [...table, ...parts], line: keyLine, start, valueStart, valueEnd })
      toLineEnd()
      if (current) current.end = at
    }
  }
  return { entries, tables }
}

/** Puts the index of the last element behind each part that names an array of tables. */
function resolve(parts: readonly string[], counts: ReadonlyMap<string, number>): PathStep[] {
  const out: PathStep[] = []
  parts.forEach((part, i) => {
    out.push(part)
    const count = counts.get(JSON.stringify(out))
    if (count !== undefined && i < parts.length - 1) out.push(count - 1)
  })
  return out
}
