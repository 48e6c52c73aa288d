import type { Json } from '../base/mod.ts'

type Table = Record<string, Json>

/**
 * What a plain TOML text says: tables, bare keys, and values of one line without escapes, as nearly every config is
 * written. `null` for any other text, right or wrong: the whole parser reads that, and says what is wrong with it.
 *
 * In a process that has just begun, the whole parser takes 10 ms for 200 accounts and this takes 2: its loops are those
 * of the regular expressions.
 */
export function readPlainToml(text: string): Table | null {
  // Control characters are wrong, and what is not ASCII is not worth knowing here.
  if (/[^\t\n\x20-\x7e]/.test(text)) return null
  const reader = readerOf(text)
  const root: Table = {}
  const opened = new Set<object>()
  let table = root
  for (;;) {
    reader.skipBlank()
    if (reader.atEnd()) return root
    const name = reader.header()
    if (name !== null) {
      const next = tableAt(root, name.split('.'), reader.inline)
      if (next === null || opened.has(next) || !reader.lineEnd()) return null
      opened.add(next)
      table = next
      continue
    }
    if (!reader.entry(table) || !reader.lineEnd()) return null
  }
}

/** The table of a header, made where there is none; `null` where something else stands in its place. */
function tableAt(root: Table, path: readonly string[], inline: ReadonlySet<object>): Table | null {
  let at = root
  for (const step of path) {
    if (step === '__proto__') return null
    const found = Object.hasOwn(at, step) ? at[step] : undefined
    if (found === undefined) at = at[step] = {}
    // What was written in one line is complete.
    else if (typeof found !== 'object' || found === null || Array.isArray(found) || inline.has(found)) return null
    else at = found as Table
  }
  return at
}

/** Reads one token after another, each by a sticky expression. */
function readerOf(text: string) {
  const blank = /(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*/y
  const comment = /#[^\n]*$/y
  const header = /\[[ \t]*([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)[ \t]*\]/y
  const key = /([A-Za-z0-9_-]+)[ \t]*=[ \t]*/y
  const scalar =
    /"([^"\\\n]*)"(?!")|'([^'\n]*)'(?!')|(true|false)(?![A-Za-z0-9_-])|(-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?)(?![\w.:+-])/y
  const end = /[ \t]*(?:#[^\n]*)?(?:\n|$)/y
  const listStart = /\[[ \t]*/y
  const listEnd = /[ \t]*,?[ \t]*\]/y
  const tableStart = /\{[ \t]*/y
  const tableEnd = /[ \t]*\}/y
  const comma = /[ \t]*,[ \t]*/y
  const inline = new Set<object>()
  let at = 0

  function take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = at
    const found = expression.exec(text)
    if (found) at = expression.lastIndex
    return found
  }

  /** A value, or `undefined` where it is none of the plain ones. */
  function value(): Json | undefined {
    const found = take(scalar)
    if (found) {
      if (found[3] !== undefined) return found[3] === 'true'
      if (found[4] === undefined) return found[1] ?? found[2]!
      const number = Number(found[4])
      return Object.is(number, -0) ? undefined : number
    }
    if (take(listStart)) return list()
    return take(tableStart) ? inlineTable() : undefined
  }

  function list(): Json[] | undefined {
    const out: Json[] = []
    if (take(listEnd)) return text[at - 2] === ',' ? undefined : out
    for (;;) {
      const item = value()
      if (item === undefined) return undefined
      out.push(item)
      if (take(listEnd)) return out
      if (!take(comma)) return undefined
    }
  }

  function inlineTable(): Table | undefined {
    const out: Table = {}
    inline.add(out)
    if (take(tableEnd)) return out
    for (;;) {
      if (!entry(out)) return undefined
      if (take(tableEnd)) return out
      if (!take(comma)) return undefined
    }
  }

  /** Reads `key = value` into a table; false where it is not plain, or there twice. */
  function entry(table: Table): boolean {
    const name = take(key)?.[1]
    if (name === undefined || name === '__proto__' || Object.hasOwn(table, name)) return false
    const read = value()
    if (read === undefined) return false
    table[name] = read
    return true
  }

  return {
    inline,
    entry,
    skipBlank() {
      take(blank)
      take(comment)
    },
    atEnd: () => at >= text.length,
    header: () => take(header)?.[1] ?? null,
    lineEnd: () => take(end) !== null,
  }
}
