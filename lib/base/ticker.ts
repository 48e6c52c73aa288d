import type { Clock } from './clock.ts'

/**
 * One slow beat for all the deadlines of a process.
 *
 * A timer per stream, set again with every chunk, would cost more than the chunk. A watcher instead notes when
 * something last happened and is asked once per beat whether that is too long ago.
 */
export interface Ticker {
  /** Monotonic milliseconds at the last beat: good enough to note "just now", and free to read. */
  readonly now: number
  /** Asks `watcher` once per period, from the next one on, until {@link Ticker.unwatch}. */
  watch(watcher: Watcher): void
  unwatch(watcher: Watcher): void
  /** Stops for good. */
  close(): void
}

/** Who is asked at each beat whether something is too long ago. An object, as streams have one for themselves anyway. */
export interface Watcher {
  /** @param now monotonic milliseconds */
  beat(now: number): void
}

/** A {@link Ticker} that beats only while somebody watches, so an idle process stays idle. */
export function createTicker(clock: Clock, periodMs = 250): Ticker {
  const watchers = new Set<Watcher>()
  const stop = new AbortController()
  let now = clock.monotonic()
  let running = false

  async function run(): Promise<void> {
    running = true
    try {
      while (watchers.size > 0 && !stop.signal.aborted) {
        await clock.sleep(periodMs, stop.signal)
        now = clock.monotonic()
        for (const watcher of watchers) watcher.beat(now)
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      running = false
    }
  }

  return {
    get now() {
      return running ? now : clock.monotonic()
    },
    watch(watcher) {
      watchers.add(watcher)
      if (!running) {
        now = clock.monotonic()
        void run()
      }
    },
    unwatch: (watcher) => void watchers.delete(watcher),
    close() {
      watchers.clear()
      stop.abort()
    },
  }
}
