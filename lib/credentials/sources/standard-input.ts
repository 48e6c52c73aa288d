import { type Clock, GwError } from '../../base/mod.ts'

/** How long whoever pipes a credential in may take; as long as a program that gives one out. */
const limitMs = 30_000

/**
 * Standard input as a source of a credential: read once, by whoever needs it first, and never waited for longer than
 * half a minute. What comes later than that counts from then on.
 *
 * @param read all of it
 * @returns the text. Fails with GwError `secret.unavailable` while nobody has ended it
 */
export function standardInput(read: () => Promise<string>, clock: Clock): () => Promise<string> {
  let text: Promise<string> | null = null
  let late: Promise<never> | null = null
  return async () => {
    if (text === null) {
      text = read()
      const waiting = new AbortController()
      late = clock.sleep(limitMs, waiting.signal).then(() => {
        throw new GwError('secret.unavailable', `nobody ended standard input in ${limitMs / 1000} s`, {
          hint: 'pipe the credential in and nothing else: printf %s "$KEY" | gw …',
        })
      })
      late.catch(() => {})
      text.then(() => waiting.abort(), () => waiting.abort())
    }
    // What has come is taken, however late.
    return await Promise.race([text, late!])
  }
}
