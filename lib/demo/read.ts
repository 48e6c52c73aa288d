import { isObject, type Json } from '../base/mod.ts'
import { Refusal } from './refusal.ts'
import { countTokens } from './tokens.ts'

/** A parsed body, read field by field. */
export type Body = Readonly<Record<string, unknown>>

/** The body's `messages` or `input`: a non-empty list of objects. */
export function listOf(body: Body, name: string): Body[] {
  const list = body[name]
  if (list === undefined) throw new Refusal(400, `missing required parameter: '${name}'`, { param: name })
  if (!Array.isArray(list) || list.length === 0 || !list.every(isObject)) {
    throw new Refusal(400, `'${name}' must be a non-empty list of objects`, { param: name })
  }
  return list
}

/** The parts of a message's content; a string is one text part of type `text`. */
export function partsOf(content: unknown): Body[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return Array.isArray(content) ? content.filter(isObject) : []
}

/** The text of a part, or `undefined` when it is not text. */
function textOf(part: Body): string | undefined {
  const { text } = part
  return typeof text === 'string' ? text : undefined
}

/** All text in a content value, parts joined by a newline. */
export function allText(content: unknown): string {
  return partsOf(content).map(textOf).filter((text) => text !== undefined).join('\n')
}

/** A positive whole number, `null` when absent. */
export function wholeNumber(body: Body, ...names: string[]): number | null {
  for (const name of names) {
    const value = body[name]
    if (value === undefined || value === null) continue
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
      throw new Refusal(400, `'${name}' must be a whole number above 0`, { param: name })
    }
    return value
  }
  return null
}

/** Tokens that an image, a document or a sound counts as, whatever its size. */
const mediaTokens = 85

/**
 * Rough input tokens of any part of a request: its strings and keys, with 4 for the frame. Long strings in media
 * parts are not text and count as a flat number.
 */
export function tokensIn(value: unknown): number {
  if (value === undefined || value === null) return 0
  if (typeof value === 'string') return countTokens(value)
  if (typeof value !== 'object') return 1
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + tokensIn(item), 0)
  const { type } = value as Body
  if (typeof type === 'string' && /^(input_)?(image|image_url|file|document|audio)$/.test(type)) return mediaTokens
  return Object.entries(value).reduce((sum, [key, item]) => {
    if (key === 'type' || key === 'id' || key === 'cache_control') return sum
    return sum + tokensIn(item) + (key === 'text' || key === 'content' ? 0 : 1)
  }, 1)
}

/** A JSON value from an unknown one that came out of a JSON parser. */
export function json(value: unknown): Json | undefined {
  return value as Json | undefined
}
