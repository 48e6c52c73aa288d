import type { Clock } from '../../lib/base/mod.ts'

/** A clock that moves only when told. */
export interface ManualClock extends Clock {
  /** Moves time forward and wakes the sleepers whose time has come, earliest first. */
  advance(ms: number): Promise<void>
}

/** A {@link ManualClock} that starts at `startAt` (epoch ms). */
export function manualClock(startAt = 0): ManualClock {
  let now = startAt
  const sleepers: { at: number; wake: () => void }[] = []
  return {
    now: () => now,
    monotonic: () => now - startAt,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted()
        const sleeper = { at: now + ms, wake: resolve }
        sleepers.push(sleeper)
        signal?.addEventListener('abort', () => {
          const index = sleepers.indexOf(sleeper)
          if (index >= 0) sleepers.splice(index, 1)
          reject(signal.reason)
        }, { once: true })
      }),
    async advance(ms) {
      const until = now + ms
      for (;;) {
        sleepers.sort((a, b) => a.at - b.at)
        const next = sleepers[0]
        if (!next || next.at > until) break
        sleepers.shift()
        now = next.at
        next.wake()
        await Promise.resolve()
      }
      now = until
      await Promise.resolve()
    },
  }
}
