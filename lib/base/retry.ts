/** Upper bound of any wait a peer may ask for: 31 days. A vendor's typo must not park an account for ever. */
export const longestWaitMs = 31 * 86_400_000

/**
 * Milliseconds to wait before asking again, from a `Retry-After` value.
 *
 * Accepts delay-seconds (also fractional) and HTTP-date; a past date gives 0, more than 31 days gives 31 days. Returns
 * `undefined` when absent or malformed, because a bad header must not turn a retryable failure into a fatal one.
 *
 * @see RFC 9110 §10.2.3
 * @example parseRetryAfter('2', 0) // 2000
 */
export function parseRetryAfter(value: string | null | undefined, now: number): number | undefined {
  const text = value?.trim()
  if (!text) return undefined
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Math.round(Number(text) * 1000), longestWaitMs)
  if (!/^[A-Za-z]{3},? /.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), longestWaitMs)
}

/**
 * Exponential back-off with full jitter: a wait between 0 and `min(capMs, baseMs · 2^attempt)`.
 *
 * @param random a number in [0, 1): passed in so that plans can be replayed
 */
export function backoffMs(attempt: number, baseMs: number, capMs: number, random: number): number {
  return Math.round(Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)) * random)
}
