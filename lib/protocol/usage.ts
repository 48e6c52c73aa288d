/**
 * What one call used, in model units.
 *
 * `inputTokens` includes the cached and cache-writing ones, `outputTokens` includes the reasoning ones: the totals are
 * what the model read and wrote, the others say how much of it was which. `null` means the upstream did not say.
 */
export interface TokenCounts {
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  /** Part of the input that was read from a prompt cache. */
  readonly cachedInputTokens: number | null
  /** Part of the input that was written to a prompt cache for 5 minutes (or for an unnamed time). */
  readonly cacheWriteTokens: number | null
  /** Part of the input that was written to a prompt cache for an hour. */
  readonly cacheWrite1hTokens: number | null
  /** Part of the output that was hidden reasoning. */
  readonly reasoningTokens: number | null
}

/** Nothing said about anything. */
export const noTokens: TokenCounts = {
  inputTokens: null,
  outputTokens: null,
  cachedInputTokens: null,
  cacheWriteTokens: null,
  cacheWrite1hTokens: null,
  reasoningTokens: null,
}

/** The later report laid over the earlier one: streams say input first and output last. */
export function addTokens(earlier: TokenCounts, later: Partial<TokenCounts>): TokenCounts {
  const out: Record<string, number | null> = { ...earlier }
  for (const [name, value] of Object.entries(later)) if (value !== null && value !== undefined) out[name] = value
  return out as unknown as TokenCounts
}
