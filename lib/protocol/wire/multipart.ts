import type { Span } from './json-fields.ts'

/** A text part of a form: where its value lies. */
export interface FormField {
  readonly name: string
  readonly value: Span
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The boundary named by a `multipart/form-data` content type, or `null`. */
export function boundaryOf(contentType: string): string | null {
  const match = /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType)
  return match?.[1] ?? match?.[2] ?? null
}

/**
 * The parts of a form that carry no file, found in place; the audio beside them is stepped over.
 *
 * @returns `null` when the bytes are no form with this boundary
 * @see RFC 7578, RFC 2046 §5.1
 */
export function scanForm(bytes: Uint8Array, boundary: string): readonly FormField[] | null {
  const delimiter = encoder.encode(`\r\n--${boundary}`)
  const opening = delimiter.subarray(2)
  if (!startsWith(bytes, 0, opening)) return null
  const fields: FormField[] = []
  let at = opening.length
  for (let parts = 0; parts < 256; parts++) {
    if (bytes[at] === 45 && bytes[at + 1] === 45) return fields
    if (bytes[at] !== 13 || bytes[at + 1] !== 10) return null
    const headEnd = find(bytes, headClose, at)
    if (headEnd < 0) return null
    const start = headEnd + headClose.length
    const end = find(bytes, delimiter, start - 2)
    if (end < 0) return null
    const head = decoder.decode(bytes.subarray(at, Math.min(headEnd, at + 4096)))
    const disposition = /content-disposition:\s*form-data\s*;([^\r\n]*)/i.exec(head)?.[1] ?? ''
    const name = /(?:^|[;\s])name="([^"\r\n]*)"/i.exec(disposition)?.[1]
    if (name !== undefined && !/(?:^|[;\s])filename\*?=/i.test(disposition)) {
      fields.push({ name, value: { start, end: Math.max(start, end) } })
    }
    at = end + delimiter.length
  }
  return null
}

const headClose = new Uint8Array([13, 10, 13, 10])

function startsWith(bytes: Uint8Array, at: number, needle: Uint8Array): boolean {
  return needle.every((byte, i) => bytes[at + i] === byte)
}

function find(bytes: Uint8Array, needle: Uint8Array, from: number): number {
  let at = from
  for (;;) {
    at = bytes.indexOf(needle[0]!, at)
    if (at < 0 || at + needle.length > bytes.length) return -1
    if (startsWith(bytes, at, needle)) return at
    at++
  }
}
