/**
 * One run per key at a time; everyone who asks while it runs gets the same result, good or bad.
 *
 * @example const refresh = singleFlight<Credential>(); await refresh.run(accountId, () => doRefresh())
 */
export interface SingleFlight<T> {
  run(key: string, work: () => Promise<T>): Promise<T>
}

/** Makes a {@link SingleFlight}. */
export function singleFlight<T>(): SingleFlight<T> {
  const running = new Map<string, Promise<T>>()
  return {
    run(key, work) {
      const current = running.get(key)
      if (current) return current
      const started = work().finally(() => running.delete(key))
      running.set(key, started)
      return started
    },
  }
}
