import { Buffer } from 'node:buffer'
import { GwError } from '../base/mod.ts'
import { parseSpan, scanFields, type Span } from '../protocol/mod.ts'

/** A JSON body as far as routing looks into it: its top-level fields, found without parsing. */
export interface RouteBody {
  readonly bytes: Uint8Array
  /** Where the value of a top-level field lies. */
  span(name: string): Span | undefined
  /** The value of a top-level field, parsed. */
  field(name: string): unknown
  /** Names of the top-level fields. */
  names(): Iterable<string>
}

/**
 * Finds the fields of a body.
 *
 * @throws GwError `request.invalid` when it is no JSON object
 */
export function routeBody(body: Uint8Array | string): RouteBody {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const scan = scanFields(bytes)
  if (!scan.ok) throw new GwError('request.invalid', `the body is not a valid JSON object: ${scan.reason}`)
  const { fields } = scan
  return {
    bytes,
    span: (name) => fields.get(name),
    field(name) {
      const span = fields.get(name)
      return span && parseSpan(bytes, span)
    },
    names: () => fields.keys(),
  }
}

/** Whether a text occurs in a part of the bytes. */
export function contains(bytes: Uint8Array, span: Span, text: string): boolean {
  // A view, not a copy: the search runs natively over the part alone.
  return Buffer.from(bytes.buffer, bytes.byteOffset + span.start, span.end - span.start).includes(text)
}
