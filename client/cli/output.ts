import { isObject, type Json, type JsonObject } from '../../lib/base/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'
import type { CliIo } from './io.ts'
import { alignColumns, columnsThatFit, leastWidths, shortMoments, wrapWords } from './table.ts'
import { heading, printable, valueText } from './words.ts'

/**
 * Prints the result of an operation: JSON when asked for, the one field that scripts want, a table of its one list, or
 * its fields.
 */
export function printResult(io: CliIo, operation: OperationDescription, result: unknown, json: boolean): void {
  const hints = operation.cli ?? {}
  if (json || !isObject(result)) return printJson(io, result)
  if (hints.print !== undefined) {
    const value = result[hints.print]
    return io.out(`${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}\n`)
  }
  const lists = Object.entries(result).filter(([name]) =>
    (name === 'data' || hints.columns !== undefined) && isTable(operation, name)
  )
  const isDocument = io.terminal &&
    Object.entries(result).some(([name, value]) => name !== lists[0]?.[0] && isDeep(value as Json))
  if (lists.length !== 1 || isDocument) return printFields(io, result as JsonObject)
  const [name, rows] = lists[0] as [string, JsonObject[]]
  printTable(io, rows, hints.columns ?? Object.keys(rows[0] ?? {}))
  if (rows.length === 0 && io.terminal) io.err('nothing to show\n')
  const rest = Object.entries(result).filter(([key, value]) => key !== name && key !== 'next' && noteworthy(value))
  if (rest.length > 0 && io.terminal) {
    io.out('\n')
    printFields(io, Object.fromEntries(rest) as JsonObject)
  }
  if (typeof result.next === 'string') io.err(`more: --cursor ${result.next}\n`)
}

/** Whether a field of a result is a list of objects, by its schema: an empty list looks like any other. */
function isTable(operation: OperationDescription, name: string): boolean {
  const properties = operation.output?.properties as Record<string, { items?: { type?: string } }> | undefined
  return properties?.[name]?.items?.type === 'object'
}

const noteworthy = (value: unknown): boolean =>
  value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0)

/** What a program asked for with `--json`: one object. */
export function printJson(io: CliIo, value: unknown): void {
  if (!isObject(value)) return io.out(`${JSON.stringify(value, null, 2)}\n`)
  for (const piece of jsonPieces(value)) io.out(piece)
  io.out('\n')
}

/** Rows of a list that are written at once: some 64 KB, so that a long list is read while the rest of it is made. */
const rowsAtOnce = 48

/** `JSON.stringify(value, null, 2)` of plain data, in pieces: no long list of it stands in memory as one text. */
function* jsonPieces(value: Readonly<Record<string, unknown>>): Generator<string> {
  let before = '{'
  for (const [name, part] of Object.entries(value)) {
    const isLong = Array.isArray(part) && part.length > rowsAtOnce
    const text = JSON.stringify({ [name]: isLong ? part.slice(0, rowsAtOnce) : part }, null, 2)
    if (text === '{}') continue
    if (isLong) {
      yield before + text.slice(1, -listEnd.length)
      for (let at = rowsAtOnce; at < part.length; at += rowsAtOnce) {
        const rows = JSON.stringify({ '': part.slice(at, at + rowsAtOnce) }, null, 2)
        yield `,${rows.slice(listStart.length, -listEnd.length)}`
      }
      yield '\n  ]'
    } else yield before + text.slice(1, -objectEnd.length)
    before = ','
  }
  yield before === '{' ? '{}' : objectEnd
}

const listStart = '{\n  "": ['
const listEnd = '\n  ]\n}'
const objectEnd = '\n}'

/** A report of a command's own: the whole of it for programs, one sentence for people. */
export const printReport = (
  { io, options }: { readonly io: CliIo; readonly options: () => { readonly json: boolean } },
  report: object,
  sentence: string,
): void => options().json ? printJson(io, report) : io.out(`${printable(sentence)}\n`)

/** Whether a value holds a list of objects, which no line can show. */
const isDeep = (value: Json | undefined): boolean =>
  Array.isArray(value)
    ? isObject(value[0])
    : isObject(value) && Object.values(value).some((part) => isDeep(part as Json))

/** `name  value`, one per line; on a terminal what holds lists comes after the others, under a heading of its own. */
export function printFields(io: CliIo, all: JsonObject): void {
  const deep = io.terminal ? Object.entries(all).filter(([, value]) => isDeep(value)) : []
  const fields = Object.fromEntries(Object.entries(all).filter((entry) => !deep.some(([name]) => name === entry[0])))
  printPlainFields(io, fields)
  for (const [name, value] of deep) {
    io.out(`\n${bold(io, heading(name))}\n`)
    if (Array.isArray(value)) printRows(io, value as JsonObject[])
    else printFields(io, value as JsonObject)
  }
}

/** Rows as a table; where that is too wide for the terminal, the widest column stands whole below each row. */
function printRows(io: CliIo, rows: readonly JsonObject[]): void {
  const columns = Object.keys(rows[0]!).filter((column) => rows.some((row) => noteworthy(row[column])))
  const widths = columns.map((column) =>
    Math.max(heading(column).length, ...rows.map((row) => valueText(column, row[column]).length))
  )
  const widest = widths.indexOf(Math.max(...widths))
  const total = widths.reduce((sum, width) => sum + width + 2, -2)
  if (total <= io.columns || widest <= 0) return printTable(io, rows, columns)
  const others = columns.filter((_, i) => i !== widest)
  const cells = rows.map((row) => others.map((column) => valueText(column, row[column])))
  const [head, ...lines] = alignColumns([others.map(heading), ...cells], io.columns)
  io.out(`${dim(io, head!)}\n`)
  for (const [i, line] of lines.entries()) {
    io.out(`${line}\n`)
    const said = rows[i]![columns[widest]!]
    if (noteworthy(said)) io.out(`    ${valueText(columns[widest]!, said)}\n`)
  }
}

function printPlainFields(io: CliIo, fields: JsonObject): void {
  const labels = Object.keys(fields).map((name) => io.terminal ? heading(name) : name)
  const width = Math.max(0, ...labels.map((label) => label.length))
  Object.entries(fields).forEach(([name, value], i) => {
    if (!io.terminal) return io.out(`${name}\t${plainText(value)}\n`)
    const [first, ...more] = lines(name, value, io.columns - width - 2)
    io.out(`${dim(io, labels[i]!.padEnd(width))}  ${first}\n`)
    for (const line of more) io.out(`${' '.repeat(width + 2)}${line}\n`)
  })
}

/** A value that has parts, in lines between them; any other in one, as it may be something to copy. */
function lines(name: string, value: Json | undefined, columns: number): readonly string[] {
  const text = valueText(name, value)
  return typeof value === 'object' ? wrapWords(text, Math.max(columns, 20), /(?<=[,;]) /) : [text]
}

/** A table: aligned with a heading on a terminal; elsewhere tab-separated, names and values as `--json` has them. */
export function printTable(io: CliIo, rows: readonly JsonObject[], columns: readonly string[]): void {
  if (rows.length === 0) return
  if (!io.terminal) {
    const cells = rows.map((row) => columns.map((column) => plainText(valueAt(row, column))))
    for (const line of [columns, ...cells]) io.out(`${line.join('\t')}\n`)
    return
  }
  const names = columns.map((column) => column.split('.').at(-1)!)
  const titles = columns.map(columnTitle)
  const full = rows.map((row) => columns.map((column, i) => valueText(names[i]!, valueAt(row, column))))
  const all = widthOf([titles, ...full]) > io.columns ? shortMoments(full) : full
  // What names the row is needed whole: it is what other commands take. Rather than cut it, the last columns are left out.
  const shown = columnsThatFit([titles, ...all], io.columns)
  const cells = all.map((line) => line.slice(0, shown))
  const heads = stacked(titles.slice(0, shown), cells, io.columns)
  const lines = alignColumns([...heads, ...cells], io.columns, leastWidths(titles.slice(0, shown), cells))
  for (const [i, line] of lines.entries()) io.out(`${i < heads.length ? bold(io, line) : line}\n`)
  if (shown < columns.length) {
    const note = `too narrow for ${titles.slice(shown).join(', ')}: a wider terminal has room, --json shows all`
    for (const line of wrapWords(note, io.columns)) io.out(`${dim(io, line)}\n`)
  }
}

/** The heading of a column; prices are those of a million tokens. */
const columnTitle = (column: string): string =>
  `${heading(column.split('.').at(-1)!)}${column.startsWith('price.') ? ' per M' : ''}`

/** How wide lines of cells are in full. */
const widthOf = (lines: readonly (readonly string[])[]): number =>
  (lines[0] ?? []).reduce((sum, _, i) => sum + Math.max(...lines.map((line) => line[i]!.length)) + 2, -2)

/** Headings as lines: one where that fits the terminal, else one word above the other. */
function stacked(heads: readonly string[], cells: readonly (readonly string[])[], columns: number): string[][] {
  if (widthOf([heads, ...cells]) <= columns) return [[...heads]]
  const words = heads.map((head) => head.split(' '))
  const height = Math.max(...words.map(({ length }) => length))
  return Array.from({ length: height }, (_, line) => words.map((all) => all[line - height + all.length] ?? ''))
}

/** A field of a row, or a field of a field. */
const valueAt = (row: JsonObject, column: string): Json | undefined =>
  column.split('.').reduce<Json | undefined>((at, step) => isObject(at) ? at[step] as Json : undefined, row)

/** One value in one line, for programs that read lines. */
function plainText(value: Json | undefined): string {
  if (value === null || value === undefined || value === '') return '-'
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) {
    return value.length === 0 ? '-' : printable(value.join(', '))
  }
  return typeof value === 'object' ? printable(JSON.stringify(value)) : String(value)
}

/** Bold, where colours are wanted. */
export const bold = (io: CliIo, text: string): string => io.color ? `\x1b[1m${text}\x1b[22m` : text
/** Dim, where colours are wanted. */
export const dim = (io: CliIo, text: string): string => io.color ? `\x1b[2m${text}\x1b[22m` : text
/** Red, where colours are wanted. */
export const red = (io: CliIo, text: string): string => io.color ? `\x1b[31m${text}\x1b[39m` : text
/** Green, where colours are wanted. */
export const green = (io: CliIo, text: string): string => io.color ? `\x1b[32m${text}\x1b[39m` : text
/** Yellow, where colours are wanted. */
export const yellow = (io: CliIo, text: string): string => io.color ? `\x1b[33m${text}\x1b[39m` : text
