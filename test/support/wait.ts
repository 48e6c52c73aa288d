/** A promise opened by hand: tests pace both ends with it instead of sleeping. */
export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

/** Makes a closed {@link Gate}. */
export function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

/** The promise's value, or a rejection that names what was waited for after `ms` milliseconds. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A number that can be waited on. */
export interface Gauge {
  readonly value: number
  set(value: number): void
  add(change: number): void
  /** Resolves when `holds` does, at once or after the change that makes it so; rejects after `ms`. */
  until(holds: (value: number) => boolean, ms: number, what: string): Promise<void>
}

/** Makes a {@link Gauge} that starts at 0. */
export function gauge(): Gauge {
  let value = 0
  const waiting = new Set<{ holds: (value: number) => boolean; done: () => void }>()
  function set(next: number): void {
    value = next
    for (const waiter of waiting) if (waiter.holds(value)) waiter.done()
  }
  return {
    get value() {
      return value
    },
    set,
    add: (change) => set(value + change),
    async until(holds, ms, what) {
      if (holds(value)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const waiter = { holds, done: resolve }
      waiting.add(waiter)
      try {
        await within(ms, `${what} (now ${value})`, promise)
      } catch {
        throw new Error(`waited ${ms} ms for ${what}; it is ${value}`)
      } finally {
        waiting.delete(waiter)
      }
    },
  }
}
