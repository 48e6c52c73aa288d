import type { JsonObject } from '../base/mod.ts'
import { numberOf, objectOf, stringOf } from './read.ts'

/** A place on the web that a text names as its source. */
export interface WebCitation {
  readonly url: string
  readonly title: string
  /** What of the text it stands for, in characters. */
  readonly start: number
  readonly end: number
}

/**
 * A citation of any protocol as a place on the web; `null` for one that is none.
 *
 * Messages cite for a block of text as a whole, the others for a stretch of it.
 *
 * @param length of the text, for a citation that names no stretch
 */
export function webCitation(value: JsonObject, length: number): WebCitation | null {
  const flat = objectOf(value.url_citation) ?? value
  const url = stringOf(flat.url)
  if (url === null || !/^(url_citation|web_search_result_location)$/.test(String(value.type))) return null
  return {
    url,
    title: stringOf(flat.title) ?? '',
    start: numberOf(flat.start_index) ?? 0,
    end: numberOf(flat.end_index) ?? length,
  }
}
