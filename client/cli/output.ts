import { isObject, type Json, type JsonObject } from '../../lib/base/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'
import type { CliIo } from './io.ts'

const control = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Text from elsewhere as a terminal may show it: no escape sequence, no line break. */
export function printable(text: string): string {
  return text.replace(control, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)
}

/**
 * Prints the result of an operation: JSON when asked for, the one field that scripts want, a table of its one list, or
 * its fields.
 */
export function printResult(io: CliIo, operation: OperationDescription, result: unknown, json: boolean): void {
  const hints = operation.cli ?? {}
  if (json || !isObject(result)) return io.out(`${JSON.stringify(result, null, 2)}\n`)
  if (hints.print !== undefined) {
    const value = result[hints.print]
    return io.out(`${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}\n`)
  }
  const lists = Object.entries(result).filter(([name]) => isTable(operation, name))
  if (lists.length !== 1) return printFields(io, result as JsonObject)
  const [name, rows] = lists[0] as [string, JsonObject[]]
  printTable(io, rows, hints.columns ?? Object.keys(rows[0] ?? {}))
  if (rows.length === 0 && io.terminal) io.err(`no ${name === 'data' ? operation.name.split('.')[0] : name}\n`)
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

const noteworthy = (value: unknown): boolean => value !== null && !(Array.isArray(value) && value.length === 0)

/** `name  value`, one per line. */
export function printFields(io: CliIo, fields: JsonObject): void {
  const names = Object.keys(fields)
  const width = Math.max(0, ...names.map((name) => name.length))
  for (const name of names) {
    const label = io.terminal ? dim(io, name.padEnd(width)) : name
    io.out(`${label}${io.terminal ? '  ' : '\t'}${cell(name, fields[name] ?? null)}\n`)
  }
}

/** A table: aligned with a heading on a terminal, tab-separated with a heading elsewhere. */
export function printTable(io: CliIo, rows: readonly JsonObject[], columns: readonly string[]): void {
  if (rows.length === 0) return
  const cells = rows.map((row) => columns.map((column) => cell(column, row[column] ?? null)))
  if (!io.terminal) {
    for (const line of [columns, ...cells]) io.out(`${line.join('\t')}\n`)
    return
  }
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((line) => line[i]!.length)))
  const limit = Math.max(12, Math.floor(io.columns / Math.min(columns.length, 3)))
  const fit = (text: string, i: number) => {
    const width = Math.min(widths[i]!, limit)
    return (text.length > width ? `${text.slice(0, width - 1)}…` : text).padEnd(width)
  }
  io.out(`${bold(io, columns.map(fit).join('  ').trimEnd())}\n`)
  for (const line of cells) io.out(`${line.map(fit).join('  ').trimEnd()}\n`)
}

/** One value in one line. Names that end in `At` are epoch ms, in `_at` epoch seconds, in `Micros` micro-USD. */
function cell(name: string, value: Json): string {
  if (value === null) return '-'
  if (typeof value === 'number') {
    if (/(At|^at)$/.test(name)) return timeText(value)
    if (/_at$/.test(name)) return timeText(value * 1_000)
    if (/Micros$|_micros$/.test(name)) return `$${(value / 1_000_000).toFixed(value < 10_000 ? 6 : 2)}`
    return String(value)
  }
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) {
    if (value.length === 0) return '-'
    return value.every((item) => typeof item !== 'object')
      ? printable(value.join(', '))
      : printable(JSON.stringify(value))
  }
  return typeof value === 'object' ? printable(JSON.stringify(value)) : String(value)
}

const timeText = (ms: number): string => {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`
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
