import type { ProtocolId } from './id.ts'
import type { TokenCounts } from './usage.ts'

/** Something of a request or an answer that the other protocol cannot carry. */
export interface Loss {
  /** JSON path in the document it was found in, such as `messages[2].content[0].cache_control`. */
  readonly path: string
  /** Why, in a few lower-case words: `no equivalent in openai-chat`. */
  readonly reason: string
}

/** What is told at the end of an answer. */
interface Ending {
  readonly stopSequence: string | null
  readonly unread?: readonly string[] | undefined
}

/** What the end of an answer tells and a client's protocol has no words for. */
export function endLosses({ stopSequence, unread = [] }: Ending, tokens: TokenCounts, client: ProtocolId): Loss[] {
  const losses = unread.map((path): Loss => ({ path, reason: 'the answer has no place for it' }))
  if (stopSequence !== null && client !== 'anthropic-messages') {
    losses.push({ path: 'stop_sequence', reason: `${client} does not say which` })
  }
  if (client === 'gemini' && (tokens.cacheWriteTokens || tokens.cacheWrite1hTokens)) {
    losses.push({ path: 'usage', reason: 'gemini does not count what is written to a cache' })
  }
  return losses
}
