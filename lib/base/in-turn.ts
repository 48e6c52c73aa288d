/**
 * Runs `work` one at a time, for readers of something that others change: whoever asks gets a run that began after they
 * asked. Those who ask during a run share the next one.
 *
 * @example const reload = inTurn(readAll); await reload()
 */
export function inTurn(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null

  function run(): Promise<void> {
    next = null
    const mine: Promise<void> = running = work().finally(() => {
      if (running === mine && next === null) running = null
    })
    return mine
  }

  return () => running === null ? run() : next ??= running.then(run, run)
}
