/** Something of a request or an answer that the other protocol cannot carry. */
export interface Loss {
  /** JSON path in the document it was found in, such as `messages[2].content[0].cache_control`. */
  readonly path: string
  /** Why, in a few lower-case words: `no equivalent in openai-chat`. */
  readonly reason: string
}
