import type { Clock, Logger } from './base/mod.ts'
import type { Logins } from './credentials/mod.ts'

/** How often logins are looked at; each is renewed minutes before its end, so a missed look does no harm. */
const tendEveryMs = 30_000
const firstLookMs = 1_000

/** Renews logins ahead of their end, in the background, until the returned function is called. */
export function tendLogins(logins: Pick<Logins, 'tick'>, clock: Clock, logger: Logger): () => void {
  const stop = new AbortController()
  const run = async () => {
    // A start has better things to do first, and whoever uses a login renews it.
    await clock.sleep(firstLookMs, stop.signal).catch(() => {})
    while (!stop.signal.aborted) {
      await logins.tick().catch((error) => logger.log('warn', 'credential.tend_failed', { error }))
      await clock.sleep(tendEveryMs, stop.signal).catch(() => {})
    }
  }
  void run()
  return () => stop.abort()
}
