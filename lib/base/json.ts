import { GwError } from './error.ts'

/** Anything JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }
/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json | undefined }

/** Whether a value is a plain JSON object (not null, not an array). */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** How deep a document may nest before it is refused: far past any real request, far below a stack overflow. */
const maxDepth = 256

/**
 * Parses JSON text that came from outside.
 *
 * @throws GwError `request.invalid` for text that is no JSON, with the parser's position, or that nests deeper than 256.
 */
export function parseJson(text: string, what = 'body'): Json {
  assertShallow(text, what)
  try {
    return JSON.parse(text) as Json
  } catch (cause) {
    throw new GwError('request.invalid', `${what} is not valid JSON: ${(cause as Error).message}`, { cause })
  }
}

/** {@link parseJson}, for a document that must be an object. */
export function parseJsonObject(text: string, what = 'body'): JsonObject {
  const value = parseJson(text, what)
  if (!isObject(value)) throw new GwError('request.invalid', `${what} must be a JSON object`)
  return value as JsonObject
}

function assertShallow(text: string, what: string): void {
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (quoted) {
      if (c === 92) i++
      else if (c === 34) quoted = false
    } else if (c === 34) quoted = true
    else if (c === 123 || c === 91) {
      if (++depth > maxDepth) throw new GwError('request.invalid', `${what} nests deeper than ${maxDepth} levels`)
    } else if (c === 125 || c === 93) depth--
  }
}

/**
 * The canonical text of a JSON value: keys sorted by code unit, no white space. Equal values give equal text, so it can
 * be hashed, signed or compared.
 *
 * @see RFC 8785 (JSON Canonicalization Scheme)
 */
export function canonicalJson(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`
  if (isObject(value)) {
    const keys = Object.keys(value).filter((key) => value[key] !== undefined).sort()
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as Json)}`).join(',')}}`
  }
  return JSON.stringify(value ?? null)
}
