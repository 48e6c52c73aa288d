/** The pieces a text is streamed in: words with the space before them, long ones split. One piece is one token. */
export function pieces(text: string): string[] {
  return text.match(/\s?[\p{L}\p{N}_]{1,12}|\s?[^\s\p{L}\p{N}_]{1,4}|\s/gu) ?? []
}

/** Rough number of tokens of an input text: a quarter of its length, as no tokenizer runs here. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / 4)
}
