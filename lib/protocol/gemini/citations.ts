import type { Json, JsonObject } from '../../base/mod.ts'
import { webCitation } from '../citations.ts'
import { numberOf, objectOf, objectsOf, stringOf } from '../read.ts'

/**
 * What a text is grounded on, as the citations that the other protocols share.
 *
 * The API counts in bytes, the others in characters.
 *
 * @see https://ai.google.dev/gemini-api/docs/google-search
 */
export function citationsOf(grounding: JsonObject, text: string): JsonObject[] {
  const chunks = objectsOf(grounding.groundingChunks)
  const bytes = new TextEncoder().encode(text)
  const chars = (at: number): number => new TextDecoder().decode(bytes.subarray(0, Math.min(at, bytes.length))).length
  return objectsOf(grounding.groundingSupports).flatMap((support) => {
    const segment = objectOf(support.segment) ?? {}
    const indices = Array.isArray(support.groundingChunkIndices) ? support.groundingChunkIndices : []
    return indices.flatMap((index) => {
      const web = objectOf(chunks[numberOf(index) ?? -1]?.web)
      const url = stringOf(web?.uri)
      if (url === null) return []
      return [{
        type: 'url_citation',
        url,
        title: stringOf(web?.title) ?? '',
        start_index: chars(numberOf(segment.startIndex) ?? 0),
        end_index: chars(numberOf(segment.endIndex) ?? bytes.length),
      }]
    })
  })
}

/** Citations of the other protocols as grounding; those that are no places on the web, and the words that others quote, are told to `lose`. */
export function groundingOf(
  annotations: readonly JsonObject[],
  text: string,
  lose: (index: number, quote: boolean) => void,
): JsonObject | null {
  const urls: string[] = []
  const chunks: JsonObject[] = []
  const supports: JsonObject[] = []
  const bytes = (chars: number): number => new TextEncoder().encode(text.slice(0, chars)).length
  annotations.forEach((annotation, i) => {
    const cited = webCitation(annotation, text.length)
    if (cited === null) return lose(i, false)
    const { url, title, start, end, quotes } = cited
    if (quotes) lose(i, true)
    let at = urls.indexOf(url)
    if (at < 0) {
      at = urls.push(url) - 1
      chunks.push({ web: { uri: url, title } })
    }
    supports.push({
      segment: { startIndex: bytes(start), endIndex: bytes(end), text: text.slice(start, end) },
      groundingChunkIndices: [at],
    })
  })
  return chunks.length === 0
    ? null
    : { groundingChunks: chunks as Json[], groundingSupports: supports as Json[] } as JsonObject
}
