import type { Json, JsonObject } from '../../lib/base/mod.ts'

/** Most text: it needs no look at what a character is. */
const plainText = /^[\x20-\x7e]*$/
const control = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Text from elsewhere as a terminal may show it: no escape sequence, no line break. */
export function printable(text: string): string {
  return plainText.test(text) ? text : text.replace(control, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)
}

/** Endings of names that say what unit a number is in; the value carries the unit, so that a heading need not. */
const unitEnding = /(?:Micros|_micros|At|_at|Ms|_ms|Percent)$/

/** A field's name as a heading: `cachedInputMicros` is `cached input`. */
export function heading(name: string): string {
  const words = name.replace(/Micros(?=Per[A-Z])/, '').replace(unitEnding, '').replaceAll('_', ' ').replace(
    /([a-z0-9])([A-Z])/g,
    '$1 $2',
  ).toLowerCase()
  return words === '' ? name : words
}

/**
 * One value in one line, as a person reads it. By the field's name a number is a time (`At`, epoch ms; `_at`, epoch s),
 * a span (`Ms`), money (`Micros`, micro-USD) or a part of a hundred (`Percent`); a number that can only be a moment of these decades is one.
 */
export function valueText(name: string, value: Json | undefined): string {
  if (value === null || value === undefined || value === '') return '-'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'number') return numberText(name, value)
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) {
    if (value.length === 0) return '-'
    return value.map((item) => valueText('', item)).join(typeof value[0] === 'object' ? '; ' : ', ')
  }
  return objectText(value as JsonObject)
}

/** The parts of an object that say something, as `name value`. */
function objectText(value: JsonObject): string {
  const parts = Object.entries(value).filter(([, part]) => part !== null && part !== '' && !isEmpty(part))
  if (parts.length === 0) return '-'
  return parts.map(([name, part]) => `${printable(heading(name))} ${valueText(name, part)}`).join(', ')
}

const isEmpty = (value: Json | undefined): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0

const millennium = 1_000_000_000_000

function numberText(name: string, value: number): string {
  if (/_at$|^ts$/.test(name)) return momentText(value * 1_000)
  if (/(?:At|^at)$/.test(name)) return momentText(value)
  if (/(?:Micros(?:Per[A-Z]\w*)?|_micros)$/.test(name)) return moneyText(value)
  if (/(?:Ms|_ms)$/.test(name)) return spanText(value)
  if (/Percent$/.test(name)) return `${value} %`
  if (!Number.isInteger(value)) return String(Number(value.toFixed(3)) || value)
  return value > millennium && value < 4 * millennium ? momentText(value) : String(value)
}

/** A moment in UTC, to the second; the number itself where it is no date. */
function momentText(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`
}

/** Micro-USD as dollars: cents where there are any, as many digits as it takes below them. */
function moneyText(micros: number): string {
  const dollars = Math.abs(micros) / 1_000_000
  const digits = dollars === 0 || dollars >= 0.1 ? dollars.toFixed(2) : dollars.toFixed(6).replace(/0+$/, '')
  return `${micros < 0 ? '-' : ''}$${digits.endsWith('.') ? `${digits}00` : digits}`
}

/** Milliseconds in the two largest units that say something. */
function spanText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1).replace(/\.0$/, '')} s`
  const minutes = Math.round(ms / 60_000)
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24]
  const parts = [[days, 'd'], [hours, 'h'], [minutes % 60, 'min']] as const
  const first = parts.findIndex(([count]) => count > 0)
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map((part) => part.join(' ')).join(' ')
}
