import type { Clock } from '../base/mod.ts'

/** What this process has running and has sent, by account. */
export interface Load {
  inFlight(account: string): number
  used(account: string): number
  /** Requests sent in the last minute. */
  recent(account: string): number
  /** Whether a proving request runs under this key. */
  proving(key: string): boolean
  /** A request begins; returns when, on the clock that never jumps, for {@link Load.end}. */
  begin(account: string, proving: string | null): number
  /** It is over: called once. */
  end(account: string, proving: string | null, startedAt: number): void
  /** Whether one more attempt beyond a request's first fits the retry budget. */
  mayRetry(part: number): boolean
  countRequest(): void
  countRetry(): void
}

/** A proving request that has not ended by then no longer keeps others from trying. */
const provingMs = 120_000
const alwaysAllowedRetries = 10

/** Counts kept in memory; bounded by the number of accounts. */
export function createLoad(clock: Clock): Load {
  const running = new Map<string, number>()
  const sent = new Map<string, number>()
  const minutes = new Map<string, number[]>()
  const provings = new Map<string, number>()
  const requests = rate()
  const retries = rate()

  function rate() {
    return { minute: -1, now: 0, before: 0 }
  }

  function roll(counter: ReturnType<typeof rate>): ReturnType<typeof rate> {
    const minute = Math.floor(clock.monotonic() / 60_000)
    if (counter.minute !== minute) {
      counter.before = counter.minute === minute - 1 ? counter.now : 0
      counter.now = 0
      counter.minute = minute
    }
    return counter
  }

  return {
    inFlight: (account) => running.get(account) ?? 0,
    used: (account) => sent.get(account) ?? 0,
    recent(account) {
      const times = minutes.get(account)
      if (!times) return 0
      const since = clock.monotonic() - 60_000
      let stale = 0
      while (stale < times.length && times[stale]! <= since) stale++
      if (stale > 0) times.splice(0, stale)
      return times.length
    },
    proving(key) {
      const since = provings.get(key)
      return since !== undefined && clock.monotonic() - since < provingMs
    },
    begin(account, proving) {
      running.set(account, (running.get(account) ?? 0) + 1)
      sent.set(account, (sent.get(account) ?? 0) + 1)
      const times = minutes.get(account) ?? []
      const startedAt = clock.monotonic()
      times.push(startedAt)
      // Only as many as a limit can ask about; without a limit nobody asks.
      if (times.length > 10_000) times.splice(0, 5_000)
      minutes.set(account, times)
      if (proving !== null) provings.set(proving, startedAt)
      return startedAt
    },
    end(account, proving, startedAt) {
      running.set(account, Math.max(0, (running.get(account) ?? 1) - 1))
      if (proving !== null && provings.get(proving) === startedAt) provings.delete(proving)
    },
    mayRetry(part) {
      const asked = roll(requests)
      const again = roll(retries)
      return again.now + again.before < alwaysAllowedRetries + part * (asked.now + asked.before)
    },
    countRequest: () => void roll(requests).now++,
    countRetry: () => void roll(retries).now++,
  }
}
