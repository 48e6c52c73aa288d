import type { JsonObject } from '../base/mod.ts'
import { mark } from './reasoning.ts'
import { numberOf, objectOf, stringOf } from './read.ts'

/** A place on the web that a text names as its source. */
export interface WebCitation {
  readonly url: string
  readonly title: string
  /** What of the text it stands for, in characters. */
  readonly start: number
  readonly end: number
  /** Whether it quotes its source, which only messages do. */
  readonly quotes: boolean
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
    quotes: Boolean(value.cited_text),
  }
}

/**
 * A place on the web in the form of messages, whose index into the results of its own search is opaque: there it says
 * that the place is none of Anthropic's, which would refuse it.
 */
export function messagesCitation(value: JsonObject, length: number): JsonObject | null {
  const cited = webCitation(value, length)
  if (cited === null) return null
  const { url, title, start, end } = cited
  const encrypted_index = `${mark}${start}-${end}`
  return { type: 'web_search_result_location', url, title, cited_text: '', encrypted_index }
}

/** Whether a citation was written by {@link messagesCitation}. Nobody takes it back, and the text says what it said. */
export function isForeignCitation({ encrypted_index }: JsonObject): boolean {
  return typeof encrypted_index === 'string' && encrypted_index.startsWith(mark)
}
