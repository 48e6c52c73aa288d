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
  readonly tier?: string | null | undefined
  readonly unread?: readonly string[] | undefined
}

/** What the end of an answer tells and a client's protocol has no words for. */
export function endLosses(
  { stopSequence, tier = null, unread = [] }: Ending,
  tokens: TokenCounts,
  client: ProtocolId,
): Loss[] {
  const unseen = tier === null || tier === 'default' || client.startsWith('openai')
    ? unread
    : ['service_tier', ...unread]
  const losses = unseen.map((path): Loss => ({ path, reason: 'the answer has no place for it' }))
  if (stopSequence !== null && client !== 'anthropic-messages') {
    losses.push({ path: 'stop_sequence', reason: `${client} does not say which` })
  }
  if (client === 'gemini' && (tokens.cacheWriteTokens || tokens.cacheWrite1hTokens)) {
    losses.push({ path: 'usage', reason: 'gemini does not count what is written to a cache' })
  }
  return losses
}
